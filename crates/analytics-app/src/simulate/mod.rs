//! Synthetic traffic with truth labels, from a seed.
//!
//! A simulation is a pure function of its [`SimulationPlan`]: the same plan gives the same bytes on every machine, since
//! all chance comes from one `ChaCha` stream an actor, transcendental functions from `libm`, and no output depends on the
//! order of a hash map. Each actor has its own stream, so that switching one off leaves the others as they were.
//!
//! What it is for: trying the engine on traffic whose truth is known, measuring its speed, filling a demonstration. It is
//! no proof of how well bots are found on a real site: people and bots here behave as this module's authors think they
//! do. Addresses are arbitrary (see `network`), shares of people and reading times are assumptions that stand beside
//! their constants.

mod agents;
mod attacks;
mod browser;
pub(crate) mod chance;
mod declared;
pub mod drive;
mod kind;
mod line;
mod network;
mod people;
mod plan;
mod scrapers;
mod site;
mod trace;
mod truth;
mod world;

use std::io::{self, Write};

pub use kind::{ActorKind, Truth};
pub use plan::{LogFormat, PlanError, SimulationOptions, SimulationPlan, parse_actors};
pub use truth::Summary;

use line::LineWriter;
use site::Site;
use trace::{MILLI, MINUTE, Record, Trace};
use world::World;

/// Writes the log and its labels, and gives what was written.
///
/// Lines stand in the order in which a server writes them: by the time of the request, or with
/// `lateness_jitter_ms` by the end of its answer. Both writers are flushed. The whole log is held in memory while it is
/// made, about 100 bytes a line.
///
/// # Errors
/// What either writer answers.
pub fn write(plan: &SimulationPlan, log: &mut dyn Write, labels: &mut dyn Write) -> io::Result<Summary> {
    let mut traffic = Traffic::generate(plan);
    let summary = truth::write(&traffic.trace, &traffic.records, labels)?;
    labels.flush()?;
    traffic.delay(plan.options().lateness_jitter_ms);
    let mut lines = LineWriter::new(&traffic.trace, plan.options().log_format);
    for record in &traffic.records {
        lines.write(log, record)?;
    }
    log.flush()?;
    Ok(summary)
}

/// All requests of a plan, in order of time.
struct Traffic {
    trace: Trace,
    records: Vec<Record>,
}

impl Traffic {
    fn generate(plan: &SimulationPlan) -> Self {
        let options = plan.options();
        let start = options.start.timestamp_micros();
        let end = start + i64::from(options.hours) * 60 * MINUTE;
        let mut trace = Trace::new(start, end);
        let site = Site::new(&mut trace, options.seed, options.site_pages);
        let day = start.div_euclid(24 * 60 * MINUTE);
        let world = World { site, seed: options.seed, start, end, day, intensity: options.intensity };
        let wanted = options.requests.map_or(0, |requests| requests as usize);
        let mut population = 0;
        let mut before = 0;
        loop {
            for (kind, count) in plan.counts() {
                for index in population * count..(population + 1) * count {
                    live(&world, &mut trace, *kind, index);
                }
            }
            population += 1;
            // A population that makes no line at all cannot be repeated until there are enough.
            if trace.records.len() >= wanted || trace.records.len() == before {
                break;
            }
            before = trace.records.len();
        }
        let mut records = core::mem::take(&mut trace.records);
        records.sort_by_key(|record| record.at);
        if wanted > 0 {
            records.truncate(wanted);
        }
        Self { trace, records }
    }

    /// Brings the records into the order in which their answers end, no later than `limit_ms` after they came.
    fn delay(&mut self, limit_ms: u32) {
        let limit = i64::from(limit_ms) * MILLI;
        if limit > 0 {
            self.records.sort_by_key(|record| record.at + i64::from(record.took).min(limit));
        }
    }
}

fn live(world: &World, trace: &mut Trace, kind: ActorKind, index: u32) {
    use ActorKind as K;
    let actor = match kind {
        K::HumanReader
        | K::HumanMobile
        | K::HumanReturning
        | K::HumanNat
        | K::HumanProxy
        | K::HumanPrivacy
        | K::HumanSearch
        | K::HumanForm
        | K::HumanLogin
        | K::HumanPager
        | K::HumanHeavy
        | K::HumanDeadLinks
        | K::HumanTextBrowser
        | K::HumanPrefetch
        | K::HumanPolling
        | K::HumanDashboard
        | K::HumanSurge
        | K::HumanLivingRoom => people::live,
        K::CrawlerSearch
        | K::CrawlerAiTraining
        | K::CrawlerAiSearch
        | K::AiUserFetch
        | K::AiAgent
        | K::CrawlerSeo
        | K::Monitor
        | K::FeedReader
        | K::SocialPreview
        | K::HttpLibrary
        | K::HeadlessBrowser
        | K::LinkChecker
        | K::NoAgent => declared::live,
        K::ScraperSteady
        | K::ScraperJittered
        | K::ScraperGaussian
        | K::ScraperSlow
        | K::ScraperWalk
        | K::ScraperSequential
        | K::ScraperExhaustive
        | K::ScraperDistributed
        | K::ScraperResidential
        | K::ScraperHttp10
        | K::ScraperMixedVersions
        | K::BrowserBot
        | K::BrowserBotNarrow
        | K::AgentRotation => scrapers::live,
        K::ReferrerSpam
        | K::CommentSpam
        | K::ScannerDeclared
        | K::ScannerBrowser
        | K::BruteForce
        | K::BruteForceDistributed
        | K::CredentialStuffing
        | K::ApiAbuse
        | K::ImpostorCrawler
        | K::Flood
        | K::FloodCacheBypass => attacks::live,
    };
    actor(world, trace, kind, index);
}

#[cfg(test)]
mod tests;
