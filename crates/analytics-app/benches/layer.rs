//! What the layer adds to a hello world of axum, in the same process and run.
//!
//! `cargo bench -p analytics-app --bench layer`
//!
//! Both routers answer the same requests of 50,000 clients in turn, without a network: what is measured is the work, not
//! the system calls that a real service makes besides. Rounds take turns; the ratio is the median of those of
//! neighbouring rounds. Rows go into a store in memory, by a queue, on the other thread.
#![expect(clippy::print_stdout, reason = "a benchmark shows its result")]

mod support;

use std::net::SocketAddr;

use analytics_app::Analytics;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::routing::get;
use tower::ServiceExt;

use support::{median, nanoseconds_each, wanted};

fn main() {
    if !wanted() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let running = runtime.block_on(async { Analytics::builder().start() });
    let running = running.unwrap_or_else(|error| panic!("no engine: {error}"));
    let plain = Router::new().route("/", get(|| async { "hello" }));
    let layered = plain.clone().layer(running.layer());
    let (mut alone, mut added, mut client) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let without = nanoseconds_each(EACH, || runtime.block_on(ask(&plain, client)));
        let with = nanoseconds_each(EACH, || runtime.block_on(ask(&layered, client)));
        client += EACH;
        alone.push(without);
        added.push(with - without);
    }
    let (alone, added) = (median(&alone), median(&added));
    println!("hello world alone          {alone:>8.0} ns a request");
    println!("the layer adds             {added:>8.0} ns a request, {:.2} of it", added / alone);
    let counters = running.live().counters();
    println!("rows dropped by the queue  {:>8}", counters.rows_dropped);
    let _ = runtime.block_on(running.close());
}

async fn ask(router: &Router, first: usize) {
    for number in first..first + EACH {
        let client = (number % CLIENTS) as u32;
        let mut request = Request::get("/")
            .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
            .header("accept-language", "en")
            .body(Body::empty())
            .unwrap_or_else(|error| panic!("no request: {error}"));
        let peer = SocketAddr::from(((0x0a00_0000 | client).to_be_bytes(), 40_000));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answered = router.clone().oneshot(request).await;
        assert!(answered.is_ok_and(|response| response.status().is_success()));
    }
}

const CLIENTS: usize = 50_000;
const EACH: usize = 20_000;
const ROUNDS: usize = 11;
