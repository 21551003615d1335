//! Forms that change something, and how it is known that this dashboard showed them.
//!
//! A form carries a token that is a keyed hash of its target, so that another site cannot make one; and a browser has to
//! say that it was sent from here, by `Sec-Fetch-Site` or `Origin`, where it says either.

use axum::http::{HeaderMap, header};
use maud::{Markup, html};

use super::problem::Problem;

/// The key of the tokens, which lives as long as the process.
#[derive(Clone)]
pub(super) struct FormKey([u8; 32]);

/// The fields of a form that was sent.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, String)>);

impl FormKey {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// A form with one button that posts these fields, and whatever else is inside.
    pub(super) fn form(&self, action: &str, fields: &[(&str, &str)], inside: &Markup) -> Markup {
        html! {
            form method="post" action=(action) {
                input type="hidden" name="token" value=(self.seal(action));
                @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
                (inside)
            }
        }
    }

    /// Takes a form that was sent to this target from this dashboard.
    pub(super) fn accept(
        &self,
        target: &str,
        headers: &HeaderMap,
        fields: Vec<(String, String)>,
    ) -> Result<Fields, Problem> {
        let fields = Fields(fields);
        if is_same_origin(headers) && fields.get("token").is_some_and(|token| self.is_seal(target, token)) {
            Ok(fields)
        } else {
            Err(Problem::Forged)
        }
    }

    /// The seal of a text, which only the holder of the key can make.
    pub(super) fn seal(&self, text: &str) -> String {
        self.hash(text).to_hex().to_string()
    }

    /// Whether it is the seal of this text. Hashes are compared in constant time.
    pub(super) fn is_seal(&self, text: &str, seal: &str) -> bool {
        blake3::Hash::from_hex(seal).is_ok_and(|seal| seal == self.hash(text))
    }

    fn hash(&self, text: &str) -> blake3::Hash {
        blake3::keyed_hash(&self.0, text.as_bytes())
    }
}

impl Fields {
    /// The value of a field; `None` where it is missing or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
        field.filter(|value| !value.is_empty())
    }

    /// The value of a field as what it stands for.
    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, Problem> {
        self.get(name).and_then(|value| value.parse().ok()).ok_or(Problem::Field(name))
    }
}

/// Whether a browser says that it sent the request from a page of this origin, or says nothing at all.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let Some(origin) = text(header::ORIGIN) else { return true };
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_some() && host == text(header::HOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_form_of_this_dashboard_is_accepted_and_only_at_its_target() {
        let key = FormKey::new([1; 32]);
        let sent = |key: &FormKey, to: &str, headers: &[(&'static str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            let fields =
                vec![("token".to_owned(), FormKey::new([1; 32]).seal("/a")), ("x".into(), " 7 ".into())];
            key.accept(to, &map, fields).map(|fields| fields.parsed::<u8>("x").unwrap()).is_ok()
        };
        assert!(sent(&key, "/a", &[]));
        assert!(sent(&key, "/a", &[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(sent(&key, "/a", &[("origin", "http://localhost:8080"), ("host", "localhost:8080")]));
        assert!(!sent(&key, "/b", &[]));
        assert!(!sent(&FormKey::new([2; 32]), "/a", &[]));
        assert!(!sent(&key, "/a", &[("sec-fetch-site", "cross-site")]));
        assert!(!sent(&key, "/a", &[("sec-fetch-site", "same-site")]));
        assert!(!sent(&key, "/a", &[("origin", "http://evil.example"), ("host", "localhost:8080")]));
        assert!(!sent(&key, "/a", &[("origin", "null"), ("host", "localhost:8080")]));
    }
}
