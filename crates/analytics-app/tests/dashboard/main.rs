//! The dashboard: what its pages show, how they are built, what its forms do, and what it makes of bad input.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod accessibility;
mod csv;
mod forms;
mod lively;
mod markup;
mod pages;
mod world;
