use super::super::SiteRules;
use super::*;
use alloc::format;
use alloc::string::String;
use proptest::prelude::*;
use rstest::rstest;

#[rstest]
#[case("/", RequestKind::Page)]
#[case("/about", RequestKind::Page)]
#[case("/about/", RequestKind::Page)]
#[case("/index.html", RequestKind::Page)]
#[case("/index.PHP?id=1", RequestKind::Page)]
#[case("/shop/item.aspx", RequestKind::Page)]
#[case("/v1.2/notes", RequestKind::Page)]
#[case("/release-1.2.3", RequestKind::Page)]
#[case("/images/", RequestKind::Page)]
#[case("/images", RequestKind::Page)]
#[case("/docs/api/intro", RequestKind::Page)]
#[case("/search?q=logo.png", RequestKind::Page)]
#[case("/?page=2", RequestKind::Page)]
#[case("/style.css", RequestKind::Asset)]
#[case("/a/B.JPG", RequestKind::Asset)]
#[case("/style.css?v=3", RequestKind::Asset)]
#[case("/app.min.js.map", RequestKind::Asset)]
#[case("/image/60844/productModel/200x200", RequestKind::Asset)]
#[case("/image/33888?name=x.jpg&wh=200x200", RequestKind::Asset)]
#[case("/_next/static/chunks/main", RequestKind::Asset)]
#[case("/static/a/b", RequestKind::Asset)]
#[case("/static/index.html", RequestKind::Page)]
#[case("/tracker.js", RequestKind::Asset)]
#[case("/favicon.ico", RequestKind::Favicon)]
#[case("/favicon-32x32.png", RequestKind::Favicon)]
#[case("/apple-touch-icon-precomposed.png", RequestKind::Favicon)]
#[case("/robots.txt", RequestKind::Robots)]
#[case("/sitemap.xml", RequestKind::Robots)]
#[case("/sitemap_index.xml", RequestKind::Robots)]
#[case("/sitemap-posts-1.xml.gz", RequestKind::Robots)]
#[case("/.well-known/security.txt", RequestKind::Robots)]
#[case("/ads.txt", RequestKind::Robots)]
#[case("/sitemap", RequestKind::Page)]
#[case("/feed", RequestKind::Feed)]
#[case("/blog/feed/", RequestKind::Feed)]
#[case("/blog/index.xml", RequestKind::Feed)]
#[case("/news.rss", RequestKind::Feed)]
#[case("/atom.xml", RequestKind::Feed)]
#[case("/?feed=rss2", RequestKind::Feed)]
#[case("/blog/tags/puppet?flav=rss20", RequestKind::Feed)]
#[case("/?flav=atom", RequestKind::Feed)]
#[case("/?feedback=1", RequestKind::Page)]
#[case("/api/users", RequestKind::Api)]
#[case("/API/users/1", RequestKind::Api)]
#[case("/api/index.php", RequestKind::Api)]
#[case("/graphql", RequestKind::Api)]
#[case("/data/list.json", RequestKind::Api)]
#[case("/wp-json/wp/v2/posts", RequestKind::Api)]
#[case("/apiary", RequestKind::Page)]
#[case("/paper.pdf", RequestKind::Download)]
#[case("/files/tool-1.0.tar.gz", RequestKind::Download)]
#[case("/files/tool.rpm", RequestKind::Download)]
#[case("/v1/engagement", RequestKind::Beacon)]
#[case("/v1/events/batch", RequestKind::Beacon)]
#[case("/pixel.gif?s=1", RequestKind::Beacon)]
#[case("", RequestKind::Page)]
#[case("/.", RequestKind::Page)]
fn the_path_tells_the_kind(#[case] target: &str, #[case] kind: RequestKind) {
    assert_eq!(read(target).kind, kind);
}

#[rstest]
#[case("/about", "document", RequestKind::Page)]
#[case("/about", "iframe", RequestKind::Page)]
#[case("/about", "empty", RequestKind::Api)]
#[case("/about", "image", RequestKind::Asset)]
#[case("/about", "script", RequestKind::Asset)]
#[case("/about", "report", RequestKind::Beacon)]
#[case("/about", "something-new", RequestKind::Page)]
#[case("/api/users", "document", RequestKind::Page)]
#[case("/style.css", "document", RequestKind::Asset)]
#[case("/style.css", "empty", RequestKind::Asset)]
#[case("/paper.pdf", "document", RequestKind::Download)]
#[case("/feed", "document", RequestKind::Feed)]
#[case("/favicon.ico", "image", RequestKind::Favicon)]
fn the_destination_decides_where_the_name_does_not(
    #[case] target: &str,
    #[case] destination: &str,
    #[case] kind: RequestKind,
) {
    let hints = Hints { sec_fetch_dest: Some(destination), ..Hints::default() };
    assert_eq!(Target::read(&SitePolicy::default(), Method::Get, target, hints).kind, kind);
}

#[rstest]
#[case(Method::Head, "/about", RequestKind::Page)]
#[case(Method::Post, "/contact", RequestKind::Api)]
#[case(Method::Put, "/about", RequestKind::Api)]
#[case(Method::Patch, "/about", RequestKind::Api)]
#[case(Method::Delete, "/about", RequestKind::Api)]
#[case(Method::Post, "/style.css", RequestKind::Api)]
#[case(Method::Post, "/v1/engagement", RequestKind::Beacon)]
#[case(Method::Options, "/about", RequestKind::Preflight)]
#[case(Method::Options, "/v1/engagement", RequestKind::Preflight)]
#[case(Method::Other, "/about", RequestKind::Api)]
fn the_method_tells_calls_from_reading(
    #[case] method: Method,
    #[case] target: &str,
    #[case] kind: RequestKind,
) {
    assert_eq!(Target::read(&SitePolicy::default(), method, target, Hints::default()).kind, kind);
}

#[rstest]
#[case(Some("prefetch"), None, RequestKind::Prefetch)]
#[case(Some("prefetch;prerender"), None, RequestKind::Prefetch)]
#[case(Some("Prerender"), None, RequestKind::Prefetch)]
#[case(None, Some("prefetch"), RequestKind::Prefetch)]
#[case(None, Some("preview"), RequestKind::Page)]
fn a_prefetch_is_its_own_kind(
    #[case] sec_purpose: Option<&str>,
    #[case] purpose: Option<&str>,
    #[case] kind: RequestKind,
) {
    let hints = Hints { sec_fetch_dest: Some("document"), sec_purpose, purpose };
    let target = Target::read(&SitePolicy::default(), Method::Get, "/about", hints);
    assert_eq!((target.kind, target.free_by_claim), (kind, kind == RequestKind::Prefetch));
}

#[test]
fn a_page_that_is_free_by_a_header_alone_says_so() {
    let hints = Hints { sec_fetch_dest: Some("image"), ..Hints::default() };
    let site = SitePolicy::default();
    assert!(Target::read(&site, Method::Get, "/about", hints).free_by_claim);
    assert!(!Target::read(&site, Method::Get, "/a.png", hints).free_by_claim);
    assert!(!Target::read(&site, Method::Get, "/v1/events", hints).free_by_claim);
    assert!(!read("/about").free_by_claim);
}

#[test]
fn a_rule_of_the_site_wins_over_path_and_hints() {
    let paths = [super::super::PathRule { prefix: "/app".into(), kind: RequestKind::Page }].into();
    let site = SitePolicy::new(SiteRules { paths, ..SiteRules::default() }).unwrap();
    let hints = Hints { sec_fetch_dest: Some("empty"), ..Hints::default() };
    assert_eq!(Target::read(&site, Method::Post, "/app/a.css", hints).kind, RequestKind::Page);
}

#[rstest]
#[case("/a?b=c#d", "/a", Some("b=c"))]
#[case("/a#d?b", "/a", None)]
#[case("/a?", "/a", Some(""))]
#[case("?a", "/", Some("a"))]
#[case("http://example.com/a?b", "/a", Some("b"))]
#[case("https://example.com", "/", None)]
#[case("https://example.com?x", "/", Some("x"))]
#[case("*", "*", None)]
fn path_and_query_are_taken_apart(#[case] target: &str, #[case] path: &str, #[case] query: Option<&str>) {
    let read = read(target);
    assert_eq!((read.path, read.query), (path, query));
}

#[rstest]
#[case("/", 0, None)]
#[case("/a", 1, None)]
#[case("/a//b/", 2, None)]
#[case("/p/13", 2, Some(13))]
#[case("/2024/page-007.html", 2, Some(7))]
#[case("/a1b", 1, Some(1))]
#[case("/a?p=5", 1, None)]
#[case("/123456789012345678", 1, Some(123_456_789_012_345_678))]
#[case("/1234567890123456789", 1, None)]
fn depth_and_last_number(#[case] target: &str, #[case] depth: u8, #[case] number: Option<u64>) {
    let read = read(target);
    assert_eq!((read.depth, read.last_number), (depth, number));
}

#[test]
fn a_trailing_slash_does_not_count_and_directories_are_paths() {
    assert_eq!(read("/a/b/").path_hash, read("/a/b").path_hash);
    assert_eq!(read("/a/b/?x").directory_hash, read("/a").path_hash);
    assert_eq!(read("/a").directory_hash, read("/").path_hash);
    assert_eq!(read("/").directory_hash, read("/").path_hash);
    assert_ne!(read("/a/index.html").path_hash, read("/a/").path_hash);
    assert_eq!(read("/a/b?x").path_hash, PathHash::of("/a/b"));
}

#[rstest]
#[case("http://other.example/", true)]
#[case("other.example:443", true)]
#[case("http://example.com/", false)]
#[case("https://www.example.com:443/a", false)]
fn a_request_for_another_host_looks_for_an_open_proxy(#[case] target: &str, #[case] proxy: bool) {
    let site = SitePolicy::for_hosts(["example.com"]).unwrap();
    let probe = Target::read(&site, Method::Get, target, Hints::default()).probe;
    assert_eq!(probe, proxy.then_some(Probe { kind: ProbeKind::Exploit, strength: ProbeStrength::Strong }));
}

#[test]
fn without_known_hosts_a_url_as_target_proves_nothing() {
    assert_eq!(read("http://other.example/").probe, None);
}

#[test]
fn a_long_path_is_cut_between_characters() {
    let long = format!("/{}", "é".repeat(600));
    assert_eq!(read(&long).path.len(), 1023);
    let cut = format!("/{}", "a".repeat(2000));
    assert_eq!(read(&cut).path.len(), 1024);
}

proptest! {
    #[test]
    fn any_text_is_read_within_bounds(text: String, slash: bool) {
        let target = if slash { format!("/{text}") } else { text };
        let read = read(&target);
        prop_assert!(read.path.len() <= 1024);
        prop_assert_eq!(read.path_hash, PathHash::of(read.path));
    }

    #[test]
    fn the_query_changes_neither_path_nor_hashes(path in "/[a-z0-9/.]{0,40}", query in "[^#]{0,40}") {
        let with = format!("{path}?{query}");
        let (with, without) = (read(&with), read(&path));
        prop_assert_eq!(
            (with.path, with.path_hash, with.directory_hash, with.depth, with.last_number),
            (without.path, without.path_hash, without.directory_hash, without.depth, without.last_number)
        );
    }

    #[test]
    fn depth_counts_segments(path in "/[a-z/]{0,30}") {
        let segments = path.split('/').filter(|segment| !segment.is_empty()).count();
        prop_assert_eq!(usize::from(read(&path).depth), segments);
    }
}

fn read(target: &str) -> Target<'_> {
    std::thread_local! {
        static SITE: SitePolicy = SitePolicy::default();
    }
    SITE.with(|site| Target::read(site, Method::Get, target, Hints::default()))
}
