//! Another configuration for a service that runs.

use analytics_domain::request::InvalidSite;
use analytics_domain::visit::VisitPolicy;

use super::{Analytics, engagement_rules};
use crate::config::Settings;

/// Keys of a configuration that was taken up whose values count from the next start on: rooms that are made once.
pub type AtNextStart = Vec<&'static str>;

impl Analytics {
    /// Puts other settings in force, with these rules for requests: at once for requests, beacons, fingerprints and prices,
    /// from its next run on for upkeep. Whatever is remembered of visitors stays, and so do sessions that are open, and
    /// prices that were given to the builder.
    ///
    /// # Errors
    /// [`InvalidSite`] for a host that is none; then nothing has changed.
    pub fn reload(&self, settings: &Settings, rules: VisitPolicy) -> Result<AtNextStart, InvalidSite> {
        let service = self.service();
        let policy = settings.live()?;
        service.engagement().set_rules(engagement_rules(settings, &policy));
        self.live().set_rules(rules, policy);
        service.analytics().set_policy(settings.session);
        let proxies = settings.client.trusted_proxies.clone();
        service.reputation().set_policy(settings.reputation.clone(), proxies);
        if !self.own_prices {
            service.set_prices(settings.prices());
        }
        *self.job_rules.lock() = Some((settings.job_policies(), settings.job_schedule()));
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

#[cfg(test)]
mod tests {
    use analytics_domain::usage::{Name, PriceTable};

    use super::*;
    use crate::config::{PriceSettings, UsageSettings};

    #[tokio::test]
    async fn reload_does_not_wait_for_a_job_and_the_next_run_follows_it() {
        let analytics = Analytics::builder().build().unwrap();
        let running = analytics.jobs.lock().await;
        analytics.reload(&Settings::default(), VisitPolicy::default()).unwrap();
        assert!(analytics.job_rules.lock().is_some());
        drop(running);
        analytics.run_due_jobs().await;
        assert!(analytics.job_rules.lock().is_none(), "the run took them up");
    }

    #[tokio::test]
    async fn prices_that_were_given_by_hand_stay_and_others_are_taken_up() {
        let read = |input: f64| {
            let (provider, model) = (Name::new("acme").unwrap(), Name::new("large").unwrap());
            let row = PriceSettings {
                provider,
                model,
                from: None,
                input,
                output: 1.0,
                cached: None,
                reasoning: None,
            };
            Settings { usage: UsageSettings { prices: vec![row] }, ..Settings::default() }
        };
        let (first, second) = (read(1.0), read(2.0));
        let by_hand = Analytics::builder().prices(PriceTable::default()).build().unwrap();
        let by_file = Analytics::builder().settings(first).build().unwrap();
        for analytics in [&by_hand, &by_file] {
            analytics.reload(&second, VisitPolicy::default()).unwrap();
        }
        assert_eq!(*by_hand.service().prices(), PriceTable::default());
        assert_eq!(*by_file.service().prices(), second.prices());
    }
}
