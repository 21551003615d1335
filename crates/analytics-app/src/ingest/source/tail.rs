//! A file that grows.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::lines::LineBuffer;
use super::{BLOCK_BYTES, Block, Counted, Input, Packing, SourceError, open_file};

/// Reads a log from its beginning and goes on as it grows, through rotation and truncation.
///
/// Rotation by renaming (logrotate's default): the old file is read until the new one under the same name has
/// something in it, because servers write on into the old file until they are told. Truncation (`copytruncate`):
/// reading starts again at the beginning; what a server wrote between the last look and the truncation is lost to
/// every reader of the file. Line numbers start again at 1 in both cases.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    file: File,
    lines: LineBuffer,
    position: u64,
    generation: usize,
}

impl Tail {
    /// Follows the file at `path`, from its beginning.
    ///
    /// # Errors
    /// [`SourceError::Missing`], [`Directory`](SourceError::Directory) or [`Open`](SourceError::Open).
    pub fn open(path: PathBuf) -> Result<Self, SourceError> {
        let file = open_file(&path)?;
        Ok(Self { path, file, lines: LineBuffer::default(), position: 0, generation: 0 })
    }

    /// The next block of whole lines, or `None` when the log has nothing new; never waits.
    ///
    /// [`Block::input`] counts the files that the name has stood for, from 0. A missing file is nothing new: it is
    /// being rotated.
    ///
    /// # Errors
    /// [`SourceError::Read`], or [`Directory`](SourceError::Directory) or [`Open`](SourceError::Open) for the file
    /// that took its place.
    pub fn poll(&mut self) -> Result<Option<Block>, SourceError> {
        loop {
            let ours = self.file.metadata().map_err(|source| self.failed(source))?;
            if ours.len() < self.position {
                self.file.seek(SeekFrom::Start(0)).map_err(|source| self.failed(source))?;
                self.restart();
                continue;
            }
            // Looked at before the last read of the old file: what comes after belongs to the new one.
            let replaced = std::fs::metadata(&self.path)
                .is_ok_and(|named| named.len() > 0 && (named.dev(), named.ino()) != (ours.dev(), ours.ino()));
            let mut counted = Counted { inner: &mut self.file, read: Arc::default() };
            let data = self.lines.next_block_so_far(&mut counted, BLOCK_BYTES);
            self.position += counted.read.load(Ordering::Relaxed);
            if let Some(data) = data.map_err(|source| self.failed(source))? {
                return Ok(Some(self.lines.block(data, self.generation)));
            }
            if !replaced {
                return Ok(None);
            }
            let last = self.lines.take_rest().map(|last| self.lines.block(last, self.generation));
            self.file = match open_file(&self.path) {
                Ok(file) => file,
                Err(SourceError::Missing { .. }) => return Ok(last),
                Err(error) => return Err(error),
            };
            self.restart();
            if last.is_some() {
                return Ok(last);
            }
        }
    }

    fn failed(&self, source: io::Error) -> SourceError {
        SourceError::from_read(&Input::File(self.path.clone()), Packing::Plain, &self.lines, source)
    }

    fn restart(&mut self) {
        self.lines = LineBuffer::default();
        self.position = 0;
        self.generation += 1;
    }
}

/// Waits for `interval` before the next [`Tail::poll`].
pub fn wait(interval: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "following a file means to look again after a while; nothing but the waiting depends on real time"
    )]
    std::thread::sleep(interval);
}
