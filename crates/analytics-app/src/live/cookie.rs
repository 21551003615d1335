//! The session cookie of a request, and of its answer.

use std::sync::atomic::Ordering;

use analytics_domain::request::{ClientNetwork, RawRequest};
use analytics_domain::session::SessionMark;

use super::policy::LivePolicy;
use super::session::LiveSession;
use super::traffic::LiveTraffic;
use crate::replay::Agent;

impl LiveTraffic {
    /// What the session cookie of a request says, where cookies count and it brings one that holds.
    pub(super) fn mark(
        &self,
        policy: &LivePolicy,
        request: &RawRequest<'_>,
        network: ClientNetwork,
        agent: &Agent,
    ) -> Option<SessionMark> {
        if !policy.session_cookie || policy.privacy.is_asked_for(request) {
            return None;
        }
        let pairs = request.fields("cookie").flat_map(|value| value.split(';'));
        let own = pairs.filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
        let mut refused = false;
        for value in own.filter(|value| !value.is_empty()) {
            match self.cookies.read(value, network, &agent.text, request.at) {
                Ok(mark) => return Some(mark),
                Err(_) => refused = true,
            }
        }
        self.counters.cookies_refused.fetch_add(u64::from(refused), Ordering::Relaxed);
        None
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
        let value = self.cookies.issue(session.mark, session.key.network, &agent.text);
        let secure = if https == Some(true) { "; Secure" } else { "" };
        Some(format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{secure}"))
    }
}

/// The name of the session cookie.
const COOKIE: &str = "analytics_session";
