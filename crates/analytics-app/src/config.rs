//! The effective configuration: defaults, then a file, then the environment, then flags; every value knows its origin.
//!
//! A file is TOML with the sections of [`Settings`]. Environment variables are `ANALYTICS_` and the key in capitals with
//! two underscores for each dot: `ANALYTICS_THROTTLE__MODE=enforce`. A name that is not known and a number that its rule
//! refuses are errors that say where they stand, never a silent default.

mod jobs;
mod usage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use analytics_domain::detector::{BehavioralBotDetector, CategoryPolicy, DetectorPolicy, SevenSignalPolicy};
use analytics_domain::engagement::{BeaconPolicy, EngagementPolicy};
use analytics_domain::reputation::ReputationPolicy;
use analytics_domain::request::{AddressPolicy, InvalidSite, Network, RequestPolicy, SitePolicy, SiteRules};
use analytics_domain::session::{RetentionPolicy, SessionPolicy};
use analytics_domain::throttle::ThrottlePolicy;
use analytics_domain::usage::PriceTable;
use analytics_domain::visit::VisitPolicy;
use figment::error::{Actual, Kind};
use figment::providers::Env;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::{Deserialize, Serialize};

pub use jobs::JobSettings;
pub use usage::{PriceSettings, UsageSettings};

use crate::live::{LivePolicy, PrivacyPolicy};
use crate::services::jobs::PartitionPolicy;

/// Everything that can be configured, checked.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Settings {
    /// Where sessions begin and end.
    pub session: SessionPolicy,
    /// How sessions are scored.
    pub detector: DetectorPolicy,
    /// Limits and levels.
    pub throttle: ThrottlePolicy,
    /// Flags and bans.
    pub reputation: ReputationPolicy,
    /// How client addresses are found.
    pub client: AddressPolicy,
    /// What is known of the site.
    pub site: SiteSettings,
    /// How logs are replayed.
    pub replay: ReplaySettings,
    /// How live traffic is watched.
    pub live: LiveSettings,
    /// What of a person is kept.
    pub privacy: PrivacyPolicy,
    /// How long rows are kept.
    pub retention: RetentionPolicy,
    /// How often jobs of upkeep run.
    pub jobs: JobSettings,
    /// Which beacons are taken.
    pub beacons: BeaconPolicy,
    /// What engagement is possible.
    pub engagement: EngagementPolicy,
    /// What the detector hears beside its rules.
    pub model: ModelSettings,
    /// How the use of AI providers is counted.
    pub usage: UsageSettings,
}

/// How live traffic is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiveSettings {
    /// Visitors remembered at once, at least 1. Default 200,000, about 400 MB when all of them are there.
    pub capacity: u32,
    /// Rows of each kind that a store in memory keeps, at least 1. Default 500,000: a day of 500,000 requests, about
    /// 500 MB when it is full.
    pub memory_rows: u32,
    /// Milliseconds that a decision may take before the request passes unseen, 1 to 10,000. Default 50.
    pub patience_ms: u32,
    /// URLs that the site shows to nobody, such as `/trap`; who asks for one is hostile. Default none.
    pub traps: Vec<String>,
    /// Beginnings of paths that are never refused, such as `/healthz`. Default none.
    pub exempt_paths: Vec<String>,
    /// Networks that are never refused. Default none.
    pub exempt_networks: Vec<Network>,
    /// Whether browsers are given a cookie for their session, so that people who share an address and an agent are counted
    /// apart. Default no.
    pub session_cookie: bool,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            capacity: 200_000,
            memory_rows: 500_000,
            patience_ms: 50,
            traps: Vec::new(),
            exempt_paths: Vec::new(),
            exempt_networks: Vec::new(),
            session_cookie: false,
        }
    }
}

/// A model that the detector hears beside its rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSettings {
    /// The model: trees that LightGBM wrote as text, or a logistic regression as JSON. Empty (the default): none.
    pub file: String,
}

/// What is known of the site.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SiteSettings {
    /// Its own hosts, each with its subdomains. None (the default): replay learns them from the log.
    pub hosts: Vec<String>,
}

/// How logs are replayed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplaySettings {
    /// Format of the logs, as `--log-format` takes it. Default `auto`: each log's first lines tell.
    pub log_format: String,
    /// Threads that parse, 1 to 256; one more orders and one steps. Default 1: a line is parsed faster than it is stepped, and
    /// on two cores a second parser only takes the stepping thread's time. The report does not depend on it.
    pub threads: u16,
    /// Seconds that requests wait for earlier ones, 0 to 86,400. Default 120: servers log a request when it ends.
    pub lateness_seconds: f64,
    /// Visitors remembered at once, at least 1. Default 1,000,000, about 1.5 GB when all of them are there.
    pub capacity: u32,
    /// Whether a bad line ends the replay. Default no: it is counted and shown.
    pub strict: bool,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        Self {
            log_format: "auto".to_owned(),
            threads: 1,
            lateness_seconds: 120.0,
            capacity: 1_000_000,
            strict: false,
        }
    }
}

impl Settings {
    /// How live requests are read and what of them is kept.
    ///
    /// # Errors
    /// [`InvalidSite`] for a host that is none.
    pub fn live(&self) -> Result<LivePolicy, InvalidSite> {
        let site = SitePolicy::new(SiteRules { hosts: self.site.hosts.clone(), ..SiteRules::default() })?;
        Ok(LivePolicy {
            request: RequestPolicy { address: self.client.clone(), site },
            site: self.site.hosts.first().cloned().unwrap_or_default(),
            traps: self.live.traps.clone(),
            exempt_paths: self.live.exempt_paths.clone(),
            exempt_networks: self.live.exempt_networks.clone(),
            session_cookie: self.live.session_cookie,
            privacy: self.privacy,
            patience: Duration::from_millis(self.live.patience_ms.into()),
        })
    }

    /// What models cost.
    ///
    /// # Panics
    /// For settings made by hand with a price that is none; those that were read have only prices.
    pub fn prices(&self) -> PriceTable {
        self.usage.table().expect("prices are checked when they are read")
    }

    /// The rules that a request meets.
    pub fn visit(&self) -> VisitPolicy {
        VisitPolicy {
            session: self.session,
            detector: BehavioralBotDetector::new(self.detector.clone()),
            throttle: self.throttle.clone(),
            reputation: self.reputation.clone(),
            trusted_proxies: self.client.trusted_proxies.clone(),
        }
    }
}

/// Which set of rules the detector starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Preset {
    /// Independent categories of evidence
    #[default]
    Default,
    /// Seven signals whose points add up
    SevenSignal,
}

/// The layers of a configuration, not yet put together.
#[derive(Debug, Default)]
pub struct Layers {
    /// A policy file.
    pub file: Option<PathBuf>,
    /// Rules asked for by a flag.
    pub preset: Option<Preset>,
    /// Values of flags by key, such as `replay.threads`, with the flag's name.
    pub flags: Vec<(&'static str, &'static str, Value)>,
    /// Whether the environment counts.
    pub environment: bool,
}

/// One effective value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its key, such as `throttle.quota.requests`.
    pub key: String,
    /// The value.
    pub value: serde_json::Value,
    /// Where it comes from: `default`, `file`, `environment` or `flag`.
    pub origin: &'static str,
    /// Which file, variable or flag; `None` for a default.
    pub source: Option<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the policy file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{} is no TOML", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: toml::de::Error,
    },
    /// A value is refused.
    #[error("{place}: `{key}`: {problem}")]
    Field {
        /// The file with its line, the variable or the flag.
        place: String,
        /// The key, such as `throttle.quota.requests`.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Layers {
    /// The checked settings, and every effective value with its origin, in the order of keys.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is wrong.
    pub fn read(self) -> Result<(Settings, Vec<Entry>), ConfigError> {
        let mut above = Figment::new();
        let mut text = String::new();
        if let Some(path) = &self.file {
            text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
            let table: toml::Table =
                toml::from_str(&text).map_err(|source| ConfigError::Syntax { path: path.clone(), source })?;
            above = above.merge(Layer::new(FILE, path.display().to_string(), Value::serialize(table)));
        }
        if self.environment {
            above = above.merge(Env::prefixed(ENV_PREFIX).split("__"));
        }
        for (key, flag, value) in self.flags {
            above = above.merge(Layer {
                value: nest(key, value),
                ..Layer::new(FLAG, flag.to_owned(), Ok(Value::from(Dict::new())))
            });
        }
        let context = Context { file: self.file.as_deref(), text: &text };
        let preset = match self.preset {
            Some(preset) => preset,
            None => context.preset(&above)?,
        };
        let detector = match preset {
            Preset::Default => DetectorPolicy::default(),
            Preset::SevenSignal => DetectorPolicy::seven_signal(),
        };
        let defaults = Settings { detector, ..Settings::default() };
        let mut all =
            Figment::from(Layer::new(DEFAULT, String::new(), Value::serialize(&defaults))).merge(above);
        if let Some(preset) = self.preset {
            let scoring = nest("detector.scoring", Value::from(scoring(preset)));
            all = all.merge(Layer {
                value: scoring,
                ..Layer::new(FLAG, "--preset".to_owned(), Ok(Value::from(Dict::new())))
            });
        }
        let settings = context.settings(&all, preset)?;
        Ok((settings, entries(&all)))
    }
}

/// Settings as written, all but the detector's, whose rules depend on the preset.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    session: SessionPolicy,
    detector: Dict,
    throttle: ThrottlePolicy,
    reputation: ReputationPolicy,
    client: AddressPolicy,
    site: SiteSettings,
    replay: ReplaySettings,
    live: LiveSettings,
    privacy: PrivacyPolicy,
    retention: RetentionPolicy,
    jobs: JobSettings,
    beacons: BeaconPolicy,
    engagement: EngagementPolicy,
    model: ModelSettings,
    usage: UsageSettings,
}

/// The file that errors may be about.
struct Context<'a> {
    file: Option<&'a Path>,
    text: &'a str,
}

impl Context<'_> {
    fn preset(&self, above: &Figment) -> Result<Preset, ConfigError> {
        let Ok(value) = above.find_value("detector.scoring") else { return Ok(Preset::Default) };
        [Preset::Default, Preset::SevenSignal]
            .into_iter()
            .find(|&preset| value.as_str() == Some(scoring(preset)))
            .ok_or_else(|| {
                self.field(above, "detector.scoring", "must be `categories` or `seven_signal`".to_owned())
            })
    }

    fn settings(&self, all: &Figment, preset: Preset) -> Result<Settings, ConfigError> {
        let refused = |prefix: &str| {
            let prefix = prefix.to_owned();
            move |error: figment::Error| self.refused(all, &prefix, error)
        };
        let written: Written = all.extract().map_err(refused(""))?;
        let mut rules = written.detector;
        rules.remove("scoring");
        let rules = Value::from(rules);
        let detector = match preset {
            Preset::Default => rules
                .deserialize::<CategoryPolicy>()
                .map(|policy| DetectorPolicy::Categories(Box::new(policy)))
                .map_err(refused("detector"))?,
            Preset::SevenSignal => rules
                .deserialize::<SevenSignalPolicy>()
                .map(DetectorPolicy::SevenSignal)
                .map_err(refused("detector"))?,
        };
        let replay = &written.replay;
        let check = |holds: bool, key: &str, rule: &str| {
            if holds { Ok(()) } else { Err(self.field(all, key, format!("must be {rule}"))) }
        };
        check((1..=256).contains(&replay.threads), "replay.threads", "1 to 256")?;
        check(replay.capacity >= 1, "replay.capacity", "at least 1")?;
        check(
            (0.0..=86_400.0).contains(&replay.lateness_seconds),
            "replay.lateness_seconds",
            "0 to 86400 seconds",
        )?;
        let live = &written.live;
        check(live.capacity >= 1, "live.capacity", "at least 1")?;
        check(live.memory_rows >= 1, "live.memory_rows", "at least 1")?;
        check((1..=10_000).contains(&live.patience_ms), "live.patience_ms", "1 to 10000 milliseconds")?;
        for (key, paths) in [("live.traps", &live.traps), ("live.exempt_paths", &live.exempt_paths)] {
            check(paths.iter().all(|path| path.starts_with('/')), key, "paths that begin with a slash")?;
        }
        if let Err(key) = written.jobs.schedule() {
            check(false, &format!("jobs.{key}"), "1 to 31622400 seconds")?;
        }
        check(
            PartitionPolicy::new(written.jobs.partition_days_ahead).is_ok(),
            "jobs.partition_days_ahead",
            "1 to 366 days",
        )?;
        if let Err((price, error)) = written.usage.table() {
            let problem = format!("{} of {}: {error}", price.model, price.provider);
            return Err(self.field(all, "usage.prices", problem));
        }
        Ok(Settings {
            session: written.session,
            detector,
            throttle: written.throttle,
            reputation: written.reputation,
            client: written.client,
            site: written.site,
            replay: written.replay,
            live: written.live,
            privacy: written.privacy,
            retention: written.retention,
            jobs: written.jobs,
            beacons: written.beacons,
            engagement: written.engagement,
            model: written.model,
            usage: written.usage,
        })
    }

    fn refused(&self, all: &Figment, prefix: &str, error: figment::Error) -> ConfigError {
        let mut path: Vec<String> = if prefix.is_empty() { Vec::new() } else { vec![prefix.to_owned()] };
        path.extend(error.path.iter().cloned());
        let problem = match error.kind {
            Kind::UnknownField(name, known) => {
                // The path has the name itself already where the environment brought it.
                let below = path.iter().chain([&name]).cloned().collect::<Vec<_>>();
                if all.contains(&below.join(".")) {
                    path = below;
                }
                format!("is no known key; known here are {}", known.join(", "))
            }
            Kind::InvalidType(Actual::Signed(number), _) | Kind::InvalidValue(Actual::Signed(number), _)
                if number < 0 =>
            {
                format!("must not be negative, but is {number}")
            }
            Kind::UnknownVariant(name, known) => format!("must be one of {}, not {name}", known.join(", ")),
            Kind::Message(message) => message,
            kind @ (Kind::InvalidType(..)
            | Kind::InvalidValue(..)
            | Kind::InvalidLength(..)
            | Kind::MissingField(_)
            | Kind::DuplicateField(_)
            | Kind::ISizeOutOfRange(_)
            | Kind::USizeOutOfRange(_)
            | Kind::Unsupported(_)
            | Kind::UnsupportedKey(..)) => kind.to_string(),
        };
        let key = path.join(".");
        // A rule over a whole section names the field itself, from its own section or from one around it.
        let named = problem.split(' ').next().unwrap_or_default();
        let within =
            (0..=path.len()).rev().map(|depth| [&path[..depth], &[named.to_owned()]].concat().join("."));
        if let Some(within) = within.into_iter().find(|key| all.contains(key)) {
            let rule = problem[named.len()..].trim_start().to_owned();
            return self.field(all, &within, rule);
        }
        self.field(all, &key, problem)
    }

    fn field(&self, all: &Figment, key: &str, problem: String) -> ConfigError {
        let place = match origin(all.find_metadata(key), key) {
            ("file", _) => self.line_of(key),
            ("environment" | "flag", Some(source)) => source,
            (_, source) => source.unwrap_or_else(|| "the configuration".to_owned()),
        };
        ConfigError::Field { place, key: key.to_owned(), problem }
    }

    /// The file and the line on which a key stands.
    fn line_of(&self, key: &str) -> String {
        let name = self.file.map(|path| path.display().to_string()).unwrap_or_default();
        let offset = toml::de::DeTable::parse(self.text).ok().and_then(|table| {
            let mut at = None;
            let mut table = table.into_inner();
            for part in key.split('.') {
                let (found, value) = table.into_iter().find(|(name, _)| name.get_ref() == part)?;
                at = Some(found.span().start);
                table = match value.into_inner() {
                    toml::de::DeValue::Table(inner) => inner,
                    toml::de::DeValue::String(_)
                    | toml::de::DeValue::Integer(_)
                    | toml::de::DeValue::Float(_)
                    | toml::de::DeValue::Boolean(_)
                    | toml::de::DeValue::Datetime(_)
                    | toml::de::DeValue::Array(_) => return at,
                };
            }
            at
        });
        match offset {
            Some(at) => format!("{name}, line {}", self.text[..at].matches('\n').count() + 1),
            None => name,
        }
    }
}

/// Values with the name of where they come from.
struct Layer {
    name: &'static str,
    source: String,
    value: Value,
}

impl Layer {
    fn new(name: &'static str, source: String, value: Result<Value, figment::Error>) -> Self {
        Self { name, source, value: value.expect("settings and TOML tables are made of plain values") }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        let named = Metadata::named(self.name);
        if self.source.is_empty() {
            named
        } else {
            named.source(figment::Source::Custom(self.source.clone()))
        }
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let dict = self.value.as_dict().cloned().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

fn entries(all: &Figment) -> Vec<Entry> {
    let mut found = Vec::new();
    if let Ok(dict) = all.extract::<Dict>() {
        walk(all, &mut String::new(), &Value::from(dict), &mut found);
    }
    found
}

fn walk(all: &Figment, key: &mut String, value: &Value, found: &mut Vec<Entry>) {
    if let Some(dict) = value.as_dict() {
        for (name, inner) in dict {
            let length = key.len();
            if length > 0 {
                key.push('.');
            }
            key.push_str(name);
            walk(all, key, inner, found);
            key.truncate(length);
        }
        return;
    }
    let (origin, source) = origin(all.find_metadata(key), key);
    let value = serde_json::to_value(value).unwrap_or(serde_json::Value::Null);
    found.push(Entry { key: key.clone(), value, origin, source });
}

fn origin(metadata: Option<&Metadata>, key: &str) -> (&'static str, Option<String>) {
    let Some(metadata) = metadata else { return ("default", None) };
    let source = metadata.source.as_ref().and_then(figment::Source::custom).map(str::to_owned);
    match &*metadata.name {
        DEFAULT => ("default", None),
        FILE => ("file", source),
        FLAG => ("flag", source),
        _ => ("environment", Some(format!("{ENV_PREFIX}{}", key.to_uppercase().replace('.', "__")))),
    }
}

fn nest(key: &str, value: Value) -> Value {
    key.rsplit('.').fold(value, |inner, part| Value::from(Dict::from([(part.to_owned(), inner)])))
}

const fn scoring(preset: Preset) -> &'static str {
    match preset {
        Preset::Default => "categories",
        Preset::SevenSignal => "seven_signal",
    }
}

const DEFAULT: &str = "default";
const FILE: &str = "file";
const FLAG: &str = "flag";
const ENV_PREFIX: &str = "ANALYTICS_";

#[cfg(test)]
mod tests {
    use std::io::Write;

    use analytics_domain::session::Retained;
    use chrono::TimeDelta;

    use super::*;
    use crate::services::jobs::{Job, JobSchedule};

    #[test]
    fn without_any_layer_the_settings_are_the_defaults() {
        let (settings, entries) = Layers::default().read().unwrap();
        assert_eq!(settings, Settings::default());
        assert!(entries.iter().all(|entry| entry.origin == "default"));
        assert!(entries.iter().any(|entry| entry.key == "throttle.quota.requests"));
        assert_eq!(settings.replay, ReplaySettings::default());
    }

    #[test]
    fn a_file_changes_what_it_names_and_a_flag_wins_over_it() {
        let file = policy("[detector.volume]\ncap = 12\n[replay]\nthreads = 3\ncapacity = 9\n");
        let flags = vec![("replay.threads", "--threads", Value::from(5u16))];
        let (settings, entries) =
            Layers { file: Some(file.path().to_owned()), flags, ..Layers::default() }.read().unwrap();
        assert_eq!((settings.replay.threads, settings.replay.capacity), (5, 9));
        let of = |key: &str| {
            let entry = entries.iter().find(|entry| entry.key == key).unwrap();
            (entry.origin, entry.source.clone())
        };
        assert_eq!(of("replay.threads"), ("flag", Some("--threads".to_owned())));
        assert_eq!(of("replay.capacity"), ("file", Some(file.path().display().to_string())));
        assert_eq!(of("detector.volume.cap"), ("file", Some(file.path().display().to_string())));
        assert_eq!(of("replay.strict"), ("default", None));
        let DetectorPolicy::Categories(policy) = settings.detector else {
            panic!("the default has categories")
        };
        assert!((policy.volume.cap.get() - 12.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_jobs_do_and_how_often_follows_the_file() {
        let file =
            policy("[retention]\nevent_days = 7\n[jobs]\nretention_seconds = 10\npartition_days_ahead = 3\n");
        let layers = Layers { file: Some(file.path().to_owned()), ..Layers::default() };
        let (settings, _) = layers.read().unwrap();
        let schedule = JobSchedule::default().with_interval(Job::Retention, TimeDelta::seconds(10)).unwrap();
        assert_eq!(settings.job_schedule(), schedule);
        let policies = settings.job_policies();
        assert_eq!(policies.retention.days(Retained::Events), 7);
        assert_eq!(policies.partitions, PartitionPolicy::new(3).unwrap());
        assert_eq!(Settings::default().job_schedule(), JobSchedule::default());
    }

    #[test]
    fn a_preset_comes_from_a_flag_or_from_the_file() {
        let by_flag = Layers { preset: Some(Preset::SevenSignal), ..Layers::default() }.read().unwrap();
        let file = policy("[detector]\nscoring = \"seven_signal\"\nmax_requests = 40\n");
        let by_file = Layers { file: Some(file.path().to_owned()), ..Layers::default() }.read().unwrap();
        assert_eq!(by_flag.0.detector, DetectorPolicy::seven_signal());
        let DetectorPolicy::SevenSignal(policy) = by_file.0.detector else {
            panic!("the file chose seven signals")
        };
        assert_eq!(policy.max_requests, 40);
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_with_its_line_and_key() {
        for (text, line, told) in [
            (
                "[session]\ngap_secs = 900\n",
                2,
                "`session.gap_secs`: is no known key; known here are gap_seconds",
            ),
            ("\n[sesion]\n", 2, "`sesion`: is no known key; known here are session"),
            (
                "[detector.volume]\ncapp = 1\n",
                2,
                "`detector.volume.capp`: is no known key; known here are cap",
            ),
            (
                "[detector.volume]\ncap = -3\n",
                2,
                "`detector.volume.cap`: points are a number from 0 to 1000, not -3",
            ),
            (
                "[detector.volume]\ncap = nan\n",
                2,
                "`detector.volume.cap`: points are a number from 0 to 1000, not NaN",
            ),
            (
                "[throttle]\n\nnetwork_factor = -1\n",
                3,
                "`throttle.network_factor`: must not be negative, but is -1",
            ),
            (
                "[throttle]\nnetwork_factor = 0\n",
                2,
                "`throttle.network_factor`: must be at least 1, but is 0",
            ),
            (
                "[throttle.escalation]\nerror_share = nan\n",
                2,
                "`throttle.escalation.error_share`: must be more than 0",
            ),
            ("[reputation]\nhalf_life_seconds = nan\n", 2, "`reputation.half_life_seconds`: must be"),
            ("[reputation.ban]\nincidents = 9\n", 2, "`reputation.ban.incidents`: must be"),
            (
                "[session]\ngap_seconds = 0\n",
                2,
                "`session.gap_seconds`: must be 1 to 31622400 seconds, not 0",
            ),
            (
                "[session]\n\nlateness_seconds = -7\n",
                3,
                "`session.lateness_seconds`: must be 0 to 31622400 seconds",
            ),
            (
                "[session]\nmax_length_seconds = 9\n",
                1,
                "`session`: the greatest session length must be at least the gap",
            ),
            (
                "[replay]\nlateness_seconds = nan\n",
                2,
                "`replay.lateness_seconds`: must be 0 to 86400 seconds",
            ),
            ("[replay]\nthreads = 0\n", 2, "`replay.threads`: must be 1 to 256"),
            ("[retention]\n\nrequest_days = 0\n", 3, "`retention.request_days`: must be at least 1"),
            ("[retention]\nusage_days = 36501\n", 2, "`retention.usage_days`: must be at most 36500"),
            ("[retention]\nbatch = 0\n", 2, "`retention.batch`: must be 1 to 10000, not 0"),
            ("[retention]\ndays = 9\n", 2, "`retention.days`: is no known key; known here are request_days"),
            ("[jobs]\nretention_seconds = 0\n", 2, "`jobs.retention_seconds`: must be 1 to 31622400 seconds"),
            ("[jobs]\nretry_seconds = 31622401\n", 2, "`jobs.retry_seconds`: must be 1 to 31622400 seconds"),
            ("[jobs]\npartition_days_ahead = 367\n", 2, "`jobs.partition_days_ahead`: must be 1 to 366 days"),
            (
                "[[usage.prices]]\nprovider = 'a'\nmodel = 'b'\ninput = -1.0\noutput = 1.0\n",
                1,
                "`usage.prices`: b of a: a million tokens cost 0 to 10^15 nano-dollars",
            ),
            (
                "[detector]\nscoring = \"guess\"\n",
                2,
                "`detector.scoring`: must be `categories` or `seven_signal`",
            ),
        ] {
            let file = policy(text);
            let error =
                Layers { file: Some(file.path().to_owned()), ..Layers::default() }.read().unwrap_err();
            let start = format!("{}, line {line}: {told}", file.path().display());
            assert!(error.to_string().starts_with(&start), "{error}\nis not\n{start}");
        }
    }

    #[test]
    fn a_file_that_is_missing_or_no_toml_is_named() {
        let missing = Layers { file: Some("/no/such.toml".into()), ..Layers::default() }.read().unwrap_err();
        assert_eq!(missing.to_string(), "cannot read the policy file /no/such.toml");
        let file = policy("[session\n");
        let broken = Layers { file: Some(file.path().to_owned()), ..Layers::default() }.read().unwrap_err();
        assert!(matches!(broken, ConfigError::Syntax { .. }), "{broken}");
    }

    fn policy(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }
}
