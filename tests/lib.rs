//! Tests that cross crates; this library is empty.
