//! From options to a service that runs until it is told to stop.

use std::io::Write;
use std::num::NonZeroU32;
use std::sync::Arc;

use analytics_ports::Clock;
use anyhow::{Context, anyhow};
use tokio::net::TcpListener;

use super::super::CliError;
use super::super::replay::{open_geo, wired};
use super::super::settings::rules;
use super::alerts::Delivering;
use super::{ServeArgs, demo};
use crate::analytics::{Analytics, AtNextStart, StartError};
use crate::config::Settings;
use crate::http::server::{ServerPolicy, serve as answer};
use crate::live::Tokens;
use crate::live::private::StateDir;
use crate::live::verify::{CrawlerRules, CrawlerVerifier, SystemNames, VerifyPolicy};
use crate::system::{HangupSignal, SystemClock, hangup_signal, stop_signal};
use crate::wiring::{self, Stores};

/// Serves until a signal asks to stop, then lets requests under way end and brings what is queued to the store.
pub(super) async fn serve(
    args: &ServeArgs,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let stop = stop_signal().map_err(CliError::failed)?;
    let hangup = hangup_signal().map_err(CliError::failed)?;
    let stores = open(args, settings).await?;
    if args.demo {
        demo::fill(settings, &stores, SystemClock.now()).await?;
    }
    let mut builder = Analytics::builder()
        .settings(settings.clone())
        .rules(rules(settings)?)
        .stores(stores)
        .on_loopback(args.listen.ip().is_loopback());
    if let Some(path) = &args.state_dir {
        builder = builder.state_dir(StateDir::open(path).map_err(CliError::failed)?);
    }
    if let Some(path) = &args.token_file {
        builder = builder.tokens(Tokens::open(path).map_err(CliError::failed)?);
    }
    if let Some(path) = &args.geoip {
        builder = builder.geo(Arc::new(open_geo(path)?));
    }
    let delivering = Delivering::start(args)?;
    if let Some(delivering) = &delivering {
        builder = builder.alert(Arc::clone(&delivering.webhook) as _);
    }
    let crawlers = CrawlerVerifier::start(crawlers(args)?, VerifyPolicy::default(), Box::new(SystemNames));
    let analytics = builder.crawlers(crawlers.map_err(CliError::failed)?);
    let analytics = analytics.start().map_err(|error| match error {
        StartError::Site(_) => CliError::usage(error),
        StartError::Keys(_) | StartError::Spill(_) | StartError::NoRandomness(_) => CliError::failed(error),
    })?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))
        .map_err(CliError::Failed)?;
    let address = listener.local_addr().map_err(CliError::failed)?;
    writeln!(out, "listening on http://{address}/").and_then(|()| out.flush()).map_err(CliError::failed)?;
    if let Some(path) = &args.token_file {
        tracing::info!("tokens are in {}", path.display());
    }
    tokio::select! {
        () = answer(listener, analytics.router(), ServerPolicy::default(), stop.asked()) => {}
        () = reload_at(hangup, args, &analytics) => {}
    }
    let counters = analytics.close().await;
    if let Some(delivering) = delivering {
        delivering.stop();
    }
    let waiting = counters.waiting_in_spill;
    tracing::info!(stored = counters.stored, waiting, lost = counters.lost, "stopped");
    if counters.lost > 0 {
        return Err(CliError::Failed(anyhow!(
            "{} records were lost: neither the store nor a state directory took them",
            counters.lost
        )));
    }
    Ok(())
}

/// Reads the configuration again at each hangup, without end. One that is refused is told, and changes nothing.
async fn reload_at(mut hangup: HangupSignal, args: &ServeArgs, analytics: &Analytics) {
    loop {
        hangup.next().await;
        match reload(args, analytics) {
            Ok(later) if later.is_empty() => tracing::info!("the configuration was taken up"),
            Ok(later) => {
                let keys = later.join(", ");
                tracing::warn!("the configuration was taken up; {keys} at the next start");
            }
            Err(error) => {
                analytics.refuse_configuration();
                tracing::error!("the configuration of before stays in force: {error}");
            }
        }
    }
}

fn reload(args: &ServeArgs, analytics: &Analytics) -> Result<AtNextStart, CliError> {
    let settings = args.settings()?;
    analytics.reload(&settings, rules(&settings)?).map_err(CliError::usage)
}

fn crawlers(args: &ServeArgs) -> Result<CrawlerRules, CliError> {
    let mut rules = CrawlerRules::known();
    for path in &args.crawler_ranges {
        rules = rules.with_file(path).map_err(CliError::usage)?;
    }
    Ok(if args.no_crawler_names { rules.without_names() } else { rules })
}

async fn open(args: &ServeArgs, settings: &Settings) -> Result<Stores, CliError> {
    if args.store != "memory" {
        return wiring::connect(&args.store).await.map_err(wired);
    }
    let rows = NonZeroU32::new(settings.live.memory_rows).expect("the settings hold that it is not 0");
    Ok(wiring::in_memory(rows).0)
}
