//! The numbers that engagement is held against.

use serde::{Deserialize, Serialize};

/// The numbers that engagement is held against. One that exists is valid; [`EngagementPolicy::new`] checks.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "EngagementSettings", into = "EngagementSettings")]
pub struct EngagementPolicy {
    settings: EngagementSettings,
}

/// The numbers of an [`EngagementPolicy`], to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngagementSettings {
    /// How much longer than the time since it was served a page may have been looked at, in milliseconds; 0 to
    /// 60,000. Default 2,000: clocks of clients and servers drift, and an answer is served before it has arrived.
    pub time_slack_ms: u32,
    /// How much longer than the time on the page its visible and hidden time may be together, and its focused time
    /// alone, in milliseconds; 0 to 60,000. Default 1,000: the three are measured by timers that round on their own.
    pub visibility_slack_ms: u32,
    /// The most time on a page that is believed where it is not known when the page was served, in milliseconds; 1 to
    /// 604,800,000. Default 86,400,000, one day: no session is longer.
    pub time_max_ms: u32,
    /// The most clicks in a second; 1 to 1,000. Default 12: people who click as fast as they can in tests of ten
    /// seconds reach about this many.
    pub clicks_per_second: u32,
    /// The fastest scrolling that is believed, in pixels per second; above 0, at most 10,000,000. Default 100,000: a
    /// jump over a page of a hundred screens within a second.
    pub scroll_velocity_max: f64,
    /// How many clicks make a rage click; 2 to 100. Default 3.
    pub rage_clicks: u32,
    /// Clicks of a rage click are less than this many milliseconds after the one before; 1 to 60,000. Default 1,000.
    pub rage_gap_ms: u32,
    /// Clicks of a rage click are less than this many pixels from the one before, along a straight line; above 0, at
    /// most 10,000. Default 30. The three defaults are those of the most used open tracker.
    pub rage_distance_px: f64,
    /// A click is dead when nothing came of it for this many milliseconds; 1 to 60,000. Default 2,500, which leaves a
    /// slow answer over a mobile network its time.
    pub dead_after_ms: u32,
    /// A page that was visible for less than this many milliseconds and scrolled less than `bounce_depth` was left at
    /// once; 1 to 600,000. Default 10,000.
    pub bounce_ms: u32,
    /// See `bounce_ms`; in percent of the page, 1 to 100. Default 25: on most pages the first screen is less.
    pub bounce_depth: u8,
    /// A page that was visible for this many milliseconds or more without being scrolled was left open; not below
    /// `bounce_ms`, at most 3,600,000. Default 60,000: reading a screen of some 250 words takes about that long (238
    /// words a minute; Brysbaert 2019).
    pub idle_ms: u32,
    /// Slower than this, in pixels scrolled per second of visible time, a page is not being scrolled; 0 to 100. Default
    /// 1: a screen in a quarter of an hour.
    pub idle_velocity: f64,
    /// Slower than this, in pixels scrolled per second of visible time, a page is read; above `idle_velocity`. Default
    /// 60: a screen of 900 pixels in a quarter of a minute, four times as fast as its words can be read, since pages
    /// have pictures and gaps.
    pub read_velocity: f64,
    /// Slower than this a page is scanned for something, and from this on skimmed; above `read_velocity`, at most
    /// `scroll_velocity_max`. Default 300: a screen in three seconds.
    pub scan_velocity: f64,
    /// A session with more visible time than this many milliseconds is engaged; 0 to 3,600,000. Default 10,000, as
    /// Google Analytics 4 has it.
    pub engaged_ms: u32,
    /// A session with this many page views is engaged; 1 to 1,000. Default 2, from the same source.
    pub engaged_page_views: u32,
}

/// A number of an [`EngagementPolicy`] is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is out of its range")]
pub struct InvalidEngagementPolicy(pub &'static str);

impl EngagementPolicy {
    /// The policy of these numbers.
    ///
    /// # Errors
    /// [`InvalidEngagementPolicy`] names the first number that is out of the range in its doc.
    pub fn new(settings: EngagementSettings) -> Result<Self, InvalidEngagementPolicy> {
        let s = &settings;
        let minute = 0..=60_000;
        let held = [
            ("time_slack_ms", minute.contains(&s.time_slack_ms)),
            ("visibility_slack_ms", minute.contains(&s.visibility_slack_ms)),
            ("time_max_ms", (1..=604_800_000).contains(&s.time_max_ms)),
            ("clicks_per_second", (1..=1_000).contains(&s.clicks_per_second)),
            ("scroll_velocity_max", s.scroll_velocity_max > 0.0 && s.scroll_velocity_max <= 1e7),
            ("rage_clicks", (2..=100).contains(&s.rage_clicks)),
            ("rage_gap_ms", (1..=60_000).contains(&s.rage_gap_ms)),
            ("rage_distance_px", s.rage_distance_px > 0.0 && s.rage_distance_px <= 10_000.0),
            ("dead_after_ms", (1..=60_000).contains(&s.dead_after_ms)),
            ("bounce_ms", (1..=600_000).contains(&s.bounce_ms)),
            ("bounce_depth", (1..=100).contains(&s.bounce_depth)),
            ("idle_ms", (s.bounce_ms..=3_600_000).contains(&s.idle_ms)),
            ("idle_velocity", (0.0..=100.0).contains(&s.idle_velocity)),
            ("read_velocity", s.read_velocity > s.idle_velocity),
            ("scan_velocity", s.scan_velocity > s.read_velocity && s.scan_velocity <= s.scroll_velocity_max),
            ("engaged_ms", s.engaged_ms <= 3_600_000),
            ("engaged_page_views", (1..=1_000).contains(&s.engaged_page_views)),
        ];
        match held.into_iter().find(|(_, held)| !held) {
            Some((name, _)) => Err(InvalidEngagementPolicy(name)),
            None => Ok(Self { settings }),
        }
    }

    /// The numbers.
    pub const fn settings(&self) -> &EngagementSettings {
        &self.settings
    }
}

impl Default for EngagementSettings {
    fn default() -> Self {
        Self {
            time_slack_ms: 2_000,
            visibility_slack_ms: 1_000,
            time_max_ms: 86_400_000,
            clicks_per_second: 12,
            scroll_velocity_max: 100_000.0,
            rage_clicks: 3,
            rage_gap_ms: 1_000,
            rage_distance_px: 30.0,
            dead_after_ms: 2_500,
            bounce_ms: 10_000,
            bounce_depth: 25,
            idle_ms: 60_000,
            idle_velocity: 1.0,
            read_velocity: 60.0,
            scan_velocity: 300.0,
            engaged_ms: 10_000,
            engaged_page_views: 2,
        }
    }
}

impl From<EngagementPolicy> for EngagementSettings {
    fn from(policy: EngagementPolicy) -> Self {
        policy.settings
    }
}

impl TryFrom<EngagementSettings> for EngagementPolicy {
    type Error = InvalidEngagementPolicy;

    fn try_from(settings: EngagementSettings) -> Result<Self, InvalidEngagementPolicy> {
        Self::new(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_accepted_and_survives_configuration() {
        let default = EngagementPolicy::default();
        assert_eq!(EngagementPolicy::new(EngagementSettings::default()), Ok(default));
        let text = serde_json::to_string(&default).unwrap();
        assert_eq!(serde_json::from_str::<EngagementPolicy>(&text).unwrap(), default);
        assert!(serde_json::from_str::<EngagementPolicy>(r#"{"rage_clicks":1}"#).is_err());
    }

    #[test]
    fn a_number_out_of_its_range_is_named() {
        let base = EngagementSettings::default;
        let cases = [
            (EngagementSettings { time_slack_ms: 60_001, ..base() }, "time_slack_ms"),
            (EngagementSettings { time_max_ms: 0, ..base() }, "time_max_ms"),
            (EngagementSettings { clicks_per_second: 0, ..base() }, "clicks_per_second"),
            (EngagementSettings { scroll_velocity_max: f64::NAN, ..base() }, "scroll_velocity_max"),
            (EngagementSettings { rage_distance_px: 0.0, ..base() }, "rage_distance_px"),
            (EngagementSettings { bounce_depth: 101, ..base() }, "bounce_depth"),
            (EngagementSettings { idle_ms: 9_999, ..base() }, "idle_ms"),
            (EngagementSettings { read_velocity: 1.0, ..base() }, "read_velocity"),
            (EngagementSettings { scan_velocity: f64::NAN, ..base() }, "scan_velocity"),
            (EngagementSettings { engaged_page_views: 0, ..base() }, "engaged_page_views"),
        ];
        for (settings, name) in cases {
            assert_eq!(EngagementPolicy::new(settings), Err(InvalidEngagementPolicy(name)));
        }
    }
}
