//! Which format a log has, from its first lines.

use super::{LineParser, LogFormat, LogRecord, Scratch};

impl LogFormat {
    /// The format that reads the most of `first_lines`, or `None` when none reads any.
    ///
    /// Give about the first hundred lines; a last line that is cut does no harm. Of formats that read equally many
    /// lines the one that observes more wins, so that a `combined` log is never taken for `common`.
    pub fn detect(first_lines: &[u8]) -> Option<Self> {
        let mut best = None;
        for candidate in candidates() {
            let score = score(&candidate, first_lines);
            if score > 0 && best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, candidate));
            }
        }
        best.map(|(_, format)| format)
    }
}

/// From the most telling format to the least.
fn candidates() -> [LogFormat; 4] {
    [LogFormat::VhostCombined, LogFormat::CombinedForwarded, LogFormat::Combined, LogFormat::Common]
}

/// How many lines the format reads and gets out of them what it is there for.
fn score(format: &LogFormat, lines: &[u8]) -> usize {
    let mut parser = LineParser::new(format.clone());
    let mut scratch = Scratch::default();
    let mut score = 0;
    for line in lines.split(|&byte| byte == b'\n').take(SAMPLE_LINES) {
        if let Ok(Some(record)) = parser.parse(&mut scratch, line) {
            score += usize::from(is_telling(format, &record));
        }
    }
    score
}

fn is_telling(format: &LogFormat, record: &LogRecord<'_>) -> bool {
    match format {
        LogFormat::VhostCombined => record.host.is_some(),
        LogFormat::CombinedForwarded => record.forwarded_for.is_some(),
        LogFormat::Combined | LogFormat::Common => true,
    }
}

/// Lines looked at: enough to outvote a handful of odd ones at the start, few enough to cost nothing.
const SAMPLE_LINES: usize = 200;
