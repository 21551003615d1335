//! Limits of metrics and anomalies in PostgreSQL.

use analytics_domain::anomaly::{
    AnomalyEvent, AnomalyThreshold, Band, Finite, InvalidMetricName, MetricName, NotFinite, UnitScore,
};
use analytics_domain::ids::AnomalyEventId;
use analytics_ports::{
    AnomalyEventCursor, AnomalyEventFilter, AnomalyEventRepository, AnomalyThresholdRepository, BatchLimit,
    Entity, Page, PageRequest, Recorded, StoreError,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::database::Database;
use crate::read::Row;
use crate::stamp::{Stamp, bound};

/// The limits of metrics in PostgreSQL, in the table `anomaly_thresholds`.
///
/// The table also shows the limits that the product has by itself, a row each, for those who read it; the repository
/// answers what somebody set.
#[derive(Debug, Clone)]
pub struct PostgresThresholds {
    database: Database,
}

/// Anomalies in PostgreSQL, in the table `anomaly_events`.
#[derive(Debug, Clone)]
pub struct PostgresAnomalies {
    database: Database,
}

impl PostgresThresholds {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }
}

impl PostgresAnomalies {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }
}

/// A checked query that answers whole anomalies; what stands around the columns is given.
macro_rules! anomalies {
    ($head:tt, $tail:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            AnomalyRow,
            $head
                + " anomaly_event_id, metric_name, rule, level, since AS \"since: Stamp\",
                    opened_at AS \"opened_at: Stamp\", value, expected_lower, expected_upper, score,
                    closed_at AS \"closed_at: Stamp\", acknowledged_at AS \"acknowledged_at: Stamp\" "
                + $tail
            $(, $argument)*
        )
    };
}

#[async_trait]
impl AnomalyThresholdRepository for PostgresThresholds {
    async fn put(&self, threshold: &AnomalyThreshold) -> Result<(), StoreError> {
        let put = self.database.run(
            sqlx::query!(
                "INSERT INTO anomaly_thresholds (metric_name, warning, critical) VALUES ($1, $2, $3)
                 ON CONFLICT (metric_name) DO UPDATE SET warning = $2, critical = $3",
                threshold.metric().as_str(),
                threshold.warning(),
                threshold.critical(),
            )
            .execute(self.database.pool()),
        );
        put.await.map(drop)
    }

    async fn get(&self, metric: &MetricName) -> Result<Option<AnomalyThreshold>, StoreError> {
        let row = sqlx::query_as!(
            ThresholdRow,
            r#"SELECT metric_name, warning AS "warning!", critical AS "critical!" FROM anomaly_thresholds
               WHERE metric_name = $1 AND warning IS NOT NULL"#,
            metric.as_str(),
        );
        let row = self.database.run(row.fetch_optional(self.database.pool())).await?;
        row.map(ThresholdRow::read).transpose()
    }

    async fn list(
        &self,
        page: PageRequest<MetricName>,
    ) -> Result<Page<AnomalyThreshold, MetricName>, StoreError> {
        let listed = sqlx::query_as!(
            ThresholdRow,
            r#"SELECT metric_name, warning AS "warning!", critical AS "critical!" FROM anomaly_thresholds
               WHERE warning IS NOT NULL AND ($1::text IS NULL OR metric_name > $1)
               ORDER BY metric_name LIMIT $2"#,
            page.after.as_ref().map(MetricName::as_str),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        // A list goes on after a name. One that is none cannot be gone on after, so that it is no place to end a page.
        let rows = self.database.readable(rows, |row| Ok((row.name()?, row)));
        let page = Page::of(rows, page.limit, |(name, _)| name.clone());
        let items = self.database.readable(page.items, |(_, row)| row.read());
        Ok(Page { items, next: page.next })
    }

    async fn delete(&self, metric: &MetricName) -> Result<bool, StoreError> {
        // A row that shows the product's own limits stays, with nothing set.
        let deleted = self.database.run(
            sqlx::query_scalar!(
                r#"WITH emptied AS (
                    UPDATE anomaly_thresholds SET warning = NULL, critical = NULL
                    WHERE metric_name = $1 AND warning IS NOT NULL AND default_warning IS NOT NULL RETURNING 1
                ), deleted AS (
                    DELETE FROM anomaly_thresholds
                    WHERE metric_name = $1 AND default_warning IS NULL RETURNING 1
                )
                SELECT EXISTS (SELECT FROM emptied) OR EXISTS (SELECT FROM deleted) AS "deleted!""#,
                metric.as_str(),
            )
            .fetch_one(self.database.pool()),
        );
        deleted.await
    }
}

#[async_trait]
impl AnomalyEventRepository for PostgresAnomalies {
    async fn put(&self, event: &AnomalyEvent) -> Result<Recorded, StoreError> {
        let put = self.database.run(
            sqlx::query!(
                "INSERT INTO anomaly_events (anomaly_event_id, metric_name, rule, level, since, opened_at, value,
                     expected_lower, expected_upper, score, closed_at, acknowledged_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                 ON CONFLICT (anomaly_event_id) DO NOTHING",
                uuid(event.id),
                event.metric.as_str(),
                event.rule.as_str(),
                event.level.as_str(),
                bound(event.since),
                bound(event.opened_at),
                event.value.get(),
                event.expected.map(|band| band.lower().get()),
                event.expected.map(|band| band.upper().get()),
                event.score.map(UnitScore::get),
                event.closed_at.map(bound),
                event.acknowledged_at.map(bound),
            )
            .execute(self.database.pool()),
        );
        Ok(if put.await?.rows_affected() == 1 { Recorded::New } else { Recorded::Known })
    }

    async fn get(&self, id: AnomalyEventId) -> Result<Option<AnomalyEvent>, StoreError> {
        let row = anomalies!("SELECT", "FROM anomaly_events WHERE anomaly_event_id = $1", uuid(id));
        let row = self.database.run(row.fetch_optional(self.database.pool())).await?;
        row.map(AnomalyRow::read).transpose()
    }

    async fn close(&self, id: AnomalyEventId, at: DateTime<Utc>) -> Result<Option<AnomalyEvent>, StoreError> {
        let closed = anomalies!(
            "UPDATE anomaly_events SET closed_at = coalesce(closed_at, $2) WHERE anomaly_event_id = $1 RETURNING",
            "",
            uuid(id),
            bound(at),
        );
        let row = self.database.run(closed.fetch_optional(self.database.pool())).await?;
        row.map(AnomalyRow::read).transpose()
    }

    async fn acknowledge(
        &self,
        id: AnomalyEventId,
        at: DateTime<Utc>,
    ) -> Result<Option<AnomalyEvent>, StoreError> {
        let noted = anomalies!(
            "UPDATE anomaly_events SET acknowledged_at = coalesce(acknowledged_at, $2)
             WHERE anomaly_event_id = $1 RETURNING",
            "",
            uuid(id),
            bound(at),
        );
        let row = self.database.run(noted.fetch_optional(self.database.pool())).await?;
        row.map(AnomalyRow::read).transpose()
    }

    async fn list(
        &self,
        filter: &AnomalyEventFilter,
        page: PageRequest<AnomalyEventCursor>,
    ) -> Result<Page<AnomalyEvent, AnomalyEventCursor>, StoreError> {
        let listed = anomalies!(
            "SELECT",
            "FROM anomaly_events
             WHERE ($1::text IS NULL OR metric_name = $1)
               AND ($2::boolean IS NULL OR (closed_at IS NULL) = $2)
               AND ($3::boolean IS NULL OR (acknowledged_at IS NOT NULL) = $3)
               AND ($4::timestamptz IS NULL OR opened_at >= $4)
               AND ($5::timestamptz IS NULL OR opened_at < $5)
               AND ($6::timestamptz IS NULL OR (opened_at, anomaly_event_id) < ($6, $7))
             ORDER BY opened_at DESC, anomaly_event_id DESC LIMIT $8",
            filter.metric.as_ref().map(MetricName::as_str),
            filter.open,
            filter.acknowledged,
            filter.opened_from.map(bound),
            filter.opened_before.map(bound),
            page.after.map(|after| bound(after.opened_at)),
            page.after.map(|after| uuid(after.id)),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        let rows = Page::of(rows, page.limit, AnomalyRow::cursor);
        Ok(Page { items: self.database.readable(rows.items, AnomalyRow::read), next: rows.next })
    }

    async fn delete_opened_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let deleted = self.database.run(
            sqlx::query!(
                "DELETE FROM anomaly_events WHERE anomaly_event_id = ANY (ARRAY(
                    SELECT anomaly_event_id FROM anomaly_events WHERE opened_at < $1
                    ORDER BY opened_at, anomaly_event_id LIMIT $2 FOR UPDATE
                ))",
                bound(before),
                i64::from(limit.get()),
            )
            .execute(self.database.pool()),
        );
        Ok(deleted.await?.rows_affected() as u32)
    }
}

/// A row of `anomaly_thresholds` in which limits are set.
struct ThresholdRow {
    metric_name: String,
    warning: f64,
    critical: f64,
}

impl ThresholdRow {
    const fn row(&self) -> Row<&String> {
        Row { entity: Entity::AnomalyThreshold, table: "anomaly_thresholds", key: &self.metric_name }
    }

    fn name(&self) -> Result<MetricName, StoreError> {
        let name: Result<MetricName, InvalidMetricName> = MetricName::new(self.metric_name.as_str());
        self.row().ok("metric_name", name)
    }

    fn read(self) -> Result<AnomalyThreshold, StoreError> {
        let limits = AnomalyThreshold::new(self.name()?, self.warning, self.critical);
        self.row().ok("warning", limits)
    }
}

/// A row of `anomaly_events`.
struct AnomalyRow {
    anomaly_event_id: Uuid,
    metric_name: String,
    rule: String,
    level: String,
    since: Stamp,
    opened_at: Stamp,
    value: f64,
    expected_lower: Option<f64>,
    expected_upper: Option<f64>,
    score: Option<f64>,
    closed_at: Option<Stamp>,
    acknowledged_at: Option<Stamp>,
}

impl AnomalyRow {
    /// The place of the row in a list, whatever else is wrong with it.
    fn cursor(&self) -> AnomalyEventCursor {
        let id = AnomalyEventId::from_u128(self.anomaly_event_id.as_u128());
        AnomalyEventCursor { opened_at: self.opened_at.nearest(), id }
    }

    fn read(self) -> Result<AnomalyEvent, StoreError> {
        let id = AnomalyEventId::from_u128(self.anomaly_event_id.as_u128());
        let row = Row { entity: Entity::AnomalyEvent, table: "anomaly_events", key: id };
        let finite = |column, value| -> Result<Finite, StoreError> {
            let value: Result<Finite, NotFinite> = Finite::new(value);
            row.ok(column, value)
        };
        let expected = match (self.expected_lower, self.expected_upper) {
            (Some(lower), Some(upper)) => {
                let band = Band::new(finite("expected_lower", lower)?, finite("expected_upper", upper)?);
                Some(row.ok("expected_lower", band)?)
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(row.corrupt("expected_lower", "a band has two ends"));
            }
        };
        Ok(AnomalyEvent {
            id,
            metric: row.ok("metric_name", MetricName::new(self.metric_name))?,
            rule: row.name("rule", &self.rule)?,
            level: row.name("level", &self.level)?,
            since: row.time("since", self.since)?,
            opened_at: row.time("opened_at", self.opened_at)?,
            value: finite("value", self.value)?,
            expected,
            score: self.score.map(|score| row.ok("score", UnitScore::new(score))).transpose()?,
            closed_at: self.closed_at.map(|at| row.time("closed_at", at)).transpose()?,
            acknowledged_at: self.acknowledged_at.map(|at| row.time("acknowledged_at", at)).transpose()?,
        })
    }
}

fn uuid(id: AnomalyEventId) -> Uuid {
    Uuid::from_u128(id.as_u128())
}
