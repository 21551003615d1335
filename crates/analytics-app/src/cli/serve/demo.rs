//! A day of simulated traffic, so that a newcomer sees real figures at once.

mod visits;

use std::io::Write as _;
use std::num::NonZeroUsize;

use analytics_domain::anomaly::{AnomalyEvent, Band, Finite};
use analytics_domain::identity::IdentityKey;
use analytics_ports::{IdGenerator, StoreError};
use chrono::{DateTime, TimeDelta, Timelike, Utc};

use super::super::CliError;
use super::super::replay::refused;
use crate::config::Settings;
use crate::ingest::source::Input;
use crate::replay::{AnomalySummary, Replay, ReplayOptions};
use crate::services::RecordingService;
use crate::simulate::{SimulationOptions, SimulationPlan};
use crate::system::SystemIds;
use crate::wiring::Stores;

/// Replays a simulated day that ends now into the stores.
pub(super) async fn fill(settings: &Settings, stores: &Stores, now: DateTime<Utc>) -> Result<(), CliError> {
    let start = now - TimeDelta::hours(HOURS.into());
    let start = start.with_nanosecond(0).unwrap_or(start);
    let options = SimulationOptions { start, hours: HOURS, people: PEOPLE, ..SimulationOptions::default() };
    let plan = SimulationPlan::new(options).map_err(CliError::failed)?;
    let mut log = tempfile::NamedTempFile::new().map_err(CliError::failed)?;
    crate::simulate::write(&plan, &mut log, &mut std::io::sink()).map_err(CliError::failed)?;
    log.flush().map_err(CliError::failed)?;
    let options = ReplayOptions {
        format: None,
        threads: NonZeroUsize::MIN,
        site_hosts: Vec::new(),
        address: settings.client.clone(),
        visit: settings.visit(),
        lateness: TimeDelta::seconds(120),
        capacity: NonZeroUsize::new(200_000).expect("it is not zero"),
        key: IdentityKey::REPLAY,
        strict: false,
    };
    let recording = RecordingService::new(stores.sessions.clone(), stores.requests.clone());
    let inputs = vec![Input::File(log.path().to_owned())];
    // A replay waits for its stores from a thread of its own.
    let replayed = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut sink = recording.sink(&runtime, now);
        Ok::<_, std::io::Error>(Replay::new(options).with_records(&mut sink).run(inputs))
    });
    let report = replayed.await.map_err(CliError::failed)?.map_err(CliError::failed)?.map_err(refused)?;
    let ids = SystemIds::new().map_err(CliError::failed)?;
    keep_anomalies(stores, &ids, &report.anomalies).await.map_err(CliError::failed)?;
    visits::tell(stores, &ids, now).await.map_err(CliError::Failed)?;
    tracing::info!(requests = report.input.requests, "filled with a day of simulated traffic");
    Ok(())
}

/// Keeps what was out of the ordinary in the simulated day.
async fn keep_anomalies(
    stores: &Stores,
    ids: &dyn IdGenerator,
    anomalies: &AnomalySummary,
) -> Result<(), StoreError> {
    for row in &anomalies.rows {
        let finite = |value: f64| Finite::new(value).ok();
        let Some(value) = finite(row.value) else { continue };
        let expected = row.expected_from.zip(row.expected_to);
        let expected = expected.and_then(|(from, to)| Band::new(finite(from)?, finite(to)?).ok());
        let event = AnomalyEvent {
            id: ids.anomaly_event_id(row.since),
            metric: row.metric.clone(),
            rule: row.rule,
            level: row.level,
            since: row.since,
            opened_at: row.since,
            value,
            expected,
            score: None,
            closed_at: row.until,
            acknowledged_at: None,
        };
        stores.anomalies.put(&event).await?;
    }
    Ok(())
}

const HOURS: u32 = 24;
const PEOPLE: u32 = 600;
