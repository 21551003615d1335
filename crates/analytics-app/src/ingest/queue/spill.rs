//! Records on disk, in their order, until the store takes them.

use std::path::Path;

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
};

/// A file of records that wait for the store, and of those that it rejected.
///
/// Each append is on the disk when it returns. The file belongs to one process at a time; what a process that was
/// killed had not finished to append is not in it.
pub struct SpillFile {
    reopen: Box<dyn Fn() -> Result<Database, DatabaseError> + Send>,
    /// Missing after a failed write, since what is in memory may differ from what is on the disk then.
    open: Option<Database>,
    next: u64,
    waiting: u64,
}

/// A record that the store will never take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The record as it was written.
    pub record: Vec<u8>,
    /// What the store said.
    pub reason: String,
}

/// Why the file could not be used. What it held before, it still holds.
#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    /// Another process uses it.
    #[error("the spill file is in use by another process")]
    InUse,
    /// It holds as many records as it may.
    #[error("the spill file is full")]
    Full,
    /// It cannot be read or written; the disk may be full.
    #[error("cannot use the spill file")]
    Failed(#[source] Box<redb::Error>),
}

impl SpillFile {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`SpillError::InUse`] while another process has it open, [`SpillError::Failed`] when it is no such file or
    /// the disk refuses.
    pub fn open(path: &Path) -> Result<Self, SpillError> {
        let path = path.to_owned();
        Self::with(move || Database::create(&path))
    }

    /// A spill in memory only, for hosts that have no disk: what is in it ends with the process.
    ///
    /// # Errors
    /// [`SpillError::Failed`] when memory cannot be had.
    pub fn in_memory() -> Result<Self, SpillError> {
        Self::with(|| Builder::new().create_with_backend(redb::backends::InMemoryBackend::new()))
    }

    /// A spill in whatever `reopen` opens, again after each failure.
    pub(super) fn with(
        reopen: impl Fn() -> Result<Database, DatabaseError> + Send + 'static,
    ) -> Result<Self, SpillError> {
        let mut file = Self { reopen: Box::new(reopen), open: None, next: 0, waiting: 0 };
        file.database()?;
        Ok(file)
    }

    /// Records that wait.
    pub const fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Adds records behind those that wait, all or none.
    ///
    /// # Errors
    /// [`SpillError::Failed`] when the disk refuses; none of them was added then.
    pub fn append(&mut self, records: &[Vec<u8>]) -> Result<(), SpillError> {
        let next = self.next;
        self.write(|write| {
            let mut table = write.open_table(WAITING)?;
            for (number, record) in (next..).zip(records) {
                table.insert(number, record.as_slice())?;
            }
            Ok(())
        })?;
        self.next += records.len() as u64;
        self.waiting += records.len() as u64;
        Ok(())
    }

    /// The records that wait longest, at most `count` of them, with their numbers.
    ///
    /// # Errors
    /// [`SpillError::Failed`] when they cannot be read.
    pub fn first(&mut self, count: usize) -> Result<Vec<(u64, Vec<u8>)>, SpillError> {
        self.read(|read| {
            let table = read.open_table(WAITING)?;
            let mut first = Vec::with_capacity(count.min(table.len()? as usize));
            for entry in table.iter()?.take(count) {
                let (number, record) = entry?;
                first.push((number.value(), record.value().to_vec()));
            }
            Ok(first)
        })
    }

    /// Takes out every record up to this number.
    ///
    /// # Errors
    /// [`SpillError::Failed`] when the disk refuses; they are all still there then.
    pub fn remove_through(&mut self, last: u64) -> Result<u64, SpillError> {
        let mut gone = 0;
        self.write(|write| {
            let mut table = write.open_table(WAITING)?;
            gone = 0;
            while table.first()?.is_some_and(|(number, _)| number.value() <= last) {
                table.pop_first()?;
                gone += 1;
            }
            Ok(())
        })?;
        self.waiting -= gone;
        Ok(gone)
    }

    /// Keeps a record that the store rejects, with the reason, for a person to look at; the first 10,000 are kept.
    ///
    /// # Errors
    /// [`SpillError::Failed`] when the disk refuses.
    pub fn reject(&mut self, record: &[u8], reason: &str) -> Result<(), SpillError> {
        self.write(|write| {
            let mut table = write.open_table(REJECTED)?;
            let number = table.len()?;
            if number < MAX_REJECTED {
                table.insert(number, (reason, record))?;
            }
            Ok(())
        })
    }

    /// The records that the store rejected, oldest first.
    ///
    /// # Errors
    /// [`SpillError::Failed`] when they cannot be read.
    pub fn rejected(&mut self) -> Result<Vec<Rejected>, SpillError> {
        self.read(|read| {
            let mut all = Vec::new();
            for entry in read.open_table(REJECTED)?.iter()? {
                let (_, kept) = entry?;
                let (reason, record) = kept.value();
                all.push(Rejected { record: record.to_vec(), reason: reason.to_owned() });
            }
            Ok(all)
        })
    }

    fn read<T>(
        &mut self,
        look: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, SpillError> {
        let read = self.database()?.begin_read().map_err(redb::Error::from);
        self.checked(read.and_then(|read| look(&read)))
    }

    fn write(
        &mut self,
        change: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), SpillError> {
        let write = self.database()?.begin_write().map_err(redb::Error::from);
        let written = write.and_then(|write| {
            change(&write)?;
            write.commit()?;
            Ok(())
        });
        self.checked(written)
    }

    /// Closes the file after a failure, to be opened again.
    fn checked<T>(&mut self, done: Result<T, redb::Error>) -> Result<T, SpillError> {
        done.map_err(|error| {
            self.open = None;
            SpillError::Failed(Box::new(error))
        })
    }

    /// The open database; opened again, and counted again, after a failure.
    fn database(&mut self) -> Result<&Database, SpillError> {
        if self.open.is_none() {
            let database = (self.reopen)().map_err(|error| {
                if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
                    SpillError::InUse
                } else {
                    SpillError::Failed(Box::new(error.into()))
                }
            })?;
            let count = || -> Result<_, redb::Error> {
                let write = database.begin_write()?;
                let (waiting, next) = {
                    write.open_table(REJECTED)?;
                    let table = write.open_table(WAITING)?;
                    let last = table.last()?.map_or(0, |(number, _)| number.value() + 1);
                    (table.len()?, last)
                };
                write.commit()?;
                Ok((waiting, next))
            };
            (self.waiting, self.next) = count().map_err(|error| SpillError::Failed(Box::new(error)))?;
            self.open = Some(database);
        }
        Ok(self.open.as_ref().expect("it was opened above"))
    }
}

impl std::fmt::Debug for SpillFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpillFile").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

const WAITING: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("waiting");
const REJECTED: TableDefinition<'_, u64, (&str, &[u8])> = TableDefinition::new("rejected");
/// Rejected records are looked at by people: more than this nobody reads.
const MAX_REJECTED: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn records(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    fn texts(file: &mut SpillFile, count: usize) -> Vec<(u64, String)> {
        let first = file.first(count).unwrap();
        first.into_iter().map(|(number, record)| (number, String::from_utf8(record).unwrap())).collect()
    }

    #[test]
    fn records_come_out_in_their_order_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spill.redb");
        let mut file = SpillFile::open(&path).unwrap();
        file.append(&records(&["a", "b"])).unwrap();
        file.append(&records(&["c"])).unwrap();
        assert_eq!(file.remove_through(0).unwrap(), 1);
        drop(file);
        let mut file = SpillFile::open(&path).unwrap();
        assert_eq!(file.waiting(), 2);
        file.append(&records(&["d"])).unwrap();
        assert_eq!(texts(&mut file, 2), [(1, "b".into()), (2, "c".into())]);
        assert_eq!(file.remove_through(3).unwrap(), 3);
        assert_eq!((file.waiting(), texts(&mut file, 9)), (0, vec![]));
    }

    #[test]
    fn one_process_has_the_file_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spill.redb");
        let _first = SpillFile::open(&path).unwrap();
        assert!(matches!(SpillFile::open(&path), Err(SpillError::InUse)));
    }

    #[test]
    fn what_is_no_spill_file_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(
            &path,
            "not a database, and long enough to be taken for one by its size alone".repeat(99),
        )
        .unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(SpillFile::open(&path), Err(SpillError::Failed(_))));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn rejected_records_are_kept_with_their_reasons() {
        let mut file = SpillFile::in_memory().unwrap();
        file.reject(b"x", "too long").unwrap();
        let kept = Rejected { record: b"x".to_vec(), reason: "too long".into() };
        assert_eq!((file.rejected().unwrap(), file.waiting()), (vec![kept], 0));
    }
}
