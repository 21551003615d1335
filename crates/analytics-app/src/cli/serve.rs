//! `analytics serve`: the HTTP service.

mod alerts;
mod demo;
mod running;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use analytics_domain::request::Network;
use anyhow::{Context, anyhow};
use figment::value::Value;

use super::CliError;
use crate::config::{Layers, Preset, Settings};

/// The options of `analytics serve`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ServeArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where everything is kept: memory, or the address of a database
    #[arg(long, value_name = "STORE", default_value = "memory")]
    store: String,
    /// Directory for secrets, for levels and bans, and for records that the store could not take yet. Without it they
    /// end with the process
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// File of the ingest and the admin token; it is made if it is not there
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Fills the store with a day of simulated traffic that ends now
    #[arg(long, conflicts_with = "state_dir")]
    demo: bool,
    /// TOML file with the rules, as for replay
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Rules to start from
    #[arg(long, value_enum)]
    preset: Option<Preset>,
    /// What to do about abuse: off, shadow (the default: decide, record, let pass) or enforce
    #[arg(long, value_name = "MODE", value_parser = ["off", "shadow", "enforce"])]
    mode: Option<String>,
    /// A host of the site itself, with its subdomains; may be given several times
    #[arg(long, value_name = "HOST")]
    site_host: Vec<String>,
    /// Address or network of the site's own proxies, such as 10.0.0.0/8; may be given several times
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<Network>,
    /// Visitors remembered at once (default 200,000)
    #[arg(long, value_name = "N")]
    capacity: Option<u32>,
    /// Database of countries in MMDB format
    #[arg(long, value_name = "FILE")]
    geoip: Option<PathBuf>,
    /// Networks that operators of crawlers publish, or rules of your own; may be given several times
    #[arg(long, value_name = "FILE")]
    crawler_ranges: Vec<PathBuf>,
    /// Verifies crawlers by published networks only, and looks up no names
    #[arg(long)]
    no_crawler_names: bool,
    /// Where anomalies are told besides the log, such as <https://example.org/hook>
    #[arg(long, value_name = "URL", requires = "webhook_key_file")]
    webhook: Option<String>,
    /// File of the key that signs what is told: 32 bytes, or 64 hexadecimal digits
    #[arg(long, value_name = "FILE", requires = "webhook")]
    webhook_key_file: Option<PathBuf>,
    /// Writes the log as JSON lines
    #[arg(long)]
    log_json: bool,
}

impl ServeArgs {
    fn settings(&self) -> Result<Settings, CliError> {
        let mut flags = Vec::new();
        let mut flag = |key, name, value: Option<Value>| flags.extend(value.map(|value| (key, name, value)));
        let list = |texts: Vec<String>| (!texts.is_empty()).then(|| Value::from(texts));
        flag("site.hosts", "--site-host", list(self.site_host.clone()));
        let proxies = self.trusted_proxy.iter().map(ToString::to_string).collect();
        flag("client.trusted_proxies", "--trusted-proxy", list(proxies));
        flag("live.capacity", "--capacity", self.capacity.map(Value::from));
        flag("throttle.mode", "--mode", self.mode.clone().map(Value::from));
        flag("reputation.ban.mode", "--mode", self.mode.clone().map(Value::from));
        let layers = Layers { file: self.policy.clone(), preset: self.preset, flags, environment: true };
        let (settings, _) = layers.read().map_err(CliError::usage)?;
        Ok(settings)
    }
}

pub(super) fn run(args: &ServeArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let settings = args.settings()?;
    if !args.listen.ip().is_loopback() && args.token_file.is_none() {
        return Err(CliError::Usage(anyhow!(
            "{} can be reached from other machines, so calls need tokens; give --token-file FILE, which is made if it is \
             not there",
            args.listen
        )));
    }
    log_to_standard_error(args.log_json);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
        .map_err(CliError::Failed)?;
    runtime.block_on(running::serve(args, &settings, out))
}

/// Logs go to standard error, without anything about a person: no address, agent, path or id of a visitor.
fn log_to_standard_error(json: bool) {
    let logs = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_target(false);
    // One that is set already, as in tests, stays.
    let _ = if json { logs.json().try_init() } else { logs.try_init() };
}
