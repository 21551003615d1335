//! A throttle in ten lines: one client sends 25 requests at once, and is told when to come back.

use analytics_domain::throttle::{
    Mode, ThrottlePolicy, ThrottleRequest, ThrottleSettings, ThrottleState, step,
};
use chrono::DateTime;

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> Result<(), analytics_domain::throttle::InvalidPolicy> {
    let policy =
        ThrottlePolicy::new(ThrottleSettings { mode: Mode::Enforce, ..ThrottleSettings::default() })?;
    let mut client = ThrottleState::default();
    for nth in 1..=25 {
        let answer = step(&policy, &mut client, ThrottleRequest::charged(), DateTime::UNIX_EPOCH);
        match answer.retry_at() {
            None => println!("request {nth}: admitted"),
            Some(retry_at) => println!("request {nth}: refused, come back at {retry_at}"),
        }
    }
    Ok(())
}
