//! What is remembered of one fingerprint between requests.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::escalation::{EscalationPolicy, determine_level};
use super::step::Evidence;
use super::windows::Windows;
use super::{EscalationCriteria, Gcra, LevelChange, LevelReason, ThrottleLevel, instant, micros};

/// Everything the throttle remembers of one fingerprint, in 96 bytes without a pointer.
///
/// The default is a client that was never seen. It is stepped in place by [`step`](super::step) and
/// [`observe_status`](super::observe_status), and can be written down and read back, so that a restart frees nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThrottleState {
    pub(super) gcra: Gcra,
    pub(super) assets: Gcra,
    /// Last change of level, in microseconds since 1970; the smallest value where there was none.
    since_us: i64,
    /// Last reason to keep or raise the level; the smallest value where there was none.
    reason_us: i64,
    /// End of the last block; the smallest value where there was none.
    block_end_us: i64,
    pub(super) windows: Windows,
    level: ThrottleLevel,
    /// Evidence since the last change that has not been acted on, a set of `NEW_SIGNAL` and `DECISIVE`.
    pending: u8,
    /// Blocks of which each followed the one before within the memory.
    blocks: u8,
}

impl ThrottleState {
    /// The level as of the last request; [`ThrottleState::level_at`] knows of cooldowns that ended since.
    pub const fn level(&self) -> ThrottleLevel {
        self.level
    }

    /// The level at `now`, with cooldowns that ended by then.
    pub fn level_at(&self, policy: &EscalationPolicy, now: DateTime<Utc>) -> ThrottleLevel {
        self.level_at_us(policy, micros(now))
    }

    /// As [`ThrottleState::level_at`], with the time as the state keeps it.
    pub(crate) fn level_at_us(&self, policy: &EscalationPolicy, now_us: i64) -> ThrottleLevel {
        if self.level == ThrottleLevel::Normal {
            return self.level;
        }
        let mut then = *self;
        then.cool_down(policy, now_us);
        then.level
    }

    /// Whether nothing is held against the client at `now`: Normal, both quotas whole, no block within the memory.
    ///
    /// Then a client that was never seen would be answered the same.
    pub fn is_clean(&self, policy: &EscalationPolicy, now: DateTime<Utc>) -> bool {
        let now_us = micros(now);
        let blocks = self.blocks > 0 && now_us < self.block_end_us.saturating_add(policy.block_memory_us());
        let whole = self.gcra.is_whole(now_us) && self.assets.is_whole(now_us);
        whole && !blocks && self.level_at(policy, now) == ThrottleLevel::Normal
    }

    /// When the level last changed; `None` if it never did.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        (self.since_us != i64::MIN).then(|| instant(self.since_us))
    }

    /// When the block ends; `None` at any other level.
    pub fn blocked_until(&self) -> Option<DateTime<Utc>> {
        (self.level == ThrottleLevel::Blocked).then(|| instant(self.block_end_us))
    }

    /// What is known against the client with this evidence, as of the last request.
    pub fn criteria(&self, evidence: Evidence) -> EscalationCriteria {
        EscalationCriteria {
            hostile_bot: evidence.hostile_bot,
            bot_score: evidence.bot_score,
            new_signal: evidence.new_signal || self.pending & NEW_SIGNAL != 0,
            decisive_hostile: evidence.decisive_hostile || self.pending & DECISIVE != 0,
            requests_per_minute: self.windows.requests(),
            refusals_per_minute: self.windows.refusals(),
            responses: self.windows.responses(),
            client_errors: self.windows.errors(),
        }
    }

    /// Forgets everything against a client whom a person has called a person; the change, if it was not at Normal.
    pub fn clear(&mut self, now: DateTime<Utc>) -> Option<LevelChange> {
        let from = self.level;
        *self = Self::default();
        let to = ThrottleLevel::Normal;
        (from != to).then_some(LevelChange { from, to, reason: LevelReason::LabelledHuman, at: now })
    }

    /// Lowers the level for each cooldown that has ended by `now_us`, at the instant at which it ended.
    #[inline]
    pub(super) fn cool_down(&mut self, policy: &EscalationPolicy, now_us: i64) -> Option<LevelChange> {
        if self.level == ThrottleLevel::Normal {
            return None;
        }
        let from = self.level;
        while let Some(due_us) = self.due_us(policy).filter(|&due| due <= now_us) {
            self.enter(self.level.milder(), due_us);
        }
        (self.level != from).then(|| LevelChange {
            from,
            to: self.level,
            reason: LevelReason::CooledDown,
            at: instant(self.since_us),
        })
    }

    /// When the level falls if nothing more happens; `None` at Normal.
    pub(super) fn due_us(&self, policy: &EscalationPolicy) -> Option<i64> {
        if self.level == ThrottleLevel::Blocked {
            return Some(self.block_end_us);
        }
        let cooldown = policy.cooldown_us(self.level, self.blocks)?;
        Some(self.since_us.max(self.reason_us).saturating_add(cooldown))
    }

    /// Whether this evidence is new with this request: a signal, a fact, or a standing verdict at Normal.
    pub(super) fn is_news(&self, policy: &EscalationPolicy, evidence: Evidence) -> bool {
        let normal = self.level == ThrottleLevel::Normal;
        let weighed = || {
            let verdict = EscalationCriteria {
                hostile_bot: evidence.hostile_bot,
                bot_score: evidence.bot_score,
                ..EscalationCriteria::default()
            };
            verdict.standing_reason(policy).is_some()
        };
        evidence.decisive_hostile || ((evidence.new_signal || normal) && weighed())
    }

    /// Weighs what is known and raises the level at most once, if the dwell allows it.
    pub(super) fn consider(
        &mut self,
        policy: &EscalationPolicy,
        evidence: Evidence,
        now_us: i64,
    ) -> Option<LevelChange> {
        if self.level == ThrottleLevel::Blocked {
            self.extend_block(policy, evidence, now_us);
            return None;
        }
        if self.is_calm(policy, evidence) {
            return None;
        }
        let criteria = self.criteria(evidence);
        let standing = criteria.standing_reason(policy);
        let decisive = evidence.decisive_hostile && policy.settings().decisive_facts;
        if decisive || standing.is_some() || criteria.measured_reason(policy).is_some() {
            self.reason_us = self.reason_us.max(now_us);
        }
        let (to, reason) = determine_level(policy, self.level, &criteria)?;
        if now_us.saturating_sub(self.since_us) < policy.min_dwell_us() {
            if decisive {
                self.pending |= DECISIVE;
            }
            if evidence.new_signal && standing.is_some() {
                self.pending |= NEW_SIGNAL;
            }
            return None;
        }
        let from = self.level;
        if to == ThrottleLevel::Blocked {
            self.begin_block(policy, now_us);
        }
        self.enter(to, now_us);
        Some(LevelChange { from, to, reason, at: instant(now_us) })
    }

    /// Whether there is nothing at all to weigh; the answer for nearly every request, without a sum.
    #[inline]
    fn is_calm(&self, policy: &EscalationPolicy, evidence: Evidence) -> bool {
        self.pending == 0
            && !evidence.hostile_bot
            && !evidence.decisive_hostile
            && policy.settings().bot_score.is_none()
            && policy.settings().requests_per_minute.is_none()
            && self.windows.has_no_fault()
    }

    fn begin_block(&mut self, policy: &EscalationPolicy, now_us: i64) {
        let again = self.blocks > 0 && now_us < self.block_end_us.saturating_add(policy.block_memory_us());
        self.blocks = if again { self.blocks.saturating_add(1) } else { 1 };
        let length = policy.cooldown_us(ThrottleLevel::Blocked, self.blocks).unwrap_or(0);
        self.block_end_us = now_us.saturating_add(length);
    }

    /// What a blocked client sends is refused and no reason; only new hostile evidence starts its block again.
    fn extend_block(&mut self, policy: &EscalationPolicy, evidence: Evidence, now_us: i64) {
        let rules = policy.settings();
        let verdict = evidence.new_signal && self.criteria(evidence).standing_reason(policy).is_some();
        if verdict || (evidence.decisive_hostile && rules.decisive_facts) {
            let length = policy.cooldown_us(ThrottleLevel::Blocked, self.blocks).unwrap_or(0);
            self.block_end_us = self.block_end_us.max(now_us.saturating_add(length));
        }
    }

    /// Changes the level; evidence from before the change counts no more.
    fn enter(&mut self, level: ThrottleLevel, at_us: i64) {
        self.level = level;
        self.since_us = at_us;
        self.pending = 0;
        self.windows.clear();
    }
}

impl Default for ThrottleState {
    fn default() -> Self {
        Self {
            gcra: Gcra::default(),
            assets: Gcra::default(),
            since_us: i64::MIN,
            reason_us: i64::MIN,
            block_end_us: i64::MIN,
            windows: Windows::default(),
            level: ThrottleLevel::Normal,
            pending: 0,
            blocks: 0,
        }
    }
}

const NEW_SIGNAL: u8 = 1;
const DECISIVE: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_at_most_96_bytes_and_survives_its_written_form() {
        assert!(size_of::<ThrottleState>() <= 96);
        let state = ThrottleState::default();
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<ThrottleState>(&text).unwrap(), state);
    }

    #[test]
    fn a_written_state_with_an_unknown_level_is_an_error() {
        let text = serde_json::to_string(&ThrottleState::default()).unwrap();
        let strange = text.replace("\"normal\"", "\"calm\"");
        assert!(serde_json::from_str::<ThrottleState>(&strange).is_err());
    }
}
