//! The engine inside a service of one's own: `cargo run -p analytics-app --example axum_layer`, then open
//! <http://127.0.0.1:3000/>.

use std::net::SocketAddr;

use analytics_app::Analytics;
use analytics_app::http::layer::Visit;
use axum::routing::get;
use axum::{Extension, Router};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let analytics = Analytics::builder().start()?;
    let hello = |Extension(visit): Extension<Visit>| async move {
        format!("Hello. You are taken for: {}\n", visit.class.as_str())
    };
    let router = Router::new().route("/", get(hello)).layer(analytics.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or(()) })
        .await?;
    analytics.close().await;
    Ok(())
}
