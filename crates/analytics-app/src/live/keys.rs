//! The secrets of a running service: made at random, kept no longer than they may be, written nowhere else.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::str::FromStr;

use analytics_domain::identity::IdentityKey;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use parking_lot::RwLock;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::private::{self, PrivateFileError, StateDir};
use crate::system;

/// The secrets that identities, page tokens and session cookies are made with.
///
/// Each day has a visitor key of its own, drawn at random and destroyed 48 h after the day began, so that nobody, not
/// the operator either, can link the days before. Who is on the site at midnight goes on under the ids that the caller
/// holds. The fingerprint key lives for 30 days. The seal of tokens and cookies stays.
///
/// [`Keys::turn`] makes and destroys them; call it at the start and from time to time, each minute say.
#[derive(Debug)]
pub struct Keys {
    secrets: RwLock<Secrets>,
    /// Where they are kept; `None` when they end with the process.
    file: Option<PathBuf>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The file is not what was written. Without it ids begin anew, and cookies and page tokens in use are void.
    #[error("{} is damaged; move it away to begin with new keys: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// The system has no randomness to give.
    #[error("the system has no randomness to make keys of")]
    NoRandomness(#[from] getrandom::Error),
}

impl Keys {
    /// Keys that end with the process.
    ///
    /// # Errors
    /// [`KeysError::NoRandomness`].
    pub fn in_memory(now: DateTime<Utc>) -> Result<Self, KeysError> {
        Ok(Self { secrets: RwLock::new(Secrets::draw(now)?), file: None })
    }

    /// The keys that are kept in this directory, less those whose time is over; new ones if there are none.
    ///
    /// # Errors
    /// Each [`KeysError`].
    pub fn open(state: &StateDir, now: DateTime<Utc>) -> Result<Self, KeysError> {
        let path = state.file("keys.toml");
        let damaged = |reason| KeysError::Damaged { path: path.clone(), reason };
        let secrets = if let Some(bytes) = private::read(&path)? {
            Secrets::read(&bytes).map_err(damaged)?
        } else {
            let secrets = Secrets::draw(now)?;
            private::write(&path, secrets.to_text().as_bytes())?;
            secrets
        };
        let keys = Self { secrets: RwLock::new(secrets), file: Some(path) };
        keys.turn(now)?;
        Ok(keys)
    }

    /// Makes the keys of today and of tomorrow where they are not there, destroys those whose time is over, and keeps
    /// what changed. Costs next to nothing when nothing did.
    ///
    /// # Errors
    /// [`KeysError::NoRandomness`] and [`KeysError::File`]; then the keys stand as they were, and the next call tries
    /// again.
    pub fn turn(&self, now: DateTime<Utc>) -> Result<(), KeysError> {
        let held = self.secrets.read().clone();
        let turned = held.turned(now)?;
        if turned != held {
            if let Some(path) = &self.file {
                private::write(path, turned.to_text().as_bytes())?;
            }
            *self.secrets.write() = turned;
        }
        Ok(())
    }

    /// The key of visitor ids on the day of `now`, in UTC.
    ///
    /// A day that [`Keys::turn`] was not called for in time has one that is derived from the newest there is.
    pub fn visitor_key(&self, now: DateTime<Utc>) -> IdentityKey {
        let (secrets, day) = (self.secrets.read(), now.date_naive());
        let derived = || {
            let newest = secrets.visitor.last_key_value().map_or(&secrets.seal, |(_, key)| key);
            newest.key().for_day(day.to_epoch_days())
        };
        secrets.visitor.get(&day).map_or_else(derived, Secret::key)
    }

    /// The key of fingerprints.
    pub fn fingerprint_key(&self) -> IdentityKey {
        self.secrets.read().fingerprint.key.key()
    }

    /// The key that page tokens are sealed with.
    pub fn page_token_seal(&self) -> [u8; 32] {
        self.seal("page token")
    }

    /// The key that session cookies are sealed with.
    pub fn cookie_seal(&self) -> [u8; 32] {
        self.seal("session cookie")
    }

    /// The key under which a snapshot names clients, so that it holds no address.
    pub fn standing_key(&self) -> IdentityKey {
        IdentityKey::new(self.seal("standing"))
    }

    /// One key a purpose, so that what is sealed for one is void for the others.
    fn seal(&self, purpose: &str) -> [u8; 32] {
        *blake3::keyed_hash(&self.secrets.read().seal.0, purpose.as_bytes()).as_bytes()
    }
}

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    version: u32,
    seal: Secret,
    fingerprint: Fingerprint,
    /// By day, in UTC.
    visitor: BTreeMap<NaiveDate, Secret>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fingerprint {
    made: NaiveDate,
    key: Secret,
}

/// 32 random bytes; written as 64 hexadecimal digits, shown by nothing.
#[derive(Clone, PartialEq)]
struct Secret([u8; 32]);

impl Secrets {
    fn draw(now: DateTime<Utc>) -> Result<Self, KeysError> {
        let fingerprint = Fingerprint { made: now.date_naive(), key: Secret::draw()? };
        let none = Self { version: VERSION, seal: Secret::draw()?, fingerprint, visitor: BTreeMap::new() };
        none.turned(now)
    }

    fn turned(&self, now: DateTime<Utc>) -> Result<Self, KeysError> {
        let (today, mut turned) = (now.date_naive(), self.clone());
        turned.visitor.retain(|&day, _| today - day < VISITOR_KEY_DAYS && day - today <= TimeDelta::days(1));
        for day in [Some(today), today.succ_opt()].into_iter().flatten() {
            if let Entry::Vacant(free) = turned.visitor.entry(day) {
                free.insert(Secret::draw()?);
            }
        }
        if today - self.fingerprint.made >= FINGERPRINT_KEY_DAYS {
            turned.fingerprint = Fingerprint { made: today, key: Secret::draw()? };
        }
        Ok(turned)
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        // The error of the parser shows the line, and the line is a secret.
        let secrets: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if secrets.version == VERSION {
            Ok(secrets)
        } else {
            Err(format!("its version is {}, this program knows {VERSION}", secrets.version))
        }
    }

    fn to_text(&self) -> String {
        let body = toml::to_string(self).expect("dates and digits can be written as TOML");
        format!(
            "# Secrets of `analytics serve`. Whoever reads them can tell who a visitor id stands for.\n{body}"
        )
    }
}

impl Secret {
    fn draw() -> Result<Self, getrandom::Error> {
        system::random().map(Self)
    }

    fn key(&self) -> IdentityKey {
        IdentityKey::new(self.0)
    }
}

impl FromStr for Secret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| "a key has 64 hexadecimal digits")?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

const VERSION: u32 = 1;
/// A key is destroyed 48 h after its day began.
const VISITOR_KEY_DAYS: TimeDelta = TimeDelta::days(2);
const FINGERPRINT_KEY_DAYS: TimeDelta = TimeDelta::days(30);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use analytics_domain::ids::VisitorId;
    use analytics_domain::request::ClientNetwork;

    use super::*;

    #[test]
    fn a_day_has_one_key_and_every_day_another() {
        let keys = Keys::in_memory(at(0, 0)).unwrap();
        assert_eq!(visitor(&keys, at(0, 0)), visitor(&keys, at(0, 23)));
        assert_ne!(visitor(&keys, at(0, 23)), visitor(&keys, at(1, 0)));
        let other = Keys::in_memory(at(0, 0)).unwrap();
        assert_ne!(visitor(&keys, at(0, 0)), visitor(&other, at(0, 0)), "keys are drawn, not derived");
    }

    #[test]
    fn a_key_made_ahead_is_the_key_of_its_day() {
        let keys = Keys::in_memory(at(0, 12)).unwrap();
        let ahead = visitor(&keys, at(1, 0));
        keys.turn(at(1, 0)).unwrap();
        assert_eq!(visitor(&keys, at(1, 0)), ahead);
    }

    #[test]
    fn visitor_keys_are_destroyed_48_hours_after_their_day_began_and_not_before() {
        let home = tempfile::tempdir().unwrap();
        let keys = Keys::open(&state(home.path()), at(0, 0)).unwrap();
        let first = visitor(&keys, at(0, 0));
        keys.turn(at(1, 23)).unwrap();
        assert_eq!(visitor(&keys, at(0, 0)), first);
        let written = || fs::read_to_string(home.path().join("state/keys.toml")).unwrap();
        assert!(written().contains("2026-07-01"));
        keys.turn(at(2, 0)).unwrap();
        assert_ne!(visitor(&keys, at(0, 0)), first);
        assert!(!written().contains("2026-07-01 ="), "{}", written());
        assert_eq!(keys.secrets.read().visitor.len(), 3, "yesterday's, today's and tomorrow's");
    }

    #[test]
    fn the_fingerprint_key_lives_for_30_days() {
        let keys = Keys::in_memory(at(0, 0)).unwrap();
        let of = |keys: &Keys| keys.fingerprint_key().fingerprint(ClientNetwork::V4(1), "agent", "", "");
        let first = of(&keys);
        keys.turn(at(29, 23)).unwrap();
        assert_eq!(of(&keys), first);
        keys.turn(at(30, 0)).unwrap();
        assert_ne!(of(&keys), first);
    }

    #[test]
    fn a_day_that_nobody_turned_to_still_has_one_key_of_its_own() {
        let keys = Keys::in_memory(at(0, 0)).unwrap();
        assert_eq!(visitor(&keys, at(9, 0)), visitor(&keys, at(9, 1)));
        assert_ne!(visitor(&keys, at(9, 0)), visitor(&keys, at(8, 0)));
    }

    #[test]
    fn a_restart_keeps_every_key() {
        let home = tempfile::tempdir().unwrap();
        let of = |keys: &Keys| {
            let fingerprint = keys.fingerprint_key().fingerprint(ClientNetwork::V4(1), "agent", "", "");
            (visitor(keys, at(0, 5)), fingerprint, keys.page_token_seal(), keys.cookie_seal())
        };
        let before = of(&Keys::open(&state(home.path()), at(0, 0)).unwrap());
        let after = of(&Keys::open(&state(home.path()), at(0, 6)).unwrap());
        assert_eq!(after, before);
        assert_ne!(before.2, before.3, "each purpose has a seal of its own");
    }

    #[test]
    fn a_damaged_file_is_told_without_its_secrets() {
        let home = tempfile::tempdir().unwrap();
        drop(Keys::open(&state(home.path()), at(0, 0)).unwrap());
        let path = home.path().join("state/keys.toml");
        let whole = fs::read_to_string(&path).unwrap();
        let seal =
            whole.lines().find_map(|line| line.strip_prefix("seal = ")).unwrap().trim_matches('"').to_owned();
        let reasons = [
            (whole.replace(&seal, &seal[1..]), "a key has 64 hexadecimal digits"),
            (whole.replace("version = 1", "version = 2"), "its version is 2, this program knows 1"),
            (whole[..whole.find("[visitor]").unwrap()].to_owned(), "missing field `visitor`"),
        ];
        for (text, reason) in reasons {
            private::write(&path, text.as_bytes()).unwrap();
            let told = Keys::open(&state(home.path()), at(0, 0)).unwrap_err().to_string();
            let shown = path.display();
            assert_eq!(told, format!("{shown} is damaged; move it away to begin with new keys: {reason}"));
        }
        private::write(&path, b"\xff").unwrap();
        assert!(matches!(Keys::open(&state(home.path()), at(0, 0)), Err(KeysError::Damaged { .. })));
    }

    #[test]
    fn keys_are_not_printed() {
        let shown = format!("{:?}", Keys::in_memory(at(0, 0)).unwrap());
        assert!(shown.contains("seal: Secret(…)"), "{shown}");
    }

    fn state(home: &Path) -> StateDir {
        StateDir::open(&home.join("state")).unwrap()
    }

    fn visitor(keys: &Keys, now: DateTime<Utc>) -> VisitorId {
        keys.visitor_key(now).visitor("site", ClientNetwork::V4(1), "agent")
    }

    fn at(day: i64, hour: i64) -> DateTime<Utc> {
        let start = DateTime::from_timestamp(1_782_864_000, 0).unwrap();
        start + TimeDelta::days(day) + TimeDelta::hours(hour)
    }
}
