//! Another configuration for a service that runs.

use analytics_domain::request::InvalidSite;
use analytics_domain::visit::VisitPolicy;

use super::{Analytics, engagement_rules};
use crate::config::Settings;

/// Keys of a configuration that was taken up whose values count from the next start on: rooms that are made once.
pub type AtNextStart = Vec<&'static str>;

impl Analytics {
    /// Puts other settings in force, with these rules for requests: at once for requests, beacons, fingerprints and prices,
    /// from its next run on for upkeep. Whatever is remembered of visitors stays, and so do sessions that are open.
    ///
    /// # Errors
    /// [`InvalidSite`] for a host that is none; then nothing has changed.
    pub async fn reload(&self, settings: &Settings, rules: VisitPolicy) -> Result<AtNextStart, InvalidSite> {
        let service = self.service();
        let policy = settings.live()?;
        service.engagement().set_rules(engagement_rules(settings, &policy));
        self.live().set_rules(rules, policy);
        service.analytics().set_policy(settings.session);
        let proxies = settings.client.trusted_proxies.clone();
        service.reputation().set_policy(settings.reputation.clone(), proxies);
        service.set_prices(settings.prices());
        self.jobs.lock().await.set_rules(settings.job_policies(), settings.job_schedule());
        service.configuration().take_up();
        Ok(self.made_once.differences(settings))
    }

    /// Counts a configuration that was refused; the one of before stays in force.
    pub fn refuse_configuration(&self) {
        self.service().configuration().refuse();
    }
}

/// The settings that rooms were made by at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MadeOnce {
    capacity: u32,
    memory_rows: u32,
    tokens_remembered: u32,
}

impl MadeOnce {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            capacity: settings.live.capacity,
            memory_rows: settings.live.memory_rows,
            tokens_remembered: settings.beacons.settings().tokens_remembered,
        }
    }

    fn differences(self, settings: &Settings) -> AtNextStart {
        let other = Self::of(settings);
        [
            ("live.capacity", self.capacity == other.capacity),
            ("live.memory_rows", self.memory_rows == other.memory_rows),
            ("beacons.tokens_remembered", self.tokens_remembered == other.tokens_remembered),
        ]
        .into_iter()
        .filter_map(|(key, same)| (!same).then_some(key))
        .collect()
    }
}
