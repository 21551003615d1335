//! Reading, ordering and stepping: the replay itself.

use std::collections::VecDeque;
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::Scope;
use std::time::Duration;

use analytics_domain::identity::IdentityKey;
use analytics_domain::request::{AddressPolicy, Hints, Referrer, RequestKind, RequestPolicy, SitePolicy};
use analytics_domain::visit::{Client, EndedSession, Output, VisitPolicy};
use analytics_ports::GeoLocator;
use chrono::TimeDelta;

use super::order::Reorder;
use super::read::{BadLineSeen, Batch, BlockReader, ReadRequest};
use super::report::{BadExample, Bounds, InputSummary, LogRow, Report};
use super::session_line::SessionLine;
use super::tally::{SessionTag, Tally};
use super::watch::Watch;
use crate::ingest::access_log::{LineParser, LogFormat, ObservedFields, Scratch};
use crate::ingest::source::{Block, Blocks, Input, SourceError, Tail, wait};
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
        let mut feeds = inputs
            .into_iter()
            .enumerate()
            .map(|(number, input)| {
                Feed::open(number, input, self.options.format.as_ref(), self.following.as_ref())
            })
            .collect::<Result<Vec<_>, _>>()?;
        let learned = self.options.site_hosts.is_empty();
        let hosts = if learned { learn_hosts(&feeds) } else { self.options.site_hosts.clone() };
        let site = SitePolicy::for_hosts(hosts.iter().cloned()).map_err(ReplayError::Site)?;
        let policy = Arc::new(RequestPolicy { address: self.options.address.clone(), site });
        let mut stepper =
            Stepper::new(&self.options, self.sessions_out, hosts.first().cloned().unwrap_or_default());
        stepper.sessions.watch = self.watch;
        stepper.tally.geo = self.geo;
        let mut summary =
            InputSummary { site_hosts: hosts, site_hosts_learned: learned, ..InputSummary::default() };
        summary.logs = feeds
            .iter()
            .map(|feed| LogRow { name: feed.name.clone(), format: feed.format.name().to_owned(), lines: 0 })
            .collect();
        feeds.sort_by_key(|feed| (feed.first_us, feed.number));
        let bytes_read = &self.bytes_read;
        let options = &self.options;
        std::thread::scope(|scope| {
            let (jobs, queue) = sync_channel::<Job>(2 * options.threads.get());
            let queue = Arc::new(Mutex::new(queue));
            for _ in 0..options.threads.get() {
                let (queue, policy) = (Arc::clone(&queue), Arc::clone(&policy));
                spawn(scope, "parse", move || parse_jobs(&queue, &policy));
            }
            let mut merge =
                Merge { active: Vec::new(), waiting: feeds.into(), jobs, threads: options.threads.get() };
            while let Some((batch, bound_us)) = merge.next(scope, bytes_read)? {
                count_lines(&mut summary, &batch, options.strict)?;
                stepper.take(batch, bound_us)?;
            }
            Ok::<_, ReplayError>(())
        })?;
        stepper.finish(summary)
    }
}

/// A block to be parsed, and where its batch goes.
struct Job {
    block: Block,
    input: usize,
    format: Arc<LogFormat>,
    observes: ObservedFields,
    reply: SyncSender<Batch>,
}

fn parse_jobs(queue: &Mutex<Receiver<Job>>, policy: &Arc<RequestPolicy>) {
    let mut readers: Vec<(usize, BlockReader)> = Vec::new();
    loop {
        let job = {
            let queue = queue.lock().expect("no parser panics while it holds the queue");
            queue.recv()
        };
        let Ok(Job { mut block, input, format, observes, reply }) = job else { return };
        block.input = input;
        let at = readers.iter().position(|(number, _)| *number == input).unwrap_or_else(|| {
            if readers.len() >= 16 {
                readers.remove(0);
            }
            readers.push((input, BlockReader::new(Arc::clone(policy), LogFormat::clone(&format), observes)));
            readers.len() - 1
        });
        // Whoever waits for the batch may have given up because another input failed.
        let _ = reply.send(readers[at].1.read(&block));
    }
}

/// Where the blocks of an input come from.
#[derive(Debug)]
enum Source {
    /// To its end.
    Whole(Blocks),
    /// As it grows, until the flag goes up.
    Growing { tail: Tail, read: u64, stop: Arc<AtomicBool> },
}

impl Source {
    fn open(input: Input, following: Option<&Arc<AtomicBool>>) -> Result<Self, SourceError> {
        match (input, following) {
            (Input::File(path), Some(stop)) => {
                Ok(Self::Growing { tail: Tail::open(path)?, read: 0, stop: Arc::clone(stop) })
            }
            (input @ (Input::File(_) | Input::Stdin), _) => {
                Ok(Self::Whole(Blocks::with_block_bytes(BLOCK_BYTES, vec![input])))
            }
        }
    }

    /// Bytes read so far.
    fn bytes_read(&self) -> u64 {
        match self {
            Self::Whole(blocks) => blocks.bytes_read(),
            Self::Growing { read, .. } => *read,
        }
    }

    fn next(&mut self) -> Option<Result<Block, SourceError>> {
        match self {
            Self::Whole(blocks) => blocks.next(),
            Self::Growing { tail, read, stop } => loop {
                let stopping = stop.load(Ordering::Relaxed);
                match tail.poll().transpose() {
                    Some(block) => {
                        *read += block.as_ref().map_or(0, |block| block.data.len() as u64);
                        return Some(block);
                    }
                    None if stopping => return None,
                    None => wait(LOOK_AGAIN),
                }
            },
        }
    }
}

/// One input with its first block read.
struct Feed {
    number: usize,
    name: String,
    format: Arc<LogFormat>,
    observes: ObservedFields,
    blocks: Source,
    first: Option<Block>,
    first_us: i64,
}

impl Feed {
    fn open(
        number: usize,
        input: Input,
        format: Option<&LogFormat>,
        following: Option<&Arc<AtomicBool>>,
    ) -> Result<Self, ReplayError> {
        let name = input.to_string();
        let mut blocks = Source::open(input, following)
            .map_err(|source| ReplayError::Source { log: name.clone(), source })?;
        let first =
            blocks.next().transpose().map_err(|source| ReplayError::Source { log: name.clone(), source })?;
        let head = first.as_ref().map_or(&[][..], |block| &block.data[..block.data.len().min(HEAD_BYTES)]);
        let format = match format {
            Some(format) => format.clone(),
            None if first.is_none() => LogFormat::Combined,
            None => {
                LogFormat::detect(head).ok_or_else(|| ReplayError::UnknownFormat { log: name.clone() })?
            }
        };
        let first_us = first_time(&format, first.as_ref()).unwrap_or(i64::MIN);
        let observes = format.observes_in(head);
        Ok(Self { number, name, format: Arc::new(format), observes, blocks, first, first_us })
    }
}

/// Batches of several inputs, from the one that is furthest behind.
struct Merge {
    active: Vec<Active>,
    waiting: VecDeque<Feed>,
    jobs: SyncSender<Job>,
    threads: usize,
}

/// An input that is being read.
struct Active {
    name: String,
    batches: Receiver<Result<Receiver<Batch>, SourceError>>,
    newest_us: i64,
}

impl Merge {
    /// The next batch, and the time up to which nothing older can come from any input but late.
    fn next<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        bytes_read: &Arc<AtomicU64>,
    ) -> Result<Option<(Batch, i64)>, ReplayError> {
        loop {
            let behind = self.active.iter().enumerate().min_by_key(|(_, active)| active.newest_us);
            let behind = behind.map(|(at, active)| (at, active.newest_us));
            if let Some(feed) = self.waiting.front()
                && behind.is_none_or(|(_, newest_us)| feed.first_us <= newest_us)
                && let Some(feed) = self.waiting.pop_front()
            {
                let active = self.activate(scope, feed, bytes_read);
                self.active.push(active);
                continue;
            }
            let Some((at, _)) = behind else { return Ok(None) };
            let active = &mut self.active[at];
            let Ok(batch) = active.batches.recv() else {
                self.active.remove(at);
                continue;
            };
            let batch = batch.map_err(|source| ReplayError::Source { log: active.name.clone(), source })?;
            let mut batch = batch.recv().expect("a parser answers every job");
            sift(&mut batch, &mut active.newest_us);
            let opened = self.active.iter().map(|active| active.newest_us);
            let bound_us =
                opened.chain(self.waiting.front().map(|feed| feed.first_us)).min().unwrap_or(i64::MIN);
            return Ok(Some((batch, bound_us)));
        }
    }

    fn activate<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        feed: Feed,
        bytes_read: &Arc<AtomicU64>,
    ) -> Active {
        let Feed { number, name, format, observes, mut blocks, first, first_us } = feed;
        let (ready, batches) = sync_channel(2 * self.threads + 2);
        let jobs = self.jobs.clone();
        let bytes_read = Arc::clone(bytes_read);
        spawn(scope, "read", move || {
            let mut first = first;
            let mut counted = 0;
            loop {
                let block = match first.take().map(Ok).or_else(|| blocks.next()) {
                    Some(Ok(block)) => block,
                    Some(Err(error)) => {
                        // The replay ends with this error, or has ended with another.
                        let _ = ready.send(Err(error));
                        return;
                    }
                    None => return,
                };
                bytes_read.fetch_add(blocks.bytes_read() - counted, Ordering::Relaxed);
                counted = blocks.bytes_read();
                let (reply, batch) = sync_channel(1);
                let job = Job { block, input: number, format: Arc::clone(&format), observes, reply };
                if jobs.send(job).is_err() || ready.send(Ok(batch)).is_err() {
                    return;
                }
            }
        });
        Active { name, batches, newest_us: first_us }
    }
}

/// A thread with a name that profilers and debuggers show.
fn spawn<'scope>(scope: &'scope Scope<'scope, '_>, name: &str, work: impl FnOnce() + Send + 'scope) {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn_scoped(scope, work).expect("the system gives a process a handful of threads");
}

/// Takes out requests whose time is hours ahead of the newest before and of the next after: a wrong clock for one line.
fn sift(batch: &mut Batch, newest_us: &mut i64) {
    let mut travellers = Vec::new();
    for at in 0..batch.requests.len() {
        let time = batch.requests[at].at_us;
        let jumps = *newest_us != i64::MIN && time > newest_us.saturating_add(JUMP_US);
        if jumps && batch.requests.get(at + 1).is_some_and(|next| next.at_us < time - JUMP_US) {
            travellers.push(at);
            continue;
        }
        *newest_us = (*newest_us).max(time);
    }
    for at in travellers.into_iter().rev() {
        batch.requests.remove(at);
        batch.travellers += 1;
    }
}

/// Puts requests in order and steps them.
struct Stepper<'a> {
    traffic: TrafficService<SessionTag>,
    reorder: Reorder,
    tally: Tally,
    out: Output<SessionTag>,
    sessions: SessionWriter<'a>,
}

struct SessionWriter<'a> {
    out: Option<&'a mut dyn Write>,
    watch: Option<&'a mut Watch>,
    key: IdentityKey,
    site: String,
    failed: Option<std::io::Error>,
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
            out: Output::default(),
            sessions: SessionWriter { out, watch: None, key: options.key.clone(), site, failed: None },
        }
    }

    fn take(&mut self, batch: Batch, bound_us: i64) -> Result<(), ReplayError> {
        let Self { traffic, reorder, tally, out, sessions } = self;
        reorder.push(batch, |batch, request| step(traffic, tally, out, sessions, batch, request));
        reorder.release(bound_us, |batch, request| step(traffic, tally, out, sessions, batch, request), drop);
        sessions.failed.take().map_or(Ok(()), |error| Err(ReplayError::Write(error)))
    }

    fn finish(mut self, summary: InputSummary) -> Result<Report, ReplayError> {
        let Self { traffic, reorder, tally, out, sessions } = &mut self;
        reorder.release(i64::MAX, |batch, request| step(traffic, tally, out, sessions, batch, request), drop);
        traffic.finish(out);
        sessions.note_ended(out);
        drain(tally, out, sessions);
        if let Some(error) = sessions.failed.take() {
            return Err(ReplayError::Write(error));
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
        Ok(Report::of(tally, summary, bounds, version))
    }
}

fn step(
    traffic: &mut TrafficService<SessionTag>,
    tally: &mut Tally,
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
    tally.request(batch, request, &step, class, tag);
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

    /// Writes the session's line where sessions are wanted, and answers what distinct visitors are counted by.
    fn line(&mut self, ended: &EndedSession<SessionTag>) -> u64 {
        if let Some(out) = &mut self.out
            && self.failed.is_none()
        {
            let line = SessionLine::of(&self.key, &self.site, ended);
            let written = serde_json::to_writer(&mut **out, &line)
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n"));
            self.failed = written.err();
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

/// The site's own hosts: those that asset requests name as their pages, with at least a fifth of such requests each.
///
/// An asset is nearly always requested by a page of its own site; a page by links from anywhere.
fn learn_hosts(feeds: &[Feed]) -> Vec<String> {
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    let policy = SitePolicy::default();
    for feed in feeds {
        let Some(block) = &feed.first else { continue };
        let mut parser = LineParser::new(LogFormat::clone(&feed.format));
        let mut scratch = Scratch::default();
        for (_, line) in block.lines() {
            let Ok(Some(record)) = parser.parse(&mut scratch, line) else { continue };
            let Some(host) = record.referrer.and_then(Referrer::host) else { continue };
            let method = analytics_domain::request::Method::parse(record.method);
            let target =
                analytics_domain::request::Target::read(&policy, method, record.target, Hints::default());
            if target.kind == RequestKind::Asset && record.status.is_some_and(|status| status < 400) {
                *counts.entry(host.to_ascii_lowercase()).or_default() += 1;
            }
        }
    }
    let all: u64 = counts.values().sum();
    let mut hosts: Vec<_> = counts.into_iter().filter(|(_, count)| count * 5 >= all && *count >= 5).collect();
    hosts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    hosts.into_iter().map(|(host, _)| host).collect()
}

fn first_time(format: &LogFormat, block: Option<&Block>) -> Option<i64> {
    let mut parser = LineParser::new(format.clone());
    let mut scratch = Scratch::default();
    block?.lines().find_map(|(_, line)| {
        let record = parser.parse(&mut scratch, line).ok()??;
        Some(record.at.timestamp_micros())
    })
}

/// Small enough that a batch stays in a core's cache between the thread that reads it and the one that steps it.
const BLOCK_BYTES: usize = 1 << 20;
const HEAD_BYTES: usize = 1 << 16;
/// Requests that wait for their order at most: about 70 MB.
const MAX_WAITING: usize = 262_144;
/// A line that is this far ahead of its neighbours has a wrong clock: six hours, in microseconds.
const JUMP_US: i64 = 6 * 3_600_000_000;
const BAD_EXAMPLES: usize = 10;
/// How long a file that is followed is left alone when it has nothing new.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
