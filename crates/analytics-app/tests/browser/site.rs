//! A site for a browser to visit: answers HTTP/1.1 on a free port of this machine, for as long as the test runs.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a browser asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The path with its query.
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

/// What it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) media_type: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn html(page: impl Into<String>) -> Self {
        Self { status: 200, media_type: "text/html; charset=utf-8", body: page.into().into_bytes() }
    }
}

/// Answers each request by this function, and gives the address of the site, without a slash at its end.
pub(crate) async fn serve<F, A>(answer: F) -> String
where
    F: Fn(Asked) -> A + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                // A browser that hangs up is none of the test's business.
                let _ = talk(stream, &*answer).await;
            });
        }
    });
    format!("http://{address}")
}

/// One request on each connection.
async fn talk<F, A>(stream: TcpStream, answer: &F) -> io::Result<()>
where
    F: Fn(Asked) -> A,
    A: Future<Output = Answer>,
{
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let Answer { status, media_type, body } = answer(Asked { method, path, body }).await;
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}
