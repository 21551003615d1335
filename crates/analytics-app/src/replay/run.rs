//! The replay itself: reading, ordering, stepping and counting, each on a thread of its own.

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicBool, AtomicU64};
use std::sync::mpsc::{SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use analytics_domain::identity::IdentityKey;
use analytics_domain::request::{AddressPolicy, RequestPolicy, SitePolicy};
use analytics_domain::visit::VisitPolicy;
use analytics_ports::{GeoLocator, StoreError};
use chrono::TimeDelta;

use super::count::Counting;
use super::inputs::{Feed, Merge, Spare, learn_hosts, spawn};
use super::order::{OrderCounters, Ordered, Reorder};
use super::read::{BadLineSeen, Batch};
use super::record::RecordSink;
use super::report::{BadExample, InputSummary, LogRow, Report};
use super::step::Stepper;
use super::watch::Watch;
use crate::ingest::access_log::LogFormat;
use crate::ingest::source::{Input, SourceError};

/// How a replay is done.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// The format of all inputs; found out for each when `None`.
    pub format: Option<LogFormat>,
    /// Threads that parse; one more each orders, steps and counts.
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
        let mut counting = Counting::new(&self.options, hosts.first().cloned().unwrap_or_default(), self.geo);
        counting.sessions.out = self.sessions_out;
        counting.sessions.watch = self.watch;
        counting.sessions.records = self.records;
        let mut summary =
            InputSummary { site_hosts: hosts, site_hosts_learned: learned, ..InputSummary::default() };
        summary.logs = feeds
            .iter()
            .map(|feed| LogRow { name: feed.name.clone(), format: feed.format_name.clone(), lines: 0 })
            .collect();
        let (bytes_read, options, spare) = (&self.bytes_read, &self.options, &Spare::default());
        let lateness_us = options.lateness.num_microseconds().unwrap_or(i64::MAX).max(0);
        let reorder = Reorder::new(lateness_us, MAX_WAITING);
        let ordering = Ordering { reorder, summary, strict: options.strict };
        let stepper = Stepper::new(options, counting.wants_decisions());
        let following = self.following;
        let (ordering, visitors) = std::thread::scope(|scope| {
            let merge = Merge::start(scope, feeds, options.threads.get(), &policy, spare);
            let (onward, ordered) = sync_channel(MOST_ORDERED);
            let ordering = spawn(scope, "order", move || ordering.run(scope, merge, bytes_read, &onward));
            let (onward, blocks) = sync_channel(MOST_STEPPED);
            let (back, spent) = channel();
            let stepping = spawn(scope, "step", move || stepper.run(ordered, &onward, &spent));
            let ending = Ending(following.as_deref());
            for mut block in blocks {
                let taken = counting.take(&mut block);
                block.empty().into_spent().for_each(|batch| spare.give(batch));
                // Whoever steps may have come to the end.
                let _ = back.send(block);
                taken?;
            }
            drop(ending);
            Ok((joined(ordering)?, joined(stepping)))
        })?;
        let (summary, order) = ordering;
        Ok(counting.report(summary, order, visitors))
    }
}

/// Ends the following of files that grow when it is dropped: they have no end by themselves, whatever went wrong.
struct Ending<'a>(Option<&'a AtomicBool>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|stop| stop.store(true, atomic::Ordering::Relaxed));
    }
}

fn joined<R>(thread: ScopedJoinHandle<'_, R>) -> R {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Puts requests in order, on a thread of its own.
struct Ordering {
    reorder: Reorder,
    summary: InputSummary,
    strict: bool,
}

impl Ordering {
    /// Orders all that `merge` has, and hands it on for as long as it is taken.
    fn run<'scope>(
        mut self,
        scope: &'scope Scope<'scope, '_>,
        mut merge: Merge,
        bytes_read: &Arc<AtomicU64>,
        onward: &SyncSender<Ordered>,
    ) -> Result<(InputSummary, OrderCounters), ReplayError> {
        while let Some((batch, bound_us)) = merge.next(scope, bytes_read)? {
            count_lines(&mut self.summary, &batch, self.strict)?;
            let ordered = self.reorder.take(batch, bound_us);
            // Whoever steps has given up with an error of its own.
            if onward.send(ordered).is_err() {
                break;
            }
        }
        let _ = onward.send(self.reorder.rest());
        Ok((self.summary, self.reorder.counters()))
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
/// Blocks whose requests have been ordered and wait to be stepped. With half as many, and half of [`MOST_STEPPED`], a replay
/// took 4 % longer, since a block may take one thread far longer than the others.
const MOST_ORDERED: usize = 8;
/// Blocks that have been stepped and wait to be counted.
const MOST_STEPPED: usize = 4;
const BAD_EXAMPLES: usize = 10;
