//! What a session is said to be, by whom or what, and which of several labels holds.
//!
//! A label is evidence from outside the detector: a person who looked, a trap, a challenge. The detector's own verdict
//! is none, and becomes one only as [`LabelSource::Heuristic`], which says what it is.

use core::cmp::{Ordering, Reverse};
use core::fmt;
use core::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::SessionId;
use crate::session::{Points, Text, is_whole_micros};

/// What one source says a session is.
///
/// A session has at most one label of each source. It always holds that the time is in whole microseconds and that the
/// author, where one is named, has at least one byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Label {
    record: LabelRecord,
}

/// Everything that is kept of a label, as plain data: what a store writes and reads.
///
/// [`Label::try_from`] says whether it is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelRecord {
    /// The session.
    pub session: SessionId,
    /// Where it comes from.
    pub source: LabelSource,
    /// What it says.
    pub class: LabelClass,
    /// How sure the source is, 0 to 100 %.
    pub confidence: Points,
    /// When it was given.
    pub at: DateTime<Utc>,
    /// Who gave it, where somebody did.
    pub author: Option<Text<128>>,
}

/// What a label says of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelClass {
    /// A person.
    Human,
    /// Automation.
    Bot,
}

/// Where a label comes from, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// A person looked at the session.
    Manual,
    /// It asked for what the site shows to nobody.
    Honeypot,
    /// It solved, or failed, a challenge.
    Challenge,
    /// It was brought from elsewhere.
    Import,
    /// A rule of ours, the detector among them, thought so. Training on it teaches the rule.
    Heuristic,
}

/// Why a record is not a [`Label`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabel {
    /// The time has parts below a microsecond, which stores cannot keep.
    #[error("the time of a label is in whole microseconds")]
    NotWholeMicroseconds,
    /// The author's name is empty.
    #[error("the author of a label has a name or is left out")]
    EmptyAuthor,
}

/// A text is not the name of a class or source of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a label says human or bot, and comes from one of manual, honeypot, challenge, import and heuristic")]
pub struct UnknownLabel;

/// The label that holds, of several of one session; `None` of none.
///
/// The strongest source wins, in the order of [`LabelSource`]: a person who looked has seen all the others; a trap is
/// touched by hardly any person; a challenge can be solved for money; what is imported was judged by rules that are not
/// known here; a heuristic is what the others are there to check. Of labels of one source the newest wins, then the more
/// confident, then *human* before *bot*, since a person who is refused is the worse mistake, then the author who is
/// first by name and before no author. The order in which labels are given does not matter.
///
/// ```
/// use analytics_domain::ids::SessionId;
/// use analytics_domain::label::{Label, LabelClass, LabelRecord, LabelSource, resolve};
/// use analytics_domain::session::Points;
/// use chrono::{DateTime, TimeDelta};
///
/// let trap = LabelRecord {
///     session: SessionId::from_u128(1),
///     source: LabelSource::Honeypot,
///     class: LabelClass::Bot,
///     confidence: Points::from_hundredths(9_900)?,
///     at: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
///     author: None,
/// };
/// let earlier = trap.at - TimeDelta::hours(1);
/// let looked = LabelRecord { source: LabelSource::Manual, class: LabelClass::Human, at: earlier, ..trap.clone() };
/// let labels = [Label::try_from(trap)?, Label::try_from(looked)?];
/// assert_eq!(resolve(&labels).map(|label| label.record().class), Some(LabelClass::Human));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn resolve(labels: &[Label]) -> Option<&Label> {
    labels.iter().min_by(|a, b| a.cmp_strength(b))
}

impl Label {
    /// Everything that is kept of it.
    pub const fn record(&self) -> &LabelRecord {
        &self.record
    }

    /// Everything that is kept of it, to change it and try again.
    pub fn into_record(self) -> LabelRecord {
        self.record
    }

    /// The session.
    pub const fn session(&self) -> SessionId {
        self.record.session
    }

    /// Where it comes from.
    pub const fn source(&self) -> LabelSource {
        self.record.source
    }

    /// Whether this label, of the same session and source as another, takes its place: it is the one of the two that
    /// [`resolve`] takes, and not equal to it.
    pub fn supersedes(&self, other: &Self) -> bool {
        self.cmp_strength(other) == Ordering::Less
    }

    /// The stronger label is the lesser one.
    fn cmp_strength(&self, other: &Self) -> Ordering {
        let key = |label: &Self| {
            let record = &label.record;
            (record.source, Reverse((record.at, record.confidence)), record.class)
        };
        let author = |label: &Self| (label.record.author.is_none(), label.record.author.clone());
        key(self).cmp(&key(other)).then_with(|| author(self).cmp(&author(other)))
    }
}

impl LabelClass {
    /// Both classes.
    pub const ALL: [Self; 2] = [Self::Human, Self::Bot];

    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Bot => "bot",
        }
    }
}

impl LabelSource {
    /// All sources, the strongest first.
    pub const ALL: [Self; 5] = [Self::Manual, Self::Honeypot, Self::Challenge, Self::Import, Self::Heuristic];

    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Honeypot => "honeypot",
            Self::Challenge => "challenge",
            Self::Import => "import",
            Self::Heuristic => "heuristic",
        }
    }
}

impl TryFrom<LabelRecord> for Label {
    type Error = InvalidLabel;

    fn try_from(record: LabelRecord) -> Result<Self, InvalidLabel> {
        if !is_whole_micros(record.at) {
            Err(InvalidLabel::NotWholeMicroseconds)
        } else if record.author.as_ref().is_some_and(Text::is_empty) {
            Err(InvalidLabel::EmptyAuthor)
        } else {
            Ok(Self { record })
        }
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        LabelRecord::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

macro_rules! names {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownLabel;

            fn from_str(text: &str) -> Result<Self, UnknownLabel> {
                Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or(UnknownLabel)
            }
        }
    )+};
}
names!(LabelClass, LabelSource);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    #[test]
    fn the_stronger_source_wins_however_old_and_unsure_it_is() {
        for (weaker, stronger) in LabelSource::ALL.iter().skip(1).zip(LabelSource::ALL) {
            let strong = label(stronger, LabelClass::Human, 1, 0);
            let weak = label(*weaker, LabelClass::Bot, 10_000, 9);
            assert_eq!(resolve(&[weak, strong.clone()]), Some(&strong));
        }
        assert_eq!(resolve(&[]), None);
    }

    #[test]
    fn of_one_source_the_newest_wins_then_the_surer_then_human() {
        let of = |class, confidence, second| label(LabelSource::Manual, class, confidence, second);
        let (human, bot) = (LabelClass::Human, LabelClass::Bot);
        let steps = [of(bot, 10_000, 0), of(bot, 1, 1), of(bot, 2, 1), of(human, 2, 1)];
        for pair in steps.windows(2) {
            assert_eq!(resolve(pair), Some(&pair[1]));
            assert!(pair[1].supersedes(&pair[0]) && !pair[0].supersedes(&pair[1]));
        }
        assert!(!steps[0].supersedes(&steps[0]), "a label does not take its own place");
    }

    #[test]
    fn a_time_below_a_microsecond_and_an_empty_author_are_refused() {
        let record = label(LabelSource::Manual, LabelClass::Bot, 1, 0).into_record();
        let part = LabelRecord { at: record.at + TimeDelta::nanoseconds(1), ..record.clone() };
        assert_eq!(Label::try_from(part), Err(InvalidLabel::NotWholeMicroseconds));
        let nobody = LabelRecord { author: Some(Text::cut("")), ..record };
        assert_eq!(Label::try_from(nobody), Err(InvalidLabel::EmptyAuthor));
    }

    #[test]
    fn every_name_is_read_back() {
        for source in LabelSource::ALL {
            assert_eq!(source.as_str().parse(), Ok(source));
            assert_eq!(serde_json::to_value(source).unwrap(), source.as_str());
        }
        for class in LabelClass::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
        assert_eq!("Bot".parse::<LabelClass>(), Err(UnknownLabel));
    }

    proptest! {
        #[test]
        fn the_order_of_labels_does_not_matter(
            labels in proptest::collection::vec(strategies::label(), 0..6), turn in 0usize..6,
        ) {
            let mut turned = labels.clone();
            turned.rotate_left(turn.min(labels.len()));
            turned.reverse();
            prop_assert_eq!(resolve(&turned), resolve(&labels));
        }

        /// Of two different labels exactly one takes the other's place, so that two stores that were told the same in
        /// another order keep the same.
        #[test]
        fn of_two_labels_one_supersedes(first in strategies::label(), second in strategies::label()) {
            let second = LabelRecord {
                session: first.session(), source: first.source(), ..second.into_record()
            };
            let second = Label::try_from(second).unwrap();
            prop_assert_eq!(first.supersedes(&second) != second.supersedes(&first), first != second);
        }

        #[test]
        fn a_label_survives_json(label in strategies::label()) {
            let json = serde_json::to_string(&label).unwrap();
            prop_assert_eq!(serde_json::from_str::<Label>(&json).unwrap(), label);
        }
    }

    fn label(source: LabelSource, class: LabelClass, confidence: u16, second: i64) -> Label {
        LabelRecord {
            session: SessionId::from_u128(1),
            source,
            class,
            confidence: Points::from_hundredths(confidence).unwrap(),
            at: DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap(),
            author: None,
        }
        .try_into()
        .unwrap()
    }
}
