//! Names of addresses and addresses of names.

use std::net::IpAddr;

use dns_lookup::{LookupError, LookupErrorKind};

/// Looks up names. It may wait; only threads of the background call it.
pub trait HostNames: Send + Sync {
    /// The names of an address; none when it has none.
    ///
    /// # Errors
    /// [`LookupFailed`] when that cannot be found out now.
    fn names_of(&self, address: IpAddr) -> Result<Vec<String>, LookupFailed>;

    /// The addresses of a name; none when there is no such name.
    ///
    /// # Errors
    /// [`LookupFailed`] when that cannot be found out now.
    fn addresses_of(&self, name: &str) -> Result<Vec<IpAddr>, LookupFailed>;
}

/// No answer in time, or a name server that failed: nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name service gave no answer")]
pub struct LookupFailed;

/// The machine's own name service, as its resolv.conf sets it up; it gives one name for each address.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl HostNames for SystemNames {
    fn names_of(&self, address: IpAddr) -> Result<Vec<String>, LookupFailed> {
        match dns_lookup::lookup_addr(&address) {
            Ok(name) => Ok(vec![name]),
            Err(error) => none_or_failed(&error),
        }
    }

    fn addresses_of(&self, name: &str) -> Result<Vec<IpAddr>, LookupFailed> {
        // With the dot at its end no domain of the machine's search list is tried behind it.
        match dns_lookup::lookup_host(&format!("{}.", name.trim_end_matches('.'))) {
            Ok(addresses) => Ok(addresses.collect()),
            Err(error) => none_or_failed(&error),
        }
    }
}

fn none_or_failed<T>(error: &LookupError) -> Result<Vec<T>, LookupFailed> {
    if matches!(error.kind(), LookupErrorKind::NoName | LookupErrorKind::NoData) {
        Ok(Vec::new())
    } else {
        Err(LookupFailed)
    }
}
