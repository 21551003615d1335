//! A tiny site: pages with a style, a script and an image.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

/// Starts the site, which ends with the process, and answers its port.
pub(crate) fn start() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(&stream));
        }
    });
    port
}

/// Answers each request of a connection. What the proxy said of the session stands in the answer.
fn serve(mut stream: &TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    loop {
        let first = lines.next()?.ok()?;
        let path = first.split(' ').nth(1)?.to_owned();
        let mut class = String::new();
        loop {
            let line = lines.next()?.ok()?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("x-analytics-class")
            {
                value.trim().clone_into(&mut class);
            }
        }
        let (kind, body) = match path.rsplit_once('.').map(|(_, end)| end) {
            Some("css") => ("text/css", "body { color: black }".to_owned()),
            Some("js") => ("text/javascript", "document.title".to_owned()),
            Some("png") => ("image/png", "png".to_owned()),
            Some(_) | None => ("text/html", page(&path)),
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nX-Seen-Class: {class}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
    }
}

fn page(path: &str) -> String {
    format!(
        "<!doctype html><title>{path}</title><link rel=stylesheet href=/style.css><script src=/app.js></script>\
         <img src=/logo.png alt=\"\"><p>This is {path}.</p>"
    )
}
