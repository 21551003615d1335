//! Leaders by advisory locks of PostgreSQL.

use analytics_ports::{LeaderLock, LeaderRole, Leadership, StoreError};
use async_trait::async_trait;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::database::Database;

/// Leaders among all that use one database, by advisory locks of its sessions.
///
/// Whoever leads holds a connection of its own, beside the pool, and leads as long as that connection lasts: the server
/// frees the role of a program that ended, was cut off or was killed. It finds a machine that vanished within about a
/// minute and a half, by keep-alives. A proxy that gives a connection to others between statements breaks this; connect
/// to the server itself, or by way of a proxy that keeps sessions.
#[derive(Debug, Clone)]
pub struct PostgresLeaders {
    database: Database,
}

impl PostgresLeaders {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// How the connection of a leader is made. Other roles and other programs see by its name what it is.
    fn options(&self) -> PgConnectOptions {
        let options = self.database.pool().connect_options();
        PgConnectOptions::clone(&options).application_name("analytics-leader").options([
            // It is idle for as long as its work goes on.
            ("idle_session_timeout", "0"),
            ("tcp_keepalives_idle", "60"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ])
    }
}

#[async_trait]
impl LeaderLock for PostgresLeaders {
    async fn try_lead(&self, role: LeaderRole) -> Result<Option<Box<dyn Leadership>>, StoreError> {
        let connect = async { PgConnection::connect_with(&self.options()).await };
        let mut connection = self.database.run(connect).await?;
        // The name of the role has a prefix, so that the number is not one that another program takes for its own.
        let lock = sqlx::query_scalar!(
            r#"SELECT pg_try_advisory_lock(hashtextextended('analytics leader ' || $1, 0)) AS "leads!""#,
            role.as_str(),
        );
        if self.database.run(lock.fetch_one(&mut connection)).await? {
            return Ok(Some(Box::new(Leading { database: self.database.clone(), connection })));
        }
        // That another leads is the answer, however this connection ends.
        let _ = self.database.run(connection.close()).await;
        Ok(None)
    }
}

/// That one leads: the connection whose session holds the lock.
struct Leading {
    database: Database,
    connection: PgConnection,
}

#[async_trait]
impl Leadership for Leading {
    async fn still_leads(&mut self) -> bool {
        // The lock lasts as long as the session, and nothing connects this again to another one.
        self.database.run(self.connection.ping()).await.is_ok()
    }

    async fn release(mut self: Box<Self>) -> Result<(), StoreError> {
        // Closing alone would free it too, but only when the server has come to it.
        let free = sqlx::query_scalar!(r#"SELECT pg_advisory_unlock_all()::text AS "nothing""#);
        self.database.run(free.fetch_one(&mut self.connection)).await?;
        let Self { database, connection } = *self;
        // It is free already, however the connection ends.
        let _ = database.run(connection.close()).await;
        Ok(())
    }
}
