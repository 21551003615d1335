//! Method and protocol of a request.

use serde::{Deserialize, Serialize};

/// What a request wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Read a resource.
    Get,
    /// Read a resource's fields without its content.
    Head,
    /// Hand something in.
    Post,
    /// Replace a resource.
    Put,
    /// Change a resource.
    Patch,
    /// Remove a resource.
    Delete,
    /// Ask what is possible; browsers send it before a cross-origin request.
    Options,
    /// Any other method, such as CONNECT, TRACE or PROPFIND, and what is no method at all.
    Other,
}

impl Method {
    /// The method of this name; names are case-sensitive (RFC 9110 §9.1), so `get` is [`Method::Other`].
    pub fn parse(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// All methods, as they stand above.
    pub const ALL: [Self; 8] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options, Self::Other];

    /// The name on the wire and in stores; `OTHER` for any other method.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "OTHER",
        }
    }

    /// The method that a store keeps under this name; nothing for any other text, where [`Method::parse`] reads what
    /// a client sent.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Whether the method only reads: GET and HEAD.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// Version of HTTP that a client spoke, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HttpVersion {
    /// HTTP/0.9.
    #[serde(rename = "HTTP/0.9")]
    Http09,
    /// HTTP/1.0.
    #[serde(rename = "HTTP/1.0")]
    Http10,
    /// HTTP/1.1.
    #[serde(rename = "HTTP/1.1")]
    Http11,
    /// HTTP/2.
    #[serde(rename = "HTTP/2")]
    Http2,
    /// HTTP/3.
    #[serde(rename = "HTTP/3")]
    Http3,
}

impl HttpVersion {
    /// All versions, oldest first.
    pub const ALL: [Self; 5] = [Self::Http09, Self::Http10, Self::Http11, Self::Http2, Self::Http3];

    /// The name on the wire and in stores, which [`HttpVersion::parse`] reads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http09 => "HTTP/0.9",
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
            Self::Http3 => "HTTP/3",
        }
    }

    /// The version of a protocol name such as `HTTP/1.1`, `HTTP/2` or `HTTP/2.0`, in any case; nothing for others.
    pub fn parse(protocol: &str) -> Option<Self> {
        let (name, version) = protocol.split_at_checked(5)?;
        if !name.eq_ignore_ascii_case("HTTP/") {
            return None;
        }
        match version {
            "0.9" => Some(Self::Http09),
            "1.0" => Some(Self::Http10),
            "1.1" => Some(Self::Http11),
            "2" | "2.0" => Some(Self::Http2),
            "3" | "3.0" => Some(Self::Http3),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("GET", Method::Get)]
    #[case("HEAD", Method::Head)]
    #[case("POST", Method::Post)]
    #[case("PUT", Method::Put)]
    #[case("PATCH", Method::Patch)]
    #[case("DELETE", Method::Delete)]
    #[case("OPTIONS", Method::Options)]
    #[case("CONNECT", Method::Other)]
    #[case("get", Method::Other)]
    #[case("", Method::Other)]
    fn methods_are_read_by_their_exact_name(#[case] name: &str, #[case] method: Method) {
        assert_eq!(Method::parse(name), method);
    }

    #[test]
    fn every_name_is_read_back_and_is_the_one_on_the_wire() {
        for method in Method::ALL {
            assert_eq!(Method::from_name(method.as_str()), Some(method));
            assert_eq!(serde_json::to_value(method).unwrap(), method.as_str());
        }
        assert_eq!(Method::from_name("get"), None);
        for version in HttpVersion::ALL {
            assert_eq!(HttpVersion::parse(version.as_str()), Some(version));
            assert_eq!(serde_json::to_value(version).unwrap(), version.as_str());
        }
        for kind in crate::request::RequestKind::ALL {
            assert_eq!(crate::request::RequestKind::from_name(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!(crate::request::RequestKind::from_name("Page"), None);
    }

    #[rstest]
    #[case("HTTP/0.9", Some(HttpVersion::Http09))]
    #[case("HTTP/1.0", Some(HttpVersion::Http10))]
    #[case("http/1.1", Some(HttpVersion::Http11))]
    #[case("HTTP/2", Some(HttpVersion::Http2))]
    #[case("HTTP/2.0", Some(HttpVersion::Http2))]
    #[case("HTTP/3", Some(HttpVersion::Http3))]
    #[case("HTTP/3.0", Some(HttpVersion::Http3))]
    #[case("HTTP/1.2", None)]
    #[case("HTTPé", None)]
    #[case("RTSP/1.0", None)]
    #[case("", None)]
    fn versions_are_read_with_and_without_minor(#[case] text: &str, #[case] version: Option<HttpVersion>) {
        assert_eq!(HttpVersion::parse(text), version);
    }
}
