//! What kind of thing a request asks for.

use alloc::boxed::Box;
use alloc::vec;

use serde::{Deserialize, Serialize};

use super::{Hints, Method};

/// What kind of thing a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// A document that a person reads.
    Page,
    /// A call of a program: API routes, `.json`, and everything that is not read by GET or HEAD.
    Api,
    /// A file to keep: archive, PDF, installer, text document. Charged, but no page view and no asset, since a
    /// browser does not fetch it on behalf of a page.
    Download,
    /// Style, script, image, font, media, source map.
    Asset,
    /// The site's icon, which browsers fetch by themselves.
    Favicon,
    /// RSS or Atom.
    Feed,
    /// What is there for robots: robots.txt, ads.txt, llms.txt, sitemaps, `.well-known`.
    Robots,
    /// The tracker's beacons.
    Beacon,
    /// OPTIONS, which browsers send before a cross-origin request.
    Preflight,
    /// A page that a browser fetches ahead of a click.
    Prefetch,
}

impl RequestKind {
    /// All kinds, as they stand above.
    pub const ALL: [Self; 10] = [
        Self::Page,
        Self::Api,
        Self::Download,
        Self::Asset,
        Self::Favicon,
        Self::Feed,
        Self::Robots,
        Self::Beacon,
        Self::Preflight,
        Self::Prefetch,
    ];

    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Api => "api",
            Self::Download => "download",
            Self::Asset => "asset",
            Self::Favicon => "favicon",
            Self::Feed => "feed",
            Self::Robots => "robots",
            Self::Beacon => "beacon",
            Self::Preflight => "preflight",
            Self::Prefetch => "prefetch",
        }
    }

    /// The kind of this name; nothing for any other text.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether the request counts against limits, escalation, reputation and rates.
    ///
    /// Pages, API calls, downloads, feeds and what is there for robots do: each is asked for by whoever runs the
    /// client, not by the browser on its own. Assets, icons, beacons, preflights and prefetches do not, and nothing
    /// does that was answered with 304. An unknown status counts like a 200.
    pub const fn is_charged(self, status: Option<u16>) -> bool {
        let asked_for = match self {
            Self::Page | Self::Api | Self::Download | Self::Feed | Self::Robots => true,
            Self::Asset | Self::Favicon | Self::Beacon | Self::Preflight | Self::Prefetch => false,
        };
        asked_for && !matches!(status, Some(304))
    }

    /// Whether the request is a page view.
    pub const fn is_page_view(self) -> bool {
        matches!(self, Self::Page)
    }

    /// Whether the request loads a part of a page: assets and icons.
    pub const fn is_asset(self) -> bool {
        matches!(self, Self::Asset | Self::Favicon)
    }
}

/// The kind that the path (and, for feeds, the query) says.
pub(crate) fn by_path(
    extensions: &ExtensionTable<RequestKind>,
    parts: &PathParts<'_>,
    query: Option<&str>,
) -> RequestKind {
    let name = parts.name.as_bytes();
    let extension = parts.extension();
    if let Some(kind) = by_name(name, parts, extension) {
        return kind;
    }
    if name.is_empty() && is_feed_directory(parts.path) {
        return RequestKind::Feed;
    }
    match extension.and_then(|extension| extensions.get(extension)) {
        Some(RequestKind::Page) if is_api(parts) => return RequestKind::Api,
        Some(RequestKind::Page) if is_feed_query(query) => return RequestKind::Feed,
        Some(kind) => return kind,
        None => {}
    }
    if is_api(parts) {
        return RequestKind::Api;
    }
    if is_feed_query(query) {
        return RequestKind::Feed;
    }
    let in_asset_directory =
        !name.is_empty() && parts.first.len() + 1 < parts.name_start && is_asset_directory(parts);
    if in_asset_directory { RequestKind::Asset } else { RequestKind::Page }
}

/// What method and hints make of the kind that the path says.
///
/// `Sec-Fetch-Dest` decides where it is there, except that a name which tells (icon, robots, feed, download, asset)
/// stays what it is when it is opened as a document or fetched by a script.
pub(crate) fn refined(by_path: RequestKind, method: Method, hints: Hints<'_>) -> RequestKind {
    if method == Method::Options {
        return RequestKind::Preflight;
    }
    let reading = method.is_read();
    if reading && [hints.sec_purpose, hints.purpose].into_iter().flatten().any(is_prefetch) {
        return RequestKind::Prefetch;
    }
    let hinted = match (hints.sec_fetch_dest, by_path) {
        (Some(destination), RequestKind::Page | RequestKind::Api | RequestKind::Asset) => {
            by_destination(destination, by_path)
        }
        (
            Some(_) | None,
            kind @ (RequestKind::Page
            | RequestKind::Api
            | RequestKind::Download
            | RequestKind::Asset
            | RequestKind::Favicon
            | RequestKind::Feed
            | RequestKind::Robots
            | RequestKind::Beacon
            | RequestKind::Preflight
            | RequestKind::Prefetch),
        ) => kind,
    };
    if reading || hinted == RequestKind::Beacon { hinted } else { RequestKind::Api }
}

fn by_destination(destination: &str, by_path: RequestKind) -> RequestKind {
    match (destination, by_path) {
        ("document" | "iframe" | "frame" | "fencedframe", RequestKind::Page | RequestKind::Api) => {
            RequestKind::Page
        }
        ("empty" | "webidentity", RequestKind::Page | RequestKind::Api) => RequestKind::Api,
        ("report", _) => RequestKind::Beacon,
        (
            "audio" | "audioworklet" | "embed" | "font" | "image" | "json" | "manifest" | "object"
            | "paintworklet" | "script" | "serviceworker" | "sharedworker" | "style" | "text" | "track"
            | "video" | "worker" | "xslt",
            _,
        ) => RequestKind::Asset,
        _ => by_path,
    }
}

fn is_prefetch(purpose: &str) -> bool {
    purpose
        .split([';', ','])
        .map(str::trim)
        .any(|token| token.eq_ignore_ascii_case("prefetch") || token.eq_ignore_ascii_case("prerender"))
}

/// Names that tell by themselves, whatever their extension.
fn by_name(name: &[u8], parts: &PathParts<'_>, extension: Option<&[u8]>) -> Option<RequestKind> {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    let starts = |known: &str| {
        name.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes()))
    };
    let xml =
        extension.is_some_and(|ext| ext.eq_ignore_ascii_case(b"xml") || ext.eq_ignore_ascii_case(b"gz"));
    match name.first().map(u8::to_ascii_lowercase) {
        Some(b'f') if is("favicon.ico") || (starts("favicon") && extension.is_some()) => {
            Some(RequestKind::Favicon)
        }
        Some(b'f') if is("feed") || is("feeds") || is("feed.xml") || is("feed.json") => {
            Some(RequestKind::Feed)
        }
        Some(b'a') if starts("apple-touch-icon") => Some(RequestKind::Favicon),
        Some(b'a') if is("atom") || is("atom.xml") => Some(RequestKind::Feed),
        Some(b'a') if is("ads.txt") || is("app-ads.txt") => Some(RequestKind::Robots),
        Some(b'r') if is("robots.txt") => Some(RequestKind::Robots),
        Some(b'r') if is("rss") || is("rss.xml") || is("rss2") => Some(RequestKind::Feed),
        Some(b'i') if is("index.xml") || is("index.rdf") => Some(RequestKind::Feed),
        Some(b'x') if is("xmlrpc.php") => Some(RequestKind::Api),
        Some(b'a') if is("admin-ajax.php") => Some(RequestKind::Api),
        Some(b's') if (starts("sitemap") && xml) || is("sitemap.txt") || is("security.txt") => {
            Some(RequestKind::Robots)
        }
        Some(b'l') if is("llms.txt") || is("llms-full.txt") => Some(RequestKind::Robots),
        Some(b'h') if is("humans.txt") => Some(RequestKind::Robots),
        _ if parts.first.eq_ignore_ascii_case(".well-known") => Some(RequestKind::Robots),
        _ => None,
    }
}

/// Blogs serve their feeds as directories: `/blog/feed/`.
fn is_feed_directory(path: &str) -> bool {
    let directory = path.strip_suffix('/').unwrap_or(path);
    let name = directory.rfind('/').map_or(directory, |slash| &directory[slash + 1..]);
    ["feed", "feeds", "rss", "rss2", "atom"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn is_feed_query(query: Option<&str>) -> bool {
    let Some(query) = query else { return false };
    query.split('&').any(|parameter| {
        let bytes = parameter.as_bytes();
        matches!(bytes.first(), Some(b'f' | b't'))
            && (parameter.starts_with("feed=")
                || parameter.starts_with("flav=rss")
                || parameter.starts_with("flav=atom")
                || matches!(
                    parameter,
                    "format=feed" | "format=rss" | "format=atom" | "type=rss" | "type=atom"
                ))
    })
}

/// API routes: under `/api`, `/graphql`, `/ajax` and the like as first segment, or with `graphql` as the last.
fn is_api(parts: &PathParts<'_>) -> bool {
    let first = parts.first.as_bytes();
    let is = |known: &str| first.eq_ignore_ascii_case(known.as_bytes());
    match first.first().map(u8::to_ascii_lowercase) {
        Some(b'a') if is("api") || is("ajax") || is("apis") => true,
        Some(b'g') if is("graphql") || is("grpc") => true,
        Some(b'j') if is("jsonrpc") || is("json-rpc") => true,
        Some(b'r') if is("rest") || is("rpc") => true,
        Some(b't') if is("trpc") => true,
        Some(b'w') if is("wp-json") => true,
        Some(b'x') if is("xmlrpc") => true,
        _ => parts.name.eq_ignore_ascii_case("graphql"),
    }
}

/// First segments under which a name without extension is an asset, such as `/image/60844/productModel/200x200`.
fn is_asset_directory(parts: &PathParts<'_>) -> bool {
    let first = parts.first.as_bytes();
    let is = |known: &str| first.eq_ignore_ascii_case(known.as_bytes());
    match first.first().map(u8::to_ascii_lowercase) {
        Some(b'_') => is("_next") || is("_nuxt") || is("_astro") || is("_app") || is("_static"),
        Some(b'a') => is("assets") || is("avatars") || is("avatar") || is("asset"),
        Some(b'b') => is("bundles") || is("build"),
        Some(b'c') => is("css"),
        Some(b'd') => is("dist"),
        Some(b'f') => is("fonts") || is("font"),
        Some(b'g') => is("gravatar"),
        Some(b'i') => is("image") || is("images") || is("img") || is("imgs") || is("icons") || is("icon"),
        Some(b'j') => is("js") || is("javascript") || is("javascripts"),
        Some(b'm') => is("media"),
        Some(b'p') => is("photos") || is("pics"),
        Some(b's') => is("static") || is("scripts") || is("styles") || is("stylesheets") || is("sprites"),
        Some(b't') => is("thumbs") || is("thumb") || is("thumbnails") || is("thumbnail"),
        Some(b'u') => is("uploads"),
        Some(b'w') => is("wp-content") || is("wp-includes") || is("webfonts"),
        _ => false,
    }
}

/// The parts of a path that tell its kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathParts<'a> {
    /// The whole path.
    pub(crate) path: &'a str,
    /// The first segment, without slashes.
    pub(crate) first: &'a str,
    /// What follows the last slash; empty for a directory.
    pub(crate) name: &'a str,
    /// Where the name begins in the path.
    pub(crate) name_start: usize,
    /// Where in the name the extension begins, after its dot.
    pub(crate) extension_start: Option<usize>,
}

impl<'a> PathParts<'a> {
    pub(crate) fn extension(&self) -> Option<&'a [u8]> {
        self.extension_start.and_then(|start| self.name.as_bytes().get(start..)).filter(|ext| !ext.is_empty())
    }
}

/// Values by extension, as an open-addressed table: one look for nearly every request.
#[derive(Debug, Clone)]
pub(crate) struct ExtensionTable<T> {
    slots: Box<[(u128, Option<T>)]>,
}

impl ExtensionTable<RequestKind> {
    /// The usual extensions, and those of the site (without dot, at most 16 bytes), which win.
    #[expect(single_use_lifetimes, reason = "stable Rust has no anonymous lifetimes in `impl Trait`")]
    pub(crate) fn kinds<'a>(own: impl Iterator<Item = (&'a str, RequestKind)>) -> Self {
        let usual = EXTENSIONS
            .iter()
            .flat_map(|(kind, list)| list.split_ascii_whitespace().map(|extension| (extension, *kind)));
        Self::of(usual.chain(own))
    }
}

impl<T: Copy> ExtensionTable<T> {
    /// At most 512 extensions; of equal ones the last counts.
    #[expect(single_use_lifetimes, reason = "stable Rust has no anonymous lifetimes in `impl Trait`")]
    pub(crate) fn of<'a>(entries: impl Iterator<Item = (&'a str, T)>) -> Self {
        let mut table = Self { slots: vec![(0, None); SLOTS].into_boxed_slice() };
        for (extension, value) in entries {
            table.insert(extension.as_bytes(), value);
        }
        table
    }

    pub(crate) fn get(&self, extension: &[u8]) -> Option<T> {
        let key = packed(extension)?;
        let mut at = slot(key);
        loop {
            match self.slots[at] {
                (found, value) if found == key => return value,
                (0, _) => return None,
                _ => at = (at + 1) % SLOTS,
            }
        }
    }

    fn insert(&mut self, extension: &[u8], value: T) {
        let Some(key) = packed(extension).filter(|key| *key != 0) else { return };
        let mut at = slot(key);
        while self.slots[at].0 != 0 && self.slots[at].0 != key {
            at = (at + 1) % SLOTS;
        }
        self.slots[at] = (key, Some(value));
    }
}

/// An extension of at most 16 bytes in lower case as one number.
fn packed(extension: &[u8]) -> Option<u128> {
    (extension.len() <= 16)
        .then(|| extension.iter().fold(0, |key, byte| key << 8 | u128::from(byte.to_ascii_lowercase())))
}

/// Fibonacci hashing into the table.
const fn slot(key: u128) -> usize {
    ((key as u64 ^ (key >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

/// How many extensions a site may add.
pub(crate) const MAX_OWN_EXTENSIONS: usize = 256;

/// Four times the built-in extensions and twice what a site may add, so that an empty slot is always near.
const SLOTS: usize = 1024;

const EXTENSIONS: [(RequestKind, &str); 5] = [
    (
        RequestKind::Page,
        "html htm xhtml shtml xht php php3 php4 php5 php7 phtml asp aspx jsp jspx jsf do action cgi pl cfm md",
    ),
    (RequestKind::Api, "json jsonp jsonld ashx asmx svc"),
    (RequestKind::Feed, "rss atom rdf"),
    (
        RequestKind::Asset,
        "css js mjs cjs map less scss wasm png jpg jpeg jpe jfif gif webp avif heic svg svgz ico cur bmp tif tiff apng jxl \
         woff woff2 ttf otf eot mp3 mp4 m4a m4v m4s ogg oga ogv opus wav flac aac webm mov avi mkv mpg mpeg flv swf ts \
         m3u8 mpd vtt webmanifest axd htc",
    ),
    (
        RequestKind::Download,
        "pdf zip gz tgz bz2 xz zst tar rar 7z jar war apk aab ipa exe msi dmg pkg deb rpm iso img bin run appimage \
         doc docx xls xlsx ppt pptx odt ods odp rtf csv tsv epub mobi ps txt log conf cfg ini yaml yml toml sql diff \
         patch asc sig sha256 md5 torrent ics vcf xml xsd",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_is_found_in_any_case_under_its_kind() {
        let table = ExtensionTable::kinds([].into_iter());
        for (kind, extensions) in EXTENSIONS {
            for extension in extensions.split_ascii_whitespace() {
                assert_eq!(table.get(extension.as_bytes()), Some(kind), "{extension}");
                assert_eq!(table.get(extension.to_ascii_uppercase().as_bytes()), Some(kind), "{extension}");
            }
        }
        assert_eq!(table.get(b"0"), None);
        assert_eq!(table.get(b"seventeen-letters"), None);
    }

    #[test]
    fn an_extension_of_the_site_wins() {
        let table = ExtensionTable::kinds([("json", RequestKind::Asset)].into_iter());
        assert_eq!(table.get(b"json"), Some(RequestKind::Asset));
    }

    #[test]
    fn no_extension_stands_under_two_kinds() {
        let mut all: vec::Vec<&str> =
            EXTENSIONS.iter().flat_map(|(_, e)| e.split_ascii_whitespace()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn pages_api_calls_downloads_feeds_and_robots_are_charged_unless_not_modified() {
        let charged = [
            RequestKind::Page,
            RequestKind::Api,
            RequestKind::Download,
            RequestKind::Feed,
            RequestKind::Robots,
        ];
        let free = [
            RequestKind::Asset,
            RequestKind::Favicon,
            RequestKind::Beacon,
            RequestKind::Preflight,
            RequestKind::Prefetch,
        ];
        for kind in charged {
            assert!(
                kind.is_charged(None) && kind.is_charged(Some(200)) && kind.is_charged(Some(404)),
                "{kind:?}"
            );
            assert!(!kind.is_charged(Some(304)), "{kind:?}");
        }
        for kind in free {
            assert!(!kind.is_charged(None) && !kind.is_charged(Some(200)), "{kind:?}");
        }
    }
}
