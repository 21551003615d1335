//! Reading and parsing several inputs side by side, and handing out their batches in the order of their times.
//!
//! Each input has a thread that reads it; all share the threads that parse. Batches of one input stay in its order, and
//! the next one always comes from the input that is furthest behind, whatever the threads do.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use analytics_domain::request::{Hints, Method, Referrer, RequestKind, RequestPolicy, SitePolicy, Target};

use super::read::{Batch, BlockReader};
use super::run::ReplayError;
use crate::ingest::access_log::{LineParser, LogFormat, ObservedFields, Scratch};
use crate::ingest::source::{Block, Blocks, Input, SourceError, Tail, wait};

/// A block to be parsed, and where its batch and its memory go.
struct Job {
    block: Block,
    input: usize,
    format: Arc<LogFormat>,
    observes: ObservedFields,
    reply: SyncSender<Batch>,
    spent: Sender<Vec<u8>>,
}

/// Batches whose requests have all been stepped, to be filled again: memory that goes from thread to thread and back to
/// the system is memory that the system clears for every batch.
#[derive(Debug, Clone, Default)]
pub(super) struct Spare(Arc<Mutex<Vec<Batch>>>);

impl Spare {
    /// Takes a batch back, if there is not enough spare already.
    pub(super) fn give(&self, batch: Batch) {
        let mut spare = self.0.lock().expect("nobody panics while it holds the list");
        if spare.len() < MOST_SPARE {
            spare.push(batch);
        }
    }

    fn take(&self) -> Batch {
        self.0.lock().expect("nobody panics while it holds the list").pop().unwrap_or_default()
    }
}

fn parse_jobs(queue: &Mutex<Receiver<Job>>, policy: &Arc<RequestPolicy>, spare: &Spare) {
    let mut readers: Vec<(usize, BlockReader)> = Vec::new();
    loop {
        let job = {
            let queue = queue.lock().expect("no parser panics while it holds the queue");
            queue.recv()
        };
        let Ok(Job { mut block, input, format, observes, reply, spent }) = job else { return };
        block.input = input;
        let at = readers.iter().position(|(number, _)| *number == input).unwrap_or_else(|| {
            if readers.len() >= 16 {
                readers.remove(0);
            }
            readers.push((input, BlockReader::new(Arc::clone(policy), LogFormat::clone(&format), observes)));
            readers.len() - 1
        });
        // Whoever waits for the batch may have given up because another input failed.
        let _ = reply.send(readers[at].1.read(&block, spare.take()));
        // Whoever reads has come to the end of the input, or fills the memory again.
        let _ = spent.send(block.data);
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
            (input @ (Input::File(_) | Input::Stdin), _) => Ok(Self::Whole(Blocks::new(vec![input]))),
        }
    }

    /// Bytes read so far.
    fn bytes_read(&self) -> u64 {
        match self {
            Self::Whole(blocks) => blocks.bytes_read(),
            Self::Growing { read, .. } => *read,
        }
    }

    /// Takes the memory of a block that is no longer needed.
    fn recycle(&mut self, data: Vec<u8>) {
        match self {
            Self::Whole(blocks) => blocks.recycle(data),
            Self::Growing { .. } => {}
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
pub(super) struct Feed {
    pub(super) number: usize,
    pub(super) name: String,
    /// The name of its format; `unknown` where it is empty and none was given.
    pub(super) format_name: String,
    format: Arc<LogFormat>,
    observes: ObservedFields,
    blocks: Source,
    first: Option<Block>,
    pub(super) first_us: i64,
}

impl Feed {
    pub(super) fn open(
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
            None if first.is_none() => None,
            None => Some(
                LogFormat::detect(head).ok_or_else(|| ReplayError::UnknownFormat { log: name.clone() })?,
            ),
            given => given.cloned(),
        };
        let format_name = format.as_ref().map_or("unknown", LogFormat::name).to_owned();
        // What is empty may be read as anything.
        let format = format.unwrap_or(LogFormat::Combined);
        let first_us = first_time(&format, first.as_ref()).unwrap_or(i64::MIN);
        let observes = format.observes_in(head);
        Ok(Self { number, name, format_name, format: Arc::new(format), observes, blocks, first, first_us })
    }
}

/// Batches of several inputs, from the one that is furthest behind.
pub(super) struct Merge {
    active: Vec<Active>,
    waiting: VecDeque<Feed>,
    jobs: SyncSender<Job>,
    threads: usize,
}

/// An input that is being read.
struct Active {
    name: String,
    batches: Receiver<Result<Receiver<Batch>, SourceError>>,
    /// The batch after the one that was taken, where it had to be looked at.
    ahead: Option<Batch>,
    newest_us: i64,
}

impl Active {
    /// The next batch, sifted. Whether its last line has a wrong clock shows in the batch after it, which is waited for
    /// only then.
    fn take(&mut self) -> Result<Option<Batch>, ReplayError> {
        let taken = match self.ahead.take() {
            Some(batch) => Some(batch),
            None => self.receive()?,
        };
        let Some(mut batch) = taken else { return Ok(None) };
        if last_jumps(&batch, self.newest_us) {
            self.ahead = self.receive()?;
        }
        let next_us = self.ahead.as_ref().and_then(|ahead| ahead.requests.first()).map(|next| next.at_us);
        sift(&mut batch, next_us, &mut self.newest_us);
        Ok(Some(batch))
    }

    fn receive(&self) -> Result<Option<Batch>, ReplayError> {
        let Ok(batch) = self.batches.recv() else { return Ok(None) };
        let batch = batch.map_err(|source| ReplayError::Source { log: self.name.clone(), source })?;
        Ok(Some(batch.recv().expect("a parser answers every job")))
    }
}

impl Merge {
    /// Starts the threads that parse; inputs are read when their time comes.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        mut feeds: Vec<Feed>,
        threads: usize,
        policy: &Arc<RequestPolicy>,
        spare: &Spare,
    ) -> Self {
        feeds.sort_by_key(|feed| (feed.first_us, feed.number));
        let (jobs, queue) = sync_channel::<Job>(2 * threads);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let (queue, policy, spare) = (Arc::clone(&queue), Arc::clone(policy), spare.clone());
            spawn(scope, "parse", move || parse_jobs(&queue, &policy, &spare));
        }
        Self { active: Vec::new(), waiting: feeds.into(), jobs, threads }
    }

    /// The next batch, and the time up to which nothing older can come from any input but late.
    pub(super) fn next<'scope>(
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
            let Some(batch) = self.active[at].take()? else {
                self.active.remove(at);
                continue;
            };
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
        let Feed { number, name, format, observes, mut blocks, first, first_us, .. } = feed;
        let (ready, batches) = sync_channel(2 * self.threads + 2);
        let jobs = self.jobs.clone();
        let bytes_read = Arc::clone(bytes_read);
        let (spent, returned) = channel();
        spawn(scope, "read", move || {
            let mut first = first;
            let mut counted = 0;
            loop {
                for data in returned.try_iter() {
                    blocks.recycle(data);
                }
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
                let format = Arc::clone(&format);
                let job = Job { block, input: number, format, observes, reply, spent: spent.clone() };
                if jobs.send(job).is_err() || ready.send(Ok(batch)).is_err() {
                    return;
                }
            }
        });
        Active { name, batches, ahead: None, newest_us: first_us }
    }
}

/// A thread with a name that profilers and debuggers show.
pub(super) fn spawn<'scope, R: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> R + Send + 'scope,
) -> ScopedJoinHandle<'scope, R> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn_scoped(scope, work).expect("the system gives a process a handful of threads")
}

/// Whether the last request's time is hours ahead of the one before it, or of what came before the batch.
fn last_jumps(batch: &Batch, newest_us: i64) -> bool {
    let mut backwards = batch.requests.iter().rev().map(|request| request.at_us);
    let last = backwards.next();
    let before = backwards.next().unwrap_or(newest_us);
    last.is_some_and(|last| before != i64::MIN && last > before.saturating_add(JUMP_US))
}

/// Takes out requests whose time is hours ahead of the newest before and of the next after: a wrong clock for one line.
///
/// `next_us` is the time of the request after the batch.
fn sift(batch: &mut Batch, next_us: Option<i64>, newest_us: &mut i64) {
    let mut travellers = Vec::new();
    for at in 0..batch.requests.len() {
        let time = batch.requests[at].at_us;
        let jumps = *newest_us != i64::MIN && time > newest_us.saturating_add(JUMP_US);
        let next = batch.requests.get(at + 1).map(|next| next.at_us).or(next_us);
        if jumps && next.is_some_and(|next_us| next_us < time - JUMP_US) {
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

/// The site's own hosts: those that asset requests name as their pages, with at least a fifth of such requests each.
///
/// An asset is nearly always requested by a page of its own site; a page by links from anywhere.
pub(super) fn learn_hosts(feeds: &[Feed], site: &SitePolicy) -> Vec<String> {
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    for feed in feeds {
        let Some(block) = &feed.first else { continue };
        let mut parser = LineParser::new(LogFormat::clone(&feed.format));
        let mut scratch = Scratch::default();
        for (_, line) in block.lines() {
            let Ok(Some(record)) = parser.parse(&mut scratch, line) else { continue };
            let Some(host) = record.referrer.and_then(Referrer::host) else { continue };
            let method = Method::parse(record.method);
            let target = Target::read(site, method, record.target, Hints::default());
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

/// The time at which an input begins: the least of its first three requests, since the clock of one may be wrong.
fn first_time(format: &LogFormat, block: Option<&Block>) -> Option<i64> {
    let mut parser = LineParser::new(format.clone());
    let mut scratch = Scratch::default();
    let times = block?.lines().filter_map(|(_, line)| {
        let record = parser.parse(&mut scratch, line).ok()??;
        Some(record.at.timestamp_micros())
    });
    times.take(3).min()
}

/// Spare batches: as many as are under way where every thread waits for the next, of about 700 kB each.
const MOST_SPARE: usize = 24;
const HEAD_BYTES: usize = 1 << 16;
/// A line that is this far ahead of its neighbours has a wrong clock: six hours, in microseconds.
const JUMP_US: i64 = 6 * 3_600_000_000;
/// How long a file that is followed is left alone when it has nothing new.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::read::ReadRequest;

    fn sifted(times: &[i64], next_us: Option<i64>, newest_us: i64) -> (Vec<i64>, u64, i64) {
        let requests = times.iter().map(|&at_us| ReadRequest::bare(at_us, 0)).collect();
        let mut batch = Batch { requests, ..Batch::default() };
        let mut newest = newest_us;
        sift(&mut batch, next_us, &mut newest);
        (batch.requests.iter().map(|request| request.at_us).collect(), batch.travellers, newest)
    }

    #[test]
    fn a_time_hours_ahead_of_both_neighbours_is_taken_out_also_at_the_edges_of_a_batch() {
        let far = 10 * JUMP_US;
        assert_eq!(sifted(&[1, far, 2], None, 0), (vec![1, 2], 1, 2));
        assert_eq!(sifted(&[far, 2], Some(3), 0), (vec![2], 1, 2));
        assert_eq!(sifted(&[1, far], Some(2), 0), (vec![1], 1, 1));
    }

    #[test]
    fn a_jump_that_the_next_line_agrees_with_stays() {
        let far = 10 * JUMP_US;
        assert_eq!(sifted(&[1, far, far + 1], None, 0), (vec![1, far, far + 1], 0, far + 1));
        assert_eq!(sifted(&[1, far], Some(far - JUMP_US), 0), (vec![1, far], 0, far));
        assert_eq!(
            sifted(&[1, far], None, 0),
            (vec![1, far], 0, far),
            "nothing speaks against the last line"
        );
    }

    #[test]
    fn no_time_overflows() {
        assert_eq!(sifted(&[i64::MAX, i64::MIN, 0], None, i64::MIN).1, 0);
        assert_eq!(sifted(&[i64::MIN, i64::MAX, i64::MIN], None, 0).1, 1);
    }
}
