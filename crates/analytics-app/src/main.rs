//! The `analytics` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    analytics_app::cli::main()
}
