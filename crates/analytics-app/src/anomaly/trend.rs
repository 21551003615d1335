//! The trend of one count, and whether an anomaly of it is open.

use analytics_domain::anomaly::{AnomalyLevel, Band, Finite, TrendWindow};
use chrono::{DateTime, Utc};

use super::MonitorPolicy;

/// The values before, and those that depart from them.
///
/// A value departs when its level against the mean says so and it lies outside of all values of the window: traffic that
/// comes in bursts has both in every hour. While values depart, and while an anomaly is open, values are set aside; then
/// they join the window, so that the end of a flood is no drop. What lasts for longer than the window is the new one.
#[derive(Debug, Clone, Default)]
pub(super) struct Trend {
    before: TrendWindow,
    aside: TrendWindow,
    state: State,
}

/// What a value changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TrendChange {
    Opened { level: AnomalyLevel, since: DateTime<Utc>, expected: Option<Band> },
    Closed,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Values that depart in a row, and when the first of them came.
    beyond: u32,
    since: DateTime<Utc>,
    /// While an anomaly is open: ordinary values in a row.
    quiet: Option<u32>,
}

impl Trend {
    /// Holds a value against those before it. While another rule has `told` of the same, nothing opens.
    pub(super) fn step(
        &mut self,
        policy: &MonitorPolicy,
        value: Finite,
        told: bool,
        at: DateTime<Utc>,
    ) -> Option<TrendChange> {
        let level = policy.trend.level(&self.before, value);
        let outside = || self.before.range().is_none_or(|range| !range.holds(value));
        let departs = (level != AnomalyLevel::Normal && outside()).then_some(level);
        let change = self.note(policy, departs, told, at);
        if self.state.beyond > 0 || self.is_open() {
            self.aside.push(value);
            if self.aside.len() as usize == TrendWindow::CAPACITY {
                self.before = std::mem::take(&mut self.aside);
                self.state.beyond = 0;
            }
        } else {
            let aside = std::mem::take(&mut self.aside);
            aside.iter().for_each(|value| self.before.push(value));
            self.before.push(value);
        }
        change
    }

    /// Notes how far a value departs, if it does.
    fn note(
        &mut self,
        policy: &MonitorPolicy,
        departs: Option<AnomalyLevel>,
        told: bool,
        at: DateTime<Utc>,
    ) -> Option<TrendChange> {
        let state = &mut self.state;
        let Some(level) = departs else {
            state.beyond = 0;
            let quiet = state.quiet? + 1;
            state.quiet = Some(quiet).filter(|&quiet| quiet < policy.closing_quiet);
            return state.quiet.is_none().then_some(TrendChange::Closed);
        };
        if state.beyond == 0 {
            state.since = at;
        }
        state.beyond += 1;
        if state.quiet.is_some() {
            state.quiet = Some(0);
            return None;
        }
        if state.beyond != policy.trend_hits || told {
            return None;
        }
        state.quiet = Some(0);
        let since = state.since;
        Some(TrendChange::Opened { level, since, expected: policy.trend.band(&self.before) })
    }

    /// Whether an anomaly is open.
    pub(super) const fn is_open(&self) -> bool {
        self.state.quiet.is_some()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    /// The minutes in which an anomaly opened (true) or closed.
    fn changes(values: impl IntoIterator<Item = f64>) -> Vec<(i64, bool)> {
        let mut trend = Trend::default();
        let step = |(minute, value): (i64, f64)| {
            let value = Finite::new(value).unwrap();
            let change = trend.step(&MonitorPolicy::default(), value, false, at(minute))?;
            Some((minute, change != TrendChange::Closed))
        };
        (0..).zip(values).filter_map(step).collect()
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn a_flood_opens_with_its_fifth_minute_and_its_end_is_no_drop() {
        let flood = [20.0; 70].into_iter().chain([100.0; 30]).chain([20.0; 200]);
        assert_eq!(changes(flood), [(74, true), (102, false)]);
    }

    #[test]
    fn an_outage_opens_with_its_fifth_minute() {
        let outage = [20.0; 70].into_iter().chain([0.0; 20]).chain([20.0; 200]);
        assert_eq!(changes(outage), [(74, true), (92, false)]);
    }

    #[test]
    fn four_minutes_in_a_row_open_nothing() {
        let spikes = (0..500).map(|minute| if minute % 10 < 4 && minute > 70 { 100.0 } else { 20.0 });
        assert_eq!(changes(spikes), []);
    }

    #[test]
    fn what_lasts_for_longer_than_an_hour_is_the_new_level() {
        let step = [20.0; 70].into_iter().chain([100.0; 500]);
        assert_eq!(changes(step), [(74, true), (134, false)]);
    }

    #[test]
    fn traffic_in_bursts_opens_at_most_once() {
        let bursts = [100.0; 6].into_iter().chain([10.0; 6]).cycle().take(600);
        assert_eq!(changes(bursts), [(10, true), (14, false)]);
    }

    #[test]
    fn a_day_that_rises_tenfold_in_four_hours_opens_nothing() {
        let morning = (0..240).map(|minute| 20.0 * libm::pow(10.0, f64::from(minute) / 240.0));
        assert_eq!(changes([20.0; 100].into_iter().chain(morning).chain([200.0; 100])), []);
    }
}
