//! Reports about AI providers, traffic, content and errors.

use std::collections::BTreeMap;

use analytics_domain::ids::{SessionId, VisitorId};
use analytics_domain::request_row::RequestRow;
use analytics_domain::session::{CountryCode, SessionRecord, Text};
use analytics_domain::stats::counts::{
    AiUsageCounts, BreakdownRow, ContentRow, ErrorCounts, ErrorPathRow, ProviderRow, SessionCounts, StatusRow,
};
use analytics_domain::stats::{Audience, ByAudience, Dimension, Period, ReportFilter};
use analytics_domain::usage::Name;
use analytics_ports::{AnalyticsQueryRepository, BatchLimit, StoreError};
use async_trait::async_trait;
use hashbrown::{HashMap, HashSet};

use super::InMemoryReports;
use super::core_stats::first;
use super::fold::{SessionFold, audience_of, counts_of};

#[async_trait]
impl AnalyticsQueryRepository for InMemoryReports {
    async fn ai_usage(&self, period: Period, filter: &ReportFilter) -> Result<AiUsageCounts, StoreError> {
        let mut counts = AiUsageCounts::default();
        self.usage.each_ai_request(period, |row| {
            if filter.lets_ai_request(row) {
                counts.add(row);
            }
        });
        Ok(counts)
    }

    async fn provider_usage(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ProviderRow>, StoreError> {
        let mut rows = BTreeMap::<(Name, Name), ProviderRow>::new();
        self.usage.each_ai_request(period, |request| {
            if filter.lets_ai_request(request) {
                let (provider, model) = (request.provider.clone(), request.model.clone());
                let row = rows.entry((provider.clone(), model.clone()));
                let new = || ProviderRow { provider, model, usage: AiUsageCounts::default() };
                row.or_insert_with(new).usage.add(request);
            }
        });
        Ok(first(rows, limit, |row| (row.usage.cost.get(), row.usage.requests)))
    }

    async fn traffic(
        &self,
        period: Period,
        filter: &ReportFilter,
    ) -> Result<ByAudience<SessionCounts>, StoreError> {
        let mut folds = ByAudience::<SessionFold>::default();
        self.sessions.each_started(period, |session| {
            if filter.lets_session(session) {
                folds.get_mut(audience_of(session)).add(session);
            }
        });
        Ok(counts_of(&folds))
    }

    async fn breakdown(
        &self,
        period: Period,
        dimension: Dimension,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<BreakdownRow>, StoreError> {
        // What is not known stands last, so it is the greater key.
        let mut folds = BTreeMap::<(bool, Option<String>), ByAudience<SessionFold>>::new();
        self.sessions.each_started(period, |session| {
            if filter.lets_session(session) {
                let value = value_of(dimension, session.record()).map(str::to_owned);
                let fold = folds.entry((value.is_none(), value)).or_default();
                fold.get_mut(audience_of(session)).add(session);
            }
        });
        let rows = folds.into_iter().map(|((unknown, value), folds)| {
            let row = BreakdownRow { value: value.clone(), counts: counts_of(&folds) };
            ((unknown, value), row)
        });
        Ok(first(rows, limit, |row| {
            let sessions = row.counts.map(|counts| counts.sessions);
            (sessions.people, sessions.bots, sessions.ai_agents)
        }))
    }

    async fn content(
        &self,
        windows: &[Period],
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ContentRow>, StoreError> {
        let Some(&widest) = windows.first() else { return Ok(Vec::new()) };
        let mut rows = BTreeMap::<Text<1024>, (ContentRow, HashSet<VisitorId>)>::new();
        self.each_request(widest, filter, |audience, request| {
            if request.counted().page_views == 0 {
                return;
            }
            let record = request.record();
            let (row, visitors) = rows.entry(record.path.clone()).or_insert_with(|| {
                let views = vec![ByAudience::default(); windows.len()];
                (ContentRow { path: record.path.clone(), views, visitors: 0 }, HashSet::new())
            });
            for (views, window) in row.views.iter_mut().zip(windows) {
                *views.get_mut(audience) += u64::from(window.contains(record.at));
            }
            if audience == Audience::People {
                visitors.insert(record.visitor);
            }
        });
        let rows = rows
            .into_iter()
            .map(|(path, (row, visitors))| (path, ContentRow { visitors: visitors.len() as u64, ..row }));
        Ok(first(rows, limit, |row| (row.views[0].people, row.views[0].sum())))
    }

    async fn errors(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<ErrorCounts, StoreError> {
        let mut counts = ErrorCounts::default();
        let mut statuses = BTreeMap::<u16, StatusRow>::new();
        let mut paths = BTreeMap::<Text<1024>, ErrorPathRow>::new();
        self.each_request(period, filter, |audience, request| {
            let (counted, record) = (request.counted(), request.record());
            *counts.requests.get_mut(audience) += 1;
            *counts.client_errors.get_mut(audience) += counted.client_errors;
            *counts.server_errors.get_mut(audience) += counted.server_errors;
            *counts.refused.get_mut(audience) += counted.refused;
            if let Some(status) = record.status.filter(|_| counted.errors() > 0) {
                let row =
                    statuses.entry(status).or_insert(StatusRow { status, requests: ByAudience::default() });
                *row.requests.get_mut(audience) += 1;
                let row = paths.entry(record.path.clone()).or_insert_with(|| ErrorPathRow {
                    path: record.path.clone(),
                    client_errors: 0,
                    server_errors: 0,
                });
                row.client_errors += counted.client_errors;
                row.server_errors += counted.server_errors;
            }
        });
        counts.statuses = first(statuses, BatchLimit::default(), |row| row.requests.sum());
        counts.paths = first(paths, limit, |row| row.client_errors + row.server_errors);
        Ok(counts)
    }
}

impl InMemoryReports {
    /// Shows every request of a period that counts, with whom it counts for.
    fn each_request(
        &self,
        period: Period,
        filter: &ReportFilter,
        mut show: impl FnMut(Audience, &RequestRow),
    ) {
        let by_session = filter.asks_for_sessions();
        let mut known = HashMap::<SessionId, Option<Audience>>::new();
        self.requests.each(|request| {
            if !period.contains(request.at()) {
                return;
            }
            let audience = *known.entry(request.session()).or_insert_with(|| {
                let session = self.sessions.peek(request.session(), |session| {
                    filter.lets_session(session).then(|| audience_of(session))
                });
                session.unwrap_or_else(|| (!by_session).then_some(Audience::People))
            });
            if let Some(audience) = audience {
                show(audience, request);
            }
        });
    }
}

/// What a session has in a dimension; `None` where it is not known.
fn value_of(dimension: Dimension, session: &SessionRecord) -> Option<&str> {
    let verdict = session.verdict.as_ref();
    let declared = verdict.and_then(|verdict| verdict.declared.as_ref());
    match dimension {
        Dimension::Source => ReportFilter::source_of(session),
        Dimension::Campaign => session.origin.campaign.campaign.as_ref().map(Text::as_str),
        Dimension::Channel => Some(session.origin.channel.as_str()),
        Dimension::Device => Some(session.client.device.as_str()),
        Dimension::Browser => session.client.browser.as_ref().map(Text::as_str),
        Dimension::Os => session.client.os.as_ref().map(Text::as_str),
        Dimension::Country => session.place.country.as_ref().map(CountryCode::as_str),
        Dimension::Class => verdict.map(|verdict| verdict.class.as_str()),
        Dimension::DeclaredKind => declared.map(|declared| declared.kind.as_str()),
        Dimension::DeclaredName => declared.and_then(|declared| declared.name.as_ref()).map(Text::as_str),
    }
}
