//! Use cases: each composes domain rules and ports.
