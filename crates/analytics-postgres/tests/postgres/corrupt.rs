//! Rows that somebody edited into nonsense: told by table, column and row, while the other rows are served.

use std::collections::BTreeMap;

use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties};
use analytics_domain::ids::{BanId, EventId, FingerprintHash, SessionId, VisitorId};
use analytics_domain::reputation::{
    Ban, BanReason, BanSubject, ChargedFacts, ReputationPolicy, ReputationState, observe_charged,
};
use analytics_domain::session::{AnalyticsSession, NewSession, SessionClient, SessionOrigin, SessionPlace};
use analytics_ports::{
    BanRepository, BatchLimit, Entity, EventRepository, FingerprintRecord, FingerprintRepository,
    PageRequest, SessionFilter, SessionRepository, StoreError,
};
use analytics_postgres::PostgresStore;
use sqlx::AssertSqlSafe;
use sqlx::error::DatabaseError;

use crate::database::TestDatabase;
use crate::{at, chain, opened};

#[tokio::test]
async fn a_session_edited_into_nonsense_is_told_by_table_column_and_row() {
    let (database, store) = store().await;
    let sessions = store.sessions();
    // Column, nonsense, what is said of it. The checks of the table are taken away first: they are the first line.
    let edits = [
        ("throttle_level", "'loud'", "unknown variant `loud`"),
        ("max_throttle_level", "''", "unknown variant ``"),
        ("device_type", "'Desktop'", "unknown variant `Desktop`"),
        ("end_reason", "'tired'", "unknown variant `tired`"),
        ("channel", "'smoke'", "unknown variant `smoke`"),
        ("user_id", "repeat('x', 129)", "a user id has 1 to 128 bytes, this one has 129"),
        ("browser", "repeat('x', 65)", "at most 64 bytes"),
        ("country", "'Denmark'", "two letters"),
        ("requests", "-1", "-1 is out of range"),
        ("started_at", "'-infinity'", "the time is infinite or past the calendar"),
        ("last_activity_at", "'infinity'", "the time is infinite or past the calendar"),
        ("last_activity_at", "'2001-01-01'", "last_activity_at is before started_at"),
        ("last_activity_at", "'12000-01-01'", "not in the years 1 to 9999"),
        ("version", "0", "0 is out of range"),
        ("class", "'human'", "a verdict has all of its columns or none"),
    ];
    for (number, (column, nonsense, said)) in edits.into_iter().enumerate() {
        let id = SessionId::from_u128(100 + number as u128);
        sessions.create(&session(id), at(0)).await.unwrap();
        edit(&database, "user_sessions", column, nonsense, "session_id", &id.to_string()).await;
        let error = sessions.get(id).await.unwrap_err();
        assert_corrupt(&error, Entity::Session, "user_sessions", column, &id.to_string(), said);
    }
    let listed = sessions.list(&SessionFilter::default(), PageRequest::first(BatchLimit::default())).await;
    let left: Vec<SessionId> = listed.unwrap().items.iter().map(AnalyticsSession::id).collect();
    assert_eq!(left, [SessionId::from_u128(1)], "the session beside them is served");
    assert_eq!(store.corrupt_rows(), edits.len() as u64);
}

#[tokio::test]
async fn a_verdict_edited_into_nonsense_is_told() {
    let (database, store) = store().await;
    let id = SessionId::from_u128(1);
    let verdict =
        "score_hundredths = 100, hostile = false, class = 'bot', ruleset_version = '1', signals = '[]'";
    let edits = [
        ("score_hundredths", "10001", "points go from 0 to 100"),
        ("score_hundredths", "-1", "-1 is out of range"),
        ("class", "'robot'", "unknown variant `robot`"),
        ("declared_kind", "'toaster'", "unknown variant `toaster`"),
        ("signals", "'[{}]'", "missing field `signal`"),
        ("signals", "'{}'", "invalid type: map, expected a sequence"),
    ];
    for (column, nonsense, said) in edits {
        run(&database, &format!("ALTER TABLE user_sessions DROP CONSTRAINT IF EXISTS {SCORE_CHECK}")).await;
        run(&database, &format!("UPDATE user_sessions SET {verdict}, declared_kind = NULL")).await;
        store.sessions().get(id).await.unwrap().unwrap();
        run(&database, &format!("UPDATE user_sessions SET {column} = {nonsense}")).await;
        let error = store.sessions().get(id).await.unwrap_err();
        assert_corrupt(&error, Entity::Session, "user_sessions", column, &id.to_string(), said);
    }
}

#[tokio::test]
async fn a_clean_up_goes_on_over_a_session_that_cannot_be_read() {
    let (database, store) = store().await;
    let (broken, whole) = (SessionId::from_u128(2), SessionId::from_u128(1));
    store.sessions().create(&session(broken), at(0)).await.unwrap();
    edit(&database, "user_sessions", "throttle_level", "'loud'", "session_id", &broken.to_string()).await;
    let idle = store.sessions().list_open_idle(at(9), BatchLimit::default()).await.unwrap();
    assert_eq!(idle.iter().map(|session| session.value.id()).collect::<Vec<_>>(), [whole]);
    let ended = store.sessions().end_expired(at(9), BatchLimit::default()).await.unwrap();
    assert_eq!(ended.iter().map(|ended| ended.id).collect::<Vec<_>>(), [whole, broken]);
    assert_eq!(store.sessions().delete_recorded_before(at(9), BatchLimit::default()).await.unwrap(), 2);
}

#[tokio::test]
async fn the_tables_refuse_what_can_be_refused_there() {
    let (database, _store) = store().await;
    for nonsense in [
        "UPDATE user_sessions SET requests = -1",
        "UPDATE user_sessions SET last_activity_at = started_at - interval '1 second'",
        "UPDATE user_sessions SET score_hundredths = 10001",
        "UPDATE user_sessions SET class = 'bot'",
        "UPDATE user_sessions SET version = 0",
        "INSERT INTO bans VALUES (gen_random_uuid(), NULL, NULL, 'manual', now(), now(), false)",
    ] {
        let mut connection = database.connection().await;
        let refused = sqlx::raw_sql(nonsense).execute(&mut connection).await.unwrap_err();
        let code = refused.as_database_error().and_then(DatabaseError::code).map(|code| code.to_string());
        assert_eq!(code.as_deref(), Some("23514"), "{nonsense}: {refused}");
    }
}

#[tokio::test]
async fn an_event_edited_into_nonsense_is_left_out_and_counted() {
    let (database, store) = store().await;
    let session = SessionId::from_u128(1);
    let event = |number: u128| {
        let (name, properties) = (EventName::new("e").unwrap(), EventProperties::new(BTreeMap::new()));
        let id = EventId::at(at(number as i64), number).unwrap();
        AnalyticsEvent::new(id, session, name, properties.unwrap(), at(number as i64)).unwrap()
    };
    let events: Vec<AnalyticsEvent> = (0..5).map(event).collect();
    store.events().record(&events, at(0)).await.unwrap();
    let edits = [("at", "'2024-01-01'"), ("name", "''"), ("properties", "'{\"\": 1}'"), ("at", "'infinity'")];
    for ((column, nonsense), event) in edits.iter().zip(&events) {
        edit(&database, "analytics_events", column, nonsense, "event_id", &event.id().to_string()).await;
    }
    // A page of one at a time: those that are left out do not end the list.
    let (mut read, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let request = PageRequest { limit: BatchLimit::new(1).unwrap(), after };
        let page = store.events().list_by_session(session, request).await.unwrap();
        read.extend(page.items);
        pages += 1;
        match page.next {
            None => break,
            next => after = next,
        }
    }
    assert_eq!((read.as_slice(), pages), (&events[4..], 5));
    assert_eq!(store.corrupt_rows(), 4);
}

#[tokio::test]
async fn a_fingerprint_edited_into_nonsense_is_told() {
    let (database, store) = store().await;
    let edits = [
        ("state", "'{}'", "missing field"),
        ("flags", "'{rude}'", "unknown variant `rude`"),
        ("score", "101", "a reputation score is 0 to 100"),
        ("score", "'NaN'", "a reputation score is 0 to 100"),
        ("last_seen", "'infinity'", "infinite"),
        ("incidents", "300", "300 is out of range"),
    ];
    for (number, (column, nonsense, said)) in edits.into_iter().enumerate() {
        let hash = FingerprintHash::from_u128(10 + number as u128);
        store.fingerprints().swap(None, &flagged(hash)).await.unwrap();
        edit(&database, "fingerprint_reputation", column, nonsense, "fingerprint_hash", &hash.to_string())
            .await;
        let error = store.fingerprints().get(hash).await.unwrap_err();
        let table = "fingerprint_reputation";
        assert_corrupt(&error, Entity::Fingerprint, table, column, &hash.to_string(), said);
    }
    let whole = flagged(FingerprintHash::from_u128(99));
    store.fingerprints().swap(None, &whole).await.unwrap();
    let listed =
        store.fingerprints().list_high_risk(PageRequest::first(BatchLimit::default())).await.unwrap();
    assert_eq!((listed.items, store.corrupt_rows()), (vec![whole], edits.len() as u64));
}

#[tokio::test]
async fn a_ban_edited_into_nonsense_is_told() {
    let (database, store) = store().await;
    let ban = |number: u128| Ban {
        id: BanId::from_u128(number),
        subject: BanSubject::Fingerprint(FingerprintHash::from_u128(number)),
        reason: BanReason::Manual,
        from: at(0),
        until: at(10),
        would_ban: false,
    };
    for number in 1..=3 {
        store.bans().put(&ban(number)).await.unwrap();
    }
    let edits = [("reason", "'mood'", "unknown variant `mood`"), ("banned_until", "'infinity'", "infinite")];
    for ((column, nonsense, said), number) in edits.into_iter().zip(1..) {
        let id = BanId::from_u128(number).to_string();
        edit(&database, "bans", column, nonsense, "ban_id", &id).await;
        let error = store.bans().running(ban(number).subject, at(5)).await.unwrap_err();
        assert_corrupt(&error, Entity::Ban, "bans", column, &id, said);
    }
    let listed = store.bans().list_running(at(5), PageRequest::first(BatchLimit::default())).await.unwrap();
    assert_eq!((listed.items, store.corrupt_rows()), (vec![ban(3)], 2));
}

/// A store with one session that is whole.
async fn store() -> (TestDatabase, PostgresStore) {
    let database = TestDatabase::migrated().await;
    let store = opened(&database).await;
    store.sessions().create(&session(SessionId::from_u128(1)), at(0)).await.unwrap();
    (database, store)
}

fn session(id: SessionId) -> AnalyticsSession {
    let new = NewSession {
        visitor: VisitorId::from_u128(1),
        fingerprint: FingerprintHash::from_u128(1),
        user: None,
        network: None,
        client: SessionClient::default(),
        origin: SessionOrigin::default(),
        place: SessionPlace::default(),
    };
    AnalyticsSession::start(id, new, at(0)).unwrap()
}

fn flagged(hash: FingerprintHash) -> FingerprintRecord {
    let policy = ReputationPolicy::default();
    let mut state = ReputationState::default();
    observe_charged(&policy, &mut state, ChargedFacts::default(), at(0));
    state.flag();
    FingerprintRecord::of(&policy, hash, state, at(0)).unwrap()
}

fn assert_corrupt(error: &StoreError, of: Entity, in_table: &str, in_column: &str, of_row: &str, said: &str) {
    match error {
        StoreError::Corrupt { entity, table, column, row, .. } => {
            assert_eq!(
                (*entity, *table, *column, row.as_str()),
                (of, in_table, in_column, of_row),
                "{error:?}"
            );
        }
        StoreError::Unavailable { .. } | StoreError::Conflict { .. } => panic!("{error:?}"),
    }
    assert!(chain(error).contains(said), "{}", chain(error));
}

/// Sets a column of one row, after taking away the checks of the table.
async fn edit(database: &TestDatabase, table: &str, column: &str, value: &str, key: &str, row: &str) {
    run(
        database,
        &format!(
            "DO $$ DECLARE name text; BEGIN
                 FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'c'
                 LOOP EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', name); END LOOP;
             END $$;
             UPDATE {table} SET {column} = {value} WHERE {key} = '{row}'"
        ),
    )
    .await;
}

async fn run(database: &TestDatabase, sql: &str) {
    let mut connection = database.connection().await;
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

const SCORE_CHECK: &str = "user_sessions_score_hundredths_check";
