//! Signing in, where the dashboard is not open to whoever is at the machine.
//!
//! A browser cannot send a token with each request, so it trades the admin's token for a signed cookie of twelve hours. No
//! script can read the cookie, no other site's page sends it, and a restart of the service ends it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use maud::html;

use super::problem::Problem;
use super::view::{Link, Parameters};
use super::{Dashboard, actions, guarded, layout, refuse};

/// Who may look at the dashboard.
pub trait Gate: Send + Sync {
    /// Whether the request needs no signing in: it comes from a person at the machine, or brings a token.
    fn admits(&self, parts: &Parts) -> bool;

    /// Whether this is the admin's token.
    fn knows(&self, token: &str) -> bool;
}

/// Lets through whoever is admitted or signed in; leads others to where they can sign in.
pub(super) async fn guard(State(dashboard): State<Arc<Dashboard>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if dashboard.gate.admits(&parts) || is_signed_in(&dashboard, &parts.headers) {
        return next.run(Request::from_parts(parts, body)).await;
    }
    if parts.method != Method::GET {
        return refuse(&dashboard, &Problem::SignedOut);
    }
    let wanted = parts.uri.path_and_query().map_or("/", |wanted| wanted.as_str());
    let to = Link::to(PATH).with("to", wanted).to_string();
    guarded((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response())
}

/// The page that asks for the token.
pub(super) async fn page(State(dashboard): State<Arc<Dashboard>>, uri: Uri) -> Response {
    let wanted = Parameters::of(&uri).map(|parameters| inside(parameters.get("to")).to_owned());
    match wanted {
        Ok(wanted) => ask(&dashboard, StatusCode::OK, &wanted, None),
        Err(problem) => refuse(&dashboard, &problem),
    }
}

/// Trades the token for a cookie.
pub(super) async fn enter(
    State(dashboard): State<Arc<Dashboard>>,
    uri: Uri,
    headers: HeaderMap,
    sent: actions::Sent,
) -> Response {
    let fields = match actions::accept(&dashboard, &uri, &headers, sent) {
        Ok(fields) => fields,
        Err(problem) => return refuse(&dashboard, &problem),
    };
    let wanted = inside(fields.get("to")).to_owned();
    if !fields.get("admin_token").is_some_and(|token| dashboard.gate.knows(token)) {
        return ask(&dashboard, StatusCode::UNAUTHORIZED, &wanted, Some("That is not the admin's token."));
    }
    let until = dashboard.clock.now() + LASTS;
    let secure = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    let cookie = format!(
        "{COOKIE}={}.{}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}",
        until.timestamp(),
        dashboard.forms.seal(&sealed(until)),
        LASTS.num_seconds(),
        if secure { "; Secure" } else { "" },
    );
    guarded(
        (StatusCode::SEE_OTHER, [(header::LOCATION, wanted), (header::SET_COOKIE, cookie)]).into_response(),
    )
}

fn ask(dashboard: &Dashboard, status: StatusCode, wanted: &str, problem: Option<&str>) -> Response {
    let fields = html! {
        fieldset {
            legend { "The dashboard is for whoever has the admin's token." }
            label { "Token" input type="password" name="admin_token" required autocomplete="current-password"; }
            button type="submit" { "Sign in" }
            p.muted { "The service wrote it into the file of --token-file when it began." }
        }
    };
    let inside = html! {
        div.head { h1 { "Sign in" } }
        @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
        (dashboard.forms.form(PATH, &[("to", wanted)], &fields))
    };
    super::html(status, layout::bare("Sign in", &inside))
}

fn is_signed_in(dashboard: &Dashboard, headers: &HeaderMap) -> bool {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut own = cookies.flat_map(|value| value.split(';')).filter_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        if name == COOKIE { value.split_once('.') } else { None }
    });
    own.any(|(until, seal)| {
        let until = until.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        until.is_some_and(|until| {
            dashboard.clock.now() < until && dashboard.forms.is_seal(&sealed(until), seal)
        })
    })
}

/// What the cookie's seal is made over. No form has such a target.
fn sealed(until: DateTime<Utc>) -> String {
    format!("signed in until {}", until.timestamp())
}

/// The address to go on to: one within the dashboard, whatever was asked for.
fn inside(wanted: Option<&str>) -> &str {
    wanted
        .filter(|to| to.starts_with('/') && !to.starts_with("//") && !to.contains(['\\', '\r', '\n', '\t']))
        .filter(|to| header::HeaderValue::from_str(to).is_ok())
        .unwrap_or("/")
}

pub(super) const PATH: &str = "/sign-in";
const COOKIE: &str = "analytics_dashboard";
const LASTS: TimeDelta = TimeDelta::hours(12);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_nowhere_else() {
        let cases = [
            (Some("/sessions?last=7d"), "/sessions?last=7d"),
            (Some("//evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("/a\r\nSet-Cookie: x"), "/"),
            (None, "/"),
        ];
        for (wanted, to) in cases {
            assert_eq!(inside(wanted), to);
        }
    }
}
