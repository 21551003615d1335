//! The machine itself: its clock, its waiting, its interrupt. Nothing else in the workspace reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use analytics_ports::Clock;
use analytics_ports::clock::whole_micros;
use chrono::{DateTime, Utc};

use crate::simulate::drive::Pace;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        whole_micros(DateTime::from(wall_time()))
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
    fn the_real_pace_does_not_wait_for_what_has_passed() {
        let mut pace = RealPace::default();
        pace.wait_until(Duration::ZERO);
        pace.wait_until(Duration::ZERO);
        assert!(pace.start.is_some());
    }
}
