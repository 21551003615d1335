//! The `analytics` command.

fn main() {}
