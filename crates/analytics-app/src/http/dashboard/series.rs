//! Sessions by class over time, in parts of the period that fit on a chart.

use analytics_domain::detector::Class;
use analytics_domain::stats::{Days, ReportFilter};
use chrono::{DateTime, TimeDelta, Utc};

use super::chart::Series;
use super::page::Ask;
use super::problem::Problem;
use super::view::View;

/// Sessions of each part of a period.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) parts: Days,
    pub(super) counts: Vec<PartCounts>,
    /// Whether the parts are days or longer.
    by_day: bool,
}

/// Sessions of one part of a period, by what they are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PartCounts {
    pub(super) people: u64,
    pub(super) suspected: u64,
    pub(super) bots: u64,
    pub(super) ai_agents: u64,
}

impl Timeline {
    /// The timeline of what the address asks for.
    pub(super) async fn load(ask: &Ask<'_>) -> Result<Self, Problem> {
        let (parts, by_day) = parts(ask.view)?;
        let counts = counts(ask, &parts).await?;
        Ok(Self { parts, counts, by_day })
    }

    /// What stands under each part.
    pub(super) fn labels(&self, view: &View) -> Vec<String> {
        let long = view.period.length() > TimeDelta::hours(36);
        let format = match (self.by_day, long) {
            (true, _) => "%-d %b",
            (false, true) => "%a %H:%M",
            (false, false) => "%H:%M",
        };
        self.begins().map(|at| view.zone.local(at).format(format).to_string()).collect()
    }

    /// Each part's time in full.
    pub(super) fn spans(&self, view: &View) -> Vec<String> {
        let edges = self.parts.edges();
        edges
            .windows(2)
            .map(|pair| {
                let (from, to) = (view.zone.local(pair[0]), view.zone.local(pair[1]));
                let to_format = if from.date() == to.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
                format!("{} to {}", from.format("%Y-%m-%d %H:%M"), to.format(to_format))
            })
            .collect()
    }

    /// The four series of the chart, the lowest first.
    pub(super) fn series(&self) -> [Series; 4] {
        let of = |name, class, of: fn(&PartCounts) -> u64| Series {
            name,
            class,
            values: self.counts.iter().map(of).collect(),
        };
        [
            of("People", "people", |counts| counts.people),
            of("Suspected", "suspected", |counts| counts.suspected),
            of("AI agents", "ai", |counts| counts.ai_agents),
            of("Bots", "bots", |counts| counts.bots),
        ]
    }

    /// When each part begins.
    pub(super) fn begins(&self) -> impl Iterator<Item = DateTime<Utc>> {
        self.parts.edges().iter().copied().take(self.counts.len())
    }
}

/// Sessions in each part: two questions to the store, since the counts of people hold those suspected.
pub(super) async fn counts(ask: &Ask<'_>, parts: &Days) -> Result<Vec<PartCounts>, Problem> {
    let (core, filter) = (&ask.dashboard.stores.core_stats, &ask.view.filter);
    let all = core.activity(parts, filter).await?;
    let suspected = match filter.class {
        None => {
            let only = ReportFilter { class: Some(Class::Suspected), ..filter.clone() };
            core.activity(parts, &only).await?.iter().map(|counts| counts.sessions.people).collect()
        }
        Some(Class::Suspected) => all.iter().map(|counts| counts.sessions.people).collect(),
        Some(Class::Human | Class::Bot | Class::DeclaredBot | Class::AiAgent) => vec![0; all.len()],
    };
    let rows = all.iter().zip(suspected).map(|(counts, suspected)| PartCounts {
        people: counts.sessions.people.saturating_sub(suspected),
        suspected,
        bots: counts.sessions.bots,
        ai_agents: counts.sessions.ai_agents,
    });
    Ok(rows.collect())
}

/// The parts of a period, at most about fifty, and whether they are days or longer.
fn parts(view: &View) -> Result<(Days, bool), Problem> {
    let refused = |error: analytics_domain::stats::TooManyDays| Problem::Report(error.to_string());
    let seconds = view.period.length().num_seconds();
    if let Some(minutes) = STEPS.into_iter().find(|minutes| seconds <= minutes * 60 * MOST_PARTS) {
        return Ok((view.zone.parts(view.period, TimeDelta::minutes(minutes)).map_err(refused)?, false));
    }
    let days = view.zone.days(view.period).map_err(refused)?;
    let together = days.days().len().div_ceil(MOST_PARTS as usize);
    Ok((days.joined(together), true))
}

/// Minutes of a part.
const STEPS: [i64; 10] = [1, 2, 5, 10, 15, 30, 60, 180, 360, 720];
const MOST_PARTS: i64 = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::dashboard::view::Parameters;

    #[test]
    fn a_period_has_parts_that_fit_on_a_chart() {
        let count = |query: &str| {
            let parameters = Parameters::of(&format!("/?{query}").parse().unwrap()).unwrap();
            let now = DateTime::from_timestamp(1_772_500_000, 0).unwrap();
            let view = View::read(&parameters, &[], &[], now).unwrap();
            parts(&view).map(|(parts, by_day)| (parts.days().len(), by_day))
        };
        assert_eq!(count("last=1h").unwrap(), (31, false));
        assert_eq!(count("last=24h").unwrap(), (49, false));
        assert_eq!(count("last=7d").unwrap(), (29, false));
        assert_eq!(count("from=2026-01-01&to=2026-01-31").unwrap(), (30, true));
        assert_eq!(count("from=2024-01-01&to=2026-01-01").unwrap(), (46, true));
        assert!(count("from=2000-01-01&to=2026-01-01").is_err());
    }
}
