//! One event of engagement, held against what is possible.

use alloc::vec::Vec;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    CreateEngagementEventInput, EngagementContext, EngagementPolicy, ReadingPattern, has_dead_click,
    has_rage_click,
};
use crate::detector::profile::TrackerMarks;
use crate::ids::{EventId, SessionId};
use crate::session::{Text, is_whole_micros};

/// What a visitor did on one page, in the stretch of time that one beacon tells of.
///
/// It always holds that the id is a `UUIDv7` of the millisecond of its time, and that every figure is in the range that
/// its doc states.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct EngagementEvent {
    record: EngagementRecord,
}

/// Everything that is kept of an event of engagement, as plain data: what a store writes and reads.
///
/// [`EngagementEvent::try_from`] says whether it is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngagementRecord {
    /// Which event it is; its time is the event's time.
    pub id: EventId,
    /// The session that it belongs to.
    pub session: SessionId,
    /// When the beacon was sent, where its id tells that credibly; else when it came.
    pub at: DateTime<Utc>,
    /// The page; at least one byte.
    pub page_url: Text<1024>,
    /// Whether the beacon carried a valid token. One that did not proves nothing about a person.
    pub bound: bool,
    /// What was told, brought to what is possible.
    pub figures: EngagementFigures,
    /// How the page was read; `None` where too little was told.
    pub reading_pattern: Option<ReadingPattern>,
    /// What was told and is not possible.
    pub implausible: ImplausibleSet,
}

/// What a beacon tells; each `None` where it did not. Counts and times end at 2³¹ − 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct EngagementFigures {
    /// Time that the page was open, in milliseconds.
    pub time_on_page_ms: Option<u32>,
    /// Time to the first click, key or touch, in milliseconds; not above `time_on_page_ms`.
    pub time_to_first_interaction_ms: Option<u32>,
    /// Time to the first scrolling, in milliseconds; not above `time_on_page_ms`.
    pub time_to_first_scroll_ms: Option<u32>,
    /// How much of the page was seen at most, in whole percent of its height, rounded down; 0 to 100.
    pub max_scroll_depth: Option<u8>,
    /// Pixels scrolled, up or down, per second of visible time; finite, not below 0.
    pub scroll_velocity_avg: Option<f64>,
    /// How often scrolling changed between up and down.
    pub scroll_direction_changes: Option<u32>,
    /// Clicks and taps.
    pub click_count: Option<u32>,
    /// Length of the mouse's path, in pixels.
    pub mouse_move_distance_px: Option<u32>,
    /// Entropy of the directions of the mouse's moves in eight sectors, in bits; 0 for a straight line, at most 3.
    pub mouse_path_entropy: Option<f64>,
    /// Keys pressed. Which ones is never told.
    pub keyboard_events: Option<u32>,
    /// How often something was copied. What is never told.
    pub copy_events: Option<u32>,
    /// Time that the page had the focus, in milliseconds.
    pub focus_time_ms: Option<u32>,
    /// How often it lost the focus.
    pub blur_count: Option<u32>,
    /// How often another tab came in front of it.
    pub tab_switches: Option<u32>,
    /// Time that the page was visible, in milliseconds.
    pub visible_time_ms: Option<u32>,
    /// Time that it was open and not visible, in milliseconds.
    pub hidden_time_ms: Option<u32>,
    /// Whether there was a rage click; see [`has_rage_click`].
    pub is_rage_click: Option<bool>,
    /// Whether there was a dead click; see [`has_dead_click`].
    pub is_dead_click: Option<bool>,
}

/// A claim that is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Implausible {
    /// A longer time on the page than since it was served.
    TimeOnPage,
    /// A first interaction after the time on the page.
    FirstInteraction,
    /// A first scrolling after the time on the page.
    FirstScroll,
    /// A depth that is not from 0 to 100 %.
    ScrollDepth,
    /// Scrolling faster than the policy believes.
    ScrollVelocity,
    /// More clicks than anybody makes in that time.
    Clicks,
    /// A rage click of too few clicks.
    RageClick,
    /// A dead click without a click.
    DeadClick,
    /// An entropy that is not from 0 to 3 bits.
    MouseEntropy,
    /// Visible and hidden for longer than on the page.
    VisibleTime,
    /// Focused for longer than on the page.
    FocusTime,
    /// A count or time that is negative, over 2³¹ − 1, or not a number; or a count that is not whole.
    Number,
}

/// A set of claims that are not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ImplausibleSet(u16);

/// Why data are not an [`EngagementEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEngagement {
    /// The time has parts below a microsecond, which stores cannot keep.
    #[error("the time of an event is in whole microseconds")]
    NotWholeMicroseconds,
    /// The id is not a `UUIDv7`, or its time is another millisecond than the event's.
    #[error("the id of an event is a UUIDv7 of the same millisecond as the event")]
    IdOfAnotherTime,
    /// No page is named.
    #[error("page_url is empty")]
    NoPage,
    /// A kept figure, named here, is out of its range. Claims of beacons are never refused for that.
    #[error("{0} is out of its range")]
    OutOfRange(&'static str),
}

impl EngagementEvent {
    /// The event that a beacon makes which came at `now`: what it claims, brought to what is possible and marked where
    /// it was not.
    ///
    /// Times and distances are rounded down to whole milliseconds and pixels. A number that is none is dropped and marked. What was possible comes out
    /// as it went in.
    ///
    /// # Errors
    /// [`InvalidEngagement`]: `NoPage` for an empty `page_url`; `IdOfAnotherTime` and `NotWholeMicroseconds` when the
    /// caller's id or time breaks the rules of events.
    pub fn create(
        policy: &EngagementPolicy,
        context: EngagementContext,
        input: &CreateEngagementEventInput,
        now: DateTime<Utc>,
    ) -> Result<Self, InvalidEngagement> {
        let mut implausible = ImplausibleSet::default();
        let figures = believed(policy, context.page_served_at, input, now, &mut implausible);
        let (visible, depth) = (figures.visible_time_ms, figures.max_scroll_depth);
        Self::try_from(EngagementRecord {
            id: context.id,
            session: context.session,
            at: now,
            page_url: Text::cut(&input.page_url),
            bound: context.bound,
            figures,
            reading_pattern: ReadingPattern::of(policy, visible, depth, figures.scroll_velocity_avg),
            implausible,
        })
    }

    /// Everything that is kept of it.
    pub const fn record(&self) -> &EngagementRecord {
        &self.record
    }

    /// Everything that is kept of it, to change it and try again.
    pub fn into_record(self) -> EngagementRecord {
        self.record
    }

    /// Which event it is.
    pub const fn id(&self) -> EventId {
        self.record.id
    }

    /// The session that it belongs to.
    pub const fn session(&self) -> SessionId {
        self.record.session
    }

    /// When the beacon was sent, or came.
    pub const fn at(&self) -> DateTime<Utc> {
        self.record.at
    }

    /// Whether somebody clicked, pressed a key or copied something.
    pub fn has_interaction(&self) -> bool {
        let figures = &self.record.figures;
        let counts = [figures.click_count, figures.keyboard_events, figures.copy_events];
        counts.into_iter().flatten().any(|count| count > 0)
    }

    /// Whether what it tells may be held for a person: it is bound, and all of it is possible.
    pub const fn is_credible(&self) -> bool {
        self.record.bound && self.record.implausible.is_empty()
    }

    /// What the detector makes of it.
    pub fn marks(&self) -> TrackerMarks {
        TrackerMarks {
            automated: false,
            implausible: !self.record.implausible.is_empty(),
            engaged: self.is_credible() && self.has_interaction(),
        }
    }
}

impl Implausible {
    /// All of them, as they stand above.
    pub const ALL: [Self; 12] = [
        Self::TimeOnPage,
        Self::FirstInteraction,
        Self::FirstScroll,
        Self::ScrollDepth,
        Self::ScrollVelocity,
        Self::Clicks,
        Self::RageClick,
        Self::DeadClick,
        Self::MouseEntropy,
        Self::VisibleTime,
        Self::FocusTime,
        Self::Number,
    ];
}

impl ImplausibleSet {
    /// The set with this one too.
    #[must_use]
    pub const fn with(self, one: Implausible) -> Self {
        Self(self.0 | 1 << one as u16)
    }

    /// Whether this one is in it.
    pub const fn contains(self, one: Implausible) -> bool {
        self.0 & 1 << one as u16 != 0
    }

    /// Whether nothing is in it: all that was told is possible.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in it, as they stand in [`Implausible`].
    pub fn iter(self) -> impl Iterator<Item = Implausible> {
        Implausible::ALL.into_iter().filter(move |&one| self.contains(one))
    }

    /// The set as a number for stores, bit 0 for the first of [`Implausible::ALL`].
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The set that a store kept as this number; nothing when a bit stands for nothing.
    pub const fn from_bits(bits: u16) -> Option<Self> {
        if bits >> Implausible::ALL.len() == 0 { Some(Self(bits)) } else { None }
    }
}

impl TryFrom<EngagementRecord> for EngagementEvent {
    type Error = InvalidEngagement;

    fn try_from(record: EngagementRecord) -> Result<Self, InvalidEngagement> {
        if !is_whole_micros(record.at) {
            Err(InvalidEngagement::NotWholeMicroseconds)
        } else if record.id.unix_millis() != Some(record.at.timestamp_millis()) {
            Err(InvalidEngagement::IdOfAnotherTime)
        } else if record.page_url.is_empty() {
            Err(InvalidEngagement::NoPage)
        } else if let Some(field) = record.figures.out_of_range() {
            Err(InvalidEngagement::OutOfRange(field))
        } else {
            Ok(Self { record })
        }
    }
}

impl EngagementFigures {
    /// The first figure that is out of the range in its doc.
    fn out_of_range(&self) -> Option<&'static str> {
        let most = |number: Option<u32>| number.is_none_or(|number| number <= MOST);
        let within = |part: Option<u32>| {
            most(part) && part.zip(self.time_on_page_ms).is_none_or(|(part, whole)| part <= whole)
        };
        let not_below_zero = |number: Option<f64>, most: f64| {
            number.is_none_or(|number| (0.0..=most).contains(&number) && number.is_finite())
        };
        let held = [
            ("time_on_page_ms", most(self.time_on_page_ms)),
            ("time_to_first_interaction_ms", within(self.time_to_first_interaction_ms)),
            ("time_to_first_scroll_ms", within(self.time_to_first_scroll_ms)),
            ("max_scroll_depth", self.max_scroll_depth.is_none_or(|depth| depth <= 100)),
            ("scroll_velocity_avg", not_below_zero(self.scroll_velocity_avg, f64::MAX)),
            ("scroll_direction_changes", most(self.scroll_direction_changes)),
            ("click_count", most(self.click_count)),
            ("mouse_move_distance_px", most(self.mouse_move_distance_px)),
            ("mouse_path_entropy", not_below_zero(self.mouse_path_entropy, MOST_ENTROPY)),
            ("keyboard_events", most(self.keyboard_events)),
            ("copy_events", most(self.copy_events)),
            ("focus_time_ms", most(self.focus_time_ms)),
            ("blur_count", most(self.blur_count)),
            ("tab_switches", most(self.tab_switches)),
            ("visible_time_ms", most(self.visible_time_ms)),
            ("hidden_time_ms", most(self.hidden_time_ms)),
        ];
        held.into_iter().find(|(_, held)| !held).map(|(field, _)| field)
    }
}

/// What may be believed of a beacon's claims.
fn believed(
    policy: &EngagementPolicy,
    served_at: Option<DateTime<Utc>>,
    input: &CreateEngagementEventInput,
    now: DateTime<Utc>,
    implausible: &mut ImplausibleSet,
) -> EngagementFigures {
    let settings = policy.settings();
    let most_time = served_at.map_or(settings.time_max_ms, |served| {
        let since = (now - served).num_milliseconds().max(0);
        (since + i64::from(settings.time_slack_ms)).min(i64::from(MOST)) as u32
    });
    let mut claims = Claims { implausible };
    let time_on_page_ms = claims.time(input.time_on_page_ms, most_time, Implausible::TimeOnPage);
    let whole = time_on_page_ms.unwrap_or(most_time);
    let watched = whole.saturating_add(settings.visibility_slack_ms).min(MOST);
    let visible_time_ms = claims.time(input.visible_time_ms, watched, Implausible::VisibleTime);
    let not_visible = watched - visible_time_ms.unwrap_or(0);
    let counted = input.click_count.or((!input.clicks.is_empty()).then_some(input.clicks.len() as f64));
    let most_clicks = u64::from(whole) * u64::from(settings.clicks_per_second);
    let click_count = claims
        .count(counted)
        .map(|clicks| claims.at_most(clicks, most_clicks.div_ceil(1_000).min(MOST.into()) as u32));
    let (mut is_rage_click, mut is_dead_click) = if input.clicks.is_empty() {
        (input.is_rage_click, input.is_dead_click)
    } else {
        (Some(has_rage_click(policy, &input.clicks)), Some(has_dead_click(policy, &input.clicks)))
    };
    if is_rage_click == Some(true) && click_count.is_some_and(|clicks| clicks < settings.rage_clicks) {
        is_rage_click = Some(false);
        claims.mark(Implausible::RageClick);
    }
    if is_dead_click == Some(true) && click_count == Some(0) {
        is_dead_click = Some(false);
        claims.mark(Implausible::DeadClick);
    }
    EngagementFigures {
        time_on_page_ms,
        time_to_first_interaction_ms: claims.time(
            input.time_to_first_interaction_ms,
            whole,
            Implausible::FirstInteraction,
        ),
        time_to_first_scroll_ms: claims.time(input.time_to_first_scroll_ms, whole, Implausible::FirstScroll),
        max_scroll_depth: claims
            .real(input.max_scroll_depth, 100.0, Implausible::ScrollDepth)
            .map(|depth| depth as u8),
        scroll_velocity_avg: claims.real(
            input.scroll_velocity_avg,
            settings.scroll_velocity_max,
            Implausible::ScrollVelocity,
        ),
        scroll_direction_changes: claims.count(input.scroll_direction_changes),
        click_count,
        mouse_move_distance_px: claims.time(input.mouse_move_distance_px, MOST, Implausible::Number),
        mouse_path_entropy: claims.real(input.mouse_path_entropy, MOST_ENTROPY, Implausible::MouseEntropy),
        keyboard_events: claims.count(input.keyboard_events),
        copy_events: claims.count(input.copy_events),
        focus_time_ms: claims.time(input.focus_time_ms, watched, Implausible::FocusTime),
        blur_count: claims.count(input.blur_count),
        tab_switches: claims.count(input.tab_switches),
        visible_time_ms,
        hidden_time_ms: claims.time(input.hidden_time_ms, not_visible, Implausible::VisibleTime),
        is_rage_click,
        is_dead_click,
    }
}

/// Brings claims to what is possible, and marks those that were not.
struct Claims<'a> {
    implausible: &'a mut ImplausibleSet,
}

impl Claims<'_> {
    fn mark(&mut self, one: Implausible) {
        *self.implausible = self.implausible.with(one);
    }

    /// A number from 0 to `most`.
    fn real(&mut self, claim: Option<f64>, most: f64, wrong: Implausible) -> Option<f64> {
        let claim = claim?;
        if claim.is_nan() {
            self.mark(Implausible::Number);
            return None;
        }
        if !(0.0..=most).contains(&claim) {
            self.mark(wrong);
        }
        // Adding 0 makes a negative zero positive.
        Some(claim.clamp(0.0, most) + 0.0)
    }

    /// A number from 0 to `most`, rounded down; a negative one is no time at all, and marked as such.
    fn time(&mut self, claim: Option<f64>, most: u32, wrong: Implausible) -> Option<u32> {
        let wrong = if claim.is_some_and(|claim| claim < 0.0) { Implausible::Number } else { wrong };
        let whole = claim.map(|claim| if claim.is_nan() { claim } else { libm::floor(claim) });
        self.real(whole, f64::from(most), wrong).map(|claim| claim as u32)
    }

    /// A whole number from 0 to 2³¹ − 1.
    fn count(&mut self, claim: Option<f64>) -> Option<u32> {
        let whole = self.time(claim, MOST, Implausible::Number);
        if claim.is_some_and(|claim| libm::floor(claim) < claim) {
            self.mark(Implausible::Number);
        }
        whole
    }

    fn at_most(&mut self, clicks: u32, most: u32) -> u32 {
        if clicks > most {
            self.mark(Implausible::Clicks);
        }
        clicks.min(most)
    }
}

impl<'de> Deserialize<'de> for EngagementEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EngagementRecord::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

impl Serialize for ImplausibleSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for ImplausibleSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let claims = Vec::<Implausible>::deserialize(deserializer)?;
        Ok(claims.into_iter().fold(Self::default(), Self::with))
    }
}

/// Counts and times end where a signed number of 32 bits does, which is what stores keep.
const MOST: u32 = i32::MAX as u32;
/// Entropy of eight sectors that are equally frequent: log2 8.
const MOST_ENTROPY: f64 = 3.0;

#[cfg(test)]
mod tests;
