//! Who may call what: the tokens of the service and the scopes that they open.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::private::{self, PrivateFileError};
use crate::system;

/// What a caller may do. Each scope holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// What every browser may: beacons, the tracker, the pixel, page tokens.
    Public,
    /// What a host may, since it speaks for addresses and costs: decisions, observations, events, usage.
    Ingest,
    /// Everything else.
    Admin,
}

/// The tokens that open the scopes above [`Scope::Public`]; shown by nothing.
pub struct Tokens {
    ingest: Token,
    admin: Token,
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The file is there and names no usable tokens.
    #[error("{} holds no usable tokens: {reason}; correct it, or move it away to have new ones made", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// The system has no randomness to give.
    #[error("the system has no randomness to make tokens of")]
    NoRandomness(#[from] getrandom::Error),
}

impl Scope {
    /// Whether a caller of this scope may call what needs that one.
    pub fn covers(self, needed: Self) -> bool {
        self >= needed
    }
}

impl Tokens {
    /// Tokens that nobody knows until they are [read](Tokens::read), and that end with the process.
    ///
    /// # Errors
    /// [`TokensError::NoRandomness`].
    pub fn random() -> Result<Self, TokensError> {
        Ok(Self { ingest: Token::draw()?, admin: Token::draw()? })
    }

    /// The tokens of this file, which is made for its owner alone if it is not there.
    ///
    /// # Errors
    /// Each [`TokensError`].
    pub fn open(path: &Path) -> Result<Self, TokensError> {
        if let Some(tokens) = Self::read(path)? {
            return Ok(tokens);
        }
        let tokens = Self::random()?;
        let (ingest, admin) = (&tokens.ingest.text, &tokens.admin.text);
        let text = format!(
            "# Tokens of `analytics serve`, for the header `Authorization: Bearer TOKEN`.\n\
             # Hosts that send requests, events and usage:\ningest = \"{ingest}\"\n\
             # Dashboard, reports and everything else:\nadmin = \"{admin}\"\n"
        );
        private::write(path, text.as_bytes())?;
        Ok(tokens)
    }

    /// The tokens of this file, for those who call a service; `None` when there is no file.
    ///
    /// # Errors
    /// [`TokensError::File`] and [`TokensError::Unusable`].
    pub fn read(path: &Path) -> Result<Option<Self>, TokensError> {
        let Some(bytes) = private::read(path)? else { return Ok(None) };
        let tokens = parse(&bytes).map_err(|reason| TokensError::Unusable { path: path.into(), reason })?;
        Ok(Some(tokens))
    }

    /// The scope that this token opens; `None` for one that is wrong.
    ///
    /// How long it takes says nothing about how much of the token is right.
    pub fn scope(&self, token: &str) -> Option<Scope> {
        let hash = blake3::hash(token.as_bytes());
        // Both are compared, whatever the first says; equality of hashes takes the same time for all.
        let (admin, ingest) = (self.admin.hash == hash, self.ingest.hash == hash);
        if admin { Some(Scope::Admin) } else { ingest.then_some(Scope::Ingest) }
    }

    /// The token that opens this scope, to call with; [`Scope::Public`] needs none.
    pub fn token(&self, scope: Scope) -> Option<&str> {
        match scope {
            Scope::Public => None,
            Scope::Ingest => Some(&self.ingest.text),
            Scope::Admin => Some(&self.admin.text),
        }
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

struct Token {
    text: String,
    hash: blake3::Hash,
}

impl Token {
    fn draw() -> Result<Self, getrandom::Error> {
        let bytes: [u8; 32] = system::random()?;
        let mut text = String::with_capacity(64);
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self::of(text))
    }

    fn of(text: String) -> Self {
        Self { hash: blake3::hash(text.as_bytes()), text }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    ingest: String,
    admin: String,
}

fn parse(bytes: &[u8]) -> Result<Tokens, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    // The error of the parser shows the line, and the line is a secret.
    let written: Written = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    for (name, token) in [("ingest", &written.ingest), ("admin", &written.admin)] {
        if token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "`{name}` is not at least {SHORTEST} visible ASCII characters without a space"
            ));
        }
    }
    if written.ingest == written.admin {
        return Err("`ingest` and `admin` are the same, so that every host could do everything".to_owned());
    }
    Ok(Tokens { ingest: Token::of(written.ingest), admin: Token::of(written.admin) })
}

/// Of 16 characters even of digits alone nobody guesses the right ones over a network.
const SHORTEST: usize = 16;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use rstest::rstest;

    use super::*;

    #[test]
    fn tokens_are_made_once_for_their_owner_alone_and_open_their_scopes() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("tokens");
        assert!(Tokens::read(&path).unwrap().is_none());
        let made = Tokens::open(&path).unwrap();
        let again = Tokens::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        for scope in [Scope::Ingest, Scope::Admin] {
            let token = made.token(scope).unwrap();
            assert_eq!((token.len(), again.scope(token)), (64, Some(scope)));
            for wrong in [&token[1..], &format!("{token}0"), &token.to_uppercase(), ""] {
                assert_eq!(again.scope(wrong), None, "{wrong}");
            }
        }
        assert_eq!(made.token(Scope::Public), None);
    }

    #[test]
    fn a_scope_holds_those_before_it() {
        let scopes = [Scope::Public, Scope::Ingest, Scope::Admin];
        let covered = scopes.map(|scope| scopes.map(|needed| scope.covers(needed)));
        assert_eq!(covered, [[true, false, false], [true, true, false], [true, true, true]]);
    }

    #[rstest]
    #[case("ingest = 'aaaaaaaaaaaaaaaa'\n", "missing field `admin`")]
    #[case(
        "ingest = 'aaaaaaaaaaaaaaaa'\nadmin = 'aaaaaaaaaaaaaaaa'\n",
        "`ingest` and `admin` are the same, so that every host could do everything"
    )]
    #[case(
        "ingest = 'aaaaaaaaaaaaaaaa'\nadmin = 'bbbbbbbbbbbbbbb'\n",
        "`admin` is not at least 16 visible ASCII characters without a space"
    )]
    #[case(
        "ingest = 'aaaaaaaa aaaaaaa'\nadmin = 'bbbbbbbbbbbbbbbb'\n",
        "`ingest` is not at least 16 visible ASCII characters without a space"
    )]
    fn a_file_without_usable_tokens_is_told_with_what_is_wrong(#[case] text: &str, #[case] reason: &str) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("tokens");
        private::write(&path, text.as_bytes()).unwrap();
        let told = Tokens::open(&path).unwrap_err().to_string();
        let shown = path.display();
        assert_eq!(
            told,
            format!(
                "{shown} holds no usable tokens: {reason}; correct it, or move it away to have new ones made"
            )
        );
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("tokens");
        Tokens::open(&path).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let refused = Tokens::open(&path);
        assert!(
            matches!(refused, Err(TokensError::File(PrivateFileError::TooOpen { mode: 0o644, .. }))),
            "{refused:?}"
        );
    }

    #[test]
    fn tokens_are_not_printed() {
        assert_eq!(format!("{:?}", Tokens::random().unwrap()), "Tokens(…)");
    }
}
