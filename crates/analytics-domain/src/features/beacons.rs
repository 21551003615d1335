//! What the beacons of one session add up to.

use crate::engagement::{EngagementEvent, ReadingPattern};

/// Sums over the engagement of one session, the same in any order of its events: fractions are added as whole
/// thousandths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Beacons {
    pub(super) events: u32,
    pub(super) bound: u32,
    pub(super) implausible: u32,
    pub(super) rage: u32,
    pub(super) dead: u32,
    pub(super) idle: u32,
    pub(super) time_on_page_ms: Sum,
    pub(super) visible_ms: Sum,
    pub(super) hidden_ms: Sum,
    pub(super) focus_ms: Sum,
    pub(super) first_interaction_ms: Sum,
    pub(super) first_scroll_ms: Sum,
    pub(super) depth: Sum,
    pub(super) max_depth: Option<u8>,
    pub(super) clicks: Sum,
    pub(super) keys: Sum,
    pub(super) copies: Sum,
    pub(super) blurs: Sum,
    pub(super) tab_switches: Sum,
    pub(super) turns: Sum,
    pub(super) mouse_px: Sum,
    /// Visible time of the events that told a way of the mouse, in milliseconds.
    pub(super) mouse_ms: Sum,
    /// Thousandths of a bit.
    pub(super) mouse_entropy: Sum,
    /// Thousandths of a pixel per second.
    pub(super) scroll_velocity: Sum,
}

/// A sum and how many were added; both stop at the greatest number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    sum: u64,
    count: u32,
}

impl Beacons {
    pub(super) fn add(&mut self, event: &EngagementEvent) {
        let (record, figures) = (event.record(), event.record().figures);
        let one = |count: &mut u32, when: bool| *count = count.saturating_add(u32::from(when));
        one(&mut self.events, true);
        one(&mut self.bound, record.bound);
        one(&mut self.implausible, !record.implausible.is_empty());
        one(&mut self.rage, figures.is_rage_click == Some(true));
        one(&mut self.dead, figures.is_dead_click == Some(true));
        one(&mut self.idle, record.reading_pattern == Some(ReadingPattern::Idle));
        let whole = |sum: &mut Sum, number: Option<u32>| sum.add(number.map(u64::from));
        whole(&mut self.time_on_page_ms, figures.time_on_page_ms);
        whole(&mut self.visible_ms, figures.visible_time_ms);
        whole(&mut self.hidden_ms, figures.hidden_time_ms);
        whole(&mut self.focus_ms, figures.focus_time_ms);
        whole(&mut self.first_interaction_ms, figures.time_to_first_interaction_ms);
        whole(&mut self.first_scroll_ms, figures.time_to_first_scroll_ms);
        whole(&mut self.depth, figures.max_scroll_depth.map(u32::from));
        self.max_depth = self.max_depth.max(figures.max_scroll_depth);
        whole(&mut self.clicks, figures.click_count);
        whole(&mut self.keys, figures.keyboard_events);
        whole(&mut self.copies, figures.copy_events);
        whole(&mut self.blurs, figures.blur_count);
        whole(&mut self.tab_switches, figures.tab_switches);
        whole(&mut self.turns, figures.scroll_direction_changes);
        if let (Some(way), Some(visible)) = (figures.mouse_move_distance_px, figures.visible_time_ms) {
            whole(&mut self.mouse_px, Some(way));
            whole(&mut self.mouse_ms, Some(visible));
        }
        self.mouse_entropy.add(figures.mouse_path_entropy.map(thousandths));
        self.scroll_velocity.add(figures.scroll_velocity_avg.map(thousandths));
    }

    /// The share of all events that this many are; `None` without an event.
    pub(super) fn share(&self, count: u32) -> Option<f64> {
        (self.events > 0).then(|| f64::from(count) / f64::from(self.events))
    }
}

impl Sum {
    fn add(&mut self, number: Option<u64>) {
        if let Some(number) = number {
            self.sum = self.sum.saturating_add(number).min(MOST);
            self.count = self.count.saturating_add(1);
        }
    }

    /// The sum; `None` when nothing was added.
    pub(super) fn total(self) -> Option<f64> {
        (self.count > 0).then_some(self.sum as f64)
    }

    /// The mean; `None` when nothing was added.
    pub(super) fn mean(self) -> Option<f64> {
        self.total().map(|sum| sum / f64::from(self.count))
    }

    /// This sum over another; `None` when the other is 0 or nothing was added.
    pub(super) fn over(self, other: Self) -> Option<f64> {
        let below = other.total().filter(|&below| below > 0.0)?;
        self.total().map(|sum| sum / below)
    }
}

/// A figure that is finite and not below 0, in whole thousandths.
fn thousandths(figure: f64) -> u64 {
    libm::round(figure * 1_000.0) as u64
}

/// Whole numbers up to here are exact as `f64`.
const MOST: u64 = 1 << 53;
