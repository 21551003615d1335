//! What a named field of a log means: nginx variables, header names, and the names that JSON logs use.

use super::fields::Field;
use super::format::ObservedFields;

/// What the value of a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing that a record holds.
    Nothing,
    Text(Field),
    /// A whole request line.
    Request,
    Address,
    /// A time in any notation: `10/Oct/2000:13:55:36 -0700`, ISO 8601, seconds or more since 1970.
    Time,
    Status,
    Bytes,
    Duration(TimeUnit),
}

/// In what a time taken is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

/// The meaning of an nginx variable, without its `$`.
pub(super) fn nginx_variable(name: &str) -> Meaning {
    match name {
        "remote_addr" | "binary_remote_addr" | "proxy_protocol_addr" => Meaning::Address,
        "remote_user" => Meaning::Text(Field::User),
        "time_local" | "time_iso8601" | "msec" => Meaning::Time,
        "request" => Meaning::Request,
        "request_method" => Meaning::Text(Field::Method),
        "request_uri" => Meaning::Text(Field::Target),
        "uri" | "document_uri" => Meaning::Text(Field::Path),
        "args" | "query_string" => Meaning::Text(Field::Query),
        "server_protocol" => Meaning::Text(Field::Protocol),
        "status" => Meaning::Status,
        "body_bytes_sent" | "bytes_sent" => Meaning::Bytes,
        "host" | "server_name" | "http_host" => Meaning::Text(Field::Host),
        "request_time" => Meaning::Duration(TimeUnit::Seconds),
        _ => name.strip_prefix("http_").map_or(Meaning::Nothing, header),
    }
}

/// The meaning of a key of a JSON log written by nginx or in its manner: its variables, and names that sites choose.
pub(super) fn json_key(name: &str) -> Meaning {
    let known = nginx_variable(name);
    if known != Meaning::Nothing {
        return known;
    }
    match name {
        "client" | "client_ip" | "clientip" | "remote_ip" | "ip" | "remote_address" | "remoteAddr" => {
            Meaning::Address
        }
        "time" | "timestamp" | "@timestamp" | "ts" | "date" | "datetime" => Meaning::Time,
        "method" | "verb" => Meaning::Text(Field::Method),
        "path" | "url" | "request_path" => Meaning::Text(Field::Target),
        "query" => Meaning::Text(Field::Query),
        "protocol" | "proto" | "request_protocol" => Meaning::Text(Field::Protocol),
        "response_status" | "status_code" | "response" | "code" => Meaning::Status,
        "bytes" | "size" | "response_body_size" => Meaning::Bytes,
        "referer" | "referrer" | "request_referer" => Meaning::Text(Field::Referrer),
        "user_agent" | "agent" | "userAgent" | "ua" | "request_user_agent" => Meaning::Text(Field::UserAgent),
        "user" => Meaning::Text(Field::User),
        "vhost" | "domain" => Meaning::Text(Field::Host),
        "xff" => Meaning::Text(Field::ForwardedFor),
        "accept_language" | "x_forwarded_for" | "accept" => header(name),
        _ => Meaning::Nothing,
    }
}

/// The meaning of a request header, in any case, with `-` or `_`.
pub(super) fn header(name: &str) -> Meaning {
    const KNOWN: [(&str, Field); 12] = [
        ("user-agent", Field::UserAgent),
        ("referer", Field::Referrer),
        ("host", Field::Host),
        ("x-forwarded-for", Field::ForwardedFor),
        ("accept", Field::Accept),
        ("accept-language", Field::AcceptLanguage),
        ("accept-encoding", Field::AcceptEncoding),
        ("sec-fetch-site", Field::SecFetchSite),
        ("sec-fetch-mode", Field::SecFetchMode),
        ("sec-fetch-dest", Field::SecFetchDest),
        ("sec-fetch-user", Field::SecFetchUser),
        ("sec-ch-ua", Field::SecChUa),
    ];
    let same = |known: &str| {
        known.len() == name.len()
            && known
                .bytes()
                .zip(name.bytes())
                .all(|(known, byte)| known == byte.to_ascii_lowercase() || (known == b'-' && byte == b'_'))
    };
    KNOWN.iter().find(|(known, _)| same(known)).map_or(Meaning::Nothing, |(_, field)| Meaning::Text(*field))
}

impl ObservedFields {
    /// With what a field of this meaning shows.
    pub(super) fn with(mut self, meaning: Meaning) -> Self {
        match meaning {
            Meaning::Nothing | Meaning::Address | Meaning::Time => {}
            Meaning::Request => self.protocol = true,
            Meaning::Status => self.status = true,
            Meaning::Bytes => self.bytes = true,
            Meaning::Duration(_) => self.duration = true,
            Meaning::Text(field) => match field {
                Field::Method
                | Field::Target
                | Field::Path
                | Field::Query
                | Field::Day
                | Field::TimeOfDay => {}
                Field::Protocol => self.protocol = true,
                Field::Referrer => self.referrer = true,
                Field::UserAgent => self.user_agent = true,
                Field::Host => self.host = true,
                Field::ForwardedFor => self.forwarded_for = true,
                Field::User => self.user = true,
                Field::Accept => self.accept = true,
                Field::AcceptLanguage => self.accept_language = true,
                Field::AcceptEncoding => self.accept_encoding = true,
                Field::SecFetchSite | Field::SecFetchMode | Field::SecFetchDest | Field::SecFetchUser => {
                    self.sec_fetch = true;
                }
                Field::SecChUa => self.sec_ch_ua = true,
            },
        }
        self
    }
}
