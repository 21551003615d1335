//! Starts PostgreSQL in a container for a run of tests and prints its URL. `database/server.rs` calls it where Docker
//! answers; the container ends itself when no test has used it for a minute.

use testcontainers::core::{IntoContainerPort as _, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{GenericImage, ImageExt as _, TestcontainersError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), TestcontainersError> {
    let server =
        "docker-entrypoint.sh postgres -c fsync=off -c synchronous_commit=off -c max_connections=200";
    let script = format!("set -- {server}\n{}", include_str!("keeper.sh"));
    let image = GenericImage::new("postgres", "16-alpine")
        .with_entrypoint("sh")
        .with_exposed_port(5432.tcp())
        .with_wait_for(WaitFor::Nothing)
        .with_cmd(["-c".to_owned(), script])
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_env_var("SERVER_LOG", "/dev/stderr")
        .with_env_var("SERVER_FOLDER", "")
        .with_env_var("TESTS_LOCK", TESTS_LOCK.to_string())
        .with_host_config_modifier(|host| host.auto_remove = Some(true));
    let container = image.start().await?;
    let (host, port) = (container.get_host().await?, container.get_host_port_ipv4(5432.tcp()).await?);
    // Its keeper ends it; dropping it here would end it now.
    std::mem::forget(container);
    print(&format!("postgres://postgres@{host}:{port}/postgres"));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the URL is what the program is for")]
fn print(url: &str) {
    println!("{url}");
}

/// As in `server.rs`: whoever shares it keeps the server alive.
const TESTS_LOCK: u32 = 7_301;
