//! What a model learned from labels.

use super::Listener;
use crate::detector::policy::ModelSignalPolicy;
use crate::detector::signal::SignalKind;

/// Says how probable the model holds it that the session is automation, from the policy's limit on.
pub(in crate::detector) fn learned(policy: &ModelSignalPolicy, probability: f64, out: &mut impl Listener) {
    let from = policy.from.get();
    if probability < from {
        return;
    }
    let share = if from < 1.0 { (probability - from) / (1.0 - from) } else { 1.0 };
    out.hear(SignalKind::LearnedModel, policy.points.get() * share, false, probability, from);
}
