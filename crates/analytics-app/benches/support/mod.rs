//! What all benchmarks share: the clock, the middle of several rounds, and whether to measure at all.

use std::time::Instant;

/// Nanoseconds that one of `operations` took.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn nanoseconds_each(operations: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / operations as f64
}

/// The middle value; of an even number, the upper one of the two. NaN without any.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Whether `cargo bench` runs this; `cargo test --benches` does not pass the word, and then nothing is measured.
pub(crate) fn wanted() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}
