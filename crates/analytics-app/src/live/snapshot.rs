//! What is held against clients, kept over a restart: a file that is written from time to time and read at the start.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use analytics_domain::reputation::Ban;
use analytics_domain::visit::{SHARDS, Standings};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::keys::Keys;
use super::private::{self, PrivateFileError, StateDir};
use super::traffic::LiveTraffic;
use crate::services::TrafficService;

/// The file in which levels, quotas, flags and bans survive a restart, so that it frees nobody.
///
/// Clients and networks stand in it under hashes made with a key of [`Keys`], without an address. Only bans of whole
/// networks have the clear address, for the lists that proxies read; what has ended leaves the file when it is next
/// written.
#[derive(Debug)]
pub struct SnapshotFile {
    path: PathBuf,
    /// Held while it is written: two at a time would write one file.
    writing: Mutex<()>,
    written: AtomicU64,
    failed: AtomicU64,
    damaged: AtomicU64,
}

/// What became of the file so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SnapshotCounters {
    /// Times that it was written.
    pub written: u64,
    /// Times that it could not be written.
    pub failed: u64,
    /// Times that it was there and could not be read.
    pub damaged: u64,
}

/// What was taken up from a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenUp {
    /// When it was written.
    pub written: DateTime<Utc>,
    /// Clients against whom something is held.
    pub clients: usize,
    /// Of those in the file, how many there was no room for.
    pub left_out: usize,
    /// Bans that still run, for the store, where it does not keep them itself.
    pub bans: Vec<Ban>,
}

/// Why a snapshot was not written or not taken up.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The file is not what was written. The service can start without it; who was blocked is free then.
    #[error("{} is damaged, and nothing of it was taken up: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
}

impl SnapshotFile {
    /// The file in this directory, which need not be there yet.
    pub fn new(state: &StateDir) -> Self {
        Self {
            path: state.file("standings.zst"),
            writing: Mutex::new(()),
            written: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
        }
    }

    /// Writes what is held against clients at `now`, in place of what was written before. Bans that have ended are left
    /// out.
    ///
    /// It waits for the disk, and holds up each 256th of the traffic while that is read.
    ///
    /// # Errors
    /// [`SnapshotError::File`]; what was written before stands.
    pub fn write<T: Default>(
        &self,
        traffic: &TrafficService<T>,
        keys: &Keys,
        mut bans: Vec<Ban>,
        now: DateTime<Utc>,
    ) -> Result<(), SnapshotError> {
        bans.retain(|ban| now < ban.until);
        let header = Header { version: VERSION, shards: SHARDS, written: now, bans };
        let key = keys.standing_key();
        let _alone = self.writing.lock();
        let outcome = private::write_with(&self.path, |file| {
            let mut lines = zstd::Encoder::new(BufWriter::new(file), 1)?;
            lines.include_checksum(true)?;
            write_line(&mut lines, &header)?;
            for (shard, standings) in traffic.standings(&key, now).enumerate() {
                if standings != Standings::default() {
                    write_line(&mut lines, &Part { shard, standings })?;
                }
            }
            lines.finish()?.flush()
        });
        let counter = if outcome.is_ok() { &self.written } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(outcome?)
    }

    /// Takes up what was written, before the first request; `None` when nothing was.
    ///
    /// # Errors
    /// [`SnapshotError`]; then nothing was taken up, and the service can start without it.
    pub fn take_up<T: Default>(
        &self,
        traffic: &TrafficService<T>,
        keys: &Keys,
        now: DateTime<Utc>,
    ) -> Result<Option<TakenUp>, SnapshotError> {
        let read = private::open(&self.path).map_err(SnapshotError::from).and_then(|file| {
            let Some(file) = file else { return Ok(None) };
            let damaged = |reason| SnapshotError::Damaged { path: self.path.clone(), reason };
            read(BufReader::new(file)).map(Some).map_err(damaged)
        });
        if read.is_err() {
            self.damaged.fetch_add(1, Ordering::Relaxed);
        }
        let Some((header, standings)) = read? else { return Ok(None) };
        let left_out = traffic.restore(&keys.standing_key(), standings, now);
        let bans = header.bans.into_iter().filter(|ban| now < ban.until).collect();
        Ok(Some(TakenUp { written: header.written, clients: traffic.waiting(), left_out, bans }))
    }

    /// What became of the file so far.
    pub fn counters(&self) -> SnapshotCounters {
        SnapshotCounters {
            written: self.written.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            damaged: self.damaged.load(Ordering::Relaxed),
        }
    }
}

impl LiveTraffic {
    /// Writes what is held against clients; see [`SnapshotFile::write`].
    ///
    /// # Errors
    /// As there.
    pub fn write_snapshot(
        &self,
        file: &SnapshotFile,
        keys: &Keys,
        bans: Vec<Ban>,
        now: DateTime<Utc>,
    ) -> Result<(), SnapshotError> {
        file.write(&self.traffic, keys, bans, now)
    }

    /// Clients of before the restart who have not come back yet.
    pub fn waiting(&self) -> usize {
        self.traffic.waiting()
    }

    /// Takes up what was written, before the first request; see [`SnapshotFile::take_up`].
    ///
    /// # Errors
    /// As there.
    pub fn take_up_snapshot(
        &self,
        file: &SnapshotFile,
        keys: &Keys,
        now: DateTime<Utc>,
    ) -> Result<Option<TakenUp>, SnapshotError> {
        file.take_up(&self.traffic, keys, now)
    }
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    shards: usize,
    written: DateTime<Utc>,
    bans: Vec<Ban>,
}

/// Each further line: a shard in which something is held against someone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    shard: usize,
    standings: Standings,
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// All of the file, or what is wrong with it.
fn read(file: impl BufRead) -> Result<(Header, Vec<Standings>), String> {
    let lines = zstd::Decoder::with_buffer(file).map_err(|error| error.to_string())?;
    let mut lines = BufReader::new(lines).lines().map(|line| line.map_err(|error| error.to_string()));
    let first = lines.next().ok_or("it is empty")??;
    let version: Version = serde_json::from_str(&first).map_err(|error| format!("line 1: {error}"))?;
    if version.version != VERSION {
        return Err(format!("its version is {}, this program knows {VERSION}", version.version));
    }
    let header: Header = serde_json::from_str(&first).map_err(|error| format!("line 1: {error}"))?;
    if header.shards != SHARDS {
        return Err(format!("it has {} parts, this program has {SHARDS}", header.shards));
    }
    let mut all = vec![Standings::default(); SHARDS];
    for (line, number) in lines.zip(2..) {
        let part: Part = serde_json::from_str(&line?).map_err(|error| format!("line {number}: {error}"))?;
        *all.get_mut(part.shard).ok_or(format!("line {number}: there is no part {}", part.shard))? =
            part.standings;
    }
    Ok((header, all))
}

/// What every version has in its first line.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use std::fs;

    use analytics_domain::detector::AgentFacts;
    use analytics_domain::ids::BanId;
    use analytics_domain::reputation::{BanReason, BanSubject};
    use analytics_domain::request::ClientNetwork;
    use analytics_domain::strategies::ArbitraryRequest;
    use analytics_domain::throttle::{Mode, ThrottleLevel, ThrottlePolicy, ThrottleSettings};
    use analytics_domain::visit::{Client, ClientKey, VisitPolicy};
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn who_was_blocked_is_blocked_after_a_restart() {
        let bench = Bench::new();
        let traffic = traffic();
        let blocked = misbehave(&traffic, 7);
        assert_eq!(bench.take_up(&traffic, at(60)).unwrap(), None, "nothing was written yet");
        bench.write(&traffic, Vec::new(), at(60)).unwrap();
        let restarted = self::traffic();
        let taken = bench.take_up(&restarted, at(61)).unwrap();
        assert_eq!(taken, Some(TakenUp { written: at(60), clients: 1, left_out: 0, bans: Vec::new() }));
        assert_eq!(restarted.level(&blocked, at(61)), traffic.level(&blocked, at(61)));
        assert_ne!(restarted.level(&blocked, at(61)), ThrottleLevel::Normal);
        assert_eq!(bench.file.counters(), SnapshotCounters { written: 1, failed: 0, damaged: 0 });
    }

    #[test]
    fn the_file_holds_no_address_but_that_of_a_network_while_its_ban_runs() {
        let bench = Bench::new();
        let traffic = traffic();
        misbehave(&traffic, 7);
        let ban = network_ban();
        bench.write(&traffic, vec![ban.clone()], at(60)).unwrap();
        let text = || {
            let bytes = fs::read(&bench.file.path).unwrap();
            String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap()
        };
        assert_eq!(text().matches("203.0.113.7").count(), 1, "{}", text());
        assert!(text().lines().count() == 2 && !text().contains("198.51.100"), "{}", text());
        let taken = bench.take_up(&self::traffic(), ban.until - TimeDelta::microseconds(1)).unwrap().unwrap();
        assert_eq!(taken.bans, std::slice::from_ref(&ban));
        let taken = bench.take_up(&self::traffic(), ban.until).unwrap().unwrap();
        assert_eq!(taken.bans, []);
        bench.write(&traffic, vec![ban.clone()], ban.until).unwrap();
        assert_eq!(text().matches("203.0.113.7").count(), 0, "{}", text());
    }

    #[test]
    fn a_damaged_file_is_told_and_counted_and_nothing_of_it_is_taken_up() {
        let bench = Bench::new();
        let traffic = traffic();
        misbehave(&traffic, 7);
        bench.write(&traffic, Vec::new(), at(60)).unwrap();
        let whole = fs::read(&bench.file.path).unwrap();
        let text = zstd::decode_all(&whole[..]).unwrap();
        let packed = |from: &str, to: &str| {
            let text = String::from_utf8(text.clone()).unwrap().replacen(from, to, 1);
            zstd::encode_all(text.as_bytes(), 1).unwrap()
        };
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x10;
        let damages = [
            (whole[..whole.len() - 3].to_vec(), None),
            (flipped, None),
            (b"standings".to_vec(), None),
            (zstd::encode_all(&b""[..], 1).unwrap(), Some("it is empty")),
            (packed("\"version\":1", "\"version\":9"), Some("its version is 9, this program knows 1")),
            (packed("\"shards\":256", "\"shards\":8"), Some("it has 8 parts, this program has 256")),
        ];
        for (number, (bytes, reason)) in (1..).zip(damages) {
            private::write(&bench.file.path, &bytes).unwrap();
            let restarted = self::traffic();
            let told = bench.take_up(&restarted, at(61)).unwrap_err().to_string();
            let shown = bench.file.path.display();
            assert!(
                told.starts_with(&format!("{shown} is damaged, and nothing of it was taken up: ")),
                "{told}"
            );
            assert!(reason.is_none_or(|reason| told.ends_with(reason)), "{told}");
            assert_eq!((restarted.waiting(), bench.file.counters().damaged), (0, number));
        }
    }

    struct Bench {
        _home: tempfile::TempDir,
        keys: Keys,
        file: SnapshotFile,
    }

    impl Bench {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            let state = StateDir::open(&home.path().join("state")).unwrap();
            Self { keys: Keys::open(&state, at(0)).unwrap(), file: SnapshotFile::new(&state), _home: home }
        }

        fn write(
            &self,
            traffic: &TrafficService<()>,
            bans: Vec<Ban>,
            now: DateTime<Utc>,
        ) -> Result<(), SnapshotError> {
            self.file.write(traffic, &self.keys, bans, now)
        }

        fn take_up(
            &self,
            traffic: &TrafficService<()>,
            now: DateTime<Utc>,
        ) -> Result<Option<TakenUp>, SnapshotError> {
            self.file.take_up(traffic, &self.keys, now)
        }
    }

    fn traffic() -> TrafficService<()> {
        let settings = ThrottleSettings { mode: Mode::Enforce, ..ThrottleSettings::default() };
        let throttle = ThrottlePolicy::new(settings).unwrap();
        TrafficService::new(VisitPolicy { throttle, ..VisitPolicy::default() }, 1_000)
    }

    /// Asks far more often than allowed for a minute.
    fn misbehave(traffic: &TrafficService<()>, number: u8) -> ClientKey {
        let agent = AgentFacts { hash: 5, observed: true, ..AgentFacts::default() };
        let client = Client {
            network: ClientNetwork::V4(u32::from_be_bytes([198, 51, 100, number])),
            headers: 0,
            agent: &agent,
        };
        for tenth in 0..600 {
            let now = at(0) + TimeDelta::milliseconds(100 * tenth);
            traffic.decide(client, &ArbitraryRequest::page("/").observation(), now);
        }
        client.key()
    }

    fn network_ban() -> Ban {
        Ban {
            id: BanId::from_u128(1),
            subject: BanSubject::Network("203.0.113.7".parse().unwrap()),
            reason: BanReason::Manual,
            from: at(0),
            until: at(3_600),
            would_ban: false,
        }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_782_864_000 + second, 0).unwrap()
    }
}
