//! Reports over what is kept in memory.

mod core_stats;
mod fold;
mod query;

use std::sync::Arc;

use analytics_domain::ids::UserId;
use analytics_domain::stats::{Period, ReportFilter};
use chrono::{DateTime, Utc};

use crate::request::InMemoryRequests;
use crate::session::InMemorySessions;
use crate::usage::InMemoryUsage;

/// Answers reports by looking at every kept row of the period, each time anew.
///
/// A report over sessions or usage costs time in proportion to the rows of its period, one over requests to all request
/// rows that are kept; space in proportion to the distinct values it counts. What was evicted is not counted. Rows that
/// come or go while a report is made may be in it or not.
#[derive(Debug, Clone)]
pub struct InMemoryReports {
    sessions: Arc<InMemorySessions>,
    requests: Arc<InMemoryRequests>,
    usage: Arc<InMemoryUsage>,
}

impl InMemoryReports {
    /// Reports over these stores.
    pub const fn new(
        sessions: Arc<InMemorySessions>,
        requests: Arc<InMemoryRequests>,
        usage: Arc<InMemoryUsage>,
    ) -> Self {
        Self { sessions, requests, usage }
    }

    /// Shows the user of every row of usage of a period that names one, with the time of the row.
    fn users_of_usage(
        &self,
        period: Period,
        filter: &ReportFilter,
        mut show: impl FnMut(DateTime<Utc>, &UserId),
    ) {
        let mut note = |at, user: Option<&UserId>| {
            if let Some(user) = user {
                show(at, user);
            }
        };
        self.usage.each_ai_request(period, |row| {
            note(row.stamp.at(), row.user.as_ref().filter(|_| filter.lets_ai_request(row)));
        });
        self.usage.each_task(period, |row| {
            note(row.stamp.at(), row.user.as_ref().filter(|_| filter.lets_task(row)));
        });
        self.usage.each_tool_execution(period, |row| {
            note(row.stamp.at(), row.user.as_ref().filter(|_| filter.lets_tool_execution(row)));
        });
        self.usage.each_conversation(period, |row| {
            note(row.stamp.at(), row.user.as_ref().filter(|_| filter.lets_conversation(row)));
        });
        self.usage.each_message(period, |row| {
            note(row.stamp.at(), row.user.as_ref().filter(|_| filter.lets_message(row)));
        });
    }
}
