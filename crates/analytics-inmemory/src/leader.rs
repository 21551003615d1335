//! Leaders among the tasks of one process.

use std::collections::BTreeSet;
use std::sync::Arc;

use analytics_ports::{LeaderLock, LeaderRole, Leadership, StoreError};
use async_trait::async_trait;
use parking_lot::Mutex;

/// Leaders among those who share it. A clone is the same one.
///
/// It holds one entry for each role that is led in, and roles are names in the program, so it needs no capacity.
#[derive(Debug, Clone, Default)]
pub struct InMemoryLeaders {
    led: Arc<Mutex<BTreeSet<LeaderRole>>>,
}

impl InMemoryLeaders {
    /// Nobody leads.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl LeaderLock for InMemoryLeaders {
    async fn try_lead(&self, role: LeaderRole) -> Result<Option<Box<dyn Leadership>>, StoreError> {
        let leads = self.led.lock().insert(role);
        Ok(leads.then(|| Box::new(Leading { led: Arc::clone(&self.led), role }) as Box<dyn Leadership>))
    }
}

/// That one leads; dropped, nobody does.
struct Leading {
    led: Arc<Mutex<BTreeSet<LeaderRole>>>,
    role: LeaderRole,
}

#[async_trait]
impl Leadership for Leading {
    async fn still_leads(&mut self) -> bool {
        true
    }

    async fn release(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        self.led.lock().remove(&self.role);
    }
}
