//! The formats by name, and what each can observe.

use super::custom::{CustomFormat, CustomFormatError};
use super::w3c::{Columns, Writer};

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
    /// One JSON object a line, with keys named after nginx variables, or after what they hold.
    NginxJson,
    /// Caddy's JSON access log. Messages of other loggers in it are passed over.
    CaddyJson,
    /// Traefik's JSON access log.
    TraefikJson,
    /// Amazon `CloudFront`'s standard log.
    CloudFront,
    /// AWS Application Load Balancer.
    Alb,
    /// The W3C extended log of Microsoft IIS.
    IisW3c,
    /// A format string of the site's own.
    Custom(CustomFormat),
}

impl LogFormat {
    /// The format called `name`: one of [`NAMES`](Self::NAMES), or a format string if it has a `$` (nginx) or a `%`
    /// (Apache).
    ///
    /// # Errors
    /// [`FormatError::Custom`] for a string that gives no requests, [`FormatError::Unknown`] for any other name. `auto` is one: whoever calls looks at the first lines with
    /// [`detect`](Self::detect).
    pub fn from_name(name: &str) -> Result<Self, FormatError> {
        match name {
            "combined" => Ok(Self::Combined),
            "combined-forwarded" => Ok(Self::CombinedForwarded),
            "common" => Ok(Self::Common),
            "vhost-combined" => Ok(Self::VhostCombined),
            "nginx-json" => Ok(Self::NginxJson),
            "caddy-json" => Ok(Self::CaddyJson),
            "traefik-json" => Ok(Self::TraefikJson),
            "cloudfront" => Ok(Self::CloudFront),
            "alb" => Ok(Self::Alb),
            "iis-w3c" => Ok(Self::IisW3c),
            _ if name.contains(['$', '%']) => Ok(Self::Custom(CustomFormat::compile(name)?)),
            _ => Err(FormatError::Unknown { name: name.to_owned() }),
        }
    }

    /// What the format is called; `custom` for a format string.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Combined => "combined",
            Self::CombinedForwarded => "combined-forwarded",
            Self::Common => "common",
            Self::VhostCombined => "vhost-combined",
            Self::NginxJson => "nginx-json",
            Self::CaddyJson => "caddy-json",
            Self::TraefikJson => "traefik-json",
            Self::CloudFront => "cloudfront",
            Self::Alb => "alb",
            Self::IisW3c => "iis-w3c",
            Self::Custom(_) => "custom",
        }
    }

    /// Every name that [`from_name`](Self::from_name) knows, in the order to show them.
    pub const NAMES: [&'static str; 10] = [
        "combined",
        "combined-forwarded",
        "common",
        "vhost-combined",
        "nginx-json",
        "caddy-json",
        "traefik-json",
        "cloudfront",
        "alb",
        "iis-w3c",
    ];

    /// The fields that a line of this format can hold.
    ///
    /// A field that cannot be observed is unknown, which is not the same as absent: nothing may be concluded from it.
    /// JSON and W3C logs say themselves what is in them, so for these it is what they have by default;
    /// [`observes_in`](Self::observes_in) looks.
    pub fn observes(&self) -> ObservedFields {
        let common =
            ObservedFields { protocol: true, status: true, bytes: true, user: true, ..ObservedFields::NONE };
        let combined = ObservedFields { referrer: true, user_agent: true, ..common };
        match self {
            Self::Common | Self::NginxJson | Self::TraefikJson => common,
            Self::Combined => combined,
            Self::CombinedForwarded => ObservedFields { forwarded_for: true, ..combined },
            Self::VhostCombined => ObservedFields { host: true, ..combined },
            Self::CaddyJson => ObservedFields {
                host: true,
                duration: true,
                forwarded_for: true,
                accept: true,
                accept_language: true,
                accept_encoding: true,
                sec_fetch: true,
                sec_ch_ua: true,
                ..combined
            },
            Self::CloudFront => Columns::of(Writer::CloudFront).observes(),
            Self::IisW3c => Columns::of(Writer::Iis).observes(),
            Self::Alb => ObservedFields {
                protocol: true,
                status: true,
                bytes: true,
                user_agent: true,
                host: true,
                duration: true,
                ..ObservedFields::NONE
            },
            Self::Custom(format) => format.observes(),
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

    /// What either observes.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            protocol: self.protocol || other.protocol,
            status: self.status || other.status,
            bytes: self.bytes || other.bytes,
            referrer: self.referrer || other.referrer,
            user_agent: self.user_agent || other.user_agent,
            host: self.host || other.host,
            forwarded_for: self.forwarded_for || other.forwarded_for,
            user: self.user || other.user,
            duration: self.duration || other.duration,
            accept: self.accept || other.accept,
            accept_language: self.accept_language || other.accept_language,
            accept_encoding: self.accept_encoding || other.accept_encoding,
            sec_fetch: self.sec_fetch || other.sec_fetch,
            sec_ch_ua: self.sec_ch_ua || other.sec_ch_ua,
        }
    }
}

/// Why a format name means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// No format has this name, and it has no `$` or `%` that would make it a format string.
    #[error("unknown log format {name:?}; known are {}, and format strings with $ or %", LogFormat::NAMES.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// A format string that gives no requests.
    #[error(transparent)]
    Custom(#[from] CustomFormatError),
}
