//! The webhook of a running service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use super::super::CliError;
use super::super::settings::secret_bytes;
use super::ServeArgs;
use crate::anomaly::webhook::{HttpTransport, Webhook, WebhookPolicy};
use crate::system::{SystemClock, trusted_certificates};

/// A webhook, and the thread that delivers to it.
pub(super) struct Delivering {
    pub(super) webhook: Arc<Webhook>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Delivering {
    /// The webhook of the options, if they name one.
    pub(super) fn start(args: &ServeArgs) -> Result<Option<Self>, CliError> {
        let (Some(url), Some(key_file)) = (&args.webhook, &args.webhook_key_file) else { return Ok(None) };
        let key = secret_bytes(key_file).map_err(CliError::Usage)?;
        let transport =
            HttpTransport::new(url, PATIENCE, &trusted_certificates()).map_err(CliError::usage)?;
        let webhook = Arc::new(Webhook::new(WebhookPolicy::default(), key, Box::new(transport)));
        let stop = Arc::new(AtomicBool::new(false));
        let (delivers, until) = (Arc::clone(&webhook), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("webhook".to_owned());
        let thread = thread.spawn(move || delivers.run(&SystemClock, &until));
        let thread = thread.context("cannot start the thread of the webhook").map_err(CliError::Failed)?;
        Ok(Some(Self { webhook, stop, thread }))
    }

    /// Ends after the delivery under way, and logs what was not delivered.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic of the thread has been told by then; nothing else can be done about it.
        let _ = self.thread.join();
        let counters = self.webhook.counters();
        let (waiting, given_up, full) = (self.webhook.waiting(), counters.given_up, counters.full);
        if waiting as u64 + given_up + full > 0 {
            tracing::warn!(waiting, given_up, full, "the webhook was not told of all anomalies");
        }
    }
}

/// How long a delivery may take.
const PATIENCE: Duration = Duration::from_secs(10);
