//! The machine itself: its clock, its randomness, its waiting, its interrupt. Nothing else in the workspace reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use analytics_domain::ids::{AnomalyEventId, BanId, EventId, SessionId};
use analytics_ports::clock::whole_micros;
use analytics_ports::{Clock, IdGenerator};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::simulate::drive::Pace;

/// The machine's clock, which never goes back.
///
/// When the machine's clock is set back, time goes on at half its pace until the two agree again: so quotas still refill,
/// and no gap comes out at less than half its length. All clocks of a process are one.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        static TOLD: Mutex<Option<(DateTime<Utc>, Stopwatch)>> = Mutex::new(None);
        let mut told = TOLD.lock();
        let wall = whole_micros(DateTime::from(wall_time()));
        let now = told.map_or(wall, |(last, since)| steady(last, since.elapsed(), wall));
        // While nothing is told anew, what has passed must not be forgotten.
        if told.is_none_or(|(last, _)| now > last) {
            *told = Some((now, Stopwatch::start()));
        }
        now
    }
}

/// Identifiers of random bits, from a generator that the system seeded once.
pub struct SystemIds {
    chance: Mutex<ChaCha20Rng>,
}

impl SystemIds {
    /// A maker of ids.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { chance: Mutex::new(ChaCha20Rng::from_seed(random()?)) })
    }

    fn draw(&self) -> u128 {
        let mut chance = self.chance.lock();
        u128::from(chance.next_u64()) << 64 | u128::from(chance.next_u64())
    }
}

/// The certificates (DER) that this machine trusts, or those of the file that `SSL_CERT_FILE` names; what cannot be read
/// is left out and logged.
pub fn trusted_certificates() -> Vec<Vec<u8>> {
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        tracing::warn!(%error, "a trusted certificate cannot be read");
    }
    loaded.certs.iter().map(|certificate| certificate.to_vec()).collect()
}

/// What asks over HTTP, with TLS 1.2 or 1.3 where an address says so: it waits this long for an answer, follows no
/// redirect, takes every status for an answer, and talks over TLS to whom one of these certificates (DER) vouches for.
pub fn http_agent(timeout: Duration, trusted: &[Vec<u8>]) -> ureq::Agent {
    let roots = trusted.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .http_status_as_error(false)
        .tls_config(tls);
    config.build().into()
}

impl IdGenerator for SystemIds {
    fn session_id(&self, _now: DateTime<Utc>) -> SessionId {
        SessionId::from_u128(self.draw())
    }

    fn event_id(&self, at: DateTime<Utc>) -> EventId {
        let entropy = self.draw();
        // Without the bits of its version it is no id of an event.
        EventId::at(at, entropy).unwrap_or(EventId::from_u128(entropy & !(0xf << 76)))
    }

    fn ban_id(&self, _now: DateTime<Utc>) -> BanId {
        BanId::from_u128(self.draw())
    }

    fn anomaly_event_id(&self, _now: DateTime<Utc>) -> AnomalyEventId {
        AnomalyEventId::from_u128(self.draw())
    }
}

impl std::fmt::Debug for SystemIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SystemIds(…)")
    }
}

/// A [`Pace`] by the real clock; it starts when it is first asked.
#[derive(Debug, Default)]
pub struct RealPace {
    start: Option<Stopwatch>,
}

impl Pace for RealPace {
    fn wait_until(&mut self, since_start: Duration) {
        let start = *self.start.get_or_insert_with(Stopwatch::start);
        crate::ingest::source::wait(since_start.saturating_sub(start.elapsed()));
    }
}

/// Time since a moment, for telling a person how long something took.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// One that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the monotonic clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since it was started.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Bytes that nobody can guess, for a secret.
///
/// # Errors
/// When the system has no randomness to give.
pub fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A flag that goes up when the process is asked to end by an interrupt (Ctrl-C) or a termination signal.
///
/// From then on neither ends the process by itself; a second one does.
///
/// # Errors
/// When the system refuses to listen for signals.
pub fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut terminate = {
        let _entered = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            for _ in 0..2 {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminate.recv() => {}
                }
                if raised.swap(true, Ordering::Relaxed) {
                    std::process::exit(SECOND_SIGNAL);
                }
            }
        });
    });
    Ok(stop)
}

/// The wish of whoever runs the process that it ends: an interrupt (Ctrl-C) or a termination signal.
#[derive(Debug)]
pub struct StopSignal {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

/// Listens for the wish to end; from now on the signals do not end the process by themselves.
///
/// # Errors
/// When the system refuses to listen for signals, and outside a runtime with I/O.
pub fn stop_signal() -> std::io::Result<StopSignal> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok(StopSignal {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    })
}

impl StopSignal {
    /// Waits until it is wished. A second signal ends the process at once.
    pub async fn asked(mut self) {
        self.either().await;
        tokio::spawn(async move {
            self.either().await;
            std::process::exit(SECOND_SIGNAL);
        });
    }

    async fn either(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The wish of whoever runs the process that it reads its configuration again: a hangup signal.
#[derive(Debug)]
pub struct HangupSignal(tokio::signal::unix::Signal);

/// Listens for hangups; from now on they do not end the process.
///
/// # Errors
/// When the system refuses to listen for signals, and outside a runtime with I/O.
pub fn hangup_signal() -> std::io::Result<HangupSignal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(HangupSignal)
}

impl HangupSignal {
    /// Waits for the next one.
    pub async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// The time to tell when this one was told last, this long ago, and the machine's clock shows `wall`.
fn steady(last: DateTime<Utc>, elapsed: Duration, wall: DateTime<Utc>) -> DateTime<Utc> {
    if wall >= last {
        return wall;
    }
    let half = i64::try_from(elapsed.as_micros() / 2).unwrap_or(0);
    last.checked_add_signed(TimeDelta::microseconds(half)).unwrap_or(last)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn wall_time() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// What shells report for a program that an interrupt ended: 128 + SIGINT.
const SECOND_SIGNAL: i32 = 130;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_clock_shows_whole_microseconds_of_this_century() {
        let now = SystemClock.now();
        assert_eq!(now, whole_micros(now));
        assert!(now > DateTime::<Utc>::from_timestamp(1_700_000_000, 0).unwrap());
    }

    #[test]
    fn a_clock_that_was_set_back_goes_on_at_half_its_pace_until_it_is_caught_up() {
        let at = |micros: i64| DateTime::from_timestamp_micros(1_700_000_000_000_000 + micros).unwrap();
        let told = |last, elapsed, wall| steady(at(last), Duration::from_micros(elapsed), at(wall));
        assert_eq!(told(100, 5, 105), at(105));
        assert_eq!(told(100, 5, 100), at(100));
        assert_eq!(told(100, 0, 99), at(100));
        assert_eq!(told(100, 1, 50), at(100));
        assert_eq!(told(100, 41, 50), at(120));
        assert_eq!(told(100, 5, 9_999), at(9_999), "a clock that was set forward is followed");
    }

    #[test]
    fn the_real_pace_does_not_wait_for_what_has_passed() {
        let mut pace = RealPace::default();
        pace.wait_until(Duration::ZERO);
        pace.wait_until(Duration::ZERO);
        assert!(pace.start.is_some());
    }
}
