//! What a visitor did in a whole session.

use alloc::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{EngagementEvent, EngagementPolicy};
use crate::ids::SessionId;

/// What the events of one session add up to, in whole numbers, so that stores may add them in any order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngagementSummary {
    /// The session.
    pub session: SessionId,
    /// Events, at least one.
    pub events: u64,
    /// Distinct pages by their URL.
    pub pages: u64,
    /// Sum of the times on pages, in milliseconds.
    pub time_on_page_ms: u64,
    /// Events that told a time on the page.
    pub timed_events: u64,
    /// Sum of visible times, in milliseconds.
    pub visible_ms: u64,
    /// Sum of depths, in percent.
    pub depth_sum: u64,
    /// Events that told a depth.
    pub depth_events: u64,
    /// The greatest depth, in percent; `None` where none was told.
    pub max_depth: Option<u8>,
    /// Clicks.
    pub clicks: u64,
    /// Distinct pages with a rage click.
    pub rage_click_pages: u64,
    /// Distinct pages with a dead click.
    pub dead_click_pages: u64,
    /// Events with a claim that is not possible.
    pub implausible_events: u64,
    /// Sum of visible times of events that are bound and possible, in milliseconds.
    pub credible_visible_ms: u64,
    /// Events that are bound and possible and tell of a click, a key or a copy.
    pub credible_interactions: u64,
    /// The time of the first event.
    pub first_at: DateTime<Utc>,
    /// The time of the last event.
    pub last_at: DateTime<Utc>,
}

/// Whether a session with this engagement (`None` without any) and this many page views is engaged: enough page views,
/// enough visible time, or an interaction.
///
/// Time and interaction count where the event is bound and possible, since anything else proves nothing about a person.
pub fn is_engaged(
    policy: &EngagementPolicy,
    engagement: Option<&EngagementSummary>,
    page_views: u64,
) -> bool {
    let settings = policy.settings();
    page_views >= u64::from(settings.engaged_page_views)
        || engagement.is_some_and(|summary| {
            summary.credible_visible_ms > u64::from(settings.engaged_ms) || summary.credible_interactions > 0
        })
}

impl EngagementSummary {
    /// The sum of these events of one session, in any order; `None` of no event. It is the definition that every store's
    /// query follows.
    ///
    /// The session is that of the first event.
    #[expect(single_use_lifetimes, reason = "an elided lifetime in an argument's `impl` is not stable")]
    pub fn of<'a>(events: impl IntoIterator<Item = &'a EngagementEvent>) -> Option<Self> {
        let mut events = events.into_iter();
        let first = events.next()?;
        let mut sum = Self::empty(first);
        let (mut pages, mut rage, mut dead) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for event in core::iter::once(first).chain(events) {
            sum.add(event);
            let (record, page) = (event.record(), event.record().page_url.as_str());
            pages.insert(page);
            if record.figures.is_rage_click == Some(true) {
                rage.insert(page);
            }
            if record.figures.is_dead_click == Some(true) {
                dead.insert(page);
            }
        }
        sum.pages = pages.len() as u64;
        sum.rage_click_pages = rage.len() as u64;
        sum.dead_click_pages = dead.len() as u64;
        Some(sum)
    }

    /// The mean time on a page in milliseconds, over the events that told one; `None` where none did.
    pub fn mean_time_on_page_ms(&self) -> Option<f64> {
        mean(self.time_on_page_ms, self.timed_events)
    }

    /// The mean depth in percent, over the events that told one; `None` where none did.
    pub fn mean_depth(&self) -> Option<f64> {
        mean(self.depth_sum, self.depth_events)
    }

    fn empty(first: &EngagementEvent) -> Self {
        Self {
            session: first.session(),
            events: 0,
            pages: 0,
            time_on_page_ms: 0,
            timed_events: 0,
            visible_ms: 0,
            depth_sum: 0,
            depth_events: 0,
            max_depth: None,
            clicks: 0,
            rage_click_pages: 0,
            dead_click_pages: 0,
            implausible_events: 0,
            credible_visible_ms: 0,
            credible_interactions: 0,
            first_at: first.at(),
            last_at: first.at(),
        }
    }

    fn add(&mut self, event: &EngagementEvent) {
        let (record, figures) = (event.record(), event.record().figures);
        let visible = u64::from(figures.visible_time_ms.unwrap_or(0));
        self.events += 1;
        self.time_on_page_ms += u64::from(figures.time_on_page_ms.unwrap_or(0));
        self.timed_events += u64::from(figures.time_on_page_ms.is_some());
        self.visible_ms += visible;
        self.depth_sum += u64::from(figures.max_scroll_depth.unwrap_or(0));
        self.depth_events += u64::from(figures.max_scroll_depth.is_some());
        self.max_depth = self.max_depth.max(figures.max_scroll_depth);
        self.clicks += u64::from(figures.click_count.unwrap_or(0));
        self.implausible_events += u64::from(!record.implausible.is_empty());
        if event.is_credible() {
            self.credible_visible_ms += visible;
            self.credible_interactions += u64::from(event.has_interaction());
        }
        self.first_at = self.first_at.min(event.at());
        self.last_at = self.last_at.max(event.at());
    }
}

fn mean(sum: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engagement::{EngagementFigures, EngagementRecord};
    use crate::ids::EventId;
    use crate::session::Text;
    use crate::strategies;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn a_session_is_summed_over_its_events() {
        let told = EngagementFigures {
            time_on_page_ms: Some(10_000),
            visible_time_ms: Some(8_000),
            max_scroll_depth: Some(40),
            click_count: Some(3),
            is_rage_click: Some(true),
            ..EngagementFigures::default()
        };
        let events = [
            event(3, "/a", true, told),
            event(1, "/a", true, EngagementFigures { is_dead_click: Some(true), ..told }),
            event(2, "/b", false, EngagementFigures { is_rage_click: Some(false), ..told }),
            event(4, "/c", true, EngagementFigures::default()),
        ];
        let summary = EngagementSummary::of(&events).unwrap();
        let expected = EngagementSummary {
            session: SessionId::from_u128(1),
            events: 4,
            pages: 3,
            time_on_page_ms: 30_000,
            timed_events: 3,
            visible_ms: 24_000,
            depth_sum: 120,
            depth_events: 3,
            max_depth: Some(40),
            clicks: 9,
            rage_click_pages: 1,
            dead_click_pages: 1,
            implausible_events: 0,
            credible_visible_ms: 16_000,
            credible_interactions: 2,
            first_at: at(1),
            last_at: at(4),
        };
        assert_eq!(summary, expected);
        assert_eq!((summary.mean_time_on_page_ms(), summary.mean_depth()), (Some(10_000.0), Some(40.0)));
        assert_eq!(EngagementSummary::of([]), None);
    }

    #[test]
    fn over_ten_visible_seconds_an_interaction_or_two_page_views_engage() {
        let policy = EngagementPolicy::default();
        let engaged = |bound, visible, clicks, page_views| {
            let figures = EngagementFigures {
                visible_time_ms: Some(visible),
                click_count: Some(clicks),
                ..EngagementFigures::default()
            };
            let summary = EngagementSummary::of(&[event(0, "/", bound, figures)]);
            is_engaged(&policy, summary.as_ref(), page_views)
        };
        assert!(!engaged(true, 10_000, 0, 1));
        assert!(engaged(true, 10_001, 0, 1));
        assert!(engaged(true, 0, 1, 1));
        assert!(engaged(true, 0, 0, 2));
        assert!(!engaged(false, 99_999, 9, 1), "what is not bound proves nothing");
        assert!(!is_engaged(&policy, None, 1));
        assert!(is_engaged(&policy, None, 2));
    }

    proptest! {
        #[test]
        fn the_order_of_events_does_not_matter(
            events in proptest::collection::vec(strategies::engagement_event(), 1..8),
        ) {
            let one: Vec<EngagementEvent> = events.into_iter().map(|event| {
                let record = EngagementRecord { session: SessionId::from_u128(1), ..event.into_record() };
                record.try_into().unwrap()
            }).collect();
            prop_assert_eq!(EngagementSummary::of(one.iter().rev()), EngagementSummary::of(&one));
        }
    }

    fn event(second: i64, page: &str, bound: bool, figures: EngagementFigures) -> EngagementEvent {
        EngagementRecord {
            id: EventId::at(at(second), 1).unwrap(),
            session: SessionId::from_u128(1),
            at: at(second),
            page_url: Text::cut(page),
            bound,
            figures,
            reading_pattern: None,
            implausible: crate::engagement::ImplausibleSet::default(),
        }
        .try_into()
        .unwrap()
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }
}
