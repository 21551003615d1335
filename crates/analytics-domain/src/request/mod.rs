//! Reading a request: who sent it, what it asks for, and where it came from.
//!
//! Reading never fails: what cannot be read is `None`, what is too long is cut at a character boundary. What runs
//! once per request ([`Target`], [`Referrer`], [`Utm`], [`client_address`], [`ClientNetwork`]) borrows its input and
//! allocates nothing; [`SessionAnalytics`] is the owned form that a session row keeps.
//!
//! User agents are read by [`crate::user_agent`]; places on earth are the business of a port.

mod address;
pub mod channel;
mod kind;
mod locale;
mod method;
mod network;
mod policy;
mod probe;
mod probe_rules;
mod referrer;
mod referrer_sources;
mod session_analytics;
mod site;
mod target;
mod text;
mod utm;

pub use address::{AddressPolicy, ForwardingHeader, client_address};
pub use channel::Channel;
pub use kind::RequestKind;
pub use locale::{Locale, locale};
pub use method::{HttpVersion, Method};
pub use network::{ClientNetwork, InvalidIpv6Prefix, Ipv6Prefix, Neighbourhood, Network, ParseNetworkError};
pub use policy::RequestPolicy;
pub use probe::{Probe, ProbeKind, ProbeStrength};
pub use referrer::{Referrer, ReferrerSource};
pub use session_analytics::{RawRequest, SessionAnalytics, entry_url};
pub use site::{InvalidSite, PathRule, SitePolicy, SiteRules};
pub use target::{Hints, PathHash, Target};
pub use utm::{Utm, UtmTags};
