//! The numbers that beacons are taken by.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::EventId;

/// The numbers that beacons are taken by. One that exists is valid; [`BeaconPolicy::new`] checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BeaconSettings", into = "BeaconSettings")]
pub struct BeaconPolicy {
    settings: BeaconSettings,
}

/// The numbers of a [`BeaconPolicy`], to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeaconSettings {
    /// For how long after it was made a page's token proves something, in milliseconds; 60,000 to 604,800,000. Default
    /// 86,400,000: engagement joins its session for a day.
    pub token_valid_ms: u32,
    /// How much later than now the time of a token or in the id of a beacon may be, in milliseconds; 0 to 60,000. Default
    /// 2,000: clocks of servers differ, and the tracker counts on from the time that one of them told it.
    pub id_ahead_ms: u32,
    /// The most beacons or events in one batch; 1 to 10,000. Default 100: the tracker sends one at a time, and hosts that
    /// collect send about once a second.
    pub batch_max: u32,
    /// The largest body of a single beacon or event, in bytes; 1,024 to 1,048,576. Default 65,536, which is also what
    /// browsers let `sendBeacon` send.
    pub body_max: u32,
    /// The largest body of a batch, in bytes; not below `body_max`, at most 16,777,216. Default 1,048,576.
    pub batch_body_max: u32,
    /// The most page tokens whose last beacon is remembered, so that beacons of one page cannot tell of the same time
    /// twice; 1 to 10,000,000. Default 65,536: some 3 MiB, and the pages open at once of a site with a million visits a
    /// day.
    pub tokens_remembered: u32,
    /// A side of the window that is shorter than this many pixels is no person's window; 0 to 200. Default 50: watches
    /// have 160.
    pub viewport_min: u32,
    /// A side of the window that is longer than this many pixels is no person's window; 10,000 to 1,000,000. Default
    /// 32,768: walls of screens are smaller.
    pub viewport_max: u32,
}

/// A number of a [`BeaconPolicy`] is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is out of its range")]
pub struct InvalidBeaconPolicy(pub &'static str);

impl BeaconPolicy {
    /// The policy of these numbers.
    ///
    /// # Errors
    /// [`InvalidBeaconPolicy`] names the first number that is out of the range in its doc.
    pub fn new(settings: BeaconSettings) -> Result<Self, InvalidBeaconPolicy> {
        let s = &settings;
        let held = [
            ("token_valid_ms", (60_000..=604_800_000).contains(&s.token_valid_ms)),
            ("id_ahead_ms", s.id_ahead_ms <= 60_000),
            ("batch_max", (1..=10_000).contains(&s.batch_max)),
            ("body_max", (1_024..=1_048_576).contains(&s.body_max)),
            ("batch_body_max", (s.body_max..=16_777_216).contains(&s.batch_body_max)),
            ("tokens_remembered", (1..=10_000_000).contains(&s.tokens_remembered)),
            ("viewport_min", s.viewport_min <= 200),
            ("viewport_max", (10_000..=1_000_000).contains(&s.viewport_max)),
        ];
        match held.into_iter().find(|(_, held)| !held) {
            Some((name, _)) => Err(InvalidBeaconPolicy(name)),
            None => Ok(Self { settings }),
        }
    }

    /// The numbers.
    pub const fn settings(&self) -> &BeaconSettings {
        &self.settings
    }

    /// The time that the id of a beacon which came at `now` names, in whole milliseconds; `None` for an id that is no
    /// `UUIDv7`, names a time later than `id_ahead_ms` after now, or one that a token made then would be too old for.
    pub fn time_of(&self, id: EventId, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let at = DateTime::from_timestamp_millis(id.unix_millis()?)?;
        let ago = now.signed_duration_since(at);
        let ahead = TimeDelta::milliseconds(self.settings.id_ahead_ms.into());
        let oldest = TimeDelta::milliseconds(self.settings.token_valid_ms.into());
        (ago >= -ahead && ago <= oldest).then_some(at)
    }

    /// Whether a window of these sides, in pixels, may be a person's. One that was not told may.
    pub fn is_viewport(&self, width: Option<f64>, height: Option<f64>) -> bool {
        let range = f64::from(self.settings.viewport_min)..=f64::from(self.settings.viewport_max);
        [width, height].into_iter().flatten().all(|side| range.contains(&side))
    }
}

impl Default for BeaconSettings {
    fn default() -> Self {
        Self {
            token_valid_ms: 86_400_000,
            id_ahead_ms: 2_000,
            batch_max: 100,
            body_max: 65_536,
            batch_body_max: 1_048_576,
            tokens_remembered: 65_536,
            viewport_min: 50,
            viewport_max: 32_768,
        }
    }
}

impl From<BeaconPolicy> for BeaconSettings {
    fn from(policy: BeaconPolicy) -> Self {
        policy.settings
    }
}

impl TryFrom<BeaconSettings> for BeaconPolicy {
    type Error = InvalidBeaconPolicy;

    fn try_from(settings: BeaconSettings) -> Result<Self, InvalidBeaconPolicy> {
        Self::new(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_accepted_and_survives_configuration() {
        let default = BeaconPolicy::default();
        assert_eq!(BeaconPolicy::new(BeaconSettings::default()), Ok(default));
        let text = serde_json::to_string(&default).unwrap();
        assert_eq!(serde_json::from_str::<BeaconPolicy>(&text).unwrap(), default);
        assert!(serde_json::from_str::<BeaconPolicy>(r#"{"batch_max":0}"#).is_err());
    }

    #[test]
    fn a_number_out_of_its_range_is_named() {
        let base = BeaconSettings::default;
        let cases = [
            (BeaconSettings { token_valid_ms: 59_999, ..base() }, "token_valid_ms"),
            (BeaconSettings { id_ahead_ms: 60_001, ..base() }, "id_ahead_ms"),
            (BeaconSettings { batch_max: 0, ..base() }, "batch_max"),
            (BeaconSettings { body_max: 1_023, ..base() }, "body_max"),
            (BeaconSettings { batch_body_max: 65_535, ..base() }, "batch_body_max"),
            (BeaconSettings { tokens_remembered: 0, ..base() }, "tokens_remembered"),
            (BeaconSettings { viewport_min: 201, ..base() }, "viewport_min"),
            (BeaconSettings { viewport_max: 9_999, ..base() }, "viewport_max"),
        ];
        for (settings, name) in cases {
            assert_eq!(BeaconPolicy::new(settings), Err(InvalidBeaconPolicy(name)));
        }
    }

    #[test]
    fn an_id_names_a_time_from_a_day_ago_to_two_seconds_ahead() {
        let now = DateTime::from_timestamp_millis(1_780_000_000_123).unwrap();
        let told = |ms: i64| {
            let at = now + TimeDelta::milliseconds(ms);
            let id = EventId::at(at, 9).unwrap();
            assert!(BeaconPolicy::default().time_of(id, now).is_none_or(|told| told == at));
            BeaconPolicy::default().time_of(id, now).is_some()
        };
        assert!(told(0) && told(2_000) && told(-86_400_000));
        assert!(!told(2_001) && !told(-86_400_001));
        assert_eq!(BeaconPolicy::default().time_of(EventId::from_u128(5), now), None);
    }

    #[test]
    fn a_window_of_a_watch_may_be_a_persons_and_one_without_width_may_not() {
        let is = |width, height| BeaconPolicy::default().is_viewport(Some(width), Some(height));
        assert!(is(160.0, 160.0) && is(1_280.0, 720.0));
        assert!(!is(0.0, 720.0) && !is(1_280.0, 49.0) && !is(32_769.0, 720.0));
        assert!(!is(f64::NAN, 720.0));
        assert!(BeaconPolicy::default().is_viewport(None, None));
    }
}
