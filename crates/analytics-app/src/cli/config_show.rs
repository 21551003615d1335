//! `analytics config show`: every effective value with its origin.

use std::io::Write;

use super::settings::SettingsArgs;
use super::{CliError, Format, write_json};

/// The options of `analytics config show`: those of the commands it is asked about.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ConfigShowArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &ConfigShowArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let (_, entries) = args.settings.read()?;
    if args.format == Format::Json {
        return write_json(out, &entries);
    }
    let width = entries.iter().map(|entry| entry.key.len()).max().unwrap_or(0);
    for entry in &entries {
        let value = entry.value.to_string();
        let origin = match &entry.source {
            Some(source) => format!("{}: {source}", entry.origin),
            None => entry.origin.to_owned(),
        };
        writeln!(out, "{:<width$}  {value:<16}  {origin}", entry.key).map_err(CliError::failed)?;
    }
    Ok(())
}
