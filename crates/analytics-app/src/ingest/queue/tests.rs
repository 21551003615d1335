use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use analytics_ports::Entity;
use parking_lot::Mutex;
use proptest::prelude::*;
use redb::StorageBackend;

use super::*;

/// A store of numbers that can go away, can be cut off in the middle of a batch, and rejects one of them.
#[derive(Default)]
struct Numbers {
    kept: Mutex<Vec<u64>>,
    largest_batch: AtomicU64,
    away: AtomicBool,
    /// The connection is cut after so many more records.
    cut_after: Mutex<Option<usize>>,
}

#[async_trait]
impl Sink for Numbers {
    type Record = u64;

    async fn store(&self, records: &[u64]) -> Result<u64, StoreError> {
        self.largest_batch.fetch_max(records.len() as u64, Ordering::Relaxed);
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError::unavailable("away"));
        }
        if records.contains(&BAD) {
            let source = Some("too large".into());
            return Err(StoreError::Corrupt {
                entity: Entity::Event,
                table: "numbers",
                column: "number",
                row: BAD.to_string(),
                source,
            });
        }
        let mut kept = self.kept.lock();
        let mut new = 0;
        for record in records {
            if let Some(left) = &mut *self.cut_after.lock() {
                if *left == 0 {
                    return Err(StoreError::unavailable("cut"));
                }
                *left -= 1;
            }
            if !kept.contains(record) {
                kept.push(*record);
                new += 1;
            }
        }
        Ok(new)
    }
}

/// A disk of bytes that outlives the file on it, and may be full.
#[derive(Debug, Clone, Default)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    full: Arc<AtomicBool>,
}

impl Disk {
    fn spill(&self) -> SpillFile {
        let disk = self.clone();
        SpillFile::with(move || redb::Builder::new().create_with_backend(disk.clone())).unwrap()
    }

    fn room(&self) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = offset as usize;
        out.copy_from_slice(&self.bytes.lock()[from..from + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.room()?;
        self.bytes.lock().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room()?;
        let from = offset as usize;
        self.bytes.lock()[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// What the store never takes.
const BAD: u64 = 1_000_013;

const POLICY: QueuePolicy = QueuePolicy {
    capacity: 100,
    batch: 10,
    wait: Duration::from_millis(200),
    deadline: Duration::from_secs(10),
    patience: Duration::from_secs(5),
    pause: Duration::from_millis(100),
    longest_pause: Duration::from_secs(10),
    spill: 10_000,
};

fn started(store: &Arc<Numbers>, disk: &Disk) -> (Ingest<u64>, Drain) {
    Ingest::start(Arc::clone(store), disk.spill(), POLICY)
}

fn assert_balanced(counters: &IngestCounters) {
    let ends = counters.stored + counters.repeated + counters.rejected + counters.lost;
    assert_eq!(counters.accepted + counters.recovered, ends + counters.waiting_in_spill, "{counters:?}");
}

#[tokio::test(start_paused = true)]
async fn offered_records_reach_the_store_in_their_order_and_in_batches() {
    let store = Arc::new(Numbers::default());
    let (ingest, drain) = started(&store, &Disk::default());
    for number in 0..12 {
        ingest.offer(number).unwrap();
    }
    let counters = drain.close().await;
    assert_eq!(*store.kept.lock(), (0..12).collect::<Vec<_>>());
    assert_eq!(store.largest_batch.load(Ordering::Relaxed), 10);
    assert_eq!(counters, IngestCounters { accepted: 12, stored: 12, ..IngestCounters::default() });
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_records_are_safe_on_disk_and_go_to_it_when_it_is_back() {
    let store = Arc::new(Numbers::default());
    let (ingest, drain) = started(&store, &Disk::default());
    assert_eq!(ingest.submit((0..5).collect()).await, Ok(Safe::Stored));
    store.away.store(true, Ordering::Relaxed);
    assert_eq!(ingest.submit((5..35).collect()).await, Ok(Safe::Spilled));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(ingest.counters().waiting_in_spill, 30);
    store.away.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(ingest.counters().waiting_in_spill, 0);
    assert_eq!(ingest.submit((35..40).collect()).await, Ok(Safe::Stored));
    let counters = drain.close().await;
    assert_eq!(*store.kept.lock(), (0..40).collect::<Vec<_>>());
    assert!(counters.retried >= 5, "{counters:?}");
    assert_eq!((counters.stored, counters.spilled, counters.repeated), (40, 30, 0));
    assert_balanced(&counters);
}

#[tokio::test(start_paused = true)]
async fn a_connection_cut_in_the_middle_of_a_batch_doubles_nothing() {
    let store = Arc::new(Numbers::default());
    let (ingest, drain) = started(&store, &Disk::default());
    *store.cut_after.lock() = Some(4);
    assert_eq!(ingest.submit((0..10).collect()).await, Ok(Safe::Spilled));
    *store.cut_after.lock() = None;
    let counters = drain.close().await;
    assert_eq!(*store.kept.lock(), (0..10).collect::<Vec<_>>());
    assert_eq!((counters.stored, counters.repeated), (6, 4), "the four were stored by the call that failed");
    assert_balanced(&counters);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_counts() {
    let store = Arc::new(Numbers::default());
    let disk = Disk::default();
    let (ingest, drain) = started(&store, &disk);
    store.away.store(true, Ordering::Relaxed);
    disk.full.store(true, Ordering::Relaxed);
    for number in 0..100 {
        ingest.offer(number).unwrap();
    }
    assert_eq!(ingest.offer(100), Err(Refused::Full));
    assert_eq!(ingest.submit(vec![101, 102]).await, Err(Refused::Full), "its patience is over");
    assert_eq!(
        ingest.submit((0..101).collect()).await,
        Err(Refused::Full),
        "there is never room for so many"
    );
    disk.full.store(false, Ordering::Relaxed);
    let counters = drain.close().await;
    assert_eq!((counters.accepted, counters.refused_full, counters.lost), (100, 104, 0));
    assert_balanced(&counters);
    assert_eq!(ingest.offer(1), Err(Refused::Closed));
    assert_eq!(ingest.counters().refused_closed, 1);
}

#[tokio::test(start_paused = true)]
async fn what_neither_store_nor_disk_took_is_told_and_counted() {
    let store = Arc::new(Numbers::default());
    let disk = Disk::default();
    let (ingest, drain) = started(&store, &disk);
    store.away.store(true, Ordering::Relaxed);
    disk.full.store(true, Ordering::Relaxed);
    let waiting = tokio::spawn({
        let ingest = ingest.clone();
        async move { ingest.submit(vec![1, 2, 3]).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let counters = drain.close().await;
    assert_eq!(waiting.await.unwrap(), Err(Refused::Unsafe));
    assert_eq!((counters.accepted, counters.lost, counters.waiting_in_spill), (3, 3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_can_never_be_stored_stops_no_other_and_is_kept_apart() {
    let store = Arc::new(Numbers::default());
    let disk = Disk::default();
    let (ingest, drain) = started(&store, &disk);
    let bad = vec![10, 11, 12, BAD, 14, 15];
    let (bad, good) = tokio::join!(ingest.submit(bad), ingest.submit((20..30).collect()));
    assert_eq!((bad, good), (Err(Refused::Rejected), Ok(Safe::Stored)));
    let counters = drain.close().await;
    assert_eq!(*store.kept.lock(), (10..13).chain(14..16).chain(20..30).collect::<Vec<_>>());
    assert_eq!(counters.rejected, 1);
    assert_balanced(&counters);
    let reason = "the event in row 1000013 of numbers has a wrong number: too large".to_owned();
    assert_eq!(disk.spill().rejected().unwrap(), [Rejected { record: b"1000013".to_vec(), reason }]);
}

#[test]
fn what_was_said_to_be_safe_survives_the_end_of_the_process() {
    let store = Arc::new(Numbers::default());
    let disk = Disk::default();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let killed = runtime();
    killed.block_on(async {
        let (ingest, _drain) = started(&store, &disk);
        store.away.store(true, Ordering::Relaxed);
        assert_eq!(ingest.submit((0..25).collect()).await, Ok(Safe::Spilled));
    });
    drop(killed);
    store.away.store(false, Ordering::Relaxed);
    let counters = runtime().block_on(async { started(&store, &disk).1.close().await });
    assert_eq!(*store.kept.lock(), (0..25).collect::<Vec<_>>());
    assert_eq!((counters.recovered, counters.stored), (25, 25));
    assert_balanced(&counters);
}

/// What happens to a queue, one after the other.
#[derive(Debug, Clone)]
enum Happening {
    Submit(u8),
    Away(bool),
    Full(bool),
    Cut(u8),
    Pass(u16),
    Restart,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (1u8..40).prop_map(Happening::Submit),
        2 => any::<bool>().prop_map(Happening::Away),
        1 => any::<bool>().prop_map(Happening::Full),
        1 => (0u8..20).prop_map(Happening::Cut),
        2 => (0u16..5_000).prop_map(Happening::Pass),
        1 => Just(Happening::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_what_was_said_to_be_safe_is_stored_once(
        happenings in proptest::collection::vec(happening(), 0..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let store = Arc::new(Numbers::default());
            let disk = Disk::default();
            let (mut ingest, mut drain) = started(&store, &disk);
            let mut next = 0;
            let mut safe = BTreeSet::new();
            for happening in happenings {
                match happening {
                    Happening::Submit(count) => {
                        let records: Vec<u64> = (next..next + u64::from(count)).collect();
                        next += u64::from(count);
                        let answer = tokio::time::timeout(Duration::from_secs(3), ingest.submit(records.clone())).await;
                        if matches!(answer, Ok(Ok(_))) {
                            safe.extend(records);
                        }
                    }
                    Happening::Away(away) => store.away.store(away, Ordering::Relaxed),
                    Happening::Full(full) => disk.full.store(full, Ordering::Relaxed),
                    Happening::Cut(after) => *store.cut_after.lock() = Some(usize::from(after)),
                    Happening::Pass(millis) => tokio::time::sleep(Duration::from_millis(millis.into())).await,
                    Happening::Restart => {
                        assert_balanced(&drain.close().await);
                        disk.full.store(false, Ordering::Relaxed);
                        (ingest, drain) = started(&store, &disk);
                    }
                }
            }
            store.away.store(false, Ordering::Relaxed);
            *store.cut_after.lock() = None;
            disk.full.store(false, Ordering::Relaxed);
            assert_balanced(&drain.close().await);
            let counters = started(&store, &disk).1.close().await;
            assert_balanced(&counters);
            assert_eq!(counters.waiting_in_spill, 0);
            let kept: Vec<u64> = store.kept.lock().clone();
            let distinct: BTreeSet<u64> = kept.iter().copied().collect();
            assert_eq!(distinct.len(), kept.len(), "nothing is doubled");
            assert!(safe.is_subset(&distinct), "lost: {:?}", safe.difference(&distinct));
        });
    }
}
