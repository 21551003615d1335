//! Sessions written many at once.

use analytics_domain::ids::UserId;
use analytics_domain::session::{
    AnalyticsSession, CountryCode, DeclaredAs, EndReason, SessionRecord, SessionVerdict,
};
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::session::{text, total};
use crate::stamp::bound;
use crate::write;

/// A batch of sessions, column by column.
pub(crate) struct SessionColumns<'a> {
    session_id: Vec<Uuid>,
    visitor_id: Vec<Uuid>,
    fingerprint_hash: Vec<Uuid>,
    user_id: Vec<Option<&'a str>>,
    network: Vec<Option<String>>,
    user_agent: Vec<Option<&'a str>>,
    device_type: Vec<&'a str>,
    browser: Vec<Option<&'a str>>,
    browser_version: Vec<Option<&'a str>>,
    os: Vec<Option<&'a str>>,
    os_version: Vec<Option<&'a str>>,
    locale: Vec<Option<&'a str>>,
    channel: Vec<&'a str>,
    referrer_host: Vec<Option<&'a str>>,
    referrer_url: Vec<Option<&'a str>>,
    utm_source: Vec<Option<&'a str>>,
    utm_medium: Vec<Option<&'a str>>,
    utm_campaign: Vec<Option<&'a str>>,
    utm_content: Vec<Option<&'a str>>,
    utm_term: Vec<Option<&'a str>>,
    landing_page: Vec<Option<&'a str>>,
    entry_url: Vec<Option<&'a str>>,
    country: Vec<Option<&'a str>>,
    region: Vec<Option<&'a str>>,
    city: Vec<Option<&'a str>>,
    started_at: Vec<DateTime<Utc>>,
    last_activity_at: Vec<DateTime<Utc>>,
    end_reason: Vec<Option<&'a str>>,
    requests: Vec<i64>,
    page_views: Vec<i64>,
    assets: Vec<i64>,
    client_errors: Vec<i64>,
    server_errors: Vec<i64>,
    refused: Vec<i64>,
    engagement_events: Vec<i64>,
    ai_requests: Vec<i64>,
    unpriced_ai_requests: Vec<i64>,
    tasks: Vec<i64>,
    messages: Vec<i64>,
    tokens: Vec<i64>,
    cost_nano_dollars: Vec<i64>,
    class: Vec<Option<&'a str>>,
    score_hundredths: Vec<Option<i16>>,
    hostile: Vec<Option<bool>>,
    declared_kind: Vec<Option<&'a str>>,
    declared_name: Vec<Option<&'a str>>,
    signals: Vec<Option<String>>,
    ruleset_version: Vec<Option<&'a str>>,
    throttle_level: Vec<&'a str>,
    max_throttle_level: Vec<&'a str>,
}

impl<'a> SessionColumns<'a> {
    pub(crate) fn of(sessions: &'a [AnalyticsSession]) -> Self {
        let records = || sessions.iter().map(AnalyticsSession::record);
        Self {
            session_id: records().map(|r| Uuid::from_u128(r.id.as_u128())).collect(),
            visitor_id: records().map(|r| Uuid::from_u128(r.visitor.as_u128())).collect(),
            fingerprint_hash: records().map(|r| Uuid::from_u128(r.fingerprint.as_u128())).collect(),
            user_id: records().map(|r| r.user.as_ref().map(UserId::as_str)).collect(),
            network: records().map(|r| r.network.map(|network| network.to_string())).collect(),
            user_agent: records().map(|r| text(r.client.user_agent.as_ref())).collect(),
            device_type: records().map(|r| r.client.device.as_str()).collect(),
            browser: records().map(|r| text(r.client.browser.as_ref())).collect(),
            browser_version: records().map(|r| text(r.client.browser_version.as_ref())).collect(),
            os: records().map(|r| text(r.client.os.as_ref())).collect(),
            os_version: records().map(|r| text(r.client.os_version.as_ref())).collect(),
            locale: records().map(|r| text(r.client.locale.as_ref())).collect(),
            channel: records().map(|r| r.origin.channel.as_str()).collect(),
            referrer_host: records().map(|r| text(r.origin.referrer_host.as_ref())).collect(),
            referrer_url: records().map(|r| text(r.origin.referrer_url.as_ref())).collect(),
            utm_source: records().map(|r| text(r.origin.campaign.source.as_ref())).collect(),
            utm_medium: records().map(|r| text(r.origin.campaign.medium.as_ref())).collect(),
            utm_campaign: records().map(|r| text(r.origin.campaign.campaign.as_ref())).collect(),
            utm_content: records().map(|r| text(r.origin.campaign.content.as_ref())).collect(),
            utm_term: records().map(|r| text(r.origin.campaign.term.as_ref())).collect(),
            landing_page: records().map(|r| text(r.origin.landing_page.as_ref())).collect(),
            entry_url: records().map(|r| text(r.origin.entry_url.as_ref())).collect(),
            country: records().map(|r| r.place.country.as_ref().map(CountryCode::as_str)).collect(),
            region: records().map(|r| text(r.place.region.as_ref())).collect(),
            city: records().map(|r| text(r.place.city.as_ref())).collect(),
            started_at: records().map(|r| r.started_at).collect(),
            last_activity_at: records().map(|r| r.last_activity_at).collect(),
            end_reason: records().map(|r| r.end_reason.map(EndReason::as_str)).collect(),
            requests: records().map(|r| total(r.counters.requests)).collect(),
            page_views: records().map(|r| total(r.counters.page_views)).collect(),
            assets: records().map(|r| total(r.counters.assets)).collect(),
            client_errors: records().map(|r| total(r.counters.client_errors)).collect(),
            server_errors: records().map(|r| total(r.counters.server_errors)).collect(),
            refused: records().map(|r| total(r.counters.refused)).collect(),
            engagement_events: records().map(|r| total(r.counters.engagement_events)).collect(),
            ai_requests: records().map(|r| total(r.counters.ai_requests)).collect(),
            unpriced_ai_requests: records().map(|r| total(r.counters.unpriced_ai_requests)).collect(),
            tasks: records().map(|r| total(r.counters.tasks)).collect(),
            messages: records().map(|r| total(r.counters.messages)).collect(),
            tokens: records().map(|r| total(r.counters.tokens)).collect(),
            cost_nano_dollars: records().map(|r| r.counters.cost.get()).collect(),
            class: records().map(|r| verdict(r).map(|verdict| verdict.class.as_str())).collect(),
            score_hundredths: records()
                .map(|r| verdict(r).map(|verdict| verdict.score.hundredths() as i16))
                .collect(),
            hostile: records().map(|r| verdict(r).map(|verdict| verdict.hostile)).collect(),
            declared_kind: records().map(|r| declared(r).map(|declared| declared.kind.as_str())).collect(),
            declared_name: records()
                .map(|r| declared(r).and_then(|declared| text(declared.name.as_ref())))
                .collect(),
            signals: records().map(|r| verdict(r).map(|verdict| write::json(&verdict.signals))).collect(),
            ruleset_version: records()
                .map(|r| verdict(r).map(|verdict| verdict.ruleset_version.as_str()))
                .collect(),
            throttle_level: records().map(|r| r.throttle_level.as_str()).collect(),
            max_throttle_level: records().map(|r| r.max_throttle_level.as_str()).collect(),
        }
    }

    /// Inserts them at version 1, in one statement, and answers the ids of those that were not kept before.
    pub(crate) async fn insert(
        &self,
        pool: &PgPool,
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Uuid>, sqlx::Error> {
        // In the order of the ids, so that two batches with the same ids cannot each wait for the other; of one id
        // twice in a batch the first counts.
        sqlx::query_scalar!(
            "INSERT INTO user_sessions (
                session_id, visitor_id, fingerprint_hash, user_id, network, user_agent, device_type, browser,
                browser_version, os, os_version, locale, channel, referrer_host, referrer_url, utm_source,
                utm_medium, utm_campaign, utm_content, utm_term, landing_page, entry_url, country, region, city,
                started_at, last_activity_at, end_reason, requests, page_views, assets, client_errors,
                server_errors, refused, engagement_events, ai_requests, unpriced_ai_requests, tasks, messages,
                tokens, cost_nano_dollars, class, score_hundredths, hostile, declared_kind, declared_name,
                signals, ruleset_version, throttle_level, max_throttle_level,
                version, recorded_at
            )
            SELECT
                session_id, visitor_id, fingerprint_hash, user_id, network::cidr, user_agent, device_type,
                browser, browser_version, os, os_version, locale, channel, referrer_host, referrer_url,
                utm_source, utm_medium, utm_campaign, utm_content, utm_term, landing_page, entry_url, country,
                region, city, started_at, last_activity_at, end_reason, requests, page_views, assets,
                client_errors, server_errors, refused, engagement_events, ai_requests, unpriced_ai_requests,
                tasks, messages, tokens, cost_nano_dollars, class, score_hundredths, hostile, declared_kind,
                declared_name, signals::json, ruleset_version, throttle_level, max_throttle_level,
                1, $51
            FROM unnest(
                  $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                  $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
                  $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[],
                  $22::text[], $23::text[], $24::text[], $25::text[], $26::timestamptz[], $27::timestamptz[],
                  $28::text[], $29::bigint[], $30::bigint[], $31::bigint[], $32::bigint[], $33::bigint[],
                  $34::bigint[], $35::bigint[], $36::bigint[], $37::bigint[], $38::bigint[], $39::bigint[],
                  $40::bigint[], $41::bigint[], $42::text[], $43::smallint[], $44::boolean[], $45::text[],
                  $46::text[], $47::text[], $48::text[], $49::text[], $50::text[]
                ) WITH ORDINALITY AS session (
                  session_id, visitor_id, fingerprint_hash, user_id, network, user_agent, device_type, browser,
                  browser_version, os, os_version, locale, channel, referrer_host, referrer_url, utm_source,
                  utm_medium, utm_campaign, utm_content, utm_term, landing_page, entry_url, country, region,
                  city, started_at, last_activity_at, end_reason, requests, page_views, assets, client_errors,
                  server_errors, refused, engagement_events, ai_requests, unpriced_ai_requests, tasks, messages,
                  tokens, cost_nano_dollars, class, score_hundredths, hostile, declared_kind, declared_name,
                  signals, ruleset_version, throttle_level, max_throttle_level, place
                )
            ORDER BY session_id, place
            ON CONFLICT (session_id) DO NOTHING
            RETURNING session_id",
            &self.session_id,
            &self.visitor_id,
            &self.fingerprint_hash,
            &self.user_id as &[Option<&str>],
            &self.network as &[Option<String>],
            &self.user_agent as &[Option<&str>],
            &self.device_type as &[&str],
            &self.browser as &[Option<&str>],
            &self.browser_version as &[Option<&str>],
            &self.os as &[Option<&str>],
            &self.os_version as &[Option<&str>],
            &self.locale as &[Option<&str>],
            &self.channel as &[&str],
            &self.referrer_host as &[Option<&str>],
            &self.referrer_url as &[Option<&str>],
            &self.utm_source as &[Option<&str>],
            &self.utm_medium as &[Option<&str>],
            &self.utm_campaign as &[Option<&str>],
            &self.utm_content as &[Option<&str>],
            &self.utm_term as &[Option<&str>],
            &self.landing_page as &[Option<&str>],
            &self.entry_url as &[Option<&str>],
            &self.country as &[Option<&str>],
            &self.region as &[Option<&str>],
            &self.city as &[Option<&str>],
            &self.started_at,
            &self.last_activity_at,
            &self.end_reason as &[Option<&str>],
            &self.requests,
            &self.page_views,
            &self.assets,
            &self.client_errors,
            &self.server_errors,
            &self.refused,
            &self.engagement_events,
            &self.ai_requests,
            &self.unpriced_ai_requests,
            &self.tasks,
            &self.messages,
            &self.tokens,
            &self.cost_nano_dollars,
            &self.class as &[Option<&str>],
            &self.score_hundredths as &[Option<i16>],
            &self.hostile as &[Option<bool>],
            &self.declared_kind as &[Option<&str>],
            &self.declared_name as &[Option<&str>],
            &self.signals as &[Option<String>],
            &self.ruleset_version as &[Option<&str>],
            &self.throttle_level as &[&str],
            &self.max_throttle_level as &[&str],
            bound(recorded_at),
        )
        .fetch_all(pool)
        .await
    }
}

const fn verdict(record: &SessionRecord) -> Option<&SessionVerdict> {
    record.verdict.as_ref()
}

fn declared(record: &SessionRecord) -> Option<&DeclaredAs> {
    verdict(record).and_then(|verdict| verdict.declared.as_ref())
}
