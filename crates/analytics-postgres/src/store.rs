//! One PostgreSQL database, opened.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::anomaly::{PostgresAnomalies, PostgresThresholds};
use crate::audit::PostgresAudit;
use crate::ban::PostgresBans;
use crate::database::Database;
use crate::engagement::PostgresEngagement;
use crate::erasure::PostgresErasure;
use crate::event::PostgresEvents;
use crate::features::PostgresFeatures;
use crate::fingerprint::PostgresFingerprints;
use crate::label::PostgresLabels;
use crate::leader::PostgresLeaders;
use crate::partition::Partitions;
use crate::report::PostgresReports;
use crate::request::PostgresRequests;
use crate::schema::{self, SchemaMismatch};
use crate::session::PostgresSessions;
use crate::upkeep::PostgresUpkeep;
use crate::usage::PostgresUsage;

/// One PostgreSQL database, opened. A clone is the same one, with the same connections.
///
/// Each repository that it gives is as cheap as a clone.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    database: Database,
    events: Partitions,
    requests: Partitions,
    engagement: Partitions,
}

/// How a database is used. The default suits a service of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresOptions {
    /// At most this many connections, at least 1; 8 by default. More do not make a database of a few cores faster, and
    /// its own default limit is 100 for all that use it.
    pub max_connections: u32,
    /// A call waits this long for a connection, then it is unavailable; 5 s by default.
    pub acquire_timeout: Duration,
    /// The server ends a statement after this long, and the call is unavailable; 30 s by default, which a report over
    /// ten million rows stays below. Whole milliseconds.
    pub statement_timeout: Duration,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one of a PostgreSQL database.
    #[error("the URL of the database cannot be read")]
    Url(#[source] sqlx::Error),
    /// The database is away, or refuses the user. Trying again may help.
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The database is not at the schema that this program needs.
    #[error(transparent)]
    Schema(SchemaMismatch),
}

impl PostgresStore {
    /// Opens the database of this URL, such as `postgres://user:password@host:5432/name`.
    ///
    /// It has to be at the newest schema: [`migrate`](crate::migrate) brings it there, and this never does.
    ///
    /// # Errors
    /// [`OpenError`]: `Url`, `Unreachable`, or `Schema` for one that is empty, older, newer or half-way.
    pub async fn connect(url: &str, options: &PostgresOptions) -> Result<Self, OpenError> {
        let statement_timeout = options.statement_timeout.as_millis().to_string();
        let connect: PgConnectOptions = url.parse().map_err(OpenError::Url)?;
        let connect = connect.application_name("analytics").options([
            ("statement_timeout", statement_timeout.as_str()),
            // A transaction that its client left open would keep rows locked.
            ("idle_in_transaction_session_timeout", statement_timeout.as_str()),
            // A filter that is not given costs nothing in a plan made for the very values.
            ("plan_cache_mode", "force_custom_plan"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections.max(1))
            .acquire_timeout(options.acquire_timeout)
            .connect_with(connect)
            .await
            .map_err(OpenError::Unreachable)?;
        let mut connection = pool.acquire().await.map_err(OpenError::Unreachable)?;
        let checked = schema::check(&mut connection).await.map_err(OpenError::Unreachable)?;
        checked.map_err(OpenError::Schema)?;
        drop(connection);
        // A call may wait for a connection and then for two statements; past that nobody answers any more.
        let deadline = options.acquire_timeout + 2 * options.statement_timeout;
        Ok(Self {
            database: Database::new(pool, deadline),
            events: Partitions::new("analytics_events"),
            requests: Partitions::new("requests"),
            engagement: Partitions::new("engagement_events"),
        })
    }

    /// Its sessions.
    pub fn sessions(&self) -> PostgresSessions {
        PostgresSessions::new(self.database.clone())
    }

    /// Its events.
    pub fn events(&self) -> PostgresEvents {
        PostgresEvents::new(self.database.clone(), self.events.clone())
    }

    /// Its rows of requests.
    pub fn requests(&self) -> PostgresRequests {
        PostgresRequests::new(self.database.clone(), self.requests.clone())
    }

    /// Its engagement.
    pub fn engagement(&self) -> PostgresEngagement {
        PostgresEngagement::new(self.database.clone(), self.engagement.clone())
    }

    /// Its fingerprints.
    pub fn fingerprints(&self) -> PostgresFingerprints {
        PostgresFingerprints::new(self.database.clone())
    }

    /// Its bans.
    pub fn bans(&self) -> PostgresBans {
        PostgresBans::new(self.database.clone())
    }

    /// Its labels.
    pub fn labels(&self) -> PostgresLabels {
        PostgresLabels::new(self.database.clone())
    }

    /// Its features, labelled by its labels.
    pub fn features(&self) -> PostgresFeatures {
        PostgresFeatures::new(self.database.clone())
    }

    /// Its audit.
    pub fn audit(&self) -> PostgresAudit {
        PostgresAudit::new(self.database.clone())
    }

    /// Its use of AI providers, agents and tools; it changes the totals of its sessions.
    pub fn usage(&self) -> PostgresUsage {
        PostgresUsage::new(self.database.clone())
    }

    /// What erases rows of sessions from all of its tables.
    pub fn erasure(&self) -> PostgresErasure {
        PostgresErasure::new(self.database.clone())
    }

    /// The limits of metrics.
    pub fn thresholds(&self) -> PostgresThresholds {
        PostgresThresholds::new(self.database.clone())
    }

    /// Its anomalies.
    pub fn anomalies(&self) -> PostgresAnomalies {
        PostgresAnomalies::new(self.database.clone())
    }

    /// Its reports, of both ports.
    pub fn reports(&self) -> PostgresReports {
        PostgresReports::new(self.database.clone())
    }

    /// Its partitions.
    pub fn upkeep(&self) -> PostgresUpkeep {
        PostgresUpkeep::new(
            self.database.clone(),
            self.events.clone(),
            self.requests.clone(),
            self.engagement.clone(),
        )
    }

    /// Its leaders, among all that use the same database.
    pub fn leaders(&self) -> PostgresLeaders {
        PostgresLeaders::new(self.database.clone())
    }

    /// How many rows lists left out since the store was opened, because they could not be read. Each was logged.
    pub fn corrupt_rows(&self) -> u64 {
        self.database.corrupt_rows()
    }

    /// Closes every connection, after the calls that run have ended. Calls after it are unavailable.
    pub async fn close(&self) {
        self.database.pool().close().await;
    }
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            max_connections: 8,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
        }
    }
}
