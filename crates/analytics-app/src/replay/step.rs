//! Stepping requests in their order, on a thread of its own; what each led to is handed on to whoever counts.

use std::sync::mpsc::{Receiver, SyncSender};

use analytics_domain::detector::Class;
use analytics_domain::throttle::LevelChange;
use analytics_domain::visit::{Client, ClientKey, EndedSession, Output, ShardCounters, Step};

use super::order::Ordered;
use super::run::ReplayOptions;
use crate::services::TrafficService;

/// Steps requests through the engine.
pub(super) struct Stepper {
    traffic: TrafficService<Place>,
    keeps_decisions: bool,
    out: Output<Place>,
    /// Places of sessions that have ended.
    free: Vec<u32>,
    /// Places that were ever taken.
    places: u32,
}

/// Where whoever counts keeps what belongs to an open session. The place of one that ended is taken again, by a session that
/// begins with a later request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place(u32);

/// What a step came to, as far as everybody needs it.
pub(super) struct Stepped {
    /// Where its session is.
    pub(super) place: Place,
    pub(super) class: Class,
    pub(super) opened: bool,
    pub(super) new_visitor: bool,
    pub(super) page_view: bool,
    /// How many bans began with it.
    pub(super) bans: u8,
}

/// Requests in their order, with what each led to.
#[derive(Default)]
pub(super) struct SteppedBlock {
    pub(super) ordered: Ordered,
    /// One for each request.
    pub(super) steps: Vec<Stepped>,
    /// The same with the whole decision, where that is wanted.
    pub(super) decisions: Vec<Step>,
    /// Sessions that ended.
    pub(super) ended: Vec<EndedSession<Place>>,
    /// The number of the request that each was found at; behind the last one are those that the end of the input ends.
    pub(super) ended_at: Vec<usize>,
    /// Changes of level, each with the number of the request that led to it; where decisions are wanted.
    pub(super) levels: Vec<(usize, ClientKey, LevelChange)>,
}

impl Stepper {
    /// Nobody yet. `keeps_decisions` says whether whoever counts wants them.
    pub(super) fn new(options: &ReplayOptions, keeps_decisions: bool) -> Self {
        Self {
            traffic: TrafficService::new(options.visit.clone(), options.capacity.get()),
            keeps_decisions,
            out: Output::default(),
            free: Vec::new(),
            places: 0,
        }
    }

    /// Steps all that `ordered` brings, and hands it on for as long as it is taken. Blocks that come back are filled again.
    pub(super) fn run(
        mut self,
        ordered: Receiver<Ordered>,
        onward: &SyncSender<SteppedBlock>,
        spent: &Receiver<SteppedBlock>,
    ) -> (ShardCounters, &'static str) {
        for ordered in ordered {
            let mut block = spent.try_recv().unwrap_or_default();
            self.step_all(&ordered, &mut block);
            // Where there is no last one, an error has ended the input, and what is open stays untold.
            if ordered.last {
                self.traffic.finish(&mut self.out);
                block.ended.append(&mut self.out.ended);
                block.ended_at.resize(block.ended.len(), block.steps.len());
            }
            block.ordered = ordered;
            // Whoever counts has given up with an error of its own.
            if onward.send(block).is_err() {
                break;
            }
        }
        (self.traffic.counters(), self.traffic.policy().detector.policy().ruleset_version())
    }

    fn step_all(&mut self, ordered: &Ordered, block: &mut SteppedBlock) {
        let Self { traffic, keeps_decisions, out, free, places } = self;
        // Sessions are large, so they are handed on where they were put down. Findings stay until the minute is over.
        std::mem::swap(&mut out.ended, &mut block.ended);
        for (at, (batch, request)) in ordered.iter().enumerate() {
            let agent = &batch.agents[request.agent as usize].facts;
            let client = Client { network: request.network, headers: request.headers, agent };
            let (step, class, place) = traffic.step(client, &request.observation(batch), request.at, out);
            if step.opened {
                *place = Place(free.pop().unwrap_or_else(|| {
                    *places += 1;
                    *places - 1
                }));
            }
            let Step { opened, new_visitor, page_view, .. } = step;
            let bans = out.bans.len() as u8;
            block.steps.push(Stepped { place: *place, class, opened, new_visitor, page_view, bans });
            for ended in &out.ended[block.ended_at.len()..] {
                free.push(ended.tag.0);
                block.ended_at.push(at);
            }
            if *keeps_decisions {
                block.decisions.push(step);
                block.levels.extend(out.levels.drain(..).map(|(key, change)| (at, key, change)));
            }
            out.levels.clear();
            out.flags.clear();
            out.bans.clear();
        }
        std::mem::swap(&mut out.ended, &mut block.ended);
    }
}

impl Place {
    /// The place, among `kept` of all.
    pub(super) fn among<T: Default>(self, kept: &mut Vec<T>) -> &mut T {
        let at = self.0 as usize;
        if kept.len() <= at {
            kept.resize_with(at + 1, T::default);
        }
        &mut kept[at]
    }
}

impl SteppedBlock {
    /// Empties it, keeping its memory, and answers the requests that stood in it.
    pub(super) fn empty(&mut self) -> Ordered {
        self.steps.clear();
        self.decisions.clear();
        self.ended.clear();
        self.ended_at.clear();
        self.levels.clear();
        std::mem::take(&mut self.ordered)
    }
}
