//! The session cookie of a request, and of its answer.

use std::sync::atomic::Ordering;

use analytics_domain::request::{ClientNetwork, RawRequest};
use analytics_domain::session::{CookieHolder, InvalidSessionCookie, SessionMark};

use super::policy::LivePolicy;
use super::session::LiveSession;
use super::traffic::LiveTraffic;
use crate::replay::Agent;

/// What a request brings of session cookies.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Brought {
    /// What the cookie says that holds, if one does.
    pub(super) mark: Option<SessionMark>,
    /// Whether there is one, and none holds.
    pub(super) refused: bool,
    /// Whether one was given to a browser of another engine than the agent names.
    pub(super) of_another_engine: bool,
}

impl LiveTraffic {
    /// What the session cookie of a request says, where cookies count.
    pub(super) fn brought(
        &self,
        policy: &LivePolicy,
        request: &RawRequest<'_>,
        network: ClientNetwork,
        agent: &Agent,
    ) -> Brought {
        let mut brought = Brought::default();
        if !policy.session_cookie || policy.privacy.is_asked_for(request) {
            return brought;
        }
        let holder = holder(network, agent);
        let pairs = request.fields("cookie").flat_map(|value| value.split(';'));
        let own = pairs.filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
        for value in own.filter(|value| !value.is_empty()) {
            match self.cookies.read(value, holder, request.at) {
                Ok(mark) => return Brought { mark: Some(mark), ..Brought::default() },
                Err(reason) => {
                    brought.refused = true;
                    brought.of_another_engine |= reason == InvalidSessionCookie::AnotherEngine;
                }
            }
        }
        brought
    }

    /// The cookie that makes a browser known again, until it has brought it back. What declares itself to be automation gets
    /// none, and nobody who asks not to be told apart.
    pub(super) fn cookie(
        &self,
        policy: &LivePolicy,
        request: &RawRequest<'_>,
        session: &LiveSession,
        agent: &Agent,
        https: Option<bool>,
    ) -> Option<String> {
        if session.cookie_came_back.load(Ordering::Relaxed)
            || agent.facts.declared.is_some()
            || policy.privacy.is_asked_for(request)
        {
            return None;
        }
        let value = self.cookies.issue(session.mark, holder(session.key.network, agent));
        let secure = if https == Some(true) { "; Secure" } else { "" };
        Some(format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{secure}"))
    }
}

fn holder(network: ClientNetwork, agent: &Agent) -> CookieHolder<'_> {
    CookieHolder { network, agent: &agent.text, engine: agent.read.engine.map(|(engine, _)| engine) }
}

/// The name of the session cookie.
const COOKIE: &str = "analytics_session";
