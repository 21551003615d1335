//! The signals of the default policy, one file a category, and those of the seven-signal preset.
//!
//! Each rule reads a [`Subject`] and says what it found to a [`Listener`]. None depends on another.

mod browser_age;
mod cohort;
mod declared;
mod form;
mod impostor;
mod learned;
mod probing;
mod referrer;
mod remembered;
mod resources;
mod seven;
mod timing;
mod volume;
mod walk;

pub(crate) use browser_age::month_of_days;
pub(super) use learned::learned;
pub(super) use seven::seven_signals;

use super::policy::{CategoryPolicy, Points};
use super::signal::SignalKind;
use super::subject::Subject;

/// Hears which signals fire.
pub(super) trait Listener {
    /// A signal fired: what it adds, whether it decides alone, the figure seen and the limit it passed.
    fn hear(&mut self, kind: SignalKind, points: f64, decisive: bool, figure: f64, limit: f64);

    /// A signal that adds points.
    fn points(&mut self, kind: SignalKind, points: Points, figure: f64, limit: f64) {
        self.hear(kind, points.get(), false, figure, limit);
    }

    /// A signal that decides alone.
    fn decisive(&mut self, kind: SignalKind, points: Points, figure: f64, limit: f64) {
        self.hear(kind, points.get(), true, figure, limit);
    }
}

/// Says every signal of the default policy that fires for the subject.
pub(super) fn all(policy: &CategoryPolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    let behind = browser_age::months_behind(subject);
    declared::signals(&policy.declared, subject, out);
    impostor::signals(&policy.impostor, subject, behind, out);
    browser_age::signals(&policy.browser_age, behind, out);
    volume::signals(&policy.volume, subject, out);
    timing::signals(&policy.timing, subject, out);
    walk::signals(&policy.walk, subject, out);
    resources::signals(&policy.resources, subject, out);
    form::signals(&policy.form, subject, out);
    referrer::signals(&policy.referrer, subject, out);
    probing::signals(&policy.probing, subject, out);
    cohort::signals(&policy.cohort, subject, out);
    remembered::signals(policy, subject, out);
}
