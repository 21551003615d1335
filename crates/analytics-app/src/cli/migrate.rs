//! `analytics migrate`: a database brought to the newest schema.

use std::io::Write;

use super::replay::wired;
use super::{CliError, Format, write_json};
use crate::wiring;

/// The options of `analytics migrate`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct MigrateArgs {
    /// Address of the database
    #[arg(long, value_name = "URL")]
    store: String,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &MigrateArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failed)?;
    let migrated = runtime.block_on(wiring::migrate(&args.store)).map_err(wired)?;
    match (args.format, migrated.from) {
        (Format::Json, from) => write_json(out, &serde_json::json!({ "from": from, "to": migrated.to })),
        (Format::Text, Some(from)) if from == migrated.to => {
            writeln!(out, "the schema is the newest already, version {from}").map_err(CliError::failed)
        }
        (Format::Text, Some(from)) => {
            writeln!(out, "the schema went from version {from} to {}", migrated.to).map_err(CliError::failed)
        }
        (Format::Text, None) => {
            writeln!(out, "the schema was made, version {}", migrated.to).map_err(CliError::failed)
        }
    }
}
