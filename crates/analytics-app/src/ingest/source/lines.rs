//! Cuts a stream of bytes at line ends.

use std::io::{self, Read};
use std::sync::Arc;

use memchr::memmem;

use super::Block;
use crate::ingest::access_log::MAX_LINE_BYTES;

/// What is carried from block to block of one input.
#[derive(Debug)]
pub(super) struct LineBuffer {
    /// The start of a line whose end was not read yet.
    rest: Vec<u8>,
    /// Whether the rest of an over-long line is being dropped.
    dropping: bool,
    /// Bytes dropped since the last block.
    dropped: u64,
    ended: bool,
    /// An error to report once the lines before it are handed out.
    failed: Option<io::Error>,
    /// Bytes handed out.
    pub(super) offset: u64,
    /// Number of the next line.
    pub(super) line: u64,
    header: Option<Arc<[u8]>>,
    has_headers: bool,
}

impl Default for LineBuffer {
    fn default() -> Self {
        Self {
            rest: Vec::new(),
            dropping: false,
            dropped: 0,
            ended: false,
            failed: None,
            offset: 0,
            line: 1,
            header: None,
            has_headers: false,
        }
    }
}

impl LineBuffer {
    /// Reads until about `block_bytes` are there and gives all whole lines; at the end of the input also a last one
    /// without a line feed. `None` when nothing is left.
    pub(super) fn next_block(
        &mut self,
        reader: &mut (impl Read + ?Sized),
        block_bytes: usize,
        buffer: Vec<u8>,
    ) -> io::Result<Option<Vec<u8>>> {
        self.fill(reader, block_bytes, buffer, true)
    }

    /// Like [`next_block`](Self::next_block), but a line without its line feed waits for the rest of it, and the end
    /// of the input is only the end so far.
    pub(super) fn next_block_so_far(
        &mut self,
        reader: &mut (impl Read + ?Sized),
        block_bytes: usize,
    ) -> io::Result<Option<Vec<u8>>> {
        self.ended = false;
        self.fill(reader, block_bytes, Vec::new(), false)
    }

    fn fill(
        &mut self,
        reader: &mut (impl Read + ?Sized),
        block_bytes: usize,
        mut data: Vec<u8>,
        to_the_end: bool,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut filled = self.rest.len();
        let mut searched = 0;
        // What a used buffer still holds is written over, so that only new room is filled with zeros.
        data.resize(block_bytes.max(filled), 0);
        data[..filled].copy_from_slice(&self.rest);
        self.rest.clear();
        while !self.ended && filled < data.len() {
            match reader.read(&mut data[filled..]) {
                Ok(0) => self.ended = true,
                Ok(read) => {
                    let start = filled;
                    filled += read;
                    self.drop_overlong(&mut data, start, &mut filled, &mut searched);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failed = Some(error);
                }
            }
        }
        data.truncate(filled);
        let whole = memchr::memrchr(b'\n', &data).map_or(0, |end| end + 1);
        if !(self.ended && to_the_end && self.failed.is_none()) {
            self.rest.extend_from_slice(&data[whole..]);
            data.truncate(whole);
        }
        if !data.is_empty() {
            return Ok(Some(data));
        }
        match self.failed.take() {
            Some(error) => {
                self.rest.clear();
                Err(error)
            }
            None => Ok(None),
        }
    }

    /// Shortens an over-long line as it comes in, so that no line fills the memory.
    ///
    /// New are the bytes from `start` to `filled`; no line that is still open begins before `searched`.
    fn drop_overlong(&mut self, data: &mut [u8], start: usize, filled: &mut usize, searched: &mut usize) {
        if self.dropping {
            let end = memchr::memchr(b'\n', &data[start..*filled]);
            let drop = end.unwrap_or(*filled - start);
            self.dropped += drop as u64;
            data.copy_within(start + drop..*filled, start);
            *filled -= drop;
            self.dropping = end.is_none();
            if self.dropping {
                return;
            }
        }
        if let Some(end) = memchr::memrchr(b'\n', &data[start..*filled]) {
            *searched = start + end + 1;
        }
        let keep = *searched + MAX_LINE_BYTES + 1;
        if *filled > keep {
            self.dropping = true;
            self.dropped += (*filled - keep) as u64;
            *filled = keep;
        }
    }

    /// The last line, when the input ended without a line feed after it.
    pub(super) fn take_rest(&mut self) -> Option<Vec<u8>> {
        (!self.rest.is_empty()).then(|| std::mem::take(&mut self.rest))
    }

    /// Numbers a block of lines.
    pub(super) fn block(&mut self, mut data: Vec<u8>, input: usize) -> Block {
        if self.offset == 0 {
            if data.starts_with(b"\xef\xbb\xbf") {
                data.drain(..3);
                self.offset = 3;
            }
            self.has_headers = data.first() == Some(&b'#');
        }
        let block =
            Block { input, first_line: self.line, offset: self.offset, header: self.header.clone(), data };
        let data = &block.data;
        let unfinished = u64::from(data.last().is_some_and(|&last| last != b'\n'));
        self.line += memchr::memchr_iter(b'\n', data).count() as u64 + unfinished;
        self.offset += data.len() as u64 + std::mem::take(&mut self.dropped);
        if self.has_headers {
            self.remember_header(data);
        }
        block
    }

    fn remember_header(&mut self, data: &[u8]) {
        let from = match memmem::rfind(data, b"\n#Fields:") {
            Some(at) => at + 1,
            None if data.starts_with(b"#Fields:") => 0,
            None => return,
        };
        let line = &data[from..];
        let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
        self.header = Some(Arc::from(line.strip_suffix(b"\r").unwrap_or(line)));
    }
}
