//! What every [`Clock`] does. Cases panic when it misbehaves; [`clock_cases!`](crate::clock_cases) lists them.

use std::sync::Mutex;

use chrono::{DateTime, Utc};

use crate::Clock;
use crate::clock::whole_micros;

/// Nothing below a microsecond, which databases would lose.
pub fn times_are_in_whole_microseconds(clock: &dyn Clock) {
    for _ in 0..READINGS {
        let now = clock.now();
        assert_eq!(now, whole_micros(now));
    }
}

/// Also where several threads ask: whoever asks after another was answered is told no earlier time.
pub fn time_never_goes_back(clock: &dyn Clock) {
    let latest = Mutex::new(DateTime::<Utc>::MIN_UTC);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..READINGS {
                    let mut latest = latest.lock().expect("a thread that fails ends the case");
                    let now = clock.now();
                    assert!(now >= *latest, "{now} was told after {latest}");
                    *latest = now;
                }
            });
        }
    });
}

/// Hands the names of all cases for clocks to a macro of yours.
#[macro_export]
macro_rules! clock_cases {
    ($stamp:ident) => {
        $stamp! {
            clock::times_are_in_whole_microseconds,
            clock::time_never_goes_back,
        }
    };
}

const READINGS: u32 = 1_000;
