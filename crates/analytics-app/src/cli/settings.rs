//! The options that every command which replays logs understands.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use analytics_domain::identity::IdentityKey;
use analytics_domain::request::Network;
use analytics_domain::visit::VisitPolicy;
use anyhow::{Context, anyhow, bail};
use chrono::TimeDelta;
use figment::value::Value;

use super::CliError;
use crate::config::{Entry, Layers, Preset, Settings};
use crate::ingest::access_log::LogFormat;
use crate::models;
use crate::replay::ReplayOptions;

/// Options that are layered over defaults, a policy file and the environment.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct SettingsArgs {
    /// TOML file with the sections session, detector, throttle, reputation, client, site, replay and model
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Rules to start from
    #[arg(long, value_enum)]
    preset: Option<Preset>,
    /// Format of the logs: auto (the default), a name such as combined, or a format string of nginx or Apache
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Threads that parse, 1 to 256 (default 1); the report does not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<u16>,
    /// A host of the site itself, with its subdomains; may be given several times. Learned from the log without it
    #[arg(long, value_name = "HOST")]
    site_host: Vec<String>,
    /// Address or network of the site's own proxies, such as 10.0.0.0/8; may be given several times
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<Network>,
    /// How long requests wait for earlier ones, such as 120s (the default) or 2m
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    lateness: Option<f64>,
    /// Visitors remembered at once (default 1,000,000)
    #[arg(long, value_name = "N")]
    capacity: Option<u32>,
    /// A model that the detector hears beside its rules: LightGBM's text, or a logistic regression as JSON
    #[arg(long, value_name = "FILE")]
    model: Option<String>,
    /// A bad line ends the replay
    #[arg(long)]
    strict: bool,
}

impl SettingsArgs {
    /// The checked settings and where each comes from.
    pub(super) fn read(&self) -> Result<(Settings, Vec<Entry>), CliError> {
        let mut flags = Vec::new();
        let mut flag = |key, name, value: Option<Value>| flags.extend(value.map(|value| (key, name, value)));
        let list = |texts: Vec<String>| (!texts.is_empty()).then(|| Value::from(texts));
        flag("replay.log_format", "--log-format", self.log_format.clone().map(Value::from));
        flag("replay.threads", "--threads", self.threads.map(Value::from));
        flag("site.hosts", "--site-host", list(self.site_host.clone()));
        let proxies = self.trusted_proxy.iter().map(ToString::to_string).collect();
        flag("client.trusted_proxies", "--trusted-proxy", list(proxies));
        flag("replay.lateness_seconds", "--lateness", self.lateness.map(Value::from));
        flag("replay.capacity", "--capacity", self.capacity.map(Value::from));
        flag("model.file", "--model", self.model.clone().map(Value::from));
        flag("replay.strict", "--strict", self.strict.then(|| Value::from(true)));
        let layers = Layers { file: self.policy.clone(), preset: self.preset, flags, environment: true };
        layers.read().map_err(CliError::usage)
    }

    /// The settings as a replay takes them.
    pub(super) fn replay_options(&self, secret: Option<&Path>) -> Result<ReplayOptions, CliError> {
        let (settings, _) = self.read()?;
        let replay = &settings.replay;
        let format = match replay.log_format.as_str() {
            "auto" => None,
            name => Some(LogFormat::from_name(name).map_err(|error| {
                let names = LogFormat::NAMES.join(", ");
                CliError::Usage(anyhow!(error).context(format!(
                    "`{name}` is no log format; give auto, {names}, or a format string of nginx or Apache"
                )))
            })?),
        };
        let key = match secret {
            None => IdentityKey::REPLAY,
            Some(path) => read_secret(path).map_err(CliError::Usage)?,
        };
        Ok(ReplayOptions {
            format,
            threads: NonZeroUsize::new(replay.threads.into())
                .expect("the settings hold that it is at least 1"),
            site_hosts: settings.site.hosts.clone(),
            address: settings.client.clone(),
            visit: rules(&settings)?,
            lateness: TimeDelta::microseconds((replay.lateness_seconds * 1e6) as i64),
            capacity: NonZeroUsize::new(replay.capacity as usize)
                .expect("the settings hold that it is at least 1"),
            key,
            strict: replay.strict,
        })
    }
}

/// The rules that a request meets, and the model where one is configured.
pub(super) fn rules(settings: &Settings) -> Result<VisitPolicy, CliError> {
    let visit = settings.visit();
    if settings.model.file.is_empty() {
        return Ok(visit);
    }
    let path = Path::new(&settings.model.file);
    let model = models::read_for_detector(path)
        .with_context(|| format!("cannot use {} as a model", path.display()))
        .map_err(CliError::Usage)?;
    let detector = visit.detector.with_model(Arc::new(model));
    if detector.model().is_none() {
        let problem = "the preset seven-signal has no place for a model; leave one of the two out";
        return Err(CliError::Usage(anyhow!(problem)));
    }
    Ok(VisitPolicy { detector, ..visit })
}

/// A secret of 32 bytes, as they are or as 64 hexadecimal digits.
pub(super) fn read_secret(path: &Path) -> anyhow::Result<IdentityKey> {
    secret_bytes(path).map(IdentityKey::new)
}

/// The bytes of such a secret.
pub(super) fn secret_bytes(path: &Path) -> anyhow::Result<[u8; 32]> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read the secret {}", path.display()))?;
    if let Ok(raw) = <[u8; 32]>::try_from(bytes.as_slice()) {
        return Ok(raw);
    }
    let mut key = [0; 32];
    let text = bytes.trim_ascii();
    let digit = |byte: u8| (byte as char).to_digit(16);
    if text.len() == 64 && text.iter().all(u8::is_ascii_hexdigit) {
        for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
            *byte = (digit(pair[0]).unwrap_or(0) << 4 | digit(pair[1]).unwrap_or(0)) as u8;
        }
        return Ok(key);
    }
    bail!(
        "the secret {} is neither 32 bytes nor 64 hexadecimal digits; `openssl rand -hex 32` makes one",
        path.display()
    )
}

/// A time with its unit in seconds: `500ms`, `120s`, `2m`, `1h`; a bare number is seconds.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err("a time ends with ms, s, m or h".to_owned()),
    };
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value * unit),
        _ => Err("a time is a number of at least 0 with its unit, such as 120s or 2m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(seconds("120s"), Ok(120.0));
        assert_eq!(seconds("2m"), Ok(120.0));
        assert_eq!(seconds("500ms"), Ok(0.5));
        assert_eq!(seconds("0"), Ok(0.0));
        for wrong in ["", "s", "-1s", "NaN", "1d", "inf"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_raw_bytes_or_hexadecimal_digits() {
        let file = |bytes: &[u8]| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(bytes).unwrap();
            file
        };
        let hex = read_secret(file(&[b"ab".repeat(32), b"\n".to_vec()].concat()).path()).unwrap();
        let raw = read_secret(file(&[0xab; 32]).path()).unwrap();
        let visitor =
            |key: &IdentityKey| key.visitor("", analytics_domain::request::ClientNetwork::V4(1), "");
        assert_eq!(visitor(&hex), visitor(&raw));
        assert!(read_secret(file(b"short").path()).is_err());
    }
}
