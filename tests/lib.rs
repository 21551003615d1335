//! What tests that cross crates share: the samples in `fixtures`.

#[expect(clippy::missing_panics_doc, reason = "a sample that cannot be read is a fault of the tests")]
pub mod fixtures;
