//! The behaviour that every adapter must show, as cases to run against your own.
//!
//! A case is a public async function that is given fresh, empty stores and panics when they misbehave. The macro
//! [`contract_cases!`](crate::contract_cases) lists all of them, so that each becomes a test of its own:
//!
//! ```no_run
//! # use analytics_ports::contract::{self, Stores};
//! # async fn fresh() -> Stores { unimplemented!("your stores") }
//! macro_rules! stamp {
//!     ($($group:ident :: $case:ident),+ $(,)?) => {$(
//!         #[tokio::test]
//!         async fn $case() {
//!             contract::$group::$case(&fresh().await).await;
//!         }
//!     )+};
//! }
//! analytics_ports::contract_cases!(stamp);
//! ```
//!
//! Clocks, makers of ids and locators have cases of their own, which are not async and take what they try:
//! [`clock_cases!`](crate::clock_cases), [`id_cases!`](crate::id_cases), [`place_cases!`](crate::place_cases). So do
//! locks of leaders, which take those of two processes: [`leader_cases!`](crate::leader_cases).
//!
//! Every case uses at most a few hundred rows, below the capacity of any store; eviction is not part of the contract.

use std::any::Any;
use std::sync::Arc;

use crate::{
    AnalyticsQueryRepository, AnomalyEventRepository, AnomalyThresholdRepository, AuditRepository,
    BanRepository, CoreStatsRepository, EngagementRepository, ErasureRepository, EventRepository,
    FingerprintRepository, LabelRepository, MlFeaturesRepository, RequestRepository, SessionRepository,
    UsageRepository,
};

pub mod anomalies;
pub mod audit;
pub mod bans;
pub mod clock;
pub mod engagement;
pub mod erasure;
pub mod events;
pub mod features;
pub mod fingerprints;
pub mod ids;
pub mod labels;
pub mod leaders;
pub mod places;
pub mod reports;
pub mod requests;
mod sample;
pub mod sessions;
pub mod usage;
mod usage_sample;

/// Fresh, empty stores of one adapter, for one case.
pub struct Stores {
    /// Its sessions.
    pub sessions: Arc<dyn SessionRepository>,
    /// Its events.
    pub events: Arc<dyn EventRepository>,
    /// Its rows of requests.
    pub requests: Arc<dyn RequestRepository>,
    /// Its engagement.
    pub engagement: Arc<dyn EngagementRepository>,
    /// Its fingerprints.
    pub fingerprints: Arc<dyn FingerprintRepository>,
    /// Its bans.
    pub bans: Arc<dyn BanRepository>,
    /// Its labels.
    pub labels: Arc<dyn LabelRepository>,
    /// Its features, labelled by `labels`.
    pub features: Arc<dyn MlFeaturesRepository>,
    /// Its audit.
    pub audit: Arc<dyn AuditRepository>,
    /// Its limits of metrics.
    pub thresholds: Arc<dyn AnomalyThresholdRepository>,
    /// Its anomalies.
    pub anomalies: Arc<dyn AnomalyEventRepository>,
    /// Its use of AI providers, agents and tools; it changes the totals of the sessions above.
    pub usage: Arc<dyn UsageRepository>,
    /// What erases rows of all of the above.
    pub erasure: Arc<dyn ErasureRepository>,
    /// What it answers of the sessions, requests and usage above.
    pub core_stats: Arc<dyn CoreStatsRepository>,
    /// What it answers of these beside.
    pub queries: Arc<dyn AnalyticsQueryRepository>,
    /// Dropped after the case: a database to remove, for example.
    pub guard: Box<dyn Any + Send + Sync>,
}

/// Hands the names of all cases, as `group::case` in the order of their files, to a macro of yours.
#[macro_export]
macro_rules! contract_cases {
    ($stamp:ident) => {
        $stamp! {
            sessions::a_session_is_read_back_whole_at_version_1,
            sessions::a_session_of_which_little_is_known_is_read_back_whole,
            sessions::an_absent_session_is_none,
            sessions::creating_a_known_session_changes_nothing,
            sessions::of_concurrent_creates_one_is_new,
            sessions::a_batch_of_sessions_is_read_back_whole_and_kept_once,
            sessions::creating_no_session_is_no_work,
            sessions::a_session_twice_in_one_batch_is_kept_once,
            sessions::of_concurrent_batches_each_session_is_new_once,
            sessions::a_swap_replaces_the_session_and_counts_the_version_up,
            sessions::a_swap_at_another_version_is_a_conflict_and_changes_nothing,
            sessions::a_swap_of_an_absent_session_is_a_conflict,
            sessions::of_concurrent_swaps_one_wins,
            sessions::the_open_session_with_the_newest_activity_is_found,
            sessions::a_recent_session_is_strictly_after_since,
            sessions::a_session_is_found_where_a_swap_moved_it,
            sessions::ending_is_at_the_last_activity_and_keeps_the_first_reason,
            sessions::idle_sessions_are_listed_oldest_first_up_to_the_cutoff,
            sessions::expired_sessions_end_in_batches_oldest_first,
            sessions::expiring_twice_changes_nothing,
            sessions::deletion_takes_ended_sessions_by_their_recording_in_batches,
            sessions::a_list_is_walked_newest_first_without_repeats_or_gaps,
            sessions::each_part_of_a_filter_selects,
            sessions::a_page_goes_on_after_rows_that_went,
            events::events_are_read_back_whole,
            events::recording_nothing_is_no_work,
            events::recording_twice_changes_nothing,
            events::an_id_twice_in_one_call_is_kept_once,
            events::of_concurrent_recordings_one_is_new,
            events::events_of_one_session_are_walked_oldest_first,
            events::deletion_takes_events_by_their_recording_in_batches,
            requests::requests_are_read_back_whole,
            requests::requests_of_which_little_is_known_are_read_back_whole,
            requests::inserting_no_request_is_no_work,
            requests::inserting_requests_twice_changes_nothing,
            requests::a_request_twice_in_one_call_is_kept_once,
            requests::of_concurrent_inserts_each_request_is_counted_once,
            requests::requests_of_one_session_are_walked_oldest_first,
            requests::deletion_takes_requests_by_their_recording_in_batches,
            requests::the_totals_of_a_session_equal_a_recount_of_its_requests,
            engagement::engagement_is_read_back_whole,
            engagement::engagement_that_tells_nothing_is_read_back_whole,
            engagement::creating_known_engagement_changes_nothing,
            engagement::engagement_twice_in_one_batch_is_kept_once,
            engagement::of_concurrent_engagement_one_is_new,
            engagement::engagement_of_one_session_is_walked_oldest_first,
            engagement::a_summary_is_the_sum_of_the_events_of_its_session,
            engagement::deletion_takes_engagement_by_its_recording_in_batches,
            fingerprints::a_fingerprint_is_read_back_whole_at_version_1,
            fingerprints::a_fingerprint_is_swapped_against_the_version_that_was_seen,
            fingerprints::a_fingerprint_that_is_not_as_expected_is_a_conflict,
            fingerprints::of_concurrent_first_swaps_of_a_fingerprint_one_wins,
            fingerprints::fingerprints_of_high_risk_are_walked_in_the_order_of_their_hashes,
            fingerprints::fingerprints_are_deleted_by_when_they_were_last_seen_in_batches,
            bans::bans_are_read_back_whole,
            bans::putting_a_known_ban_changes_nothing,
            bans::a_ban_runs_from_its_beginning_to_before_its_end,
            bans::the_running_ban_that_ends_last_is_found,
            bans::running_bans_are_walked_in_the_order_of_their_ends,
            bans::clearing_answers_every_ban_of_the_subject_and_leaves_the_others,
            bans::ended_bans_are_deleted_in_batches,
            labels::labels_are_read_back_whole,
            labels::a_label_is_replaced_only_by_one_that_supersedes_it,
            labels::of_concurrent_labels_the_strongest_stays,
            labels::a_label_is_removed_by_its_session_and_source,
            labels::labels_are_walked_by_session_and_strength,
            labels::labels_are_deleted_by_when_they_were_given,
            features::features_are_read_back_whole,
            features::features_of_which_nothing_is_known_are_read_back_whole,
            features::only_features_that_look_further_replace_what_is_kept,
            features::of_concurrent_features_those_that_look_furthest_stay,
            features::labelled_features_are_walked_by_session,
            features::features_are_deleted_by_their_recording_in_batches,
            audit::audit_entries_are_read_back_whole,
            audit::recording_a_known_audit_entry_changes_nothing,
            audit::audit_entries_are_walked_newest_first,
            audit::audit_entries_are_deleted_by_their_time_in_batches,
            anomalies::a_threshold_is_read_back_whole,
            anomalies::a_threshold_that_is_put_again_is_replaced,
            anomalies::thresholds_are_walked_in_the_order_of_their_metrics,
            anomalies::a_threshold_is_deleted_once,
            anomalies::an_anomaly_is_read_back_whole,
            anomalies::putting_a_known_anomaly_changes_nothing,
            anomalies::closing_keeps_the_first_time,
            anomalies::acknowledging_keeps_the_first_time,
            anomalies::anomalies_are_walked_newest_first,
            anomalies::each_part_of_a_filter_selects_anomalies,
            anomalies::a_page_of_anomalies_goes_on_after_rows_that_went,
            anomalies::old_anomalies_are_deleted_in_batches,
            usage::usage_is_read_back_whole,
            usage::recording_no_usage_is_no_work,
            usage::usage_is_recorded_once,
            usage::usage_changes_the_totals_of_its_session_once,
            usage::of_concurrent_recordings_of_usage_one_counts,
            usage::usage_of_a_period_is_walked_oldest_first,
            usage::deletion_takes_usage_of_one_kind_by_its_recording_in_batches,
            erasure::the_sessions_of_a_visitor_are_found_by_their_start,
            erasure::a_session_is_erased_with_all_that_names_it_and_nothing_else,
            erasure::rows_of_a_session_that_is_not_kept_are_erased,
            erasure::erasing_again_and_erasing_nothing_changes_nothing,
            reports::reports_over_nothing_are_empty_and_zero,
            reports::sums_are_not_multiplied_by_rows_that_stand_beside_them,
            reports::a_reports_period_holds_its_beginning_and_not_its_end,
            reports::whoever_is_active_in_two_periods_counts_in_both,
            reports::days_are_counted_apart_and_empty_ones_are_there,
            reports::top_users_are_ranked_by_cost_then_sessions_then_name,
            reports::agents_and_tools_are_ranked_with_how_they_ended,
            reports::recent_conversations_come_newest_first_with_their_messages,
            reports::conversations_are_counted_with_their_messages,
            reports::conversations_by_agent_put_the_unknown_last,
            reports::providers_are_ranked_by_cost_with_every_figure_of_their_requests,
            reports::traffic_stands_apart_for_people_bots_and_ai_agents,
            reports::sessions_are_broken_down_by_each_dimension,
            reports::a_breakdown_ranks_equals_by_the_bytes_of_their_values,
            reports::each_key_of_a_reports_filter_selects,
            reports::content_is_ranked_by_the_views_of_its_widest_window,
            reports::errors_are_counted_by_audience_status_and_path,
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::{clock_cases, id_cases, leader_cases, place_cases};

    /// A case that nobody lists runs nowhere, so the sources are searched for it.
    #[test]
    fn every_case_that_is_written_is_listed_and_every_listed_case_is_written() {
        macro_rules! names {
            ($($group:ident :: $case:ident),+ $(,)?) => {
                [$(concat!(stringify!($group), "::", stringify!($case))),+]
            };
        }
        let of_stores = contract_cases!(names).into_iter();
        let others = clock_cases!(names)
            .into_iter()
            .chain(id_cases!(names))
            .chain(place_cases!(names))
            .chain(leader_cases!(names));
        let listed: Vec<String> = of_stores.chain(others).map(String::from).collect();
        let sources = [
            ("sessions", include_str!("sessions.rs")),
            ("events", include_str!("events.rs")),
            ("requests", include_str!("requests.rs")),
            ("engagement", include_str!("engagement.rs")),
            ("fingerprints", include_str!("fingerprints.rs")),
            ("bans", include_str!("bans.rs")),
            ("labels", include_str!("labels.rs")),
            ("features", include_str!("features.rs")),
            ("audit", include_str!("audit.rs")),
            ("anomalies", include_str!("anomalies.rs")),
            ("usage", include_str!("usage.rs")),
            ("erasure", include_str!("erasure.rs")),
            ("reports", include_str!("reports.rs")),
            ("clock", include_str!("clock.rs")),
            ("ids", include_str!("ids.rs")),
            ("places", include_str!("places.rs")),
            ("leaders", include_str!("leaders.rs")),
        ];
        let written: Vec<String> = sources
            .iter()
            .flat_map(|(group, source)| {
                let cases = source.lines().filter_map(|line| {
                    line.strip_prefix("pub async fn ").or_else(|| line.strip_prefix("pub fn "))
                });
                cases.map(move |rest| format!("{group}::{}", &rest[..rest.find('(').unwrap()]))
            })
            .collect();
        assert_eq!(listed, written);
    }

    /// The search above knows these files; another must be added there.
    #[test]
    fn every_public_group_is_searched() {
        let groups: Vec<&str> =
            include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("pub mod ")).collect();
        assert_eq!(
            groups,
            [
                "anomalies;",
                "audit;",
                "bans;",
                "clock;",
                "engagement;",
                "erasure;",
                "events;",
                "features;",
                "fingerprints;",
                "ids;",
                "labels;",
                "leaders;",
                "places;",
                "reports;",
                "requests;",
                "sessions;",
                "usage;"
            ]
        );
    }
}
