//! Browsers that are years behind the site's real visitors.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::BrowserAgePolicy;

pub(super) fn signals(policy: &BrowserAgePolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    let Some(behind) = months_behind(subject) else { return };
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
    Some(newest - month_of_days(i64::from(released)))
}

fn month_of_us(us: i64) -> i64 {
    month_of_days(us.div_euclid(86_400_000_000))
}

/// Months since the epoch, each a twelfth of a Gregorian year: exact to a day or two, which age does not notice.
pub(crate) fn month_of_days(days: i64) -> i64 {
    (days as f64 / 30.436_875) as i64
}
