//! Reading, ordering and stepping: the replay itself.

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use analytics_domain::identity::IdentityKey;
use analytics_domain::request::{AddressPolicy, RequestPolicy, SitePolicy};
use analytics_domain::visit::{Client, EndedSession, Output, VisitPolicy};
use analytics_ports::{GeoLocator, StoreError};
use chrono::TimeDelta;

use super::anomalies::AnomalyWatch;
use super::inputs::{Feed, Merge, learn_hosts};
use super::order::Reorder;
use super::read::{BadLineSeen, Batch, ReadRequest};
use super::record::{HeldSession, RecordSink, records};
use super::report::{BadExample, Bounds, InputSummary, LogRow, Report};
use super::session_line::SessionLine;
use super::tally::{SessionTag, Tally};
use super::watch::Watch;
use crate::ingest::access_log::LogFormat;
use crate::ingest::source::{Input, SourceError};
use crate::services::TrafficService;

/// How a replay is done.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// The format of all inputs; found out for each when `None`.
    pub format: Option<LogFormat>,
    /// Threads that parse; one more steps.
    pub threads: NonZeroUsize,
    /// Hosts of the site itself; learned from the first lines when empty.
    pub site_hosts: Vec<String>,
    /// How client addresses are found.
    pub address: AddressPolicy,
    /// The rules.
    pub visit: VisitPolicy,
    /// How long requests wait for earlier ones. The default is 120 s: servers log a request when it ends.
    pub lateness: TimeDelta,
    /// Visitors remembered at once. The default is 1,000,000, about 1.5 GB when all of them are there.
    pub capacity: NonZeroUsize,
    /// What identities are made with.
    pub key: IdentityKey,
    /// Whether a bad line ends the replay.
    pub strict: bool,
}

/// A replay that is ready to run.
pub struct Replay<'a> {
    options: ReplayOptions,
    sessions_out: Option<&'a mut dyn Write>,
    watch: Option<&'a mut Watch>,
    records: Option<&'a mut dyn RecordSink>,
    geo: Option<Arc<dyn GeoLocator>>,
    following: Option<Arc<AtomicBool>>,
    bytes_read: Arc<AtomicU64>,
}

/// Why a replay could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// An input cannot be read.
    #[error("cannot read {log}")]
    Source {
        /// The input.
        log: String,
        /// Why.
        source: SourceError,
    },
    /// No known format fits the first lines of an input.
    #[error("{log} is in no known log format; name it with --log-format")]
    UnknownFormat {
        /// The input.
        log: String,
    },
    /// A line gave no request, and that was asked to be fatal.
    #[error("{log}, line {line}: {problem}")]
    BadLine {
        /// The input.
        log: String,
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// A host given for the site is none.
    #[error("the site's hosts are not usable")]
    Site(#[source] analytics_domain::request::InvalidSite),
    /// The sessions cannot be written.
    #[error("cannot write the sessions")]
    Write(#[source] std::io::Error),
    /// The sessions cannot be kept.
    #[error("cannot keep the sessions")]
    Keep(#[source] StoreError),
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self {
            format: None,
            threads: NonZeroUsize::MIN,
            site_hosts: Vec::new(),
            address: AddressPolicy::default(),
            visit: VisitPolicy::default(),
            lateness: TimeDelta::seconds(120),
            capacity: NonZeroUsize::new(1_000_000).expect("a million is not zero"),
            key: IdentityKey::REPLAY,
            strict: false,
        }
    }
}

impl<'a> Replay<'a> {
    /// A replay with these options.
    pub fn new(options: ReplayOptions) -> Self {
        Self {
            options,
            sessions_out: None,
            watch: None,
            records: None,
            geo: None,
            following: None,
            bytes_read: Arc::default(),
        }
    }

    /// Writes each session as a line of JSON when it ends.
    #[must_use]
    pub fn with_sessions_out(mut self, out: &'a mut dyn Write) -> Self {
        self.sessions_out = Some(out);
        self
    }

    /// Keeps what happens in one session.
    #[must_use]
    pub fn with_watch(mut self, watch: &'a mut Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Hands each session with its requests to a sink when it ends.
    #[must_use]
    pub fn with_records(mut self, sink: &'a mut dyn RecordSink) -> Self {
        self.records = Some(sink);
        self
    }

    /// Counts sessions by the country of their address.
    #[must_use]
    pub fn with_geo(mut self, geo: Arc<dyn GeoLocator>) -> Self {
        self.geo = Some(geo);
        self
    }

    /// Goes on as files grow, until `stop` goes up.
    #[must_use]
    pub fn following(mut self, stop: Arc<AtomicBool>) -> Self {
        self.following = Some(stop);
        self
    }

    /// Bytes read so far, for whoever shows progress.
    pub fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes_read)
    }

    /// Reads all inputs to their ends and reports.
    ///
    /// # Errors
    /// [`ReplayError`] when an input cannot be read to its end, has no known format, or, in strict mode, has a bad line.
    pub fn run(self, inputs: Vec<Input>) -> Result<Report, ReplayError> {
        let feeds = inputs
            .into_iter()
            .enumerate()
            .map(|(number, input)| {
                Feed::open(number, input, self.options.format.as_ref(), self.following.as_ref())
            })
            .collect::<Result<Vec<_>, _>>()?;
        let learned = self.options.site_hosts.is_empty();
        let site = SitePolicy::default();
        let hosts = if learned { learn_hosts(&feeds, &site) } else { self.options.site_hosts.clone() };
        let site = site.with_hosts(hosts.iter().cloned()).map_err(ReplayError::Site)?;
        let policy = Arc::new(RequestPolicy { address: self.options.address.clone(), site });
        let mut stepper =
            Stepper::new(&self.options, self.sessions_out, hosts.first().cloned().unwrap_or_default());
        stepper.sessions.watch = self.watch;
        stepper.sessions.records = self.records;
        stepper.tally.geo = self.geo;
        let mut summary =
            InputSummary { site_hosts: hosts, site_hosts_learned: learned, ..InputSummary::default() };
        summary.logs = feeds
            .iter()
            .map(|feed| LogRow { name: feed.name.clone(), format: feed.format.name().to_owned(), lines: 0 })
            .collect();
        let (bytes_read, options) = (&self.bytes_read, &self.options);
        std::thread::scope(|scope| {
            let mut merge = Merge::start(scope, feeds, options.threads.get(), &policy);
            while let Some((batch, bound_us)) = merge.next(scope, bytes_read)? {
                count_lines(&mut summary, &batch, options.strict)?;
                stepper.take(batch, bound_us)?;
            }
            Ok::<_, ReplayError>(())
        })?;
        stepper.finish(summary)
    }
}

/// Puts requests in order and steps them.
struct Stepper<'a> {
    traffic: TrafficService<SessionTag>,
    reorder: Reorder,
    tally: Tally,
    anomalies: AnomalyWatch,
    out: Output<SessionTag>,
    sessions: SessionWriter<'a>,
}

struct SessionWriter<'a> {
    out: Option<&'a mut dyn Write>,
    watch: Option<&'a mut Watch>,
    records: Option<&'a mut dyn RecordSink>,
    key: IdentityKey,
    site: String,
    failed: Option<ReplayError>,
}

impl<'a> Stepper<'a> {
    fn new(options: &ReplayOptions, out: Option<&'a mut dyn Write>, site: String) -> Self {
        Self {
            traffic: TrafficService::new(options.visit.clone(), options.capacity.get()),
            reorder: Reorder::new(
                options.lateness.num_microseconds().unwrap_or(i64::MAX).max(0),
                MAX_WAITING,
            ),
            tally: Tally::default(),
            anomalies: AnomalyWatch::new(),
            out: Output::default(),
            sessions: SessionWriter {
                out,
                watch: None,
                records: None,
                key: options.key.clone(),
                site,
                failed: None,
            },
        }
    }

    fn take(&mut self, batch: Batch, bound_us: i64) -> Result<(), ReplayError> {
        let Self { traffic, reorder, tally, anomalies, out, sessions } = self;
        reorder.push(batch, |batch, request| step(traffic, tally, anomalies, out, sessions, batch, request));
        reorder.release(
            bound_us,
            |batch, request| step(traffic, tally, anomalies, out, sessions, batch, request),
            drop,
        );
        sessions.failed.take().map_or(Ok(()), Err)
    }

    fn finish(mut self, summary: InputSummary) -> Result<Report, ReplayError> {
        let Self { traffic, reorder, tally, anomalies, out, sessions } = &mut self;
        reorder.release(
            i64::MAX,
            |batch, request| step(traffic, tally, anomalies, out, sessions, batch, request),
            drop,
        );
        traffic.finish(out);
        sessions.note_ended(out);
        drain(tally, out, sessions);
        if let Some(error) = sessions.failed.take() {
            return Err(error);
        }
        let counters = traffic.counters();
        let bounds = Bounds {
            order: reorder.counters(),
            evicted_visitors: counters.evicted,
            evicted_sessions: counters.evicted_open,
            unnamed_pages: tally.pages.overflowed,
            unnamed_hosts: tally.hosts.overflowed,
        };
        let version = traffic.policy().detector.policy().ruleset_version();
        let summary = InputSummary { requests: tally.requests, ..summary };
        let report = Report::of(tally, summary, bounds, version);
        Ok(Report { anomalies: self.anomalies.into_summary(), ..report })
    }
}

fn step(
    traffic: &mut TrafficService<SessionTag>,
    tally: &mut Tally,
    anomalies: &mut AnomalyWatch,
    out: &mut Output<SessionTag>,
    sessions: &mut SessionWriter<'_>,
    batch: &Batch,
    request: &ReadRequest,
) {
    let agent = &batch.agents[request.agent as usize].facts;
    let client = Client { network: request.network, headers: request.headers, agent };
    let now = request.at;
    let observation = request.observation(batch);
    let (step, class, tag) = traffic.step(client, &observation, now, out);
    sessions.note_ended(out);
    if let Some(watch) = &mut sessions.watch {
        watch.decided(&client.key(), batch, request, now, &step, &out.levels);
    }
    if sessions.records.is_some() {
        if step.opened {
            tag.held_session = Some(Box::new(HeldSession::open(batch, request)));
        }
        if let Some(held) = &mut tag.held_session {
            held.note(batch, request, &observation, &step);
        }
    }
    tally.request(batch, request, &step, class, tag);
    anomalies.request(request, &step, class, out);
    if !out.ended.is_empty() {
        drain(tally, out, sessions);
    }
    out.levels.clear();
    out.flags.clear();
    out.bans.clear();
}

fn drain(tally: &mut Tally, out: &mut Output<SessionTag>, sessions: &mut SessionWriter<'_>) {
    for mut ended in out.ended.drain(..) {
        let visitor = sessions.line(&ended);
        sessions.record(tally.geo.as_deref(), &mut ended);
        tally.session(&mut ended, visitor);
    }
}

impl SessionWriter<'_> {
    /// Shows sessions that ended to whoever watches one.
    fn note_ended(&mut self, out: &Output<SessionTag>) {
        if let Some(watch) = &mut self.watch {
            for ended in &out.ended {
                watch.ended(&ended.key, &SessionLine::of(&self.key, &self.site, ended));
            }
        }
    }

    /// Hands the session and its requests to the sink where there is one.
    fn record(&mut self, geo: Option<&dyn GeoLocator>, ended: &mut EndedSession<SessionTag>) {
        if let Some(sink) = &mut self.records
            && self.failed.is_none()
            && let Some((session, requests)) = records(&self.key, &self.site, geo, ended)
        {
            let kept = sink.take_from(ended.tag.address, session, requests);
            self.failed = kept.err().map(ReplayError::Keep);
        }
    }

    /// Writes the session's line where sessions are wanted, and answers what distinct visitors are counted by.
    fn line(&mut self, ended: &EndedSession<SessionTag>) -> u64 {
        if let Some(out) = &mut self.out
            && self.failed.is_none()
        {
            let line = SessionLine::of(&self.key, &self.site, ended);
            let written = serde_json::to_writer(&mut **out, &line)
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n"));
            self.failed = written.err().map(ReplayError::Write);
        }
        let mut bytes = [0; 25];
        bytes[..17].copy_from_slice(&ended.key.network.to_bytes());
        bytes[17..].copy_from_slice(&ended.key.agent.to_le_bytes());
        xxhash_rust::xxh3::xxh3_64(&bytes)
    }
}

fn count_lines(summary: &mut InputSummary, batch: &Batch, strict: bool) -> Result<(), ReplayError> {
    let log = &mut summary.logs[batch.input];
    log.lines += batch.lines;
    summary.lines += batch.lines;
    summary.time_travellers += batch.travellers;
    summary.bad_lines += batch.bad.len() as u64 + batch.travellers;
    for BadLineSeen { line, bad, excerpt } in &batch.bad {
        if strict {
            return Err(ReplayError::BadLine {
                log: log.name.clone(),
                line: *line,
                problem: bad.to_string(),
            });
        }
        *summary.bad_by_reason.entry(bad.reason).or_default() += 1;
        if summary.bad_examples.len() < BAD_EXAMPLES {
            summary.bad_examples.push(BadExample {
                log: log.name.clone(),
                line: *line,
                problem: bad.to_string(),
                excerpt: excerpt.clone(),
            });
        }
    }
    Ok(())
}

/// Requests that wait for their order at most: about 70 MB.
const MAX_WAITING: usize = 262_144;
const BAD_EXAMPLES: usize = 10;
