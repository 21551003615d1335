//! Deciding about traffic, live or replayed: all visitors, all site facts, one step a request.

use analytics_domain::detector::{Class, Observation};
use analytics_domain::session::EndReason;
use analytics_domain::site::SiteFacts;
use analytics_domain::visit::{Client, Output, SHARDS, Shard, ShardCounters, Step, VisitPolicy, shard_of};
use chrono::{DateTime, TimeDelta, Utc};

/// All visitors and what is known of the site.
///
/// Requests come in the order of their times. When one belongs to a later minute than the newest before, the minute is
/// closed first: waiting page views settle, quiet sessions end, and the site learns what the minute showed. `T` is what
/// the caller keeps beside each session.
#[derive(Debug)]
pub struct TrafficService<T> {
    policy: VisitPolicy,
    site: SiteFacts,
    shards: Vec<Shard<T>>,
    /// The minute that is open, since the epoch.
    minute: Option<i64>,
    last_tick: DateTime<Utc>,
}

impl<T: Default> TrafficService<T> {
    /// Nobody yet, and room for at least `capacity` visitors: an equal share for each of 256 shards.
    pub fn new(policy: VisitPolicy, capacity: usize) -> Self {
        let each = capacity.div_ceil(SHARDS);
        Self {
            policy,
            site: SiteFacts::default(),
            shards: (0..SHARDS).map(|_| Shard::new(each)).collect(),
            minute: None,
            last_tick: DateTime::<Utc>::MIN_UTC,
        }
    }

    /// Steps one request of a client; what it leaves behind is added to `out`.
    pub fn step(
        &mut self,
        client: Client<'_>,
        request: &Observation<'_>,
        now: DateTime<Utc>,
        out: &mut Output<T>,
    ) -> (Step, Class, &mut T) {
        let minute = now.timestamp().div_euclid(60);
        if self.minute.is_none_or(|open| minute > open) {
            self.close_minute(minute, out);
        }
        self.shards[shard_of(client.network)].step(&self.policy, &self.site, client, request, now, out)
    }

    /// Ends every open session, at the end of the input.
    pub fn finish(&mut self, out: &mut Output<T>) {
        for shard in &mut self.shards {
            shard.finish(&self.policy, &self.site, EndReason::Inactive, out);
        }
    }

    /// The rules in force.
    pub const fn policy(&self) -> &VisitPolicy {
        &self.policy
    }

    /// What is known of the site.
    pub const fn site(&self) -> &SiteFacts {
        &self.site
    }

    /// Visitors remembered now.
    pub fn visitors(&self) -> usize {
        self.shards.iter().map(Shard::len).sum()
    }

    /// What all shards have had to do.
    pub fn counters(&self) -> ShardCounters {
        self.shards.iter().fold(ShardCounters::default(), |sum, shard| {
            let counters = shard.counters();
            ShardCounters {
                evicted: sum.evicted + counters.evicted,
                evicted_open: sum.evicted_open + counters.evicted_open,
                evicted_watched: sum.evicted_watched + counters.evicted_watched,
            }
        })
    }

    /// Closes everything before this minute.
    fn close_minute(&mut self, minute: i64, out: &mut Output<T>) {
        let start = DateTime::from_timestamp(minute * 60, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        if self.minute.is_some() {
            let since = self.last_tick - TimeDelta::seconds(15);
            for shard in &mut self.shards {
                shard.tick(&self.policy, &self.site, since, start, out);
            }
            self.site.learn(out.findings.drain(..), start.timestamp_micros());
        }
        self.minute = Some(minute);
        self.last_tick = start;
    }
}
