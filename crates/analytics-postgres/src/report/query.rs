//! Reports about AI providers, traffic, content and errors.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use analytics_domain::request::RequestKind;
use analytics_domain::session::Text;
use analytics_domain::stats::counts::{
    AiUsageCounts, BreakdownRow, ContentRow, ErrorCounts, ErrorPathRow, ProviderRow, SessionCounts, StatusRow,
};
use analytics_domain::stats::{ByAudience, Dimension, Period, ReportFilter};
use analytics_ports::{AnalyticsQueryRepository, BatchLimit, Entity, StoreError};
use async_trait::async_trait;

use super::{
    AiRow, Parts, PostgresReports, SessionsRow, ai_requests, audience, count, name, requests, sessions,
};
use crate::partition::ids_of;
use crate::read::Row;
use crate::stamp::bound;

#[async_trait]
impl AnalyticsQueryRepository for PostgresReports {
    async fn ai_usage(&self, period: Period, filter: &ReportFilter) -> Result<AiUsageCounts, StoreError> {
        let parts = Parts::of(filter);
        let row = ai_requests!(r#"NULL::text AS "key?", NULL::text AS "second?""#, "", period, parts);
        let row = self.database.run(row.fetch_one(self.database.pool())).await?;
        Ok(row.counts())
    }

    async fn provider_usage(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ProviderRow>, StoreError> {
        let parts = Parts::of(filter);
        let rows = ai_requests!(
            r#"provider AS "key?", model AS "second?""#,
            "GROUP BY provider, model
             ORDER BY least(coalesce(sum(cost_nano_dollars), 0), 9223372036854775807) DESC, count(*) DESC,
                 provider, model
             LIMIT $7",
            period,
            parts,
            i64::from(limit.get()),
        );
        let rows = self.database.run(rows.fetch_all(self.database.pool())).await?;
        let row = |row: AiRow| {
            let usage = row.counts();
            let provider = name("ai_requests", "provider", row.key.unwrap_or_default())?;
            let model = name("ai_requests", "model", row.second.unwrap_or_default())?;
            Ok(ProviderRow { provider, model, usage })
        };
        rows.into_iter().map(row).collect()
    }

    async fn traffic(
        &self,
        period: Period,
        filter: &ReportFilter,
    ) -> Result<ByAudience<SessionCounts>, StoreError> {
        let parts = Parts::of(filter);
        let rows = sessions!("NULL::text", "GROUP BY 2", period, parts);
        let rows = self.database.run(rows.fetch_all(self.database.pool())).await?;
        Ok(by_audience(&rows))
    }

    async fn breakdown(
        &self,
        period: Period,
        dimension: Dimension,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<BreakdownRow>, StoreError> {
        let parts = Parts::of(filter);
        let column = match dimension {
            Dimension::Source => "source",
            Dimension::Campaign => "campaign",
            Dimension::Channel => "channel",
            Dimension::Device => "device",
            Dimension::Browser => "browser",
            Dimension::Os => "os",
            Dimension::Country => "country",
            Dimension::Class => "class",
            Dimension::DeclaredKind => "declared_kind",
            Dimension::DeclaredName => "declared_name",
        };
        let rows = sessions!(
            "CASE $11
                 WHEN 'source' THEN coalesce(utm_source, referrer_host) WHEN 'campaign' THEN utm_campaign
                 WHEN 'channel' THEN channel
                 WHEN 'device' THEN device_type WHEN 'browser' THEN browser WHEN 'os' THEN os
                 WHEN 'country' THEN country WHEN 'class' THEN class
                 WHEN 'declared_kind' THEN declared_kind WHEN 'declared_name' THEN declared_name
             END",
            "GROUP BY 1, 2",
            period,
            parts,
            column,
        );
        let rows = self.database.run(rows.fetch_all(self.database.pool())).await?;
        // What is not known stands last, so it is the greater key.
        let mut values = BTreeMap::<(bool, Option<String>), Vec<SessionsRow>>::new();
        for row in rows {
            values.entry((row.key.is_none(), row.key.clone())).or_default().push(row);
        }
        let mut rows: Vec<BreakdownRow> = values
            .into_iter()
            .map(|((_, value), rows)| BreakdownRow { value, counts: by_audience(&rows) })
            .collect();
        // The sort is stable, so that equals stay in the order of their values.
        rows.sort_by_key(|row| {
            let sessions = row.counts.map(|counts| counts.sessions);
            std::cmp::Reverse((sessions.people, sessions.bots, sessions.ai_agents))
        });
        rows.truncate(limit.as_usize());
        Ok(rows)
    }

    async fn content(
        &self,
        windows: &[Period],
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ContentRow>, StoreError> {
        let Some(&widest) = windows.first() else { return Ok(Vec::new()) };
        let parts = Parts::of(filter);
        let kinds: Vec<&str> = RequestKind::ALL
            .into_iter()
            .filter(|kind| kind.is_page_view())
            .map(RequestKind::as_str)
            .collect();
        let froms: Vec<_> = windows.iter().map(|window| bound(window.from())).collect();
        let untils: Vec<_> = windows.iter().map(|window| bound(window.until())).collect();
        let rows = requests!(
            r#"WITH viewed AS MATERIALIZED (
                SELECT r.path, r.at, r.visitor_id,"#,
            r#"
                  AND r.kind = ANY ($13::text[]) AND r.decision <> 'refused'
            ), ranked AS (
                SELECT path, count(DISTINCT visitor_id) FILTER (WHERE audience = 0) AS visitors,
                    row_number() OVER (
                        ORDER BY count(*) FILTER (WHERE audience = 0) DESC, count(*) DESC, path
                    ) AS place
                FROM viewed GROUP BY path ORDER BY place LIMIT $14
            ), windows AS (
                SELECT place, from_at, until_at
                FROM unnest($15::timestamptz[], $16::timestamptz[]) WITH ORDINALITY AS w (from_at, until_at, place)
            )
            SELECT ranked.path AS "path!", ranked.visitors AS "visitors!", ranked.place AS "place!",
                windows.place AS "window!", audience AS "audience!", count(*) AS "views!"
            FROM ranked JOIN viewed USING (path) JOIN windows ON at >= from_at AND at < until_at
            GROUP BY ranked.path, ranked.visitors, ranked.place, windows.place, audience
            ORDER BY ranked.place"#,
            widest,
            parts,
            &kinds as &[&str],
            i64::from(limit.get()),
            &froms,
            &untils,
        );
        let mut pages = BTreeMap::<i64, ContentRow>::new();
        for row in self.database.run(rows.fetch_all(self.database.pool())).await? {
            let page = match pages.entry(row.place) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let views = vec![ByAudience::default(); windows.len()];
                    new.insert(ContentRow { path: path(row.path)?, views, visitors: count(row.visitors) })
                }
            };
            let window = usize::try_from(row.window - 1).ok().and_then(|window| page.views.get_mut(window));
            if let Some(views) = window {
                *views.get_mut(audience(row.audience)) = count(row.views);
            }
        }
        Ok(pages.into_values().collect())
    }

    async fn errors(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<ErrorCounts, StoreError> {
        let parts = Parts::of(filter);
        // One pass over the requests of the period counts what is alike, so that little is left to count by audience, by
        // status and audience, and by path.
        let rows = requests!(
            r#"WITH seen AS MATERIALIZED (
                SELECT CASE WHEN client_error OR server_error THEN path END AS path, status, refused, client_error,
                    server_error, audience, count(*) AS requests
                FROM (
                    SELECT r.path, r.status, r.decision = 'refused' AS refused,
                        r.decision <> 'refused' AND coalesce(r.status BETWEEN 400 AND 499, false) AS client_error,
                        r.decision <> 'refused' AND coalesce(r.status BETWEEN 500 AND 599, false) AS server_error,"#,
            r#"
                ) AS request
                GROUP BY 1, 2, 3, 4, 5, 6
            ), paths AS (
                SELECT path, coalesce(sum(requests) FILTER (WHERE client_error), 0)::bigint AS client_errors,
                    coalesce(sum(requests) FILTER (WHERE server_error), 0)::bigint AS server_errors
                FROM seen WHERE client_error OR server_error
                GROUP BY path ORDER BY sum(requests) DESC, path LIMIT $13
            )
            SELECT audience AS "audience?", NULL::int AS "status?", NULL::text AS "path?",
                sum(requests)::bigint AS "requests!",
                coalesce(sum(requests) FILTER (WHERE client_error), 0)::bigint AS "client_errors!",
                coalesce(sum(requests) FILTER (WHERE server_error), 0)::bigint AS "server_errors!",
                coalesce(sum(requests) FILTER (WHERE refused), 0)::bigint AS "refused!"
            FROM seen GROUP BY audience
            UNION ALL
            SELECT audience, status, NULL, sum(requests)::bigint, 0, 0, 0 FROM seen WHERE client_error OR server_error
            GROUP BY audience, status
            UNION ALL
            SELECT NULL, NULL, path, 0, client_errors, server_errors, 0 FROM paths"#,
            period,
            parts,
            i64::from(limit.get()),
        );
        let mut counts = ErrorCounts::default();
        let mut statuses = BTreeMap::<u16, StatusRow>::new();
        for row in self.database.run(rows.fetch_all(self.database.pool())).await? {
            match (row.audience.map(audience), row.status, row.path) {
                (Some(audience), None, _) => {
                    *counts.requests.get_mut(audience) = count(row.requests);
                    *counts.client_errors.get_mut(audience) = count(row.client_errors);
                    *counts.server_errors.get_mut(audience) = count(row.server_errors);
                    *counts.refused.get_mut(audience) = count(row.refused);
                }
                (Some(audience), Some(status), _) => {
                    let of = Row { entity: Entity::Request, table: "requests", key: status };
                    let status = of.number("status", i64::from(status))?;
                    let new = StatusRow { status, requests: ByAudience::default() };
                    let requests = &mut statuses.entry(status).or_insert(new).requests;
                    *requests.get_mut(audience) = count(row.requests);
                }
                (None, _, of_path) => counts.paths.push(ErrorPathRow {
                    path: path(of_path.unwrap_or_default())?,
                    client_errors: count(row.client_errors),
                    server_errors: count(row.server_errors),
                }),
            }
        }
        counts.paths.sort_by(|a, b| {
            let errors = |row: &ErrorPathRow| row.client_errors + row.server_errors;
            errors(b).cmp(&errors(a)).then_with(|| a.path.cmp(&b.path))
        });
        counts.statuses = statuses.into_values().collect();
        counts.statuses.sort_by_key(|row| std::cmp::Reverse(row.requests.sum()));
        Ok(counts)
    }
}

fn by_audience(rows: &[SessionsRow]) -> ByAudience<SessionCounts> {
    let mut counts = ByAudience::default();
    for row in rows {
        *counts.get_mut(audience(row.audience)) = row.counts();
    }
    counts
}

fn path(path: String) -> Result<Text<1024>, StoreError> {
    let row = Row { entity: Entity::Request, table: "requests", key: path.clone() };
    row.ok("path", Text::new(path))
}
