//! Adapters that are wrong on purpose: the in-memory one behind a wrapper that makes one mistake.

mod engagement;
mod erasure;
mod knowledge;
mod reports;
mod requests;
mod usage;

use std::sync::Arc;

use analytics_domain::anomaly::{AnomalyEvent, AnomalyThreshold, Finite, MetricName};
use analytics_domain::event::{AnalyticsEvent, EventProperties, PropertyValue};
use analytics_domain::ids::{AnomalyEventId, FingerprintHash, SessionId};
use analytics_domain::reputation::{Ban, BanSubject, ReputationState};
use analytics_domain::session::{AnalyticsSession, EndReason, NanoDollars, SessionRecord, Text};
use analytics_domain::throttle::ThrottleLevel;
use analytics_inmemory::{
    Capacity, InMemoryAnomalies, InMemoryAudit, InMemoryBans, InMemoryEngagement, InMemoryErasure,
    InMemoryEvents, InMemoryFingerprints, InMemoryLabels, InMemoryMlFeatures, InMemoryReports,
    InMemoryRequests, InMemorySessions, InMemoryThresholds, InMemoryUsage,
};
use analytics_ports::contract::Stores;
use analytics_ports::{
    AnomalyEventCursor, AnomalyEventFilter, AnomalyEventRepository, AnomalyThresholdRepository, BanCursor,
    BanRepository, BatchLimit, EndedSession, EventCursor, EventRepository, FingerprintRecord,
    FingerprintRepository, Page, PageRequest, Recorded, SessionCursor, SessionFilter, SessionRepository,
    StoreError, Version, Versioned,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use self::engagement::FaultyEngagement;
use self::erasure::FaultyErasure;
use self::knowledge::{FaultyAudit, FaultyFeatures, FaultyLabels};
use self::reports::FaultyReports;
use self::requests::FaultyRequests;
use self::usage::FaultyUsage;

/// One mistake that an adapter may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    KeepsMillisecondsOnly,
    ReadsEveryLevelAsNormal,
    ReadsUnknownAsEmpty,
    LosesTheCost,
    SaysKnownIsNew,
    OverwritesOnCreate,
    SaysEverySessionOfABatchIsNew,
    KeepsTheFirstOfABatch,
    KeepsTheLastOfEqualSessions,
    ForgetsTheVersionCheck,
    MakesSessionsInASwap,
    NeverCountsTheVersionUp,
    FindsTheOldest,
    FindsAtExactlySince,
    OverwritesTheFirstReason,
    EndsAtTheTimeOfTheCleanUp,
    ListsIdleStrictlyBefore,
    ListsIdleNewestFirst,
    IgnoresTheBatchLimit,
    ExpiresAsExplicit,
    DeletesOpenSessions,
    DeletesByStart,
    DeletesAtExactlyBefore,
    ListsOldestFirst,
    RepeatsTheKeyOfTheLastPage,
    EndsAListOnePageEarly,
    IgnoresOpenInAFilter,
    TakesTheEndOfAPeriodIn,
    DropsEverySecondEvent,
    SaysEveryEventIsNew,
    RoundsNumbersOfEvents,
    ListsEventsNewestFirst,
    DeletesEventsAtExactlyBefore,
    DropsEverySecondRequest,
    CountsKnownRequestsAsNew,
    ReadsAnUnknownStatusAsZero,
    ForgetsWhyARequestWasRefused,
    KeepsHashesAsFloats,
    ListsRequestsByTheirIdAlone,
    DeletesRequestsByTheirTime,
    DeletesRequestsAtExactlyBefore,
    ReadsUntoldClicksAsZero,
    ForgetsTabSwitches,
    ForgetsThatEngagementWasImplausible,
    SaysKnownEngagementIsNew,
    KeepsTheLastOfEqualEngagement,
    ListsEngagementNewestFirst,
    CountsEveryEventAsAPage,
    BelievesUnboundEngagement,
    DeletesEngagementAtExactlyBefore,
    ForgetsTheVersionOfAFingerprint,
    ForgetsTheStateOfAFingerprint,
    ListsFingerprintsBackwards,
    DeletesAtExactlyLastSeen,
    FindsEndedBans,
    ForgetsThatABanIsAWouldBan,
    ClearsOneBanOnly,
    KeepsBansThatEndNow,
    ForgetsWhoLabelled,
    KeepsTheLabelThatCameLast,
    ListsLabelsByTheNamesOfTheirSources,
    RemovesEveryLabelOfASession,
    DeletesLabelsAtExactlyBefore,
    ReadsMissingFeaturesAsZero,
    ReadsUnknownFiguresAsNo,
    KeepsTheFirstFeatures,
    AnswersOneLabelOnly,
    DeletesFeaturesAtExactlyBefore,
    SaysEveryAuditEntryIsNew,
    ListsTheAuditOfEverybody,
    ListsTheAuditOldestFirst,
    DeletesTheAuditAtExactlyBefore,
    RoundsThresholds,
    KeepsTheFirstThreshold,
    SortsThresholdsWithoutCase,
    RoundsAnomalies,
    SaysEveryAnomalyIsNew,
    MovesTheTimeOfClosing,
    MovesTheTimeOfAcknowledging,
    ListsAnomaliesOldestFirst,
    IgnoresAcknowledgement,
    DeletesAnomaliesAtExactlyBefore,
    ReadsUnpricedAsFree,
    CountsRepeatedUsageAsNew,
    CountsUsageOfASessionAgain,
    ForgetsSessionsOfUsage,
    TakesTheEndOfAUsagePeriodIn,
    ListsUsageNewestFirst,
    DeletesUsageAtExactlyBefore,
    DeletesUsageOfEveryKind,
    ErasesTheFirstSessionOnly,
    ForgetsToEraseLabels,
    ErasesUsageOfNoSession,
    ErasesKeptSessionsOnly,
    FindsSessionsNewestFirst,
    TakesTheEndOfAPeriodOfAVisitorIn,
    SaysThatMoreWasErased,
    MultipliesCostsByTasks,
    CountsTheEndOfAReportsPeriod,
    CountsTheActiveInTheirNewestPeriodOnly,
    LeavesEmptyDaysOut,
    RanksNamesWithoutCase,
    CountsRunsThatTookTooLongAsFailed,
    LosesConversationsWithoutMessages,
    PutsTheUnknownFirst,
    CountsUnpricedAsFree,
    CountsAVisitorForEachSession,
    LosesSessionsOfUnknownValue,
    ForgetsTheFilterOfAReport,
    CountsEveryViewInEveryWindow,
    CountsRefusalsAsErrors,
}

impl Fault {
    /// Each fault with the case that names it.
    pub(crate) const CAUGHT_BY: &[(Self, &str)] = &[
        (Self::KeepsMillisecondsOnly, "a_session_is_read_back_whole_at_version_1"),
        (Self::ReadsEveryLevelAsNormal, "a_session_is_read_back_whole_at_version_1"),
        (Self::ReadsUnknownAsEmpty, "a_session_of_which_little_is_known_is_read_back_whole"),
        (Self::LosesTheCost, "a_session_is_read_back_whole_at_version_1"),
        (Self::SaysKnownIsNew, "creating_a_known_session_changes_nothing"),
        (Self::OverwritesOnCreate, "creating_a_known_session_changes_nothing"),
        (Self::SaysEverySessionOfABatchIsNew, "a_batch_of_sessions_is_read_back_whole_and_kept_once"),
        (Self::KeepsTheFirstOfABatch, "a_batch_of_sessions_is_read_back_whole_and_kept_once"),
        (Self::KeepsTheLastOfEqualSessions, "a_session_twice_in_one_batch_is_kept_once"),
        (Self::ForgetsTheVersionCheck, "a_swap_at_another_version_is_a_conflict_and_changes_nothing"),
        (Self::MakesSessionsInASwap, "a_swap_of_an_absent_session_is_a_conflict"),
        (Self::NeverCountsTheVersionUp, "a_swap_replaces_the_session_and_counts_the_version_up"),
        (Self::FindsTheOldest, "the_open_session_with_the_newest_activity_is_found"),
        (Self::FindsAtExactlySince, "a_recent_session_is_strictly_after_since"),
        (Self::OverwritesTheFirstReason, "ending_is_at_the_last_activity_and_keeps_the_first_reason"),
        (Self::EndsAtTheTimeOfTheCleanUp, "expired_sessions_end_in_batches_oldest_first"),
        (Self::ListsIdleStrictlyBefore, "idle_sessions_are_listed_oldest_first_up_to_the_cutoff"),
        (Self::ListsIdleNewestFirst, "idle_sessions_are_listed_oldest_first_up_to_the_cutoff"),
        (Self::IgnoresTheBatchLimit, "expired_sessions_end_in_batches_oldest_first"),
        (Self::ExpiresAsExplicit, "expired_sessions_end_in_batches_oldest_first"),
        (Self::DeletesOpenSessions, "deletion_takes_ended_sessions_by_their_recording_in_batches"),
        (Self::DeletesByStart, "deletion_takes_ended_sessions_by_their_recording_in_batches"),
        (Self::DeletesAtExactlyBefore, "deletion_takes_ended_sessions_by_their_recording_in_batches"),
        (Self::ListsOldestFirst, "a_list_is_walked_newest_first_without_repeats_or_gaps"),
        (Self::RepeatsTheKeyOfTheLastPage, "a_list_is_walked_newest_first_without_repeats_or_gaps"),
        (Self::EndsAListOnePageEarly, "a_list_is_walked_newest_first_without_repeats_or_gaps"),
        (Self::IgnoresOpenInAFilter, "each_part_of_a_filter_selects"),
        (Self::TakesTheEndOfAPeriodIn, "each_part_of_a_filter_selects"),
        (Self::DropsEverySecondEvent, "events_are_read_back_whole"),
        (Self::SaysEveryEventIsNew, "recording_twice_changes_nothing"),
        (Self::RoundsNumbersOfEvents, "events_are_read_back_whole"),
        (Self::ListsEventsNewestFirst, "events_of_one_session_are_walked_oldest_first"),
        (Self::DeletesEventsAtExactlyBefore, "deletion_takes_events_by_their_recording_in_batches"),
        (Self::DropsEverySecondRequest, "requests_are_read_back_whole"),
        (Self::CountsKnownRequestsAsNew, "inserting_requests_twice_changes_nothing"),
        (Self::ReadsAnUnknownStatusAsZero, "requests_of_which_little_is_known_are_read_back_whole"),
        (Self::ForgetsWhyARequestWasRefused, "the_totals_of_a_session_equal_a_recount_of_its_requests"),
        (Self::KeepsHashesAsFloats, "requests_are_read_back_whole"),
        (Self::ListsRequestsByTheirIdAlone, "requests_of_one_session_are_walked_oldest_first"),
        (Self::DeletesRequestsByTheirTime, "deletion_takes_requests_by_their_recording_in_batches"),
        (Self::DeletesRequestsAtExactlyBefore, "deletion_takes_requests_by_their_recording_in_batches"),
        (Self::ReadsUntoldClicksAsZero, "engagement_that_tells_nothing_is_read_back_whole"),
        (Self::ForgetsTabSwitches, "engagement_is_read_back_whole"),
        (Self::ForgetsThatEngagementWasImplausible, "engagement_is_read_back_whole"),
        (Self::SaysKnownEngagementIsNew, "creating_known_engagement_changes_nothing"),
        (Self::KeepsTheLastOfEqualEngagement, "engagement_twice_in_one_batch_is_kept_once"),
        (Self::ListsEngagementNewestFirst, "engagement_of_one_session_is_walked_oldest_first"),
        (Self::CountsEveryEventAsAPage, "a_summary_is_the_sum_of_the_events_of_its_session"),
        (Self::BelievesUnboundEngagement, "a_summary_is_the_sum_of_the_events_of_its_session"),
        (Self::DeletesEngagementAtExactlyBefore, "deletion_takes_engagement_by_its_recording_in_batches"),
        (Self::ForgetsTheVersionOfAFingerprint, "a_fingerprint_that_is_not_as_expected_is_a_conflict"),
        (Self::ForgetsTheStateOfAFingerprint, "a_fingerprint_is_read_back_whole_at_version_1"),
        (
            Self::ListsFingerprintsBackwards,
            "fingerprints_of_high_risk_are_walked_in_the_order_of_their_hashes",
        ),
        (Self::DeletesAtExactlyLastSeen, "fingerprints_are_deleted_by_when_they_were_last_seen_in_batches"),
        (Self::FindsEndedBans, "a_ban_runs_from_its_beginning_to_before_its_end"),
        (Self::ForgetsThatABanIsAWouldBan, "bans_are_read_back_whole"),
        (Self::ClearsOneBanOnly, "clearing_answers_every_ban_of_the_subject_and_leaves_the_others"),
        (Self::KeepsBansThatEndNow, "ended_bans_are_deleted_in_batches"),
        (Self::ForgetsWhoLabelled, "labels_are_read_back_whole"),
        (Self::KeepsTheLabelThatCameLast, "a_label_is_replaced_only_by_one_that_supersedes_it"),
        (Self::ListsLabelsByTheNamesOfTheirSources, "labels_are_walked_by_session_and_strength"),
        (Self::RemovesEveryLabelOfASession, "a_label_is_removed_by_its_session_and_source"),
        (Self::DeletesLabelsAtExactlyBefore, "labels_are_deleted_by_when_they_were_given"),
        (Self::ReadsMissingFeaturesAsZero, "features_are_read_back_whole"),
        (Self::ReadsUnknownFiguresAsNo, "features_of_which_nothing_is_known_are_read_back_whole"),
        (Self::KeepsTheFirstFeatures, "only_features_that_look_further_replace_what_is_kept"),
        (Self::AnswersOneLabelOnly, "labelled_features_are_walked_by_session"),
        (Self::DeletesFeaturesAtExactlyBefore, "features_are_deleted_by_their_recording_in_batches"),
        (Self::SaysEveryAuditEntryIsNew, "recording_a_known_audit_entry_changes_nothing"),
        (Self::ListsTheAuditOfEverybody, "audit_entries_are_read_back_whole"),
        (Self::ListsTheAuditOldestFirst, "audit_entries_are_walked_newest_first"),
        (Self::DeletesTheAuditAtExactlyBefore, "audit_entries_are_deleted_by_their_time_in_batches"),
        (Self::RoundsThresholds, "a_threshold_is_read_back_whole"),
        (Self::KeepsTheFirstThreshold, "a_threshold_that_is_put_again_is_replaced"),
        (Self::SortsThresholdsWithoutCase, "thresholds_are_walked_in_the_order_of_their_metrics"),
        (Self::RoundsAnomalies, "an_anomaly_is_read_back_whole"),
        (Self::SaysEveryAnomalyIsNew, "putting_a_known_anomaly_changes_nothing"),
        (Self::MovesTheTimeOfClosing, "closing_keeps_the_first_time"),
        (Self::MovesTheTimeOfAcknowledging, "acknowledging_keeps_the_first_time"),
        (Self::ListsAnomaliesOldestFirst, "anomalies_are_walked_newest_first"),
        (Self::IgnoresAcknowledgement, "each_part_of_a_filter_selects_anomalies"),
        (Self::DeletesAnomaliesAtExactlyBefore, "old_anomalies_are_deleted_in_batches"),
        (Self::ReadsUnpricedAsFree, "usage_is_read_back_whole"),
        (Self::CountsRepeatedUsageAsNew, "usage_is_recorded_once"),
        (Self::CountsUsageOfASessionAgain, "usage_changes_the_totals_of_its_session_once"),
        (Self::ForgetsSessionsOfUsage, "usage_changes_the_totals_of_its_session_once"),
        (Self::TakesTheEndOfAUsagePeriodIn, "usage_of_a_period_is_walked_oldest_first"),
        (Self::ListsUsageNewestFirst, "usage_of_a_period_is_walked_oldest_first"),
        (Self::DeletesUsageAtExactlyBefore, "deletion_takes_usage_of_one_kind_by_its_recording_in_batches"),
        (Self::DeletesUsageOfEveryKind, "deletion_takes_usage_of_one_kind_by_its_recording_in_batches"),
        (Self::ErasesTheFirstSessionOnly, "rows_of_a_session_that_is_not_kept_are_erased"),
        (Self::ForgetsToEraseLabels, "a_session_is_erased_with_all_that_names_it_and_nothing_else"),
        (Self::ErasesUsageOfNoSession, "a_session_is_erased_with_all_that_names_it_and_nothing_else"),
        (Self::ErasesKeptSessionsOnly, "rows_of_a_session_that_is_not_kept_are_erased"),
        (Self::FindsSessionsNewestFirst, "the_sessions_of_a_visitor_are_found_by_their_start"),
        (Self::TakesTheEndOfAPeriodOfAVisitorIn, "the_sessions_of_a_visitor_are_found_by_their_start"),
        (Self::SaysThatMoreWasErased, "erasing_again_and_erasing_nothing_changes_nothing"),
        (Self::MultipliesCostsByTasks, "sums_are_not_multiplied_by_rows_that_stand_beside_them"),
        (Self::CountsTheEndOfAReportsPeriod, "a_reports_period_holds_its_beginning_and_not_its_end"),
        (Self::CountsTheActiveInTheirNewestPeriodOnly, "whoever_is_active_in_two_periods_counts_in_both"),
        (Self::LeavesEmptyDaysOut, "days_are_counted_apart_and_empty_ones_are_there"),
        (Self::RanksNamesWithoutCase, "top_users_are_ranked_by_cost_then_sessions_then_name"),
        (Self::CountsRunsThatTookTooLongAsFailed, "agents_and_tools_are_ranked_with_how_they_ended"),
        (
            Self::LosesConversationsWithoutMessages,
            "recent_conversations_come_newest_first_with_their_messages",
        ),
        (Self::LosesConversationsWithoutMessages, "conversations_are_counted_with_their_messages"),
        (Self::PutsTheUnknownFirst, "conversations_by_agent_put_the_unknown_last"),
        (Self::PutsTheUnknownFirst, "a_breakdown_ranks_equals_by_the_bytes_of_their_values"),
        (Self::CountsUnpricedAsFree, "providers_are_ranked_by_cost_with_every_figure_of_their_requests"),
        (Self::CountsAVisitorForEachSession, "traffic_stands_apart_for_people_bots_and_ai_agents"),
        (Self::LosesSessionsOfUnknownValue, "sessions_are_broken_down_by_each_dimension"),
        (Self::ForgetsTheFilterOfAReport, "each_key_of_a_reports_filter_selects"),
        (Self::CountsEveryViewInEveryWindow, "content_is_ranked_by_the_views_of_its_widest_window"),
        (Self::CountsRefusalsAsErrors, "errors_are_counted_by_audience_status_and_path"),
    ];
}

/// Fresh stores with this fault, or without one.
pub(crate) fn stores(fault: Option<Fault>) -> Stores {
    let capacity = Capacity::new(100_000).unwrap();
    let labels = Arc::new(InMemoryLabels::new(capacity));
    let sessions = Arc::new(InMemorySessions::new(capacity));
    let requests = Arc::new(InMemoryRequests::new(capacity));
    let usage = Arc::new(InMemoryUsage::new(capacity, Arc::clone(&sessions)));
    let reports = InMemoryReports::new(Arc::clone(&sessions), Arc::clone(&requests), Arc::clone(&usage));
    let reports = Arc::new(FaultyReports { kept: reports, fault });
    let events = Arc::new(InMemoryEvents::new(capacity));
    let engagement = Arc::new(InMemoryEngagement::new(capacity));
    let features = Arc::new(InMemoryMlFeatures::new(capacity, Arc::clone(&labels)));
    let erasure = InMemoryErasure {
        sessions: Arc::clone(&sessions),
        requests: Arc::clone(&requests),
        events: Arc::clone(&events),
        engagement: Arc::clone(&engagement),
        features: Arc::clone(&features),
        labels: Arc::clone(&labels),
        usage: Arc::clone(&usage),
    };
    Stores {
        erasure: Arc::new(FaultyErasure { kept: erasure, fault }),
        core_stats: Arc::clone(&reports) as _,
        queries: reports,
        usage: Arc::new(FaultyUsage { kept: usage, sessions: Arc::clone(&sessions), fault }),
        sessions: Arc::new(FaultySessions { kept: sessions, fault }),
        events: Arc::new(FaultyEvents { kept: events, fault }),
        engagement: Arc::new(FaultyEngagement { kept: engagement, fault }),
        requests: Arc::new(FaultyRequests { kept: requests, fault }),
        fingerprints: Arc::new(FaultyFingerprints { kept: InMemoryFingerprints::new(capacity), fault }),
        bans: Arc::new(FaultyBans { kept: InMemoryBans::new(capacity), fault }),
        labels: Arc::new(FaultyLabels { kept: labels, fault }),
        features: Arc::new(FaultyFeatures { kept: features, fault }),
        audit: Arc::new(FaultyAudit { kept: InMemoryAudit::new(capacity), fault }),
        thresholds: Arc::new(FaultyThresholds { kept: InMemoryThresholds::new(capacity), fault }),
        anomalies: Arc::new(FaultyAnomalies { kept: InMemoryAnomalies::new(capacity), fault }),
        guard: Box::new(()),
    }
}

struct FaultySessions {
    kept: Arc<InMemorySessions>,
    fault: Option<Fault>,
}

struct FaultyEvents {
    kept: Arc<InMemoryEvents>,
    fault: Option<Fault>,
}

struct FaultyFingerprints {
    kept: InMemoryFingerprints,
    fault: Option<Fault>,
}

struct FaultyBans {
    kept: InMemoryBans,
    fault: Option<Fault>,
}

struct FaultyThresholds {
    kept: InMemoryThresholds,
    fault: Option<Fault>,
}

struct FaultyAnomalies {
    kept: InMemoryAnomalies,
    fault: Option<Fault>,
}

impl FaultySessions {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The session as an adapter with a fault in its columns keeps it.
    fn written(&self, session: &AnalyticsSession) -> AnalyticsSession {
        let mut record: SessionRecord = session.record().clone();
        if self.is(Fault::KeepsMillisecondsOnly) {
            let millis = |at: DateTime<Utc>| DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap();
            record.started_at = millis(record.started_at);
            record.last_activity_at = millis(record.last_activity_at);
        }
        if self.is(Fault::ReadsEveryLevelAsNormal) {
            record.throttle_level = ThrottleLevel::Normal;
        }
        if self.is(Fault::ReadsUnknownAsEmpty) {
            record.client.user_agent = record.client.user_agent.or_else(|| Some(Text::cut("")));
        }
        if self.is(Fault::LosesTheCost) {
            record.counters.cost = NanoDollars::default();
        }
        record.try_into().unwrap()
    }

    /// Replaces whatever is kept, at any version.
    async fn overwrite(&self, session: &AnalyticsSession) -> Result<Version, StoreError> {
        loop {
            let Some(now) = self.kept.get(session.id()).await? else {
                self.kept.create(session, session.record().started_at).await?;
                return Ok(Version::FIRST);
            };
            if let Ok(version) = self.kept.swap(now.version, session).await {
                return Ok(version);
            }
        }
    }
}

#[async_trait]
impl SessionRepository for FaultySessions {
    async fn create(
        &self,
        session: &AnalyticsSession,
        recorded_at: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        let recorded_at =
            if self.is(Fault::DeletesByStart) { session.record().started_at } else { recorded_at };
        let answer = self.kept.create(&self.written(session), recorded_at).await?;
        if self.is(Fault::OverwritesOnCreate) && answer == Recorded::Known {
            self.overwrite(session).await?;
        }
        Ok(if self.is(Fault::SaysKnownIsNew) { Recorded::New } else { answer })
    }

    async fn create_batch(
        &self,
        sessions: &[AnalyticsSession],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError> {
        let most = if self.is(Fault::KeepsTheFirstOfABatch) { 1 } else { sessions.len() };
        let mut answers = self.kept.create_batch(&sessions[..most.min(sessions.len())], recorded_at).await?;
        answers.resize(sessions.len(), Recorded::New);
        if self.is(Fault::KeepsTheLastOfEqualSessions) {
            for (at, session) in sessions.iter().enumerate() {
                if sessions[..at].iter().any(|earlier| earlier.id() == session.id()) {
                    self.overwrite(session).await?;
                }
            }
        }
        if self.is(Fault::SaysEverySessionOfABatchIsNew) {
            answers.fill(Recorded::New);
        }
        Ok(answers)
    }

    async fn get(&self, id: SessionId) -> Result<Option<Versioned<AnalyticsSession>>, StoreError> {
        let found = self.kept.get(id).await?;
        let first = self.is(Fault::NeverCountsTheVersionUp);
        Ok(found.map(|found| if first { Versioned { version: Version::FIRST, ..found } } else { found }))
    }

    async fn swap(&self, expected: Version, session: &AnalyticsSession) -> Result<Version, StoreError> {
        let session = self.written(session);
        let absent = self.kept.get(session.id()).await?.is_none();
        if self.is(Fault::NeverCountsTheVersionUp) && !absent {
            self.overwrite(&session).await?;
            return Ok(Version::FIRST);
        }
        if self.is(Fault::ForgetsTheVersionCheck) && !absent || self.is(Fault::MakesSessionsInASwap) && absent
        {
            return self.overwrite(&session).await;
        }
        self.kept.swap(expected, &session).await
    }

    async fn find_recent_by_fingerprint(
        &self,
        fingerprint: FingerprintHash,
        since: DateTime<Utc>,
    ) -> Result<Option<Versioned<AnalyticsSession>>, StoreError> {
        if self.is(Fault::FindsTheOldest) {
            let open = self.kept.list_open_idle(DateTime::<Utc>::MAX_UTC, BatchLimit::default()).await?;
            return Ok(open.into_iter().find(|found| {
                let record = found.value.record();
                record.fingerprint == fingerprint && record.last_activity_at > since
            }));
        }
        let since = if self.is(Fault::FindsAtExactlySince) { since - MICRO } else { since };
        self.kept.find_recent_by_fingerprint(fingerprint, since).await
    }

    async fn end(
        &self,
        id: SessionId,
        reason: EndReason,
    ) -> Result<Option<Versioned<AnalyticsSession>>, StoreError> {
        if self.is(Fault::OverwritesTheFirstReason)
            && let Some(found) = self.kept.get(id).await?
        {
            let record = SessionRecord { end_reason: Some(reason), ..found.value.into_record() };
            self.kept.swap(found.version, &record.try_into().unwrap()).await?;
        }
        self.kept.end(id, reason).await
    }

    async fn list_open_idle(
        &self,
        idle_since: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<Vec<Versioned<AnalyticsSession>>, StoreError> {
        let idle_since =
            if self.is(Fault::ListsIdleStrictlyBefore) { idle_since - MICRO } else { idle_since };
        let mut idle = self.kept.list_open_idle(idle_since, limit).await?;
        if self.is(Fault::ListsIdleNewestFirst) {
            idle.reverse();
        }
        Ok(idle)
    }

    async fn end_expired(
        &self,
        idle_since: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<Vec<EndedSession>, StoreError> {
        if self.is(Fault::ExpiresAsExplicit) {
            let mut ended = Vec::new();
            for idle in self.kept.list_open_idle(idle_since, limit).await? {
                self.kept.end(idle.value.id(), EndReason::Explicit).await?;
                ended.push(EndedSession {
                    id: idle.value.id(),
                    ended_at: idle.value.record().last_activity_at,
                });
            }
            return Ok(ended);
        }
        let limit = if self.is(Fault::IgnoresTheBatchLimit) { BatchLimit::default() } else { limit };
        let mut ended = self.kept.end_expired(idle_since, limit).await?;
        if self.is(Fault::EndsAtTheTimeOfTheCleanUp) {
            for ended in &mut ended {
                ended.ended_at = idle_since;
            }
        }
        Ok(ended)
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        if self.is(Fault::DeletesOpenSessions) {
            self.kept.end_expired(DateTime::<Utc>::MAX_UTC, BatchLimit::default()).await?;
        }
        let before = if self.is(Fault::DeletesAtExactlyBefore) { before + MICRO } else { before };
        self.kept.delete_recorded_before(before, limit).await
    }

    async fn list(
        &self,
        filter: &SessionFilter,
        page: PageRequest<SessionCursor>,
    ) -> Result<Page<AnalyticsSession, SessionCursor>, StoreError> {
        let mut filter = *filter;
        if self.is(Fault::IgnoresOpenInAFilter) {
            filter.open = None;
        }
        if self.is(Fault::TakesTheEndOfAPeriodIn) {
            filter.started_before = filter.started_before.map(|before| before + MICRO);
        }
        let mut page = page;
        if self.is(Fault::RepeatsTheKeyOfTheLastPage)
            && let Some(after) = &mut page.after
        {
            after.id = SessionId::from_u128(after.id.as_u128().saturating_add(1));
        }
        let mut listed = self.kept.list(&filter, page).await?;
        if self.is(Fault::ListsOldestFirst) {
            listed.items.reverse();
        }
        if self.is(Fault::EndsAListOnePageEarly) {
            listed.next = None;
        }
        Ok(listed)
    }
}

#[async_trait]
impl EventRepository for FaultyEvents {
    async fn record(
        &self,
        events: &[AnalyticsEvent],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError> {
        if self.fault == Some(Fault::DropsEverySecondEvent) {
            let kept: Vec<AnalyticsEvent> = events.iter().step_by(2).cloned().collect();
            self.kept.record(&kept, recorded_at).await?;
            return Ok(vec![Recorded::New; events.len()]);
        }
        if self.fault == Some(Fault::RoundsNumbersOfEvents) {
            let rounded: Vec<AnalyticsEvent> = events.iter().map(rounded).collect();
            return self.kept.record(&rounded, recorded_at).await;
        }
        let answers = self.kept.record(events, recorded_at).await?;
        let new = self.fault == Some(Fault::SaysEveryEventIsNew);
        Ok(if new { vec![Recorded::New; events.len()] } else { answers })
    }

    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<AnalyticsEvent, EventCursor>, StoreError> {
        let mut listed = self.kept.list_by_session(session, page).await?;
        if self.fault == Some(Fault::ListsEventsNewestFirst) {
            listed.items.reverse();
        }
        Ok(listed)
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let inclusive = self.fault == Some(Fault::DeletesEventsAtExactlyBefore);
        self.kept.delete_recorded_before(if inclusive { before + MICRO } else { before }, limit).await
    }
}

#[async_trait]
impl FingerprintRepository for FaultyFingerprints {
    async fn get(
        &self,
        fingerprint: FingerprintHash,
    ) -> Result<Option<Versioned<FingerprintRecord>>, StoreError> {
        self.kept.get(fingerprint).await
    }

    async fn swap(
        &self,
        expected: Option<Version>,
        record: &FingerprintRecord,
    ) -> Result<Version, StoreError> {
        if self.fault == Some(Fault::ForgetsTheVersionOfAFingerprint) {
            let kept = self.kept.get(record.fingerprint()).await?.map(|kept| kept.version);
            return self.kept.swap(kept, record).await;
        }
        if self.fault == Some(Fault::ForgetsTheStateOfAFingerprint) {
            let (report, risk) = (record.report().clone(), record.is_high_risk());
            let fresh = FingerprintRecord::restore(ReputationState::default(), report, risk);
            return self.kept.swap(expected, &fresh).await;
        }
        self.kept.swap(expected, record).await
    }

    async fn list_high_risk(
        &self,
        page: PageRequest<FingerprintHash>,
    ) -> Result<Page<FingerprintRecord, FingerprintHash>, StoreError> {
        let mut listed = self.kept.list_high_risk(page).await?;
        if self.fault == Some(Fault::ListsFingerprintsBackwards) {
            listed.items.reverse();
        }
        Ok(listed)
    }

    async fn delete_seen_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let inclusive = self.fault == Some(Fault::DeletesAtExactlyLastSeen);
        self.kept.delete_seen_before(if inclusive { before + MICRO } else { before }, limit).await
    }
}

#[async_trait]
impl BanRepository for FaultyBans {
    async fn put(&self, ban: &Ban) -> Result<Recorded, StoreError> {
        let mut ban = ban.clone();
        ban.would_ban &= self.fault != Some(Fault::ForgetsThatABanIsAWouldBan);
        self.kept.put(&ban).await
    }

    async fn running(&self, subject: BanSubject, now: DateTime<Utc>) -> Result<Option<Ban>, StoreError> {
        let ended = self.fault == Some(Fault::FindsEndedBans);
        self.kept.running(subject, if ended { now - MICRO } else { now }).await
    }

    async fn list_running(
        &self,
        now: DateTime<Utc>,
        page: PageRequest<BanCursor>,
    ) -> Result<Page<Ban, BanCursor>, StoreError> {
        self.kept.list_running(now, page).await
    }

    async fn clear(&self, subject: BanSubject) -> Result<Vec<Ban>, StoreError> {
        let mut cleared = self.kept.clear(subject).await?;
        if self.fault == Some(Fault::ClearsOneBanOnly) {
            for ban in cleared.drain(1.min(cleared.len())..) {
                self.kept.put(&ban).await?;
            }
        }
        Ok(cleared)
    }

    async fn delete_ended(&self, now: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let late = self.fault == Some(Fault::KeepsBansThatEndNow);
        self.kept.delete_ended(if late { now - MICRO } else { now }, limit).await
    }
}

#[async_trait]
impl AnomalyThresholdRepository for FaultyThresholds {
    async fn put(&self, threshold: &AnomalyThreshold) -> Result<(), StoreError> {
        if self.fault == Some(Fault::KeepsTheFirstThreshold)
            && self.kept.get(threshold.metric()).await?.is_some()
        {
            return Ok(());
        }
        if self.fault == Some(Fault::RoundsThresholds) {
            let narrow = |limit: f64| f64::from(limit.min(f64::from(f32::MAX)) as f32);
            let (warning, critical) = (narrow(threshold.warning()), narrow(threshold.critical()));
            let rounded = AnomalyThreshold::new(threshold.metric().clone(), warning, critical);
            return self.kept.put(&rounded.unwrap()).await;
        }
        self.kept.put(threshold).await
    }

    async fn get(&self, metric: &MetricName) -> Result<Option<AnomalyThreshold>, StoreError> {
        self.kept.get(metric).await
    }

    async fn list(
        &self,
        page: PageRequest<MetricName>,
    ) -> Result<Page<AnomalyThreshold, MetricName>, StoreError> {
        let mut listed = self.kept.list(page).await?;
        if self.fault == Some(Fault::SortsThresholdsWithoutCase) {
            listed.items.sort_by_key(|threshold| threshold.metric().as_str().to_lowercase());
        }
        Ok(listed)
    }

    async fn delete(&self, metric: &MetricName) -> Result<bool, StoreError> {
        self.kept.delete(metric).await
    }
}

#[async_trait]
impl AnomalyEventRepository for FaultyAnomalies {
    async fn put(&self, event: &AnomalyEvent) -> Result<Recorded, StoreError> {
        let mut event = event.clone();
        if self.fault == Some(Fault::RoundsAnomalies) {
            event.value = Finite::new(f64::from(event.value.get() as f32)).unwrap();
        }
        let answer = self.kept.put(&event).await?;
        Ok(if self.fault == Some(Fault::SaysEveryAnomalyIsNew) { Recorded::New } else { answer })
    }

    async fn get(&self, id: AnomalyEventId) -> Result<Option<AnomalyEvent>, StoreError> {
        self.kept.get(id).await
    }

    async fn close(&self, id: AnomalyEventId, at: DateTime<Utc>) -> Result<Option<AnomalyEvent>, StoreError> {
        let closed = self.kept.close(id, at).await?;
        let moved = self.fault == Some(Fault::MovesTheTimeOfClosing);
        Ok(closed.map(|event| if moved { AnomalyEvent { closed_at: Some(at), ..event } } else { event }))
    }

    async fn acknowledge(
        &self,
        id: AnomalyEventId,
        at: DateTime<Utc>,
    ) -> Result<Option<AnomalyEvent>, StoreError> {
        let noted = self.kept.acknowledge(id, at).await?;
        let moved = self.fault == Some(Fault::MovesTheTimeOfAcknowledging);
        Ok(noted.map(|event| if moved { AnomalyEvent { acknowledged_at: Some(at), ..event } } else { event }))
    }

    async fn list(
        &self,
        filter: &AnomalyEventFilter,
        page: PageRequest<AnomalyEventCursor>,
    ) -> Result<Page<AnomalyEvent, AnomalyEventCursor>, StoreError> {
        let mut filter = filter.clone();
        if self.fault == Some(Fault::IgnoresAcknowledgement) {
            filter.acknowledged = None;
        }
        let mut listed = self.kept.list(&filter, page).await?;
        if self.fault == Some(Fault::ListsAnomaliesOldestFirst) {
            listed.items.reverse();
        }
        Ok(listed)
    }

    async fn delete_opened_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let inclusive = self.fault == Some(Fault::DeletesAnomaliesAtExactlyBefore);
        self.kept.delete_opened_before(if inclusive { before + MICRO } else { before }, limit).await
    }
}

/// The event with its numbers as a column of 32 bits keeps them.
fn rounded(event: &AnalyticsEvent) -> AnalyticsEvent {
    let mut properties = event.properties().as_map().clone();
    for value in properties.values_mut() {
        if let PropertyValue::Number(number) = value {
            let narrow = f64::from(*number as f32);
            *number = if narrow.is_finite() { narrow } else { f64::from(f32::MAX) };
        }
    }
    let properties = EventProperties::new(properties).unwrap();
    AnalyticsEvent::new(event.id(), event.session(), event.name().clone(), properties, event.at()).unwrap()
}

const MICRO: TimeDelta = TimeDelta::microseconds(1);
