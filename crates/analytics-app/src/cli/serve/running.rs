//! From options to a service that runs until it is told to stop.

use std::io::Write;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use analytics_domain::usage::PriceTable;
use analytics_ports::{Clock, IdGenerator};
use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;

use super::super::CliError;
use super::super::replay::{open_geo, wired};
use super::{ServeArgs, demo};
use crate::anomaly::MonitorPolicy;
use crate::config::Settings;
use crate::http::server::{ServerPolicy, serve as answer};
use crate::http::{Service, ServiceParts, router};
use crate::ingest::queue::{Drain, Ingest, QueuePolicy, SpillFile};
use crate::live::private::StateDir;
use crate::live::{Keys, LiveRecord, LiveSink, LiveTraffic, Tokens};
use crate::services::{AnalyticsService, AnomalyDetectionService, ReputationService};
use crate::system::{SystemClock, SystemIds, stop_signal};
use crate::wiring::{self, Stores};

/// Serves until a signal asks to stop, then lets requests under way end and brings what is queued to the store.
pub(super) async fn serve(
    args: &ServeArgs,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids: Arc<dyn IdGenerator> = Arc::new(SystemIds::new().map_err(CliError::failed)?);
    let stop = stop_signal().map_err(CliError::failed)?;
    let state = args.state_dir.as_deref().map(StateDir::open).transpose().map_err(CliError::failed)?;
    let now = clock.now();
    let keys = match &state {
        Some(state) => Keys::open(state, now),
        None => Keys::in_memory(now),
    };
    let keys = Arc::new(keys.map_err(CliError::failed)?);
    let tokens = args.token_file.as_deref().map(Tokens::open).transpose().map_err(CliError::failed)?;
    let stores = open(args, settings).await?;
    let reputation = reputation(&stores, settings, &clock, &ids);
    let spill = match &state {
        Some(state) => SpillFile::open(&state.file("records.redb")),
        None => SpillFile::in_memory(),
    };
    let sink = Arc::new(LiveSink::new(stores.clone(), reputation.clone(), Arc::clone(&clock)));
    let (queue, drain) = Ingest::start(sink, spill.map_err(CliError::failed)?, QueuePolicy::default());
    let live = Arc::new(traffic(args, settings, &keys, &ids, &queue)?);
    if args.demo {
        demo::fill(settings, &stores, now).await?;
    }
    let service = Arc::new(Service::new(ServiceParts {
        live: Arc::clone(&live),
        queue,
        analytics: AnalyticsService::new(
            Arc::clone(&stores.sessions),
            Arc::clone(&stores.events),
            Arc::clone(&clock),
            Arc::clone(&ids),
            settings.session,
        ),
        reputation,
        anomalies: Arc::new(anomalies(&stores, &clock, &ids)),
        prices: PriceTable::default(),
        clock: Arc::clone(&clock),
        ids,
        tokens,
        on_loopback: args.listen.ip().is_loopback(),
        stores,
    }));
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))
        .map_err(CliError::Failed)?;
    let address = listener.local_addr().map_err(CliError::failed)?;
    writeln!(out, "listening on http://{address}/").and_then(|()| out.flush()).map_err(CliError::failed)?;
    if let Some(path) = &args.token_file {
        tracing::info!("tokens are in {}", path.display());
    }
    let upkeep = tokio::spawn(keep_up(Arc::clone(&live), Arc::clone(&keys), Arc::clone(&clock)));
    answer(listener, router(Arc::clone(&service)), ServerPolicy::default(), stop.asked()).await;
    upkeep.abort();
    end(&live, &*clock, drain).await
}

/// Brings to the stores what they were not told yet.
async fn end(live: &LiveTraffic, clock: &dyn Clock, drain: Drain) -> Result<(), CliError> {
    live.tell(clock.now());
    let counters = drain.close().await;
    tracing::info!(
        stored = counters.stored,
        waiting = counters.waiting_in_spill,
        lost = counters.lost,
        "stopped"
    );
    if counters.lost > 0 {
        return Err(CliError::Failed(anyhow!(
            "{} records were lost: neither the store nor a state directory took them",
            counters.lost
        )));
    }
    Ok(())
}

/// Tells the stores once a second what moved, and turns the keys once a minute.
async fn keep_up(live: Arc<LiveTraffic>, keys: Arc<Keys>, clock: Arc<dyn Clock>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for second in 0_u64.. {
        seconds.tick().await;
        let now = clock.now();
        live.tell(now);
        if second % 60 == 0
            && let Err(error) = keys.turn(now)
        {
            tracing::error!(%error, "the keys could not be turned; those of before stay");
        }
    }
}

async fn open(args: &ServeArgs, settings: &Settings) -> Result<Stores, CliError> {
    if args.store != "memory" {
        return wiring::connect(&args.store).await.map_err(wired);
    }
    let rows = NonZeroU32::new(settings.live.memory_rows).expect("the settings hold that it is at least 1");
    Ok(wiring::in_memory(rows).0)
}

fn traffic(
    args: &ServeArgs,
    settings: &Settings,
    keys: &Arc<Keys>,
    ids: &Arc<dyn IdGenerator>,
    queue: &Ingest<LiveRecord>,
) -> Result<LiveTraffic, CliError> {
    let policy = settings.live().map_err(CliError::usage)?;
    let capacity = settings.live.capacity as usize;
    let live = LiveTraffic::new(
        settings.visit(),
        policy,
        capacity,
        Arc::clone(keys),
        Arc::clone(ids),
        queue.clone(),
    );
    match args.geoip.as_deref() {
        Some(path) => Ok(live.with_geo(Arc::new(open_geo(path)?))),
        None => Ok(live),
    }
}

fn reputation(
    stores: &Stores,
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn IdGenerator>,
) -> ReputationService {
    ReputationService::new(
        Arc::clone(&stores.fingerprints),
        Arc::clone(&stores.bans),
        Arc::clone(clock),
        Arc::clone(ids),
        settings.reputation.clone(),
        settings.client.trusted_proxies.clone(),
    )
}

fn anomalies(stores: &Stores, clock: &Arc<dyn Clock>, ids: &Arc<dyn IdGenerator>) -> AnomalyDetectionService {
    AnomalyDetectionService::new(
        Arc::clone(&stores.thresholds),
        Arc::clone(&stores.anomalies),
        Vec::new(),
        Arc::clone(clock),
        Arc::clone(ids),
        MonitorPolicy::default(),
    )
}
