//! Which format a log has, from its first lines.

use super::format::ObservedFields;
use super::{LineParser, LogFormat, LogRecord, Scratch};

impl LogFormat {
    /// The format that reads the most of `first_lines`, or `None` when none reads any.
    ///
    /// Give about the first hundred lines; a last line that is cut does no harm. Of formats that read equally many
    /// lines the one that observes more wins. `common` also reads every `combined` line and those of them that are
    /// cut, so it has to read more than twice as many.
    pub fn detect(first_lines: &[u8]) -> Option<Self> {
        let mut best = None;
        for candidate in CANDIDATES {
            let weight = if candidate == LogFormat::Common { 1 } else { 2 };
            let mut score = 0;
            each_record(&candidate, first_lines, |record| {
                score += if is_telling(&candidate, record) { weight } else { 0 };
            });
            if score > 0 && best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, candidate));
            }
        }
        best.map(|(_, format)| format)
    }

    /// What a log that begins with `first_lines` observes.
    ///
    /// Formats that each site fills as it likes tell by their lines: a W3C log by its `#Fields`, an nginx or Traefik
    /// JSON log by what any of the lines has a value for. To these and to what the other formats always have comes
    /// what any line has besides, such as a site name before a `combined` line.
    pub fn observes_in(&self, first_lines: &[u8]) -> ObservedFields {
        let mut seen = ObservedFields::NONE;
        let parser = each_record(self, first_lines, |record| seen = seen.or(observed(record)));
        match (&parser.columns, self) {
            (Some(columns), _) => columns.observes(),
            (None, Self::NginxJson | Self::TraefikJson) => seen,
            (
                None,
                Self::Combined
                | Self::CombinedForwarded
                | Self::Common
                | Self::VhostCombined
                | Self::CaddyJson
                | Self::CloudFront
                | Self::Alb
                | Self::IisW3c
                | Self::Custom(_),
            ) => seen.or(self.observes()),
        }
    }
}

/// The fields that the record has a value for.
fn observed(record: &LogRecord<'_>) -> ObservedFields {
    ObservedFields {
        protocol: record.protocol.is_some(),
        status: record.status.is_some(),
        bytes: record.bytes.is_some(),
        referrer: record.referrer.is_some(),
        user_agent: record.user_agent.is_some(),
        host: record.host.is_some(),
        forwarded_for: record.forwarded_for.is_some(),
        user: record.user.is_some(),
        duration: record.duration_us.is_some(),
        accept: record.accept.is_some(),
        accept_language: record.accept_language.is_some(),
        accept_encoding: record.accept_encoding.is_some(),
        sec_fetch: record.sec_fetch_site.is_some()
            || record.sec_fetch_mode.is_some()
            || record.sec_fetch_dest.is_some()
            || record.sec_fetch_user.is_some(),
        sec_ch_ua: record.sec_ch_ua.is_some(),
    }
}

/// From the most telling format to the least.
const CANDIDATES: [LogFormat; 10] = [
    LogFormat::CaddyJson,
    LogFormat::TraefikJson,
    LogFormat::NginxJson,
    LogFormat::CloudFront,
    LogFormat::Alb,
    LogFormat::IisW3c,
    LogFormat::VhostCombined,
    LogFormat::CombinedForwarded,
    LogFormat::Combined,
    LogFormat::Common,
];

/// Visits the records of the first lines; gives back the parser as they left it.
fn each_record(format: &LogFormat, lines: &[u8], mut visit: impl FnMut(&LogRecord<'_>)) -> LineParser {
    let mut parser = LineParser::new(format.clone());
    let mut scratch = Scratch::default();
    for line in lines.split(|&byte| byte == b'\n').take(SAMPLE_LINES) {
        if let Ok(Some(record)) = parser.parse(&mut scratch, line) {
            visit(&record);
        }
    }
    parser
}

/// Whether the record has what the format is there for.
fn is_telling(format: &LogFormat, record: &LogRecord<'_>) -> bool {
    match format {
        LogFormat::VhostCombined => record.host.is_some(),
        LogFormat::CombinedForwarded => record.forwarded_for.is_some(),
        LogFormat::Combined
        | LogFormat::Common
        | LogFormat::NginxJson
        | LogFormat::CaddyJson
        | LogFormat::TraefikJson
        | LogFormat::CloudFront
        | LogFormat::Alb
        | LogFormat::IisW3c
        | LogFormat::Custom(_) => true,
    }
}

/// Lines looked at: enough to outvote a handful of odd ones at the start, few enough to cost nothing.
const SAMPLE_LINES: usize = 200;
