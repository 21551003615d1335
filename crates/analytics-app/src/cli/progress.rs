//! A progress bar on standard error, when that is a terminal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::ingest::source::wait;

/// Shows how many bytes were read until it is dropped; nothing when standard error is no terminal.
#[derive(Debug)]
pub(super) struct Progress {
    done: Arc<AtomicBool>,
    shown: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows `read` bytes of `total`, where that is known.
    pub(super) fn start(read: Arc<AtomicU64>, total: Option<u64>) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        if !std::io::stderr().is_terminal() {
            return Self { done, shown: None };
        }
        let ended = Arc::clone(&done);
        let shown = std::thread::spawn(move || {
            let bar = match total {
                Some(total) => ProgressBar::new(total)
                    .with_style(style("{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")),
                None => ProgressBar::no_length().with_style(style("{spinner} {bytes}, {bytes_per_sec}")),
            };
            while !ended.load(Ordering::Relaxed) {
                bar.set_position(read.load(Ordering::Relaxed));
                wait(Duration::from_millis(100));
            }
            bar.finish_and_clear();
        });
        Self { done, shown: Some(shown) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(shown) = self.shown.take() {
            // A bar that could not be drawn is no reason to fail.
            let _ = shown.join();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are well formed")
}
