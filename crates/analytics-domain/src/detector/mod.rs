//! Telling people from automation, with reasons.
//!
//! A [`SessionProfile`] remembers one session in fixed space. A [`BehavioralBotDetector`] reads it, what is remembered
//! of the visitor and the facts of the site, and answers with a [`Verdict`]: score, class and every signal with the
//! figure and the limit it rests on. It keeps no state, reads no clock, and the same input gives the same bits on
//! every machine.
//!
//! ```
//! use analytics_domain::detector::{AgentFacts, BehavioralBotDetector, DetectorPolicy, History, SessionProfile, Subject};
//! use analytics_domain::site::SiteFacts;
//!
//! let detector = BehavioralBotDetector::new(DetectorPolicy::default());
//! let agent = AgentFacts { missing: true, observed: true, ..AgentFacts::default() };
//! let (profile, history, site) = (SessionProfile::default(), History::default(), SiteFacts::default());
//! let verdict = detector.explain(&Subject { profile: &profile, agent: &agent, history: &history, site: &site, features: None });
//! assert_eq!(verdict.reason(), "no_user_agent");
//! assert!(!verdict.class.is_bot(), "one weak signal flags nobody");
//! ```

mod header_marks;
mod observation;
pub mod policy;
pub mod profile;
#[cfg(test)]
mod properties;
mod score;
mod signal;
mod signals;
mod subject;
mod verdict;

pub use observation::{AgentFacts, Engine, HeaderMarks, Observation, ReferrerFacts, Verification};
pub use policy::{CategoryPolicy, DetectorPolicy, SevenSignalPolicy};
pub use profile::{ServedPages, SessionProfile};
pub use signal::{Category, Evidence, Signal, SignalKind, SignalSet};
pub(crate) use signals::month_of_days;
pub use subject::{History, SharedView, StartRhythm, Subject};
pub use verdict::{Assessment, ModelFinding, Verdict};

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::features::deciding_vector;
use crate::model::Model;
use crate::user_agent::AutomationKind;
use score::Scores;
use signals::Listener;

/// Scores sessions by a policy, and where one is given by a model as well.
#[derive(Debug, Clone)]
pub struct BehavioralBotDetector {
    policy: DetectorPolicy,
    /// What each category adds at most, read from the policy once: the detector is asked with every page view.
    caps: [f64; Category::COUNT],
    scores: Scores,
    model: Option<Arc<Model>>,
}

impl Default for BehavioralBotDetector {
    fn default() -> Self {
        Self::new(DetectorPolicy::default())
    }
}

/// What a session is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Nothing speaks against a person.
    Human,
    /// Something does, but not enough to act on.
    Suspected,
    /// Automation that does not declare itself.
    Bot,
    /// Automation that declares itself.
    DeclaredBot,
    /// Automation that declares itself and serves an AI product.
    AiAgent,
}

impl Class {
    /// Every class, in the order of reports.
    pub const ALL: [Self; 5] = [Self::Human, Self::Suspected, Self::Bot, Self::DeclaredBot, Self::AiAgent];

    /// Whether the session is automation: a bot, a declared bot or an AI agent.
    pub const fn is_bot(self) -> bool {
        match self {
            Self::Human | Self::Suspected => false,
            Self::Bot | Self::DeclaredBot | Self::AiAgent => true,
        }
    }

    /// The name on the wire, in stores and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Suspected => "suspected",
            Self::Bot => "bot",
            Self::DeclaredBot => "declared_bot",
            Self::AiAgent => "ai_agent",
        }
    }
}

impl BehavioralBotDetector {
    /// A detector with this policy.
    pub fn new(policy: DetectorPolicy) -> Self {
        let (caps, scale) = match &policy {
            DetectorPolicy::SevenSignal(_) => ([f64::INFINITY; Category::COUNT], f64::INFINITY),
            DetectorPolicy::Categories(policy) => {
                (Category::ALL.map(|category| policy.cap(category).get()), policy.scale.get())
            }
        };
        Self { policy, caps, scores: Scores::new(scale), model: None }
    }

    /// The detector that hears this model too. The seven-signal preset has no place for one.
    ///
    /// The model speaks of sessions whose [`Subject`] brings a fold of features; with its own features known while
    /// requests are decided about ([`Model::fits_detector`]), it sees what it was trained on.
    #[must_use]
    pub fn with_model(self, model: Arc<Model>) -> Self {
        Self { model: Some(model), ..self }
    }

    /// The model, where one is given and the policy has a place for it.
    pub fn model(&self) -> Option<&Model> {
        match &self.policy {
            DetectorPolicy::SevenSignal(_) => None,
            DetectorPolicy::Categories(_) => self.model.as_deref(),
        }
    }

    /// The policy.
    pub const fn policy(&self) -> &DetectorPolicy {
        &self.policy
    }

    /// Score, class and the set of signals, without evidence and without allocation.
    pub fn assess(&self, subject: &Subject<'_>) -> Assessment {
        let mut tally = Tally::default();
        self.hear(subject, &mut tally);
        self.judge(subject, &tally)
    }

    /// Score, class and every signal with its evidence.
    pub fn explain(&self, subject: &Subject<'_>) -> Verdict {
        let mut record = Record::default();
        self.hear(subject, &mut record);
        record.signals.sort_by_key(|signal| signal.kind);
        let assessment = self.judge(subject, &record.tally);
        Verdict {
            score: assessment.score,
            class: assessment.class,
            hostile: assessment.hostile,
            signals: record.signals,
            model: self.learned(subject),
            ruleset_version: self.policy.ruleset_version(),
        }
    }

    /// What the model finds, with the features that moved it most.
    fn learned(&self, subject: &Subject<'_>) -> Option<ModelFinding> {
        let (model, fold) = (self.model()?, subject.features?);
        let features = deciding_vector(fold, subject.agent);
        let contributions = model.contributions(&features, MOST_CONTRIBUTIONS);
        Some(ModelFinding { probability: model.score(&features), contributions })
    }

    fn hear(&self, subject: &Subject<'_>, out: &mut impl Listener) {
        match &self.policy {
            DetectorPolicy::SevenSignal(policy) => signals::seven_signals(policy, subject, out),
            DetectorPolicy::Categories(policy) => {
                signals::all(policy, subject, out);
                if let (Some(model), Some(fold)) = (self.model(), subject.features) {
                    let probability = model.score(&deciding_vector(fold, subject.agent));
                    signals::learned(&policy.model, probability, out);
                }
            }
        }
    }

    fn judge(&self, subject: &Subject<'_>, tally: &Tally) -> Assessment {
        match &self.policy {
            DetectorPolicy::SevenSignal(policy) => {
                let score = tally.points.iter().sum::<f64>().min(100.0);
                let bot = score >= policy.bot_from.get();
                let class = if bot { Class::Bot } else { Class::Human };
                Assessment { score, class, hostile: bot, decisive_hostile: false, signals: tally.fired }
            }
            DetectorPolicy::Categories(policy) => self.judge_by_category(policy, subject, tally),
        }
    }

    /// Category points are capped and added, and made a score. A bot needs two voices or a decisive fact.
    fn judge_by_category(&self, policy: &CategoryPolicy, subject: &Subject<'_>, tally: &Tally) -> Assessment {
        // Nothing is no voice: they begin at the smallest number above 0 at the earliest.
        let voice_from = policy.voice_from.get().max(f64::from_bits(1));
        let mut sum = 0.0;
        let mut voices = 0;
        for category in tally.heard() {
            let points = tally.points[category].min(self.caps[category]);
            sum += points;
            voices += u16::from(points >= voice_from) & SPEAK_ALONE >> category;
        }
        let mut score = self.scores.of(sum);
        if tally.decisive {
            score = score.max(policy.decisive_score.get().min(100.0));
        }
        let kind = subject.agent.declared.filter(|_| !tally.fired.contains(SignalKind::SpoofedCrawler));
        let behaves = score >= policy.bot_from.get() && (voices >= 2 || tally.decisive);
        let class = match kind {
            Some(kind) if kind.is_ai() => Class::AiAgent,
            Some(_) => Class::DeclaredBot,
            None if behaves => Class::Bot,
            None if score >= policy.bot_from.get()
                || (score >= policy.suspected_from.get() && voices >= 2) =>
            {
                Class::Suspected
            }
            None => Class::Human,
        };
        let scans = kind == Some(AutomationKind::SecurityScanner);
        let hostile = class.is_bot() && (kind.is_none() || scans || tally.decisive_hostile);
        Assessment { score, class, hostile, decisive_hostile: tally.decisive_hostile, signals: tally.fired }
    }
}

/// A bit for each category that is a voice of its own; old browsers and what privacy browsers do only tip a score.
const SPEAK_ALONE: u16 = !(1 << Category::BrowserAge as u16 | 1 << Category::PrivacyCompatible as u16);

/// Points by category and the facts that decide.
#[derive(Debug, Default)]
struct Tally {
    points: [f64; Category::COUNT],
    /// A bit for each category that was heard, the first lowest.
    heard: u16,
    decisive: bool,
    decisive_hostile: bool,
    fired: SignalSet,
}

impl Tally {
    /// The places of the categories that were heard, in their order: of most sessions there is none.
    fn heard(&self) -> impl Iterator<Item = usize> {
        let mut left = self.heard;
        core::iter::from_fn(move || {
            // The remainder tells the compiler what the bits say already: there is such a category.
            let category = (left != 0).then(|| left.trailing_zeros() as usize % Category::COUNT)?;
            left &= left - 1;
            Some(category)
        })
    }
}

impl Listener for Tally {
    fn hear(&mut self, kind: SignalKind, points: f64, decisive: bool, _figure: f64, _limit: f64) {
        let category = kind.category() as usize;
        self.points[category] += points;
        self.heard |= 1 << category;
        self.decisive |= decisive;
        let hostile =
            matches!(kind, SignalKind::SpoofedCrawler | SignalKind::TrapUrl | SignalKind::ProbePaths);
        self.decisive_hostile |= decisive && hostile;
        self.fired.insert(kind);
    }
}

/// A tally that keeps the signals themselves.
#[derive(Debug, Default)]
struct Record {
    tally: Tally,
    signals: Vec<Signal>,
}

impl Listener for Record {
    fn hear(&mut self, kind: SignalKind, points: f64, decisive: bool, figure: f64, limit: f64) {
        self.tally.hear(kind, points, decisive, figure, limit);
        let evidence = Evidence { figure, limit };
        self.signals.push(Signal { kind, category: kind.category(), points, decisive, evidence });
    }
}

/// As many as fit on a line, and as people read.
const MOST_CONTRIBUTIONS: usize = 5;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod docs_test;
