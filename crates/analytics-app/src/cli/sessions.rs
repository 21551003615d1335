//! `analytics sessions`: upkeep of sessions by hand.

use std::io::Write;

use clap::Subcommand;

use super::CliError;
use super::jobs::{UpkeepArgs, run_jobs};
use crate::services::jobs::Job;

/// What is done with sessions.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum SessionsCommand {
    /// Ends sessions that are idle, and deletes sessions and events that are past their retention
    Cleanup(UpkeepArgs),
}

pub(super) fn run(command: &SessionsCommand, out: &mut dyn Write) -> Result<(), CliError> {
    let SessionsCommand::Cleanup(args) = command;
    run_jobs(&[Job::SessionCleanup], args, out)
}
