//! Tables with a partition for each month.
//!
//! The key is a `UUIDv7` whose time is the row's, so that the id alone says the month: the primary key is the id, and a
//! row that is recorded twice is noticed there, whichever month it is of. Partitions are of a month, because a list by
//! session has to look into each of them: 90 days are 4 months and would be 91 days.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use analytics_domain::stats::Period;
use analytics_ports::StoreError;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use uuid::Uuid;

use crate::database::Database;
use crate::stamp::bound;

/// The partitions of one table, as far as they are known to be there. A clone is the same table.
#[derive(Debug, Clone)]
pub(crate) struct Partitions {
    table: &'static str,
    known: Arc<Mutex<BTreeSet<Month>>>,
}

/// A month of the calendar, by year and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Month {
    year: i32,
    month: u32,
}

impl Partitions {
    pub(crate) fn new(table: &'static str) -> Self {
        Self { table, known: Arc::default() }
    }

    /// Makes the partitions that these times need, then writes.
    ///
    /// Retention may have dropped one that was known to be there, so a write that finds none is made once more.
    pub(crate) async fn write<T, W: Future<Output = Result<T, sqlx::Error>>>(
        &self,
        database: &Database,
        times: impl Iterator<Item = DateTime<Utc>>,
        write: impl Fn() -> W,
    ) -> Result<T, StoreError> {
        let months: BTreeSet<Month> = times.map(Month::of).collect();
        database
            .run(async {
                self.make(database, &months).await?;
                match write().await {
                    Err(error) if is_without_partition(&error) => {
                        self.forget();
                        self.make(database, &months).await?;
                        write().await
                    }
                    answer => answer,
                }
            })
            .await
    }

    /// Makes the partitions of these months, those aside that are known to be there; how many were made now.
    pub(crate) async fn make(
        &self,
        database: &Database,
        months: &BTreeSet<Month>,
    ) -> Result<u32, sqlx::Error> {
        let missing: Vec<Month> = months.difference(&self.lock()).copied().collect();
        let mut made = 0;
        for month in missing {
            made += u32::from(
                sqlx::query_scalar!(
                    r#"SELECT analytics_make_partition($1, $2, $3, $4) AS "made!""#,
                    self.table,
                    format!("{}{}", self.table, month.suffix()),
                    month.first_id(),
                    month.next().first_id(),
                )
                .fetch_one(database.pool())
                .await?,
            );
            self.lock().insert(month);
        }
        Ok(made)
    }

    /// Drops the partitions whose month was over before this and of which every row was recorded strictly before it; how
    /// many.
    pub(crate) async fn drop_recorded_before(
        &self,
        database: &Database,
        before: DateTime<Utc>,
    ) -> Result<u32, StoreError> {
        let children = database.run(
            sqlx::query_scalar!(
                r#"SELECT child.relname::text AS "name!" FROM pg_inherits
                   JOIN pg_class AS child ON child.oid = inhrelid
                   WHERE inhparent = to_regclass($1) ORDER BY child.relname"#,
                self.table,
            )
            .fetch_all(database.pool()),
        );
        let over = |child: &String| {
            // A partition that somebody named otherwise is theirs to drop.
            let month = child.strip_prefix(self.table).and_then(Month::of_suffix);
            month.is_some_and(|month| month < Month::of(before))
        };
        let mut dropped = 0;
        for child in children.await?.into_iter().filter(over) {
            let drop = sqlx::query_scalar!(
                r#"SELECT analytics_drop_partition($1, $2, $3) AS "dropped!""#,
                self.table,
                child,
                bound(before),
            );
            dropped += u32::from(database.run(drop.fetch_one(database.pool())).await?);
            self.forget();
        }
        Ok(dropped)
    }

    fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<Month>> {
        // A set of months is whole after every step, so that a panic elsewhere leaves nothing half done in it.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Month {
    pub(crate) fn of(at: DateTime<Utc>) -> Self {
        Self { year: at.year(), month: at.month() }
    }

    pub(crate) const fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        }
    }

    /// The end of the name of its partitions.
    fn suffix(self) -> String {
        format!("_{:04}_{:02}", self.year, self.month)
    }

    /// The month whose partitions' names end so.
    fn of_suffix(suffix: &str) -> Option<Self> {
        let (year, month) = suffix.strip_prefix('_')?.split_once('_')?;
        let month = Self { year: year.parse().ok()?, month: month.parse().ok()? };
        (month.suffix() == suffix).then_some(month)
    }

    /// An id that is not after any of this month and after all of the months before it.
    fn first_id(self) -> Uuid {
        let first =
            NaiveDate::from_ymd_opt(self.year, self.month, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
        first_id_from(first.map_or(i64::MAX, |first| first.and_utc().timestamp_millis()))
    }
}

/// An id that is not after any of this period and one that is after all of it, so that a query looks into its months only.
pub(crate) fn ids_of(period: Period) -> (Uuid, Uuid) {
    (first_id_from(period.from().timestamp_millis()), first_id_from(period.until().timestamp_millis() + 1))
}

/// An id that is not after any of this millisecond and after all of those before it.
fn first_id_from(millis: i64) -> Uuid {
    let millis = millis.max(0) as u128;
    // 48 bits of milliseconds end in the year 10889; every id is before the greatest number.
    Uuid::from_u128(if millis < 1 << 48 { millis << 80 } else { u128::MAX })
}

/// Whether a row had no partition to go to: a violated check without a constraint's name.
fn is_without_partition(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some("23514") && error.constraint().is_none())
}

#[cfg(test)]
mod tests {
    use analytics_domain::ids::EventId;

    use super::*;

    #[test]
    fn a_month_begins_at_its_first_id_and_ends_where_the_next_begins() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let id = |text: &str, entropy| Uuid::from_u128(EventId::at(at(text), entropy).unwrap().as_u128());
        let month = Month::of(at("2024-12-31T23:59:59.999999Z"));
        assert_eq!(month.next(), Month { year: 2025, month: 1 });
        assert!(id("2024-11-30T23:59:59.999Z", u128::MAX) < month.first_id());
        assert!(month.first_id() <= id("2024-12-01T00:00:00Z", 0));
        assert!(id("2024-12-31T23:59:59.999Z", u128::MAX) < month.next().first_id());
        assert!(month.next().first_id() <= id("2025-01-01T00:00:00Z", 0));
    }

    #[test]
    fn a_month_is_read_from_the_names_of_its_partitions_only() {
        for month in [Month { year: 1970, month: 1 }, Month { year: 10_889, month: 12 }] {
            assert_eq!(Month::of_suffix(&month.suffix()), Some(month));
        }
        for other in ["", "_2025", "_2025_1", "_2025_01_02", "2025_01", "_x_01"] {
            assert_eq!(Month::of_suffix(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_first_and_the_last_id_have_a_month() {
        let id = |millis| {
            let at = DateTime::from_timestamp_millis(millis).unwrap();
            (Month::of(at), Uuid::from_u128(EventId::at(at, u128::MAX).unwrap().as_u128()))
        };
        let (first, id_of_first) = id(0);
        assert!(first.first_id() <= id_of_first && id_of_first < first.next().first_id());
        let (last, id_of_last) = id((1 << 48) - 1);
        assert!(last.first_id() <= id_of_last && id_of_last < last.next().first_id());
    }
}
