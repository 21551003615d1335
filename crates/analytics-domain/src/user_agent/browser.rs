//! Which browser an agent names, and whose engine it runs.

use super::tokens::{Agent, after};
use super::{Engine, Product, Version};

/// The browser, if one is named; the most particular name wins, so Opera is not Chrome.
pub(super) fn browser(agent: &Agent<'_>, system: Option<&Product>) -> Option<Product> {
    named_in_comment(agent)
        .or_else(|| named(agent))
        .or_else(|| internet_explorer(agent))
        .or_else(|| engine_browser(agent, system))
        .or_else(|| netscape(agent, system))
}

/// The engine with the major version that dates it.
pub(super) fn engine(agent: &Agent<'_>, system: Option<&Product>) -> Option<(Engine, u16)> {
    let major = |version: &str| Version::new(version)?.major();
    if matches!(system.map(|system| system.name), Some("iOS" | "iPadOS")) {
        // Every browser of these systems runs the engine of the system, whatever its own number.
        let version = agent.product("Version").and_then(major);
        let version = version.or_else(|| system?.version?.major());
        return version.map(|major| (Engine::Safari, major));
    }
    if let Some(version) = agent.product("Edge").and_then(major) {
        return Some((Engine::EdgeHtml, version));
    }
    for (name, kind) in ENGINES {
        if let Some(version) = agent.product(name).and_then(major) {
            return Some((*kind, version));
        }
    }
    if agent.product("Presto").is_some() || agent.product("Opera").is_some() {
        let version = agent.product("Version").or_else(|| agent.product("Opera")).and_then(major);
        return version.map(|major| (Engine::Presto, major));
    }
    if let Some(explorer) = internet_explorer(agent) {
        return explorer.version?.major().map(|major| (Engine::Trident, major));
    }
    let apple =
        agent.product("Safari").is_some() && matches!(system.map(|s| s.name), Some("macOS" | "Windows"));
    let version = apple.then(|| agent.product("Version").and_then(major))?;
    version.map(|major| (Engine::Safari, major))
}

/// A browser with a product token of its own.
fn named(agent: &Agent<'_>) -> Option<Product> {
    let mut best: Option<(usize, &str)> = None;
    for product in agent.products() {
        if COMMON.contains(&product.name) {
            continue;
        }
        let rank = NAMED.iter().position(|(token, _)| *token == product.name);
        if let Some(rank) = rank
            && best.is_none_or(|(best, _)| rank < best)
        {
            best = Some((rank, product.version));
        }
    }
    let (rank, version) = best?;
    let (token, name) = NAMED[rank];
    let version = match token {
        // Opera stopped at 9.80 in its own token and went on counting in `Version`.
        "Opera" => agent.product("Version").unwrap_or(version),
        "FBAN" | "FB_IAB" => agent.product("FBAV").unwrap_or_default(),
        _ => version,
    };
    Some(Product { name, version: Version::new(version) })
}

/// A browser that is named inside a comment.
fn named_in_comment(agent: &Agent<'_>) -> Option<Product> {
    for part in agent.parts() {
        for (prefix, name) in IN_COMMENT {
            if prefix.as_bytes()[0] != part.as_bytes()[0] {
                continue;
            }
            if let Some(version) = after(part, prefix) {
                return Some(Product { name, version: Version::new(version) });
            }
        }
    }
    None
}

/// Internet Explorer, which names itself in a comment only; version 11 tells its version as `rv:`.
fn internet_explorer(agent: &Agent<'_>) -> Option<Product> {
    let trident = agent.part_after("Trident");
    let version = match (agent.part_after("MSIE"), trident.and_then(|version| Version::new(version)?.major()))
    {
        // In compatibility view it claims to be 7; the engine's number, four behind, stays true.
        (_, Some(7)) => "11.0",
        (_, Some(6)) => "10.0",
        (_, Some(5)) => "9.0",
        (_, Some(4)) => "8.0",
        (Some(version), _) => version,
        (None, _) => return None,
    };
    Some(Product { name: "Internet Explorer", version: Version::new(version) })
}

/// A browser that has no name but its engine's.
fn engine_browser(agent: &Agent<'_>, system: Option<&Product>) -> Option<Product> {
    let system = system.map(|system| system.name);
    for name in ["Chrome", "Chromium", "CriOS"] {
        if let Some(version) = agent.product(name) {
            let name = if agent.has_part("wv") { "Android WebView" } else { "Chrome" };
            return Some(Product { name, version: Version::new(version) });
        }
    }
    if let Some(version) = agent.product("Firefox") {
        return Some(Product { name: "Firefox", version: Version::new(version) });
    }
    let version = agent.product("Version").and_then(Version::new);
    let safari = agent.product("Safari").is_some();
    match system {
        Some("Android") if safari => Some(Product { name: "Android Browser", version }),
        Some("iOS" | "iPadOS") if agent.product("AppleWebKit").is_some() => {
            let name = if safari { "Safari" } else { "iOS WebView" };
            Some(Product { name, version })
        }
        Some("macOS" | "Windows" | "Symbian" | "Linux") | None if safari => {
            Some(Product { name: "Safari", version })
        }
        Some(_) | None => None,
    }
}

/// Netscape 4 and before, which had no name but Mozilla.
fn netscape(agent: &Agent<'_>, system: Option<&Product>) -> Option<Product> {
    let version = agent.product("Mozilla").and_then(Version::new)?;
    let desktop = matches!(system?.name, "Windows" | "macOS" | "Mac OS" | "Linux" | "SunOS");
    let old = matches!(version.major(), Some(2..=4)) && !agent.has_part("compatible");
    (desktop && old).then_some(Product { name: "Netscape", version: Some(version) })
}

/// Tokens that name an engine or nothing at all; looked at first, since nearly every agent consists of them.
const COMMON: [&str; 9] =
    ["Mozilla", "AppleWebKit", "Chrome", "Safari", "Mobile", "Version", "Gecko", "Firefox", "like"];

/// Engines in the order of trust: Chromium's browsers also claim Safari's and Mozilla's tokens.
const ENGINES: &[(&str, Engine)] = &[
    ("Chrome", Engine::Chromium),
    ("Chromium", Engine::Chromium),
    ("HeadlessChrome", Engine::Chromium),
    ("Firefox", Engine::Gecko),
];

/// Browsers that are named inside a comment.
const IN_COMMENT: &[(&str, &str)] = &[
    ("Opera Mini", "Opera Mini"),
    ("Konqueror", "Konqueror"),
    ("iCab", "iCab"),
    ("jig browser", "jig browser"),
    ("jig browser9i", "jig browser"),
    ("jig browser9", "jig browser"),
    ("GoogleTV", "Google TV"),
    ("Sleipnir", "Sleipnir"),
    ("Lunascape", "Lunascape"),
    ("Maxthon", "Maxthon"),
    ("AOL", "AOL"),
    ("UCWEB", "UC Browser"),
];

/// Product tokens of browsers, the most particular first: an application that shows pages stands before the browser
/// it is made from.
const NAMED: &[(&str, &str)] = &[
    ("FBAN", "Facebook"),
    ("FB_IAB", "Facebook"),
    ("Instagram", "Instagram"),
    ("Line", "Line"),
    ("GSA", "Google App"),
    ("MicroMessenger", "WeChat"),
    ("KAKAOTALK", "KakaoTalk"),
    ("NAVER", "Naver"),
    ("Whale", "Whale"),
    ("Snapchat", "Snapchat"),
    ("Pinterest", "Pinterest"),
    ("BytedanceWebview", "TikTok"),
    ("musical_ly", "TikTok"),
    ("trill", "TikTok"),
    ("TwitterAndroid", "Twitter"),
    ("LinkedInApp", "LinkedIn"),
    ("WhatsApp", "WhatsApp"),
    ("Teams", "Microsoft Teams"),
    ("Slack", "Slack"),
    ("Slack_SSB", "Slack"),
    ("DuckDuckGo", "DuckDuckGo"),
    ("Ddg", "DuckDuckGo"),
    ("Edge", "Edge"),
    ("Edg", "Edge"),
    ("EdgA", "Edge"),
    ("EdgiOS", "Edge"),
    ("EdgW", "Edge"),
    ("OPR", "Opera"),
    ("OPT", "Opera"),
    ("OPX", "Opera"),
    ("OPiOS", "Opera Mini"),
    ("OPRGX", "Opera"),
    ("Opera", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("FxiOS", "Firefox"),
    ("Focus", "Firefox Focus"),
    ("Klar", "Firefox Focus"),
    ("Vivaldi", "Vivaldi"),
    ("Brave", "Brave"),
    ("YaBrowser", "Yandex Browser"),
    ("YaSearchBrowser", "Yandex Browser"),
    ("YandexSearchBrowser", "Yandex Browser"),
    ("UCBrowser", "UC Browser"),
    ("UBrowser", "UC Browser"),
    ("UCWEB", "UC Browser"),
    ("MiuiBrowser", "MIUI Browser"),
    ("XiaoMi", "MIUI Browser"),
    ("HuaweiBrowser", "Huawei Browser"),
    ("HeyTapBrowser", "HeyTap Browser"),
    ("VivoBrowser", "Vivo Browser"),
    ("MQQBrowser", "QQ Browser"),
    ("QQBrowser", "QQ Browser"),
    ("MetaSr", "Sogou Explorer"),
    ("baidubrowser", "Baidu Browser"),
    ("bdbrowser", "Baidu Browser"),
    ("baiduboxapp", "Baidu Browser"),
    ("QihooBrowser", "360 Browser"),
    ("Silk", "Silk"),
    ("Ecosia", "Ecosia"),
    ("coc_coc_browser", "Coc Coc"),
    ("Puffin", "Puffin"),
    ("Sleipnir", "Sleipnir"),
    ("Maxthon", "Maxthon"),
    ("MxBrowser", "Maxthon"),
    ("Avast", "Avast Browser"),
    ("AVG", "AVG Browser"),
    ("CCleaner", "CCleaner Browser"),
    ("Iron", "Iron"),
    ("Falkon", "Falkon"),
    ("QupZilla", "Falkon"),
    ("Epiphany", "Epiphany"),
    ("Midori", "Midori"),
    ("Konqueror", "Konqueror"),
    ("SeaMonkey", "SeaMonkey"),
    ("PaleMoon", "Pale Moon"),
    ("Waterfox", "Waterfox"),
    ("LibreWolf", "LibreWolf"),
    ("Basilisk", "Basilisk"),
    ("K-Meleon", "K-Meleon"),
    ("Camino", "Camino"),
    ("Iceweasel", "Firefox"),
    ("IceCat", "IceCat"),
    ("Fennec", "Firefox"),
    ("Namoroka", "Firefox"),
    ("GranParadiso", "Firefox"),
    ("Thunderbird", "Thunderbird"),
    ("Galeon", "Galeon"),
    ("OmniWeb", "OmniWeb"),
    ("iCab", "iCab"),
    ("Flock", "Flock"),
    ("RockMelt", "RockMelt"),
    ("Netscape", "Netscape"),
    ("Netscape6", "Netscape"),
    ("Navigator", "Netscape"),
    ("IEMobile", "Internet Explorer"),
    ("Lynx", "Lynx"),
    ("w3m", "w3m"),
    ("Links", "Links"),
    ("ELinks", "ELinks"),
    ("Dillo", "Dillo"),
    ("NetSurf", "NetSurf"),
    ("Emacs-W3", "Emacs"),
    ("Ladybird", "Ladybird"),
    ("LibWeb", "Ladybird"),
    ("Servo", "Servo"),
    ("StudoBrowser", "Studo"),
    ("Quark", "Quark"),
    ("NintendoBrowser", "Nintendo Browser"),
    ("BrowserNG", "Nokia Browser"),
    ("NokiaBrowser", "Nokia Browser"),
    ("UP.Browser", "Openwave"),
    ("Obigo-Browser", "Obigo"),
    ("Obigo", "Obigo"),
    ("InettvBrowser", "NetFront"),
    ("NetFront", "NetFront"),
    ("BlackBerry", "BlackBerry Browser"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(&'static str, Option<u16>)> {
        let agent = Agent::read(text);
        let system = super::super::system::system(&agent);
        browser(&agent, system.as_ref())
            .map(|product| (product.name, product.version.and_then(|version| version.major())))
    }

    #[test]
    fn the_particular_name_wins_over_the_names_it_claims() {
        let base = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0";
        assert_eq!(read(&std::format!("{base} Safari/537.36")), Some(("Chrome", Some(120))));
        assert_eq!(read(&std::format!("{base} Safari/537.36 Vivaldi/6.5")), Some(("Vivaldi", Some(6))));
        assert_eq!(read(&std::format!("{base} Safari/537.36 OPR/106.0")), Some(("Opera", Some(106))));
        assert_eq!(
            read(&std::format!("{base} YaBrowser/24.1 Safari/537.36")),
            Some(("Yandex Browser", Some(24)))
        );
    }

    #[test]
    fn no_entry_is_hidden_by_the_common_tokens_or_by_a_twin() {
        for (place, (token, _)) in NAMED.iter().enumerate() {
            assert!(!COMMON.contains(token), "{token}");
            assert!(NAMED[..place].iter().all(|(earlier, _)| earlier != token), "{token}");
        }
    }

    #[test]
    fn old_browsers_are_named() {
        assert_eq!(read("Mozilla/4.78 [en] (Windows NT 5.0; U)"), Some(("Netscape", Some(4))));
        assert_eq!(
            read("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)"),
            Some(("Internet Explorer", Some(6)))
        );
        assert_eq!(read("Lynx/2.8.9rel.1 libwww-FM/2.14"), Some(("Lynx", Some(2))));
        assert_eq!(
            read("Mozilla/5.0 (compatible; Konqueror/3.5; Linux) KHTML/3.5.5 (like Gecko)"),
            Some(("Konqueror", Some(3)))
        );
    }
}
