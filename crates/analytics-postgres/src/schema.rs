//! The schema: brought to the newest, and compared with what this program needs.

use std::collections::BTreeSet;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

/// Brings the database to the newest schema, and says what it found.
///
/// Safe to repeat, and safe for several at once: each waits for the one before it, and finds nothing left to do. Each
/// migration is a transaction, so that one that fails leaves the database as it was before it.
///
/// # Errors
/// [`MigrateError`]: `Url`, `Unreachable`, `Encoding`; `Mismatch` for a database that a newer program migrated or whose
/// migrations were changed; `Failed` when a migration cannot be run.
pub async fn migrate(url: &str) -> Result<Migrated, MigrateError> {
    let options: PgConnectOptions = url.parse().map_err(MigrateError::Url)?;
    // Waiting for another migration, and rewriting a large table, may take longer than any statement of a request.
    let options = options.options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let mut connection = PgConnection::connect_with(&options).await.map_err(MigrateError::Unreachable)?;
    encoding(&mut connection).await?;
    let from = match applied(&mut connection).await.map_err(MigrateError::Unreachable)? {
        Applied { interrupted: Some(version), .. } => {
            return Err(MigrateError::Mismatch(SchemaMismatch::Interrupted { version }));
        }
        Applied { versions, .. } => versions.last().copied(),
    };
    let run = MIGRATOR.run(&mut connection).await;
    connection.close().await.map_err(MigrateError::Unreachable)?;
    match run {
        Ok(()) => Ok(Migrated { from, to: newest() }),
        Err(sqlx::migrate::MigrateError::VersionMissing(found)) => {
            Err(MigrateError::Mismatch(SchemaMismatch::Newer { found, needed: newest() }))
        }
        Err(sqlx::migrate::MigrateError::VersionMismatch(version)) => {
            Err(MigrateError::Mismatch(SchemaMismatch::Changed { version }))
        }
        Err(other) => Err(MigrateError::Failed(other)),
    }
}

/// What a migration found and made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The schema that was found; `None` for an empty database.
    pub from: Option<i64>,
    /// The schema that stands now. The same as `from` where there was nothing to do.
    pub to: i64,
}

/// Why a database cannot be brought to the newest schema.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The URL is not one of a PostgreSQL database.
    #[error("the URL of the database cannot be read")]
    Url(#[source] sqlx::Error),
    /// The database is away, or refuses the user.
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// The database keeps text in this encoding, in which not every text can be said.
    #[error("the database keeps text as {0}; make one with ENCODING 'UTF8'")]
    Encoding(String),
    /// The schema that is there is not one that this program can go on from.
    #[error(transparent)]
    Mismatch(SchemaMismatch),
    /// A migration could not be run. The database is as it was before that migration.
    #[error("a migration failed")]
    Failed(#[source] sqlx::migrate::MigrateError),
}

/// How the schema of a database differs from the one that this program needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SchemaMismatch {
    /// There is no schema at all.
    #[error("the database is empty; run `analytics migrate` to make its tables")]
    Empty,
    /// The schema is of an older program.
    #[error("the database has schema {found} and this program needs {needed}; run `analytics migrate`")]
    Older {
        /// The newest migration that was run.
        found: i64,
        /// The newest migration of this program.
        needed: i64,
    },
    /// The schema is of a newer program.
    #[error(
        "the database has schema {found}, which is newer than the {needed} of this program; use the program that ran `analytics migrate` on it"
    )]
    Newer {
        /// The newest migration that was run.
        found: i64,
        /// The newest migration of this program.
        needed: i64,
    },
    /// A migration was begun and not finished.
    #[error(
        "migration {version} of the database was not finished; restore it or finish it by hand, then run `analytics migrate`"
    )]
    Interrupted {
        /// Which migration.
        version: i64,
    },
    /// A migration that was run is not the one that this program has under its number.
    #[error(
        "migration {version} of the database is not the one of this program; `analytics migrate` cannot go on from it"
    )]
    Changed {
        /// Which migration.
        version: i64,
    },
}

/// Whether the schema is the one that this program needs.
pub(crate) async fn check(connection: &mut PgConnection) -> Result<Result<(), SchemaMismatch>, sqlx::Error> {
    let Applied { versions, interrupted, changed } = applied(connection).await?;
    let needed = newest();
    let own: BTreeSet<i64> = MIGRATOR.iter().map(|migration| migration.version).collect();
    Ok(match (versions.last(), interrupted, changed) {
        (_, Some(version), _) => Err(SchemaMismatch::Interrupted { version }),
        (None, None, _) => Err(SchemaMismatch::Empty),
        (Some(&found), None, _) if !versions.is_subset(&own) => Err(SchemaMismatch::Newer { found, needed }),
        (Some(_), None, Some(version)) => Err(SchemaMismatch::Changed { version }),
        (Some(&found), None, None) if versions != own => Err(SchemaMismatch::Older { found, needed }),
        (Some(_), None, None) => Ok(()),
    })
}

/// Refuses a database in which not every text can be kept.
async fn encoding(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let encoding = sqlx::query_scalar!(r#"SELECT current_setting('server_encoding') AS "encoding!""#);
    let encoding = encoding.fetch_one(connection).await.map_err(MigrateError::Unreachable)?;
    if encoding == "UTF8" { Ok(()) } else { Err(MigrateError::Encoding(encoding)) }
}

/// The migrations that a database has behind it.
struct Applied {
    versions: BTreeSet<i64>,
    /// The first that was begun and not finished.
    interrupted: Option<i64>,
    /// The first that is another one than this program's.
    changed: Option<i64>,
}

async fn applied(connection: &mut PgConnection) -> Result<Applied, sqlx::Error> {
    // The table is the driver's own, and an empty database does not have it; so these two are not checked in advance.
    let made: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    let rows: Vec<(i64, bool, Vec<u8>)> = if made {
        sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(connection)
            .await?
    } else {
        Vec::new()
    };
    let own = |version: i64| MIGRATOR.iter().find(|migration| migration.version == version);
    let changed = |(version, _, checksum): &&(i64, bool, Vec<u8>)| {
        own(*version).is_some_and(|migration| migration.checksum.as_ref() != checksum.as_slice())
    };
    Ok(Applied {
        interrupted: rows.iter().find(|(_, success, _)| !success).map(|(version, ..)| *version),
        changed: rows.iter().find(changed).map(|(version, ..)| *version),
        versions: rows.iter().map(|(version, ..)| *version).collect(),
    })
}

fn newest() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().expect("there are migrations")
}

static MIGRATOR: Migrator = sqlx::migrate!();
