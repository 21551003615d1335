//! What commands on a store share: which one, opened, under which policies, and by whom.

use std::path::PathBuf;

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use tokio::runtime::Runtime;

use super::CliError;
use super::replay::wired;
use crate::config::{Layers, Settings};
use crate::services::{Operator, ReputationService};
use crate::system::{SystemClock, SystemIds};
use crate::wiring::{self, Stores};

/// The store, by its address.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StoreArgs {
    /// Address of the store, such as `postgres://user@host/analytics`
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

/// The policies that hold in it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct PolicyArgs {
    /// TOML file with the sections that `analytics config show` lists
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Who asks, and why, for the audit.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct OperatorArgs {
    /// Who asks for it, for the audit
    #[arg(long, value_name = "NAME", default_value = "analytics command")]
    pub(super) by: String,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

/// A store that was opened, and the runtime to wait for it on.
pub(super) struct Opened {
    pub(super) runtime: Runtime,
    pub(super) stores: Stores,
}

impl StoreArgs {
    /// The store; a wrong call where none was named.
    pub(super) fn open(&self) -> Result<Opened, CliError> {
        let Some(url) = &self.store else {
            let problem = "no store was named; give one with --store, such as --store postgres://localhost/analytics, or a running \
                service with --server where the command takes it";
            return Err(CliError::Usage(anyhow!(problem)));
        };
        Opened::at(url)
    }
}

impl Opened {
    /// The store at this address.
    pub(super) fn at(url: &str) -> Result<Self, CliError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failed)?;
        let stores = runtime.block_on(wiring::connect(url)).map_err(wired)?;
        Ok(Self { runtime, stores })
    }

    /// What is done about fingerprints of this store.
    pub(super) fn reputation(&self, settings: &Settings) -> Result<ReputationService, CliError> {
        Ok(ReputationService::new(
            std::sync::Arc::clone(&self.stores.fingerprints),
            std::sync::Arc::clone(&self.stores.bans),
            std::sync::Arc::new(SystemClock),
            std::sync::Arc::new(SystemIds::new().map_err(CliError::failed)?),
            settings.reputation.clone(),
            settings.client.trusted_proxies.clone(),
        ))
    }
}

impl PolicyArgs {
    /// The checked settings: defaults, the file, the environment.
    pub(super) fn read(&self) -> Result<Settings, CliError> {
        let layers = Layers { file: self.policy.clone(), environment: true, ..Layers::default() };
        layers.read().map(|(settings, _)| settings).map_err(CliError::usage)
    }
}

impl OperatorArgs {
    pub(super) fn operator(&self) -> Result<Operator, CliError> {
        Operator::new(&self.by, self.reason.as_deref()).map_err(CliError::usage)
    }
}

/// A time for people, to the second.
pub(super) fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}
