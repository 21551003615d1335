//! The hours of the week and of the day.

use super::policy::BaselineSettings;
use super::{Gains, Mean};

/// The mean of each hour of the day and of each hour of the week (UTC), and which of the two foretells better.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Season {
    slots: [Slot; DAY + WEEK],
    day_error: Mean,
    week_error: Mean,
    last_hour: u16,
}

/// One hour.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Slot {
    mean: f64,
    values: u32,
    /// How many times the hour came.
    visits: u32,
}

impl Season {
    /// What this hour of the week is expected to show; `None` while it is not known well enough.
    pub(super) fn expected(&self, settings: &BaselineSettings, hour: usize) -> Option<f64> {
        let day = self.known(hour % DAY, settings.least_visits);
        let week = self.known(DAY + hour, settings.least_visits);
        let better = self.week_error.value < settings.week_advantage * self.day_error.value;
        week.filter(|_| better).or(day)
    }

    /// Takes in what the hour shows.
    pub(super) fn learn(&mut self, settings: &BaselineSettings, x: f64, hour: usize, gains: &Gains) {
        let (day, week) = (hour % DAY, DAY + hour);
        if let (Some(by_day), Some(by_week)) =
            (self.known(day, settings.least_visits), self.known(week, settings.least_visits))
        {
            self.day_error.take((x - by_day).abs(), gains.season_error);
            self.week_error.take((x - by_week).abs(), gains.season_error);
        }
        let came = self.last_hour != hour as u16 + 1;
        self.last_hour = hour as u16 + 1;
        for (slot, gain) in [(day, gains.day_slot), (week, gains.week_slot)] {
            let slot = &mut self.slots[slot];
            slot.visits = slot.visits.saturating_add(u32::from(came));
            let mut mean = Mean { value: slot.mean, count: slot.values };
            mean.take(x, gain);
            (slot.mean, slot.values) = (mean.value, mean.count);
        }
    }

    fn known(&self, slot: usize, least_visits: u32) -> Option<f64> {
        let slot = &self.slots[slot];
        (slot.visits >= least_visits).then_some(slot.mean)
    }
}

impl Default for Season {
    fn default() -> Self {
        Self {
            slots: [Slot::default(); DAY + WEEK],
            day_error: Mean::default(),
            week_error: Mean::default(),
            last_hour: 0,
        }
    }
}

/// The hour of the week in UTC, 0 for Monday 00:00 to 167.
pub(super) fn hour_of_week(at_us: i64) -> usize {
    let hours = at_us.div_euclid(3_600_000_000);
    // The epoch was a Thursday.
    (hours + 72).rem_euclid(WEEK as i64) as usize
}

pub(super) const HOUR_SECONDS: f64 = 3_600.0;
const DAY: usize = 24;
const WEEK: usize = 7 * 24;
