//! Counting what steps led to: the last thread of a replay, which writes sessions as well.

use std::io::Write;
use std::sync::Arc;

use analytics_domain::identity::IdentityKey;
use analytics_domain::throttle::LevelChange;
use analytics_domain::visit::{ClientKey, EndedSession, ShardCounters, Step};
use analytics_ports::GeoLocator;

use super::anomalies::AnomalyWatch;
use super::order::OrderCounters;
use super::read::{Batch, ReadRequest};
use super::record::{HeldSession, RecordSink, records};
use super::report::{Bounds, InputSummary, Report};
use super::run::{ReplayError, ReplayOptions};
use super::session_line::SessionLine;
use super::step::{Place, SteppedBlock};
use super::tally::{SessionTag, Tally};
use super::watch::Watch;

/// Counts requests and sessions, in the order in which they were stepped.
pub(super) struct Counting<'a> {
    pub(super) sessions: SessionWriter<'a>,
    tally: Tally,
    anomalies: AnomalyWatch,
    /// What is kept of each open session, by its place.
    open: Vec<SessionTag>,
}

/// Hands on sessions that ended to whoever wants them.
pub(super) struct SessionWriter<'a> {
    pub(super) out: Option<&'a mut dyn Write>,
    pub(super) watch: Option<&'a mut Watch>,
    pub(super) records: Option<&'a mut dyn RecordSink>,
    key: IdentityKey,
    site: String,
    failed: Option<ReplayError>,
}

impl Counting<'_> {
    /// Nothing yet, of a site with this name.
    pub(super) fn new(options: &ReplayOptions, site: String, geo: Option<Arc<dyn GeoLocator>>) -> Self {
        let key = options.key.clone();
        Self {
            sessions: SessionWriter { out: None, watch: None, records: None, key, site, failed: None },
            tally: Tally::new(geo),
            anomalies: AnomalyWatch::new(),
            open: Vec::new(),
        }
    }

    /// Whether each decision is wanted, and not only what it comes to.
    pub(super) const fn wants_decisions(&self) -> bool {
        self.sessions.watch.is_some() || self.sessions.records.is_some()
    }

    /// Counts a block, and leaves its requests to be given back.
    ///
    /// # Errors
    /// [`ReplayError`] when a session cannot be written or kept.
    pub(super) fn take(&mut self, block: &mut SteppedBlock) -> Result<(), ReplayError> {
        let SteppedBlock { ordered, steps, decisions, ended, ended_at, levels } = block;
        let mut ended = ended_at.iter().zip(&*ended).peekable();
        for (at, ((batch, request), stepped)) in ordered.iter().zip(&*steps).enumerate() {
            while let Some((_, ended)) = ended.next_if(|(found, _)| **found == at) {
                self.ended(ended);
            }
            if let Some(step) = decisions.get(at) {
                let changes = levels[levels.partition_point(|(of, ..)| *of < at)..].iter();
                let changes = changes.take_while(|(of, ..)| *of == at).map(|(_, of, change)| (*of, *change));
                self.keep(batch, request, (stepped.place, step), changes);
            }
            self.tally.request(batch, request, stepped, stepped.place.among(&mut self.open));
            self.anomalies.request(request, stepped);
        }
        ended.for_each(|(_, ended)| self.ended(ended));
        self.sessions.failed.take().map_or(Ok(()), Err)
    }

    /// Keeps a request for whoever wants each.
    fn keep(
        &mut self,
        batch: &Batch,
        request: &ReadRequest,
        (place, step): (Place, &Step),
        changes: impl Iterator<Item = (ClientKey, LevelChange)>,
    ) {
        if let Some(watch) = &mut self.sessions.watch {
            let agent = batch.agents[request.agent as usize].facts.hash;
            let client = ClientKey { network: request.network, agent, headers: request.headers };
            watch.decided(&client, batch, request, step, changes);
        }
        if self.sessions.records.is_some() {
            let tag = place.among(&mut self.open);
            if step.opened {
                tag.held_session = Some(Box::new(HeldSession::open(batch, request)));
            }
            if let Some(held) = &mut tag.held_session {
                held.note(batch, request, step);
            }
        }
    }

    fn ended(&mut self, ended: &EndedSession<Place>) {
        let mut tag = std::mem::take(ended.tag.among(&mut self.open));
        let visitor = self.sessions.take(self.tally.geo.as_deref(), ended, &mut tag);
        self.tally.session(ended, &mut tag, visitor);
    }

    /// The report, once all is counted.
    pub(super) fn report(
        self,
        summary: InputSummary,
        order: OrderCounters,
        (visitors, ruleset_version): (ShardCounters, &'static str),
    ) -> Report {
        let Self { tally, anomalies, .. } = self;
        let bounds = Bounds {
            order,
            evicted_visitors: visitors.evicted,
            evicted_sessions: visitors.evicted_open,
            unnamed_pages: tally.pages.overflowed,
            unnamed_hosts: tally.hosts.overflowed,
        };
        let summary = InputSummary { requests: tally.requests, ..summary };
        let report = Report::of(&tally, summary, bounds, ruleset_version);
        Report { anomalies: anomalies.into_summary(), ..report }
    }
}

impl SessionWriter<'_> {
    /// Hands a session on, and answers what distinct visitors are counted by.
    fn take(
        &mut self,
        geo: Option<&dyn GeoLocator>,
        ended: &EndedSession<Place>,
        tag: &mut SessionTag,
    ) -> u64 {
        if let Some(watch) = &mut self.watch {
            watch.ended(&ended.key, &SessionLine::of(&self.key, &self.site, ended, tag));
        }
        if let Some(out) = &mut self.out
            && self.failed.is_none()
        {
            let line = SessionLine::of(&self.key, &self.site, ended, tag);
            let written = serde_json::to_writer(&mut **out, &line)
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n"));
            self.failed = written.err().map(ReplayError::Write);
        }
        if let Some(sink) = &mut self.records
            && self.failed.is_none()
            && let Some((session, requests)) = records(&self.key, &self.site, geo, ended, tag)
        {
            let kept = sink.take_from(tag.address, session, requests);
            self.failed = kept.err().map(ReplayError::Keep);
        }
        let mut bytes = [0; 25];
        bytes[..17].copy_from_slice(&ended.key.network.to_bytes());
        bytes[17..].copy_from_slice(&ended.key.agent.to_le_bytes());
        xxhash_rust::xxh3::xxh3_64(&bytes)
    }
}
