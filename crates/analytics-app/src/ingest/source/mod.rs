//! Inputs as blocks of whole lines.
//!
//! [`Blocks`] reads files and standard input one after the other, plain, gzip or Zstandard, and hands out blocks
//! that end at a line end, so that several threads can parse them. [`Tail`] does the same for one growing file.
//! What it does not do: look into a line, or hold more of an over-long one than it takes to call it over-long.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

mod lines;
mod tail;
#[cfg(test)]
mod tests;

pub use tail::{Tail, wait};

use crate::ingest::access_log::MAX_LINE_BYTES;
use lines::LineBuffer;

/// Whole lines of one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Lines with their line feeds. Only the last line of an input may lack one. A line longer than
    /// [`MAX_LINE_BYTES`] may be shortened, to a length at which it is still too long.
    pub data: Vec<u8>,
    /// Which input, from 0, in the order given.
    pub input: usize,
    /// Number of the first line in its input, from 1.
    pub first_line: u64,
    /// Where the block begins, in bytes from the start of the (unpacked) input.
    pub offset: u64,
    /// The `#Fields` line in force where the block begins, without its line end, for W3C formats.
    pub header: Option<Arc<[u8]>>,
}

impl Block {
    /// The lines without their line feeds, each with its number in the input.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut rest = self.data.as_slice();
        let mut number = self.first_line;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', rest);
            let line = (number, &rest[..end.unwrap_or(rest.len())]);
            rest = end.map_or(&[], |end| &rest[end + 1..]);
            number += 1;
            Some(line)
        })
    }
}

/// Something to read lines from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file, packed or not; its first bytes tell.
    File(PathBuf),
    /// Standard input, packed or not.
    Stdin,
}

impl Input {
    /// What a command-line argument means: `-` is standard input, anything else a path.
    pub fn from_argument(argument: &Path) -> Self {
        if argument.as_os_str() == "-" { Self::Stdin } else { Self::File(argument.to_owned()) }
    }

    /// Whether its name ends as those of packed files do. A packed file is never empty.
    fn is_named_as_packed(&self) -> bool {
        let Self::File(path) = self else { return false };
        path.extension().is_some_and(|ending| ending == "gz" || ending == "zst")
    }
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// Reads inputs one after the other, block by block.
///
/// Iteration goes on with the next input after an error, and ends after the last. An empty input gives no block.
#[derive(Debug)]
pub struct Blocks {
    inputs: Vec<Input>,
    block_bytes: usize,
    next: usize,
    open: Option<Open>,
    spare: Vec<Vec<u8>>,
    read: Arc<AtomicU64>,
}

impl Blocks {
    /// A reader of `inputs` in their order, with blocks of about [`BLOCK_BYTES`].
    pub fn new(inputs: Vec<Input>) -> Self {
        Self::with_block_bytes(BLOCK_BYTES, inputs)
    }

    /// A reader of `inputs` in their order, with blocks of at most about `block_bytes`, at least twice the longest line.
    pub fn with_block_bytes(block_bytes: usize, inputs: Vec<Input>) -> Self {
        let block_bytes = block_bytes.max(2 * MAX_LINE_BYTES);
        Self { inputs, block_bytes, next: 0, open: None, spare: Vec::new(), read: Arc::default() }
    }

    /// The inputs, in the order of [`Block::input`].
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Takes the memory of a block that is no longer needed.
    pub fn recycle(&mut self, data: Vec<u8>) {
        if self.spare.len() < 8 {
            self.spare.push(data);
        }
    }

    /// Bytes read from the inputs so far, packed as they are; for a progress bar beside [`total_bytes`](Self::total_bytes).
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Size of all inputs together, packed as they are; `None` when one is a pipe or cannot be looked at.
    pub fn total_bytes(&self) -> Option<u64> {
        self.inputs.iter().try_fold(0_u64, |sum, input| match input {
            Input::Stdin => None,
            Input::File(path) => {
                let metadata = std::fs::metadata(path).ok()?;
                metadata.is_file().then(|| sum + metadata.len())
            }
        })
    }

    fn read_block(&mut self, open: &mut Open) -> Result<Option<Block>, SourceError> {
        let buffer = self.spare.pop().unwrap_or_default();
        let input = &self.inputs[open.index];
        match open.lines.next_block(&mut open.reader, self.block_bytes, buffer) {
            Ok(Some(data)) => Ok(Some(open.lines.block(data, open.index))),
            Ok(None) => Ok(None),
            Err(source) => Err(SourceError::from_read(input, open.packing, &open.lines, source)),
        }
    }
}

impl Iterator for Blocks {
    type Item = Result<Block, SourceError>;

    /// The next block, or why an input could not be opened or read further.
    ///
    /// Lines read before a failure are handed out first.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut open = if let Some(open) = self.open.take() {
                open
            } else {
                let input = self.inputs.get(self.next)?;
                let opened = Open::new(self.next, input, &self.read);
                self.next += 1;
                match opened {
                    Ok(open) => open,
                    Err(error) => return Some(Err(error)),
                }
            };
            match self.read_block(&mut open) {
                Ok(Some(block)) => {
                    self.open = Some(open);
                    return Some(Ok(block));
                }
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The input being read.
struct Open {
    index: usize,
    packing: Packing,
    reader: Box<dyn Read + Send>,
    lines: LineBuffer,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open")
            .field("index", &self.index)
            .field("packing", &self.packing)
            .finish_non_exhaustive()
    }
}

impl Open {
    fn new(index: usize, input: &Input, read: &Arc<AtomicU64>) -> Result<Self, SourceError> {
        let raw: Box<dyn Read + Send> = match input {
            Input::Stdin => Box::new(io::stdin()),
            Input::File(path) => Box::new(open_file(path)?),
        };
        let failed = |source| SourceError::Read { input: input.to_string(), lines: 0, bytes: 0, source };
        let mut counted = Counted { inner: raw, read: Arc::clone(read) };
        let mut magic = [0; 6];
        let mut length = 0;
        while length < magic.len() {
            match counted.read(&mut magic[length..]) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        if length == 0 && input.is_named_as_packed() {
            let source = io::ErrorKind::UnexpectedEof.into();
            return Err(SourceError::Damaged { input: input.to_string(), lines: 0, bytes: 0, source });
        }
        let packing = Packing::of(&magic[..length]);
        let whole = io::Cursor::new(magic[..length].to_vec()).chain(counted);
        let reader: Box<dyn Read + Send> = match packing {
            Packing::Plain => Box::new(whole),
            Packing::Gzip => {
                Box::new(flate2::bufread::MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, whole)))
            }
            Packing::Zstandard => Box::new(zstd::stream::read::Decoder::new(whole).map_err(failed)?),
            Packing::Other(kind) => return Err(SourceError::Unsupported { input: input.to_string(), kind }),
        };
        Ok(Self { index, packing, reader, lines: LineBuffer::default() })
    }
}

/// Opens a file that lines can be read from.
fn open_file(path: &Path) -> Result<File, SourceError> {
    let failed = |source: io::Error| {
        if source.kind() == io::ErrorKind::NotFound {
            SourceError::Missing { path: path.to_owned() }
        } else {
            SourceError::Open { path: path.to_owned(), source }
        }
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(SourceError::Directory { path: path.to_owned() });
    }
    Ok(file)
}

/// How an input is packed, told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstandard,
    Other(&'static str),
}

impl Packing {
    fn of(magic: &[u8]) -> Self {
        match magic {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstandard,
            [0xfd, b'7', b'z', b'X', b'Z', ..] => Self::Other("an xz file"),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Other("a bzip2 file"),
            [b'P', b'K', 3, 4, ..] => Self::Other("a zip file"),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Self::Other("UTF-16 text"),
            _ => Self::Plain,
        }
    }
}

/// Adds up what passes through.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Why an input could not be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The path given.
        path: PathBuf,
    },
    /// It is a directory. Name the files in it.
    #[error("{} is a directory; name the log files in it", path.display())]
    Directory {
        /// The path given.
        path: PathBuf,
    },
    /// The system refused to open it; the source says why.
    #[error("cannot open {}", path.display())]
    Open {
        /// The path given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its first bytes are those of a format that is not read here. Convert it and pipe it in.
    #[error("{input} is {kind}, which is not read; convert it and pipe it in as `-`")]
    Unsupported {
        /// The path, or `standard input`.
        input: String,
        /// What the first bytes say it is.
        kind: &'static str,
    },
    /// A packed file ends too early or is damaged. The lines before the damage were handed out.
    #[error("{input} is cut or damaged after {lines} lines ({bytes} bytes unpacked)")]
    Damaged {
        /// The path, or `standard input`.
        input: String,
        /// Whole lines handed out before.
        lines: u64,
        /// Unpacked bytes in these lines.
        bytes: u64,
        /// What the unpacker said.
        source: io::Error,
    },
    /// Reading failed under way. The lines before were handed out.
    #[error("cannot read {input} after {lines} lines ({bytes} bytes)")]
    Read {
        /// The path, or `standard input`.
        input: String,
        /// Whole lines handed out before.
        lines: u64,
        /// Bytes in these lines.
        bytes: u64,
        /// What the system said.
        source: io::Error,
    },
}

impl SourceError {
    fn from_read(input: &Input, packing: Packing, lines: &LineBuffer, source: io::Error) -> Self {
        let (input, bytes, lines) = (input.to_string(), lines.offset, lines.line - 1);
        match packing {
            Packing::Gzip | Packing::Zstandard => Self::Damaged { input, lines, bytes, source },
            Packing::Plain | Packing::Other(_) => Self::Read { input, lines, bytes, source },
        }
    }
}

/// About how many bytes a block has: 512 KiB, some 2,000 lines. What is read of it stays in the caches between the thread
/// that reads it and those that take it up, and keeps a thread busy for about a millisecond.
pub const BLOCK_BYTES: usize = 1 << 19;
