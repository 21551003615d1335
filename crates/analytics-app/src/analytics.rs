//! Everything together: engine, queue, stores and services, for a service of one's own or for `analytics serve`.

mod reload;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use analytics_domain::engagement::PageTokenKey;
use analytics_domain::features::FeatureExtractionConfig;
use analytics_domain::request::InvalidSite;
use analytics_domain::usage::PriceTable;
use analytics_domain::visit::VisitPolicy;
use analytics_ports::{AlertSink, Clock, GeoLocator, IdGenerator};
use axum::Router;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

pub use self::reload::AtNextStart;
use self::reload::MadeOnce;
use crate::anomaly::AlertLog;
use crate::config::Settings;
use crate::http::layer::AnalyticsLayer;
use crate::http::{self, Service, ServiceParts};
use crate::ingest::queue::{Drain, Ingest, IngestCounters, QueuePolicy, SpillError, SpillFile};
use crate::live::keys::KeysError;
use crate::live::private::StateDir;
use crate::live::snapshot::SnapshotFile;
use crate::live::verify::CrawlerVerifier;
use crate::live::{Keys, LivePolicy, LiveSink, LiveTraffic, Tokens};
use crate::services::engagement::EngagementRules;
use crate::services::jobs::{JobDriver, JobOutcome, JobPolicies, JobRunner, JobSchedule};
use crate::services::{
    AnalyticsService, AnomalyDetectionService, AnomalyPolicy, EngagementService, MinuteOutcome,
    ReputationService,
};
use crate::system::{SystemClock, SystemIds};
use crate::wiring::{self, Stores};

/// The engine over live traffic with its stores and services.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use analytics_app::Analytics;
///
/// let analytics = Analytics::builder().start()?;
/// let site: axum::Router = axum::Router::new().layer(analytics.layer());
/// // … serve `site`, and at the end:
/// analytics.close().await;
/// # Ok(())
/// # }
/// ```
pub struct Analytics {
    service: Arc<Service>,
    keys: Arc<Keys>,
    clock: Arc<dyn Clock>,
    drain: Drain,
    /// Held, so that no other service writes in it.
    _state: Option<StateDir>,
    turned: Mutex<Option<DateTime<Utc>>>,
    jobs: tokio::sync::Mutex<JobDriver>,
    /// What jobs are to follow from their next run on.
    job_rules: Mutex<Option<(JobPolicies, JobSchedule)>>,
    made_once: MadeOnce,
    /// Whether the prices were given by hand, so that those of settings do not count.
    own_prices: bool,
}

/// An [`Analytics`] that does what is due by itself: it tells the stores once a second, looks for anomalies in each minute,
/// and runs jobs of upkeep.
pub struct Running {
    analytics: Arc<Analytics>,
    /// Says that all is to end.
    stop: watch::Sender<bool>,
    /// What finishes what it is about: telling the stores, and looking for anomalies.
    orderly: [JoinHandle<()>; 2],
    /// Jobs of upkeep, which may end at any moment.
    keeping: JoinHandle<()>,
}

/// What an [`Analytics`] is to be made of. Everything has a default: rules as documented, stores in memory, the
/// machine's clock, keys that end with the process.
pub struct AnalyticsBuilder {
    settings: Settings,
    rules: Option<VisitPolicy>,
    stores: Option<Stores>,
    clock: Arc<dyn Clock>,
    ids: Option<Arc<dyn IdGenerator>>,
    geo: Option<Arc<dyn GeoLocator>>,
    state: Option<StateDir>,
    crawlers: Option<Arc<CrawlerVerifier>>,
    tokens: Option<Tokens>,
    alerts: Vec<Arc<dyn AlertSink>>,
    prices: Option<PriceTable>,
    queue: QueuePolicy,
    on_loopback: bool,
}

/// Why an [`Analytics`] cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A host of the site is none.
    #[error(transparent)]
    Site(#[from] InvalidSite),
    /// There are no secrets.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The file for records that the store could not take cannot be used.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// The system has no randomness to make ids of.
    #[error("the system has no randomness to make ids of")]
    NoRandomness(#[from] getrandom::Error),
}

impl Analytics {
    /// What is to be made, with every default.
    pub fn builder() -> AnalyticsBuilder {
        AnalyticsBuilder {
            settings: Settings::default(),
            rules: None,
            stores: None,
            clock: Arc::new(SystemClock),
            ids: None,
            geo: None,
            state: None,
            crawlers: None,
            tokens: None,
            alerts: vec![Arc::new(AlertLog::default())],
            prices: None,
            queue: QueuePolicy::default(),
            on_loopback: false,
        }
    }

    /// The engine.
    pub fn live(&self) -> &Arc<LiveTraffic> {
        self.service.live()
    }

    /// Where everything is kept.
    pub fn stores(&self) -> &Stores {
        self.service.stores()
    }

    /// What the routes share.
    pub const fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Every route of the HTTP service.
    pub fn router(&self) -> Router {
        http::router(&self.service)
    }

    /// The layer that puts the engine around a service of one's own.
    pub fn layer(&self) -> AnalyticsLayer {
        AnalyticsLayer::new(Arc::clone(self.live()), Arc::clone(&self.clock))
    }

    /// Does what is due: tells the stores what moved, and turns the keys once a minute. Meant for once a second.
    pub fn tick(&self) {
        let now = self.clock.now();
        self.live().tell(now);
        let mut turned = self.turned.lock();
        if turned.is_none_or(|last| (now - last).num_seconds() >= 60) {
            *turned = Some(now);
            if let Err(error) = self.keys.turn(now) {
                tracing::error!(%error, "the keys could not be turned; those of before stay");
            }
        }
    }

    /// Writes what is held against clients into the state directory, where there is one, so that a restart frees nobody.
    /// Meant for once a minute; closing does it too.
    pub async fn keep_standings(&self) {
        let Some(snapshot) = self.service.snapshot().map(Arc::clone) else { return };
        // A store that is away keeps its bans itself; levels and bans in force are in the standings.
        let bans = self.service.reputation().all_running_bans().await.unwrap_or_default();
        let (live, keys, now) = (Arc::clone(self.live()), Arc::clone(&self.keys), self.clock.now());
        let written =
            tokio::task::spawn_blocking(move || live.write_snapshot(&snapshot, &keys, bans, now)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "standings are not kept"),
            Err(error) => tracing::error!(%error, "standings are not kept"),
        }
    }

    /// Runs the jobs of upkeep that are due, and answers how long none is.
    pub async fn run_due_jobs(&self) -> Duration {
        let mut jobs = self.jobs.lock().await;
        if let Some((policies, schedule)) = self.job_rules.lock().take() {
            jobs.set_rules(policies, schedule);
        }
        for report in jobs.run_due().await {
            if let JobOutcome::Interrupted { reason, .. } = &report.outcome {
                tracing::warn!(job = %report.job, %reason, "a job was interrupted; it is tried again");
            }
        }
        jobs.until_due()
    }

    /// Looks for anomalies in the minutes that are over; answers what each of them led to. Meant for once a second.
    pub async fn watch(&self) -> Vec<MinuteOutcome> {
        self.service.anomalies().watch(self.live().feed()).await
    }

    /// Tells the stores all that moved, and waits until what is queued is in the store or in the spill file.
    pub async fn close(self) -> IngestCounters {
        self.tick();
        // A queue that is full empties itself into the store or the spill file.
        for _ in 0..100 {
            if self.live().untold() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.tick();
        }
        let untold = self.live().untold();
        if untold > 0 {
            tracing::error!(untold, "the queue had no room for the last records");
        }
        self.keep_standings().await;
        let counters = self.drain.close().await;
        self.service.engagement().settle().await;
        counters
    }
}

impl AnalyticsBuilder {
    /// Other rules.
    #[must_use]
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Rules other than those of the settings, such as with a model.
    #[must_use]
    pub fn rules(self, rules: VisitPolicy) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// These stores.
    #[must_use]
    pub fn stores(self, stores: Stores) -> Self {
        Self { stores: Some(stores), ..self }
    }

    /// Another clock.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Another maker of ids.
    #[must_use]
    pub fn ids(self, ids: Arc<dyn IdGenerator>) -> Self {
        Self { ids: Some(ids), ..self }
    }

    /// Places of addresses.
    #[must_use]
    pub fn geo(self, geo: Arc<dyn GeoLocator>) -> Self {
        Self { geo: Some(geo), ..self }
    }

    /// Who says whether declared crawlers are what they say; without one that is unknown.
    #[must_use]
    pub fn crawlers(self, crawlers: Arc<CrawlerVerifier>) -> Self {
        Self { crawlers: Some(crawlers), ..self }
    }

    /// A directory for secrets, for what is held against clients, and for records that the store could not take yet.
    #[must_use]
    pub fn state_dir(self, state: StateDir) -> Self {
        Self { state: Some(state), ..self }
    }

    /// Tokens that calls need.
    #[must_use]
    pub fn tokens(self, tokens: Tokens) -> Self {
        Self { tokens: Some(tokens), ..self }
    }

    /// One more whom anomalies are told, besides the program's log.
    #[must_use]
    pub fn alert(mut self, sink: Arc<dyn AlertSink>) -> Self {
        self.alerts.push(sink);
        self
    }

    /// What models cost, other than the settings say.
    #[must_use]
    pub fn prices(self, prices: PriceTable) -> Self {
        Self { prices: Some(prices), ..self }
    }

    /// Another queue before the stores.
    #[must_use]
    pub fn queue(self, queue: QueuePolicy) -> Self {
        Self { queue, ..self }
    }

    /// Connections come from the machine itself only, so that a person there needs no token.
    #[must_use]
    pub fn on_loopback(self, on_loopback: bool) -> Self {
        Self { on_loopback, ..self }
    }

    /// Makes it, and has it told once a second. Call it within a runtime.
    ///
    /// # Errors
    /// Each [`StartError`].
    pub fn start(self) -> Result<Running, StartError> {
        let analytics = Arc::new(self.build()?);
        let (stop, stopped) = watch::channel(false);
        let telling = tokio::spawn(tell_until(Arc::clone(&analytics), stopped.clone()));
        let watched = Arc::clone(&analytics);
        let watching = tokio::spawn(async move {
            let feed = Arc::clone(watched.live().feed());
            watched.service.anomalies().run(&feed, asked_to_stop(stopped)).await;
        });
        let kept = Arc::clone(&analytics);
        let keeping = tokio::spawn(async move {
            loop {
                let pause = kept.run_due_jobs().await;
                tokio::time::sleep(pause.max(Duration::from_secs(1))).await;
            }
        });
        Ok(Running { analytics, stop, orderly: [telling, watching], keeping })
    }

    /// Makes it for a caller who [ticks](Analytics::tick). Call it within a runtime.
    ///
    /// # Errors
    /// Each [`StartError`].
    ///
    /// # Panics
    /// Never: the settings hold that there is room for a row.
    pub fn build(self) -> Result<Analytics, StartError> {
        let Self { settings, clock, .. } = self;
        let ids = match self.ids {
            Some(ids) => ids,
            None => Arc::new(SystemIds::new()?),
        };
        let stores = self.stores.unwrap_or_else(|| {
            let rows =
                NonZeroU32::new(settings.live.memory_rows).expect("the settings hold that it is not 0");
            wiring::in_memory(rows).0
        });
        let now = clock.now();
        let (keys, spill) = match &self.state {
            Some(state) => (Keys::open(state, now)?, SpillFile::open(&state.file("records.redb"))?),
            None => (Keys::in_memory(now)?, SpillFile::in_memory()?),
        };
        let keys = Arc::new(keys);
        let reputation = ReputationService::new(
            Arc::clone(&stores.fingerprints),
            Arc::clone(&stores.bans),
            Arc::clone(&clock),
            Arc::clone(&ids),
            settings.reputation.clone(),
            settings.client.trusted_proxies.clone(),
        );
        let sink = Arc::new(LiveSink::new(stores.clone(), reputation.clone(), Arc::clone(&clock)));
        let (queue, drain) = Ingest::start(sink, spill, self.queue);
        let mut live = LiveTraffic::new(
            self.rules.unwrap_or_else(|| settings.visit()),
            settings.live()?,
            settings.live.capacity as usize,
            Arc::clone(&keys),
            Arc::clone(&ids),
            queue.clone(),
        );
        if let Some(geo) = self.geo {
            live = live.with_geo(geo);
        }
        if let Some(crawlers) = &self.crawlers {
            live = live.with_verifier(Arc::clone(crawlers).into_check());
        }
        let snapshot = self.state.as_ref().map(|state| Arc::new(SnapshotFile::new(state)));
        if let Some(snapshot) = &snapshot {
            take_up(&live, snapshot, &keys, &stores, now);
        }
        let analytics = AnalyticsService::new(
            Arc::clone(&stores.sessions),
            Arc::clone(&stores.events),
            Arc::clone(&clock),
            Arc::clone(&ids),
            settings.session,
        );
        let rules = engagement_rules(&settings, &live.policy());
        let engagement = EngagementService::new(
            analytics.clone(),
            Arc::clone(&stores.engagement),
            Arc::clone(&clock),
            Arc::clone(&ids),
            PageTokenKey::of_secret(&keys.page_token_seal()),
            rules,
        );
        let extraction = stores.extraction(FeatureExtractionConfig::default());
        let jobs = JobRunner::new(
            stores.jobs(),
            Arc::clone(&stores.leaders),
            Arc::clone(&clock),
            settings.job_policies(),
        );
        let jobs = JobDriver::new(jobs.with_extraction(Arc::new(extraction)), settings.job_schedule());
        let ports = stores.anomaly_ports(self.alerts, Arc::clone(&clock), Arc::clone(&ids));
        let anomalies = AnomalyDetectionService::new(ports, AnomalyPolicy::default());
        let service = Service::new(ServiceParts {
            stores,
            live: Arc::new(live),
            queue,
            analytics,
            engagement,
            reputation,
            anomalies: Arc::new(anomalies),
            prices: self.prices.clone().unwrap_or_else(|| settings.prices()),
            clock: Arc::clone(&clock),
            ids,
            crawlers: self.crawlers,
            snapshot,
            tokens: self.tokens,
            on_loopback: self.on_loopback,
        });
        let service = Arc::new(service);
        Ok(Analytics {
            service,
            keys,
            clock,
            drain,
            _state: self.state,
            turned: Mutex::new(None),
            jobs: tokio::sync::Mutex::new(jobs),
            job_rules: Mutex::default(),
            own_prices: self.prices.is_some(),
            made_once: MadeOnce::of(&settings),
        })
    }
}

/// What beacons are held against.
fn engagement_rules(settings: &Settings, policy: &LivePolicy) -> EngagementRules {
    EngagementRules {
        beacons: settings.beacons,
        engagement: settings.engagement,
        site: Arc::new(policy.request.site.clone()),
    }
}

/// Ticks once a second, and keeps standings once a minute, until it is asked to stop.
async fn tell_until(analytics: Arc<Analytics>, stopped: watch::Receiver<bool>) {
    let mut stop = std::pin::pin!(asked_to_stop(stopped));
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for second in 1_u64.. {
        tokio::select! {
            () = &mut stop => break,
            _ = seconds.tick() => {}
        }
        // It goes through every session that moved, while requests want their thread.
        let told = Arc::clone(&analytics);
        if let Err(error) = tokio::task::spawn_blocking(move || told.tick()).await {
            tracing::error!(%error, "the stores were not told");
        }
        if second % 60 == 0 {
            analytics.keep_standings().await;
        }
        analytics.service.engagement().settle().await;
    }
}

/// Ready when the channel says so, or nobody is left to say it.
async fn asked_to_stop(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|&stop| stop).await;
}

/// Takes up what was held against clients before the restart. Bans go to the store too, which knows them already unless
/// it ended with the process.
fn take_up(live: &LiveTraffic, snapshot: &SnapshotFile, keys: &Keys, stores: &Stores, now: DateTime<Utc>) {
    match live.take_up_snapshot(snapshot, keys, now) {
        Ok(None) => {}
        Ok(Some(taken)) => {
            let (clients, left_out) = (taken.clients, taken.left_out);
            tracing::info!(clients, left_out, written = %taken.written, "standings of before the restart hold");
            let bans = Arc::clone(&stores.bans);
            tokio::spawn(async move {
                for ban in taken.bans {
                    if let Err(error) = bans.put(&ban).await {
                        tracing::error!(%error, "a ban of before the restart is in force but not listed");
                    }
                }
            });
        }
        Err(error) => tracing::error!(%error, "starting without standings: whoever was blocked is free"),
    }
}

impl Running {
    /// Stops telling by itself, and closes: see [`Analytics::close`].
    ///
    /// # Panics
    /// Never: nobody else holds it once the tasks have ended.
    pub async fn close(self) -> IngestCounters {
        self.stop.send_replace(true);
        self.keeping.abort();
        // It was told to end; that it did is all that is waited for.
        let _ = self.keeping.await;
        for task in self.orderly {
            if let Err(error) = task.await {
                tracing::error!(%error, "upkeep ended before it was told to");
            }
        }
        let analytics = Arc::into_inner(self.analytics).expect("the tasks that shared it have ended");
        analytics.close().await
    }
}

impl std::ops::Deref for Running {
    type Target = Analytics;

    fn deref(&self) -> &Analytics {
        &self.analytics
    }
}
