//! What a real browser does with what is served.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod browser;
mod collector;
mod dashboard;
mod engagement;
mod hands;
mod serve;
mod served;
mod site;
