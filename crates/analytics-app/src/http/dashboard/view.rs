//! What an address asks for: period, comparison, zone and filters; and the addresses that ask for something else.

use std::fmt::{self, Write as _};

use analytics_domain::stats::{FilterKey, Period, ReportFilter};
use analytics_ports::BatchLimit;
use axum::extract::Query;
use axum::http::Uri;
use chrono::{DateTime, TimeDelta, Utc};

use super::problem::Problem;
use crate::zone::Zone;

/// What an address asks a page to show.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Whose clocks times are shown by.
    pub(super) zone: Zone,
    /// How the period was asked for.
    pub(super) span: Span,
    /// The period.
    pub(super) period: Period,
    /// Whether the period before is to be shown beside; `None` where the address says nothing.
    pub(super) compare: Option<bool>,
    /// Which rows count.
    pub(super) filter: ReportFilter,
    /// The most rows of a table; `None` where the address says nothing.
    pub(super) rows: Option<BatchLimit>,
    /// What only the page itself knows, as it was given.
    own: Vec<(String, String)>,
}

/// How a period was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// The time up to now.
    Last(Preset),
    /// From one time to before another.
    Between,
}

/// A length of time up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preset {
    Hour,
    Day,
    Week,
    Month,
}

/// An address within the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    path: String,
    parameters: Vec<(String, String)>,
}

/// The parameters of an address, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameters of an address.
    pub(super) fn of(uri: &Uri) -> Result<Self, Problem> {
        if uri.query().is_some_and(|query| query.len() > MOST_BYTES) {
            return Err(Problem::query("the address", "is too long"));
        }
        match Query::<Vec<(String, String)>>::try_from_uri(uri) {
            Ok(Query(pairs)) if pairs.len() <= MOST_PARAMETERS => Ok(Self(pairs)),
            Ok(_) => Err(Problem::query("the address", "has too many parameters")),
            Err(_) => Err(Problem::query("the address", "has parameters that are no text")),
        }
    }

    /// The last value of a parameter. One that is empty, as a form sends it, is not there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }
}

impl View {
    /// What the parameters ask of a page with these filters and parameters of its own.
    pub(super) fn read(
        parameters: &Parameters,
        keys: &[FilterKey],
        own: &[&str],
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        for (name, _) in &parameters.0 {
            if !COMMON.contains(&name.as_str()) && !own.contains(&name.as_str()) {
                return Err(Problem::query(name, "is no parameter of this page"));
            }
        }
        let zone = match parameters.get("zone") {
            Some(text) => text.parse().map_err(|problem: String| Problem::query("zone", &problem))?,
            None => Zone::Utc,
        };
        let (span, period) = period(parameters, zone, now)?;
        let compare = match parameters.get("compare") {
            None => None,
            Some("before") => Some(true),
            Some("none") => Some(false),
            Some(_) => return Err(Problem::query("compare", "is `before` or `none`")),
        };
        let rows = parameters.get("rows").map(|text| {
            let rows = text.parse().ok().and_then(|rows| BatchLimit::new(rows).ok());
            rows.ok_or_else(|| Problem::query("rows", "is a number from 1 to 10,000"))
        });
        let known = |(name, value): &&(String, String)| own.contains(&name.as_str()) && !value.is_empty();
        Ok(Self {
            zone,
            span,
            period,
            compare,
            filter: filter(parameters, keys)?,
            rows: rows.transpose()?,
            own: parameters.0.iter().filter(known).cloned().collect(),
        })
    }

    /// The value of a parameter that only the page knows.
    pub(super) fn own(&self, name: &str) -> Option<&str> {
        self.own.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The address of a page with the same period, comparison and zone, and those of the filters that it takes.
    pub(super) fn link(&self, path: &str, keys: &[FilterKey]) -> Link {
        let mut link = Link { path: path.to_owned(), parameters: self.time() };
        for (key, value) in self.filter.parts() {
            if keys.contains(&key) {
                link.parameters.push(("filter".to_owned(), format!("{key}:{value}")));
            }
        }
        link
    }

    /// The address of this page as it was asked for.
    pub(super) fn same(&self, path: &str) -> Link {
        let mut link = self.link(path, &FilterKey::ALL);
        if let Some(rows) = self.rows {
            link = link.with("rows", &rows.get().to_string());
        }
        link.parameters.extend(self.own.iter().filter(|(name, _)| name != "after").cloned());
        link
    }

    /// A time as the clocks of the zone show it, to the second.
    pub(super) fn time_of(&self, at: DateTime<Utc>) -> String {
        self.zone.local(at).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The parameters of period, comparison and zone, where they were given.
    fn time(&self) -> Vec<(String, String)> {
        let mut parameters = Vec::new();
        let mut push = |name: &str, value: String| parameters.push((name.to_owned(), value));
        match self.span {
            Span::Last(Preset::Day) => {}
            Span::Last(preset) => push("last", preset.as_str().to_owned()),
            Span::Between => {
                push("from", instant(self.period.from()));
                push("to", instant(self.period.until()));
            }
        }
        if let Some(compare) = self.compare {
            push("compare", if compare { "before" } else { "none" }.to_owned());
        }
        if self.zone != Zone::Utc {
            push("zone", self.zone.to_string());
        }
        parameters
    }
}

impl Preset {
    pub(super) const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The name in addresses and on the page.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// The name in full.
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::Hour => "last hour",
            Self::Day => "last 24 hours",
            Self::Week => "last 7 days",
            Self::Month => "last 30 days",
        }
    }

    fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::hours(24),
            Self::Week => TimeDelta::days(7),
            Self::Month => TimeDelta::days(30),
        }
    }
}

impl Link {
    /// The address of a path without parameters.
    pub(super) fn to(path: impl Into<String>) -> Self {
        Self { path: path.into(), parameters: Vec::new() }
    }

    /// With this parameter in place of those of the same name.
    #[must_use]
    pub(super) fn with(self, name: &str, value: &str) -> Self {
        let mut link = self.without(name);
        link.parameters.push((name.to_owned(), value.to_owned()));
        link
    }

    /// Without parameters of this name.
    #[must_use]
    pub(super) fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(key, _)| key != name);
        self
    }

    /// With this filter in place of one of the same key.
    #[must_use]
    pub(super) fn filtered(self, key: FilterKey, value: &str) -> Self {
        let mut link = self.unfiltered(key);
        link.parameters.push(("filter".to_owned(), format!("{key}:{value}")));
        link
    }

    /// Without the filter of this key.
    #[must_use]
    pub(super) fn unfiltered(mut self, key: FilterKey) -> Self {
        let begin = format!("{key}:");
        self.parameters.retain(|(name, value)| name != "filter" || !value.starts_with(&begin));
        self
    }

    /// The parameters, for the hidden fields of a form.
    pub(super) fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        for (at, (name, value)) in self.parameters.iter().enumerate() {
            f.write_char(if at == 0 { '?' } else { '&' })?;
            write!(f, "{}={}", encoded(name), encoded(value))?;
        }
        Ok(())
    }
}

impl maud::Render for Link {
    fn render_to(&self, buffer: &mut String) {
        maud::Render::render_to(self.to_string().as_str(), buffer);
    }
}

fn period(parameters: &Parameters, zone: Zone, now: DateTime<Utc>) -> Result<(Span, Period), Problem> {
    let moment = |name| {
        let time = parameters.get(name).map(|text| {
            // A form without script sends what the clock of the zone shows, without an offset.
            zone.moment(text).or_else(|| zone.moment_shown(text)).ok_or_else(|| {
                Problem::query(name, "is a date such as 2026-03-01 or a time such as 2026-03-01T12:00")
            })
        });
        time.transpose()
    };
    let preset = match parameters.get("last") {
        None => None,
        Some(text) => Some(
            Preset::ALL
                .into_iter()
                .find(|preset| preset.as_str() == text)
                .ok_or_else(|| Problem::query("last", "is 1h, 24h, 7d or 30d"))?,
        ),
    };
    let (from, to) = (moment("from")?, moment("to")?);
    if preset.is_some() && (from.is_some() || to.is_some()) {
        return Err(Problem::query("last", "cannot stand beside from and to"));
    }
    if from.is_none() && to.is_none() {
        let preset = preset.unwrap_or(Preset::Day);
        let period = Period::ending(now, preset.length());
        return period
            .map(|period| (Span::Last(preset), period))
            .ok_or_else(|| Problem::query("last", "is no time of this calendar"));
    }
    let until = to.unwrap_or(now);
    let from = from.or_else(|| until.checked_sub_signed(TimeDelta::hours(24)));
    let period = from.and_then(|from| Period::new(from, until).ok());
    period.map(|period| (Span::Between, period)).ok_or_else(|| Problem::query("from", "must be before to"))
}

fn filter(parameters: &Parameters, keys: &[FilterKey]) -> Result<ReportFilter, Problem> {
    let mut filter = ReportFilter::default();
    let told = parameters.0.iter().filter(|(name, value)| name == "filter" && !value.is_empty());
    let told = told.map(|(_, value)| {
        let parts = value.split_once(':');
        parts.ok_or_else(|| Problem::query("filter", "is a key and a value, such as class:human"))
    });
    // The form that adds a filter sends its two parts by themselves.
    let added = match (parameters.get("key"), parameters.get("value")) {
        (Some(key), Some(value)) => Some(Ok((key, value))),
        (_, Some(_)) => Some(Err(Problem::query("key", "is missing beside value"))),
        (_, None) => None,
    };
    for part in told.chain(added) {
        let (key, value) = part?;
        let key: FilterKey = key.parse().map_err(|error| Problem::query("filter", &format!("{error}")))?;
        if !keys.contains(&key) {
            let names: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
            let takes = if names.is_empty() { "no filter".to_owned() } else { names.join(", ") };
            return Err(Problem::query(
                "filter",
                &format!("cannot be {key} on this page, which takes {takes}"),
            ));
        }
        filter = filter.with(key, value).map_err(|error| Problem::query("filter", &error.to_string()))?;
    }
    Ok(filter)
}

/// A time as addresses say it.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// A text as part of an address.
pub(super) fn encoded(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/,".contains(&byte) {
            shown.push(byte as char);
        } else {
            let _ = write!(shown, "%{byte:02X}");
        }
    }
    shown
}

/// The parameters that every page takes.
const COMMON: [&str; 12] =
    ["last", "from", "to", "compare", "zone", "filter", "key", "value", "rows", "table", "format", "done"];
const MOST_BYTES: usize = 8_192;
const MOST_PARAMETERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_back() {
        let view = read("?last=7d&zone=Europe/Copenhagen&filter=source:a%26b%3Cc&compare=before").unwrap();
        assert_eq!(view.period.length(), TimeDelta::days(7));
        assert_eq!(view.period.until(), now());
        assert_eq!(
            view.same("/sources").to_string(),
            "/sources?last=7d&compare=before&zone=Europe/Copenhagen&filter=source:a%26b%3Cc"
        );
        assert_eq!(
            view.link("/bans", &[]).to_string(),
            "/bans?last=7d&compare=before&zone=Europe/Copenhagen"
        );
        let chosen = view.same("/").filtered(FilterKey::Source, "x").filtered(FilterKey::Class, "bot");
        assert_eq!(
            chosen.unfiltered(FilterKey::Source).without("zone").to_string(),
            "/?last=7d&compare=before&filter=class:bot"
        );
    }

    #[test]
    fn times_are_those_of_the_zone_and_a_day_without_any() {
        let view = read("?from=2026-03-01&to=2026-03-01T12:30&zone=%2B02:00").unwrap();
        let told = (instant(view.period.from()), instant(view.period.until()));
        assert_eq!(told, ("2026-02-28T22:00:00Z".into(), "2026-03-01T10:30:00Z".into()));
        assert_eq!(view.time_of(view.period.until()), "2026-03-01 12:30:00");
        assert_eq!(read("").unwrap().period, Period::ending(now(), TimeDelta::hours(24)).unwrap());
        assert_eq!(read("?from=&to=&last=1h").unwrap().period.length(), TimeDelta::hours(1));
    }

    #[test]
    fn what_is_wrong_is_told_by_the_name_of_its_parameter() {
        let long = format!("?zone={}", "x".repeat(9_000));
        let cases = [
            ("?last=2h", "last: is 1h, 24h, 7d or 30d"),
            ("?last=1h&from=2026-03-01", "last: cannot stand beside from and to"),
            ("?from=yesterday", "from: is a date such as 2026-03-01 or a time such as 2026-03-01T12:00"),
            ("?from=2026-03-02&to=2026-03-01", "from: must be before to"),
            (
                "?zone=Mars/Base",
                "zone: a zone is UTC, an offset such as +02:00, or a name such as Europe/Copenhagen",
            ),
            ("?compare=yes", "compare: is `before` or `none`"),
            ("?rows=0", "rows: is a number from 1 to 10,000"),
            ("?filter=class", "filter: is a key and a value, such as class:human"),
            ("?filter=class:cat", "filter: `cat` is no class"),
            ("?filter=colour:red", "filter: `colour` is no key to filter by"),
            ("?filter=tool:x", "filter: cannot be tool on this page, which takes class, source"),
            ("?value=x", "key: is missing beside value"),
            ("?colour=red", "colour: is no parameter of this page"),
            (&long, "the address: is too long"),
        ];
        for (query, told) in cases {
            assert_eq!(read(query).unwrap_err().to_string(), told, "{query}");
        }
        let many = format!("?{}", "filter=&".repeat(65));
        assert_eq!(read(&many).unwrap_err().to_string(), "the address: has too many parameters");
    }

    fn read(query: &str) -> Result<View, Problem> {
        let uri: Uri = format!("/{query}").parse().unwrap();
        View::read(&Parameters::of(&uri)?, &[FilterKey::Class, FilterKey::Source], &[], now())
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_500_000, 0).unwrap()
    }
}
