//! The formats by name, and what each can observe.

/// A format of access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFormat {
    /// Apache and nginx `combined`: `host ident user [time] "request" status bytes "referrer" "agent"`. More fields
    /// may follow, and a site name may stand before.
    Combined,
    /// `combined` with the `X-Forwarded-For` list quoted after the agent, as nginx's packaged `main` format has it.
    CombinedForwarded,
    /// Apache and nginx `common`: `combined` without its last two fields.
    Common,
    /// `combined` with `site:port` before it, as Apache's `vhost_combined`.
    VhostCombined,
}

impl LogFormat {
    /// The format called `name`: one of [`NAMES`](Self::NAMES).
    ///
    /// # Errors
    /// [`UnknownFormat`] for any other name. `auto` is one: whoever calls looks at the first lines with
    /// [`detect`](Self::detect).
    pub fn from_name(name: &str) -> Result<Self, UnknownFormat> {
        match name {
            "combined" => Ok(Self::Combined),
            "combined-forwarded" => Ok(Self::CombinedForwarded),
            "common" => Ok(Self::Common),
            "vhost-combined" => Ok(Self::VhostCombined),
            _ => Err(UnknownFormat { name: name.to_owned() }),
        }
    }

    /// Every name that [`from_name`](Self::from_name) knows, in the order to show them.
    pub const NAMES: [&'static str; 4] = ["combined", "combined-forwarded", "common", "vhost-combined"];

    /// The fields that a line of this format can hold.
    ///
    /// A field that cannot be observed is unknown, which is not the same as absent: nothing may be concluded from it.
    pub fn observes(&self) -> ObservedFields {
        let common =
            ObservedFields { protocol: true, status: true, bytes: true, user: true, ..ObservedFields::NONE };
        let combined = ObservedFields { referrer: true, user_agent: true, ..common };
        match self {
            Self::Common => common,
            Self::Combined => combined,
            Self::CombinedForwarded => ObservedFields { forwarded_for: true, ..combined },
            Self::VhostCombined => ObservedFields { host: true, ..combined },
        }
    }
}

/// Which fields of a [`LogRecord`](super::LogRecord) a format can observe; time, address, method and target always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for one independent field of the record")]
pub struct ObservedFields {
    /// [`protocol`](super::LogRecord::protocol)
    pub protocol: bool,
    /// [`status`](super::LogRecord::status)
    pub status: bool,
    /// [`bytes`](super::LogRecord::bytes)
    pub bytes: bool,
    /// [`referrer`](super::LogRecord::referrer)
    pub referrer: bool,
    /// [`user_agent`](super::LogRecord::user_agent)
    pub user_agent: bool,
    /// [`host`](super::LogRecord::host)
    pub host: bool,
    /// [`forwarded_for`](super::LogRecord::forwarded_for)
    pub forwarded_for: bool,
    /// [`user`](super::LogRecord::user)
    pub user: bool,
    /// [`duration_us`](super::LogRecord::duration_us)
    pub duration: bool,
    /// [`accept`](super::LogRecord::accept)
    pub accept: bool,
    /// [`accept_language`](super::LogRecord::accept_language)
    pub accept_language: bool,
    /// [`accept_encoding`](super::LogRecord::accept_encoding)
    pub accept_encoding: bool,
    /// The four `sec_fetch_*` fields together.
    pub sec_fetch: bool,
    /// [`sec_ch_ua`](super::LogRecord::sec_ch_ua)
    pub sec_ch_ua: bool,
}

impl ObservedFields {
    /// Nothing beyond time, address, method and target.
    pub const NONE: Self = Self {
        protocol: false,
        status: false,
        bytes: false,
        referrer: false,
        user_agent: false,
        host: false,
        forwarded_for: false,
        user: false,
        duration: false,
        accept: false,
        accept_language: false,
        accept_encoding: false,
        sec_fetch: false,
        sec_ch_ua: false,
    };
}

/// A format name that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown log format {name:?}; known are {}", LogFormat::NAMES.join(", "))]
pub struct UnknownFormat {
    /// What was asked for.
    pub name: String,
}
