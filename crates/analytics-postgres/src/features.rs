//! Features of sessions in PostgreSQL.

use std::collections::BTreeMap;

use analytics_domain::features::{
    BehavioralFigures, CatalogueVersion, FeatureVector, FeaturesRecord, InvalidFeatures, MlBehavioralFeatures,
};
use analytics_domain::ids::SessionId;
use analytics_domain::label::Label;
use analytics_ports::{
    BatchLimit, Entity, LabelledFeatures, MlFeaturesRepository, Page, PageRequest, Recorded, StoreError,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::database::Database;
use crate::label;
use crate::read::Row;
use crate::stamp::{Stamp, bound};

/// Features of sessions in PostgreSQL, in the table `ml_behavioral_features`.
#[derive(Debug, Clone)]
pub struct PostgresFeatures {
    database: Database,
}

impl PostgresFeatures {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }
}

/// A checked query that answers whole rows; what follows the columns is given.
macro_rules! features {
    ($tail:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            FeaturesRow,
            "SELECT session_id, catalogue_version, as_of AS \"as_of: Stamp\", session_duration_seconds,
                 total_requests, unique_pages_visited, avg_time_between_requests_ms, request_time_variance,
                 referrer_present, has_javascript, accepts_cookies, viewport_width, viewport_height,
                 avg_scroll_depth, max_scroll_depth, avg_time_on_page_ms, total_clicks, avg_mouse_speed,
                 mouse_movement_entropy, time_pattern_regularity, request_burst_count, headless_indicators,
                 automation_indicators, fingerprint_anomaly_score,
                 feature_vector AS \"feature_vector: Vec<Option<f64>>\"
             FROM ml_behavioral_features "
                + $tail
            $(, $argument)*
        )
    };
}

#[async_trait]
impl MlFeaturesRepository for PostgresFeatures {
    async fn save(
        &self,
        features: &MlBehavioralFeatures,
        recorded_at: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        let r = features.record();
        let whole =
            |number: u32| i32::try_from(number).expect("the numbers of features are at most 2^31 - 1");
        let long = |number: u64| i64::try_from(number).expect("the numbers of features are at most 2^63 - 1");
        let saved = self.database.run(
            sqlx::query!(
                "INSERT INTO ml_behavioral_features (
                    session_id, catalogue_version, as_of, session_duration_seconds, total_requests,
                    unique_pages_visited, avg_time_between_requests_ms, request_time_variance, referrer_present,
                    has_javascript, accepts_cookies, viewport_width, viewport_height, avg_scroll_depth,
                    max_scroll_depth, avg_time_on_page_ms, total_clicks, avg_mouse_speed, mouse_movement_entropy,
                    time_pattern_regularity, request_burst_count, headless_indicators, automation_indicators,
                    fingerprint_anomaly_score, feature_vector, recorded_at
                ) VALUES (
                    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                    $22, $23, $24, $25, $26
                ) ON CONFLICT (session_id, catalogue_version) DO UPDATE SET
                    as_of = excluded.as_of, session_duration_seconds = excluded.session_duration_seconds,
                    total_requests = excluded.total_requests, unique_pages_visited = excluded.unique_pages_visited,
                    avg_time_between_requests_ms = excluded.avg_time_between_requests_ms,
                    request_time_variance = excluded.request_time_variance,
                    referrer_present = excluded.referrer_present, has_javascript = excluded.has_javascript,
                    accepts_cookies = excluded.accepts_cookies, viewport_width = excluded.viewport_width,
                    viewport_height = excluded.viewport_height, avg_scroll_depth = excluded.avg_scroll_depth,
                    max_scroll_depth = excluded.max_scroll_depth, avg_time_on_page_ms = excluded.avg_time_on_page_ms,
                    total_clicks = excluded.total_clicks, avg_mouse_speed = excluded.avg_mouse_speed,
                    mouse_movement_entropy = excluded.mouse_movement_entropy,
                    time_pattern_regularity = excluded.time_pattern_regularity,
                    request_burst_count = excluded.request_burst_count,
                    headless_indicators = excluded.headless_indicators,
                    automation_indicators = excluded.automation_indicators,
                    fingerprint_anomaly_score = excluded.fingerprint_anomaly_score,
                    feature_vector = excluded.feature_vector, recorded_at = excluded.recorded_at
                WHERE excluded.as_of > ml_behavioral_features.as_of",
                Uuid::from_u128(r.session.as_u128()),
                i32::try_from(r.catalogue.get()).expect("a version is at most 2^31 - 1"),
                r.as_of,
                r.figures.session_duration_seconds,
                r.figures.total_requests.map(long),
                r.figures.unique_pages_visited.map(long),
                r.figures.avg_time_between_requests_ms,
                r.figures.request_time_variance,
                r.figures.referrer_present,
                r.figures.has_javascript,
                r.figures.accepts_cookies,
                r.figures.viewport_width.map(whole),
                r.figures.viewport_height.map(whole),
                r.figures.avg_scroll_depth,
                r.figures.max_scroll_depth,
                r.figures.avg_time_on_page_ms,
                r.figures.total_clicks.map(long),
                r.figures.avg_mouse_speed,
                r.figures.mouse_movement_entropy,
                r.figures.time_pattern_regularity,
                r.figures.request_burst_count.map(whole),
                r.figures.headless_indicators.map(whole),
                r.figures.automation_indicators.map(whole),
                r.figures.fingerprint_anomaly_score,
                r.feature_vector.as_slice() as &[Option<f64>],
                bound(recorded_at),
            )
            .execute(self.database.pool()),
        );
        Ok(if saved.await?.rows_affected() == 1 { Recorded::New } else { Recorded::Known })
    }

    async fn by_session(
        &self,
        session: SessionId,
        catalogue: CatalogueVersion,
    ) -> Result<Option<MlBehavioralFeatures>, StoreError> {
        let row = features!(
            "WHERE session_id = $1 AND catalogue_version = $2::bigint",
            Uuid::from_u128(session.as_u128()),
            i64::from(catalogue.get()),
        );
        let row = self.database.run(row.fetch_optional(self.database.pool())).await?;
        row.map(FeaturesRow::read).transpose()
    }

    async fn list_labelled(
        &self,
        catalogue: CatalogueVersion,
        page: PageRequest<SessionId>,
    ) -> Result<Page<LabelledFeatures, SessionId>, StoreError> {
        let listed = features!(
            "WHERE catalogue_version = $1::bigint AND ($2::uuid IS NULL OR session_id > $2)
               AND EXISTS (SELECT FROM labels WHERE labels.session_id = ml_behavioral_features.session_id)
             ORDER BY session_id LIMIT $3",
            i64::from(catalogue.get()),
            page.after.map(|after| Uuid::from_u128(after.as_u128())),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        let rows = Page::of(rows, page.limit, FeaturesRow::session);
        let sessions: Vec<SessionId> = rows.items.iter().map(FeaturesRow::session).collect();
        let mut labels = BTreeMap::<SessionId, Vec<Label>>::new();
        for label in label::of_sessions(&self.database, &sessions).await? {
            labels.entry(label.session()).or_default().push(label);
        }
        // A session whose labels went meanwhile has none any more, and is not listed.
        let items = self
            .database
            .readable(rows.items, FeaturesRow::read)
            .into_iter()
            .filter_map(|features| {
                let labels = labels.remove(&features.session())?;
                Some(LabelledFeatures { features, labels })
            })
            .collect();
        Ok(Page { items, next: rows.next })
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let deleted = self.database.run(
            sqlx::query!(
                "DELETE FROM ml_behavioral_features WHERE (session_id, catalogue_version) IN (
                    SELECT session_id, catalogue_version FROM ml_behavioral_features WHERE recorded_at < $1
                    ORDER BY recorded_at, session_id, catalogue_version LIMIT $2 FOR UPDATE
                )",
                bound(before),
                i64::from(limit.get()),
            )
            .execute(self.database.pool()),
        );
        Ok(deleted.await?.rows_affected() as u32)
    }
}

/// A row of `ml_behavioral_features`.
struct FeaturesRow {
    session_id: Uuid,
    catalogue_version: i32,
    as_of: Stamp,
    session_duration_seconds: Option<f64>,
    total_requests: Option<i64>,
    unique_pages_visited: Option<i64>,
    avg_time_between_requests_ms: Option<f64>,
    request_time_variance: Option<f64>,
    referrer_present: Option<bool>,
    has_javascript: Option<bool>,
    accepts_cookies: Option<bool>,
    viewport_width: Option<i32>,
    viewport_height: Option<i32>,
    avg_scroll_depth: Option<f64>,
    max_scroll_depth: Option<f64>,
    avg_time_on_page_ms: Option<f64>,
    total_clicks: Option<i64>,
    avg_mouse_speed: Option<f64>,
    mouse_movement_entropy: Option<f64>,
    time_pattern_regularity: Option<f64>,
    request_burst_count: Option<i32>,
    headless_indicators: Option<i32>,
    automation_indicators: Option<i32>,
    fingerprint_anomaly_score: Option<f64>,
    feature_vector: Vec<Option<f64>>,
}

impl FeaturesRow {
    const fn session(&self) -> SessionId {
        SessionId::from_u128(self.session_id.as_u128())
    }

    fn read(self) -> Result<MlBehavioralFeatures, StoreError> {
        let session = self.session();
        let row = Row { entity: Entity::Features, table: "ml_behavioral_features", key: session };
        let whole = |column, number: Option<i64>| number.map(|n| row.number::<u32>(column, n)).transpose();
        let long = |column, number: Option<i64>| number.map(|n| row.number::<u64>(column, n)).transpose();
        let version = row.number("catalogue_version", i64::from(self.catalogue_version))?;
        let record = FeaturesRecord {
            session,
            catalogue: row.ok("catalogue_version", CatalogueVersion::new(version))?,
            as_of: row.time("as_of", self.as_of)?,
            figures: BehavioralFigures {
                session_duration_seconds: self.session_duration_seconds,
                total_requests: long("total_requests", self.total_requests)?,
                unique_pages_visited: long("unique_pages_visited", self.unique_pages_visited)?,
                avg_time_between_requests_ms: self.avg_time_between_requests_ms,
                request_time_variance: self.request_time_variance,
                referrer_present: self.referrer_present,
                has_javascript: self.has_javascript,
                accepts_cookies: self.accepts_cookies,
                viewport_width: whole("viewport_width", self.viewport_width.map(i64::from))?,
                viewport_height: whole("viewport_height", self.viewport_height.map(i64::from))?,
                avg_scroll_depth: self.avg_scroll_depth,
                max_scroll_depth: self.max_scroll_depth,
                avg_time_on_page_ms: self.avg_time_on_page_ms,
                total_clicks: long("total_clicks", self.total_clicks)?,
                avg_mouse_speed: self.avg_mouse_speed,
                mouse_movement_entropy: self.mouse_movement_entropy,
                time_pattern_regularity: self.time_pattern_regularity,
                request_burst_count: whole("request_burst_count", self.request_burst_count.map(i64::from))?,
                headless_indicators: whole("headless_indicators", self.headless_indicators.map(i64::from))?,
                automation_indicators: whole(
                    "automation_indicators",
                    self.automation_indicators.map(i64::from),
                )?,
                fingerprint_anomaly_score: self.fingerprint_anomaly_score,
            },
            feature_vector: row.ok("feature_vector", FeatureVector::new(self.feature_vector))?,
        };
        record.try_into().map_err(|error: InvalidFeatures| {
            let column = match error {
                InvalidFeatures::NotWholeMicroseconds => "as_of",
                InvalidFeatures::OutOfRange(column) => column,
                InvalidFeatures::Version(_) => "catalogue_version",
                InvalidFeatures::TooLong(_) | InvalidFeatures::NotFinite(_) => "feature_vector",
            };
            row.corrupt(column, error)
        })
    }
}
