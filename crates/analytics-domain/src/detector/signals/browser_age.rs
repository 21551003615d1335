//! Browsers that are years behind the site's real visitors.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::BrowserAgePolicy;

/// `behind` is how many months the browser is behind the site's real visitors, where that is known.
pub(super) fn signals(policy: &BrowserAgePolicy, behind: Option<i64>, out: &mut impl Listener) {
    let Some(behind) = behind else { return };
    if behind >= i64::from(policy.ancient_months) {
        out.points(
            SignalKind::OutdatedBrowser,
            policy.ancient,
            behind as f64,
            f64::from(policy.ancient_months),
        );
    } else if behind >= i64::from(policy.old_months) {
        out.points(SignalKind::OutdatedBrowser, policy.old, behind as f64, f64::from(policy.old_months));
    }
}

/// How many months the browser is behind the newest of the site's real visitors; `None` when its age is not known.
pub(super) fn months_behind(subject: &Subject<'_>) -> Option<i64> {
    let released = subject.agent.released?;
    let now = month_of_us(subject.profile.last_us);
    let newest = subject.site.newest_release().map_or(now, |newest| i64::from(newest).min(now));
    Some(newest - month_of_days(released))
}

/// Months since the epoch of a time in microseconds, each a twelfth of a Gregorian year: exact to a day or two, which age
/// does not notice.
const fn month_of_us(us: i64) -> i64 {
    us / MONTH_US
}

/// Months since the epoch of a day since the epoch, counted as above.
pub(crate) const fn month_of_days(days: i32) -> i64 {
    month_of_us((days as i64).saturating_mul(DAY_US))
}

const DAY_US: i64 = 86_400_000_000;
/// 365.2425 days, and a twelfth of that.
const MONTH_US: i64 = 3_652_425 * (DAY_US / 10_000) / 12;
