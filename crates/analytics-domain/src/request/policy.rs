//! The policy of reading a request.

use super::{AddressPolicy, SitePolicy};

/// Everything that can be chosen about reading a request.
///
/// The default trusts no proxy, knows no host of its own, and reads kinds of paths by what is usual on the web.
#[derive(Debug, Clone, Default)]
pub struct RequestPolicy {
    /// How the client's address and network are found.
    pub address: AddressPolicy,
    /// What is known about the site: its hosts and its paths.
    pub site: SitePolicy,
}
