//! Answering connections: a bounded number of them, none for long without a word, and an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// How many connections there may be, and how patient the server is with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerPolicy {
    /// Connections at once; further ones wait to be accepted. Default 10,000, some 200 MB at worst.
    pub connections: usize,
    /// How long the head of a request may take to come, the wait between two requests included. Default 30 s.
    pub head: Duration,
    /// The largest head of a request in bytes. Default 64 KiB.
    pub head_bytes: usize,
    /// How long requests under way may take after the end was asked for. Default 10 s.
    pub grace: Duration,
}

impl Default for ServerPolicy {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head: Duration::from_secs(30),
            head_bytes: 64 * 1024,
            grace: Duration::from_secs(10),
        }
    }
}

/// Answers connections with the router until `stop` is ready, then lets requests under way end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    policy: ServerPolicy,
    stop: impl Future<Output = ()>,
) {
    let connections = Arc::new(Semaphore::new(policy.connections));
    let graceful = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(policy.head).max_buf_size(policy.head_bytes);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&connections).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // Out of files, or the client went away: the next one may come through.
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = with_peer(router.clone(), peer);
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // What goes wrong on one connection is the client's to notice.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(policy.grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests under way were cut off after the time that they were given");
    }
}

fn with_peer(
    router: Router,
    peer: SocketAddr,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> {
    hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(axum::body::Body::new))
    })
}
