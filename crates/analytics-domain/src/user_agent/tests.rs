//! What one agent of each sort says.

use super::*;
use proptest::prelude::*;
use std::format;
use std::string::{String, ToString};

/// Device, browser and system, each as text with its version.
fn read(text: &str) -> (DeviceType, String, String) {
    let agent = UserAgent::parse(text);
    assert_eq!(agent.declared, None, "{text}");
    assert!(agent.is_browser(), "{text}");
    (agent.device_type, shown(agent.browser), shown(agent.os))
}

fn shown(product: Option<Product>) -> String {
    match product {
        Some(Product { name, version: Some(version) }) => format!("{name} {version}"),
        Some(Product { name, version: None }) => name.to_string(),
        None => String::new(),
    }
}

fn is(device: DeviceType, browser: &str, os: &str) -> (DeviceType, String, String) {
    (device, browser.to_string(), os.to_string())
}

#[test]
fn an_ipad_is_a_tablet_with_ipados() {
    assert_eq!(
        read(
            "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 \
             Mobile/15E148 Safari/604.1"
        ),
        is(DeviceType::Tablet, "Safari 16.6", "iPadOS 16.6")
    );
    assert_eq!(
        read(
            "Mozilla/5.0 (iPad; CPU OS 9_3_5 like Mac OS X) AppleWebKit/601.1.46 (KHTML, like Gecko) Version/9.0 \
             Mobile/13G36 Safari/601.1"
        ),
        is(DeviceType::Tablet, "Safari 9.0", "iOS 9.3.5")
    );
}

#[test]
fn an_iphone_is_a_phone_with_ios() {
    let text = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                Version/17.4.1 Mobile/15E148 Safari/604.1";
    assert_eq!(read(text), is(DeviceType::Mobile, "Safari 17.4.1", "iOS 17.4.1"));
    assert_eq!(UserAgent::parse(text).released(), NaiveDate::from_ymd_opt(2023, 9, 18));
}

#[test]
fn an_android_device_is_a_phone_if_it_says_mobile_and_else_a_tablet() {
    let phone = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 \
                 Mobile Safari/537.36";
    assert_eq!(read(phone), is(DeviceType::Mobile, "Chrome 124.0.0.0", "Android 14"));
    let tablet = "Mozilla/5.0 (Linux; Android 12; SM-X906C) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 \
                  Safari/537.36";
    assert_eq!(read(tablet), is(DeviceType::Tablet, "Chrome 124.0.0.0", "Android 12"));
    let firefox = "Mozilla/5.0 (Android 13; Tablet; rv:121.0) Gecko/121.0 Firefox/121.0";
    assert_eq!(read(firefox), is(DeviceType::Tablet, "Firefox 121.0", "Android 13"));
}

#[test]
fn desktop_browsers_are_read_with_their_systems() {
    assert_eq!(
        read(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 \
             Safari/537.36"
        ),
        is(DeviceType::Desktop, "Chrome 130.0.0.0", "Windows 10")
    );
    assert_eq!(
        read("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Firefox/128.0"),
        is(DeviceType::Desktop, "Firefox 128.0", "macOS 10.15")
    );
    assert_eq!(
        read(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 \
             Safari/605.1.15"
        ),
        is(DeviceType::Desktop, "Safari 17.1", "macOS 10.15.7")
    );
    assert_eq!(
        read("Mozilla/5.0 (X11; OpenBSD amd64; rv:115.0) Gecko/20100101 Firefox/115.0"),
        is(DeviceType::Desktop, "Firefox 115.0", "OpenBSD")
    );
}

#[test]
fn opera_is_not_chrome() {
    assert_eq!(
        read("Opera/9.80 (Windows NT 6.1; WOW64; U; en) Presto/2.12.388 Version/12.16"),
        is(DeviceType::Desktop, "Opera 12.16", "Windows 7")
    );
    assert_eq!(
        read(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 \
             OPR/105.0.0.0"
        ),
        is(DeviceType::Desktop, "Opera 105.0.0.0", "Linux")
    );
    assert_eq!(
        read("Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/29.3709; U; en) Presto/2.8.119 Version/11.10"),
        is(DeviceType::Mobile, "Opera Mini 7.1.32052", "")
    );
}

#[test]
fn both_edges_are_edge() {
    let legacy = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                  Chrome/70.0.3538.102 Safari/537.36 Edge/18.19582";
    assert_eq!(read(legacy), is(DeviceType::Desktop, "Edge 18.19582", "Windows 10"));
    assert_eq!(UserAgent::parse(legacy).engine, Some((Engine::EdgeHtml, 18)));
    let chromium = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                    Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91";
    assert_eq!(read(chromium), is(DeviceType::Desktop, "Edge 120.0.2210.91", "Windows 10"));
    assert_eq!(UserAgent::parse(chromium).released(), NaiveDate::from_ymd_opt(2023, 12, 5));
}

#[test]
fn samsung_internet_is_dated_by_its_chromium() {
    let text = "Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) \
                SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36";
    assert_eq!(read(text), is(DeviceType::Mobile, "Samsung Internet 23.0", "Android 13"));
    assert_eq!(UserAgent::parse(text).released(), NaiveDate::from_ymd_opt(2023, 7, 18));
}

#[test]
fn browsers_on_an_iphone_keep_their_names_and_are_dated_by_the_system() {
    let firefox = "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                   FxiOS/115.0 Mobile/15E148 Safari/605.1.15";
    assert_eq!(read(firefox), is(DeviceType::Mobile, "Firefox 115.0", "iOS 16.5"));
    let chrome = "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                  CriOS/114.0.5735.99 Mobile/15E148 Safari/604.1";
    assert_eq!(read(chrome), is(DeviceType::Mobile, "Chrome 114.0.5735.99", "iOS 16.5"));
    for text in [firefox, chrome] {
        assert_eq!(UserAgent::parse(text).engine, Some((Engine::Safari, 16)));
    }
}

#[test]
fn applications_that_show_pages_are_named() {
    let facebook = "Mozilla/5.0 (iPhone; CPU iPhone OS 15_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                    Mobile/15E148 [FBAN/FBIOS;FBAV/340.0.0.27.113;FBDV/iPhone12,1]";
    assert_eq!(read(facebook), is(DeviceType::Mobile, "Facebook 340.0.0.27.113", "iOS 15.0"));
    let instagram = "Mozilla/5.0 (Linux; Android 11; SM-A515F; wv) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Version/4.0 Chrome/95.0.4638.74 Mobile Safari/537.36 Instagram 212.0.0.38.119 Android";
    assert_eq!(read(instagram), is(DeviceType::Mobile, "Instagram 212.0.0.38.119", "Android 11"));
    let search = "Mozilla/5.0 (iPad; CPU OS 15_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                  GSA/187.0.4 Mobile/15E148 Safari/604.1";
    assert_eq!(read(search), is(DeviceType::Tablet, "Google App 187.0.4", "iPadOS 15.1"));
}

#[test]
fn a_chromebook_runs_chromeos_and_microsoft_is_not_cros() {
    let text = "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 \
                Safari/537.36";
    assert_eq!(read(text), is(DeviceType::Desktop, "Chrome 119.0.0.0", "ChromeOS 14541.0.0"));
    let text = "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Microsoft Windows Media Center PC 6.0)";
    assert_eq!(read(text), is(DeviceType::Desktop, "Internet Explorer 10.0", "Windows 8"));
}

#[test]
fn televisions_are_told() {
    let tv = [
        (
            "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/2.1 TV \
          Safari/537.36",
            "Tizen 6.0",
        ),
        (
            "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/87.0.4280.88 \
          Safari/537.36 WebAppManager",
            "webOS",
        ),
        (
            "Mozilla/5.0 (Linux; Android 9; BRAVIA 4K VH2 Build/PTT1) AppleWebKit/537.36 (KHTML, like Gecko) \
          Chrome/96.0.4664.45 Safari/537.36",
            "Android 9",
        ),
        (
            "Mozilla/5.0 (Linux; Android 7.1.2; AFTMM Build/NS6265) AppleWebKit/537.36 (KHTML, like Gecko) Silk/88.3 \
          like Chrome/88.0.4324.181 Safari/537.36",
            "Android 7.1.2",
        ),
        (
            "Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0.4430.225 \
          Safari/537.36 CrKey/1.56.500000",
            "Linux",
        ),
    ];
    for (text, os) in tv {
        let agent = UserAgent::parse(text);
        assert_eq!((agent.device_type, shown(agent.os)), (DeviceType::Tv, os.to_string()), "{text}");
    }
    for (text, os) in [("Roku/DVP-12.0 (12.0.0.4182-88)", "Roku OS 12.0"), ("AppleTV11,1/11.1", "tvOS")] {
        let agent = UserAgent::parse(text);
        assert_eq!((agent.device_type, shown(agent.os)), (DeviceType::Tv, os.to_string()), "{text}");
    }
}

#[test]
fn consoles_are_told() {
    let consoles = [
        (
            "Mozilla/5.0 (PlayStation; PlayStation 5/6.00) AppleWebKit/605.1.15 (KHTML, like Gecko)",
            "PlayStation 5 6.00",
        ),
        ("Mozilla/5.0 (PLAYSTATION 3 4.89) AppleWebKit/531.22.8 (KHTML, like Gecko)", "PlayStation 3 4.89"),
        (
            "Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/609.4 (KHTML, like Gecko) NF/6.0.2 \
          NintendoBrowser/5.1.0.22474",
            "Nintendo Switch",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) AppleWebKit/537.36 (KHTML, like Gecko) \
          Chrome/64.0 Safari/537.36 Edge/17.17134",
            "Xbox One",
        ),
    ];
    for (text, os) in consoles {
        let agent = UserAgent::parse(text);
        assert_eq!((agent.device_type, shown(agent.os)), (DeviceType::Console, os.to_string()), "{text}");
    }
}

#[test]
fn internet_explorer_11_is_read_from_its_engine() {
    let text = "Mozilla/5.0 (Windows NT 6.3; WOW64; Trident/7.0; rv:11.0) like Gecko";
    assert_eq!(read(text), is(DeviceType::Desktop, "Internet Explorer 11.0", "Windows 8.1"));
    assert_eq!(UserAgent::parse(text).released(), NaiveDate::from_ymd_opt(2013, 10, 17));
    let compatible = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; Trident/7.0)";
    assert_eq!(read(compatible), is(DeviceType::Desktop, "Internet Explorer 11.0", "Windows 7"));
}

#[test]
fn phones_whose_names_end_in_bot_are_phones() {
    for model in ["CUBOT X30", "CUBOT_NOTE_S Build/O11019", "B BOT 550", "M bot 60", "XBot Junior Build/O1"] {
        let text = format!(
            "Mozilla/5.0 (Linux; Android 8.1.0; {model}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0.4430.91 \
             Mobile Safari/537.36"
        );
        assert_eq!(read(&text), is(DeviceType::Mobile, "Chrome 90.0.4430.91", "Android 8.1.0"));
    }
}

#[test]
fn applications_made_with_electron_are_people() {
    let text = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) \
                Slack/4.35.131 Chrome/120.0.6099.56 Electron/28.0.0 Safari/537.36";
    assert_eq!(read(text), is(DeviceType::Desktop, "Slack 4.35.131", "macOS 10.15.7"));
}

#[test]
fn each_kind_of_automation_is_told() {
    use AutomationKind as K;
    let kinds = [
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            K::SearchCrawler,
            "Googlebot",
        ),
        (
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            K::SearchCrawler,
            "bingbot",
        ),
        ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", K::SearchCrawler, "YandexBot"),
        ("Mozilla/5.0 (compatible; Baiduspider/2.0)", K::SearchCrawler, "Baiduspider"),
        ("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)", K::AiTraining, "GPTBot"),
        ("Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", K::AiTraining, "ClaudeBot"),
        ("CCBot/2.0 (https://commoncrawl.org/faq/)", K::AiTraining, "CCBot"),
        (
            "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (compatible; Bytespider)",
            K::AiTraining,
            "Bytespider",
        ),
        ("meta-externalagent/1.1", K::AiTraining, "meta-externalagent"),
        (
            "Mozilla/5.0 (compatible; OAI-SearchBot/1.0; +https://openai.com/searchbot)",
            K::AiSearch,
            "OAI-SearchBot",
        ),
        ("Mozilla/5.0 (compatible; PerplexityBot/1.0)", K::AiSearch, "PerplexityBot"),
        ("Mozilla/5.0 (compatible; Claude-SearchBot/1.0)", K::AiSearch, "Claude-SearchBot"),
        (
            "Mozilla/5.0 (compatible; ChatGPT-User/1.0; +https://openai.com/bot)",
            K::AiUserFetch,
            "ChatGPT-User",
        ),
        ("Mozilla/5.0 (compatible; Claude-User/1.0)", K::AiUserFetch, "Claude-User"),
        ("Mozilla/5.0 (compatible; Perplexity-User/1.0)", K::AiUserFetch, "Perplexity-User"),
        ("Mozilla/5.0 (compatible; MistralAI-User/1.0)", K::AiUserFetch, "MistralAI-User"),
        ("meta-externalfetcher/1.1", K::AiUserFetch, "meta-externalfetcher"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0 ChatGPT Agent/1.0", K::AiAgent, "ChatGPT Agent"),
        ("Mozilla/5.0 (compatible; Google-Agent)", K::AiAgent, "Google-Agent"),
        ("Mozilla/5.0 Chrome/130.0 NovaAct/1.0", K::AiAgent, "NovaAct"),
        ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", K::Seo, "AhrefsBot"),
        ("Mozilla/5.0 (compatible; SemrushBot/7~bl)", K::Seo, "SemrushBot"),
        ("Mozilla/5.0 (compatible; MJ12bot/v1.4.8)", K::Seo, "MJ12bot"),
        ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", K::Monitor, "UptimeRobot"),
        ("Pingdom.com_bot_version_1.4", K::Monitor, "Pingdom.com_bot"),
        ("Zabbix 6.0.1", K::Monitor, "Zabbix"),
        ("Blackbox Exporter/0.24.0", K::Monitor, "Blackbox Exporter"),
        ("Feedly/1.0 (+http://www.feedly.com/fetcher.html; 12 subscribers)", K::FeedReader, "Feedly"),
        ("Tiny Tiny RSS/22.12 (https://tt-rss.org/)", K::FeedReader, "Tiny Tiny RSS"),
        ("NewsBlur Feed Fetcher - 3 subscribers", K::FeedReader, "NewsBlur"),
        ("FeedBurner/1.0 (http://www.FeedBurner.com)", K::FeedReader, "FeedBurner"),
        ("UniversalFeedParser/5.2.1", K::FeedReader, "UniversalFeedParser"),
        ("facebookexternalhit/1.1", K::SocialPreview, "facebookexternalhit"),
        ("Twitterbot/1.0", K::SocialPreview, "Twitterbot"),
        ("Slackbot 1.0 (+https://api.slack.com/robots)", K::SocialPreview, "Slackbot"),
        ("WhatsApp/2.23.20.0 A", K::SocialPreview, "WhatsApp"),
        ("Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:Port Check)", K::SecurityScanner, "Nikto"),
        ("sqlmap/1.7.2#stable (https://sqlmap.org)", K::SecurityScanner, "sqlmap"),
        ("Mozilla/5.0 zgrab/0.x", K::SecurityScanner, "zgrab"),
        ("masscan/1.3", K::SecurityScanner, "masscan"),
        ("Nuclei - Open-source project", K::SecurityScanner, "Nuclei"),
        ("WPScan v3.8.22", K::SecurityScanner, "WPScan"),
        ("Mozilla/5.0 (compatible; Nmap Scripting Engine)", K::SecurityScanner, "Nmap Scripting Engine"),
        ("curl/8.4.0", K::HttpLibrary, "curl"),
        ("Wget/1.21.3", K::HttpLibrary, "Wget"),
        ("python-requests/2.31.0", K::HttpLibrary, "python-requests"),
        ("Go-http-client/2.0", K::HttpLibrary, "Go-http-client"),
        ("okhttp/4.9.3", K::HttpLibrary, "okhttp"),
        ("Java/17.0.2", K::HttpLibrary, "Java"),
        ("libwww-perl/6.67", K::HttpLibrary, "libwww-perl"),
        ("axios/1.6.2", K::HttpLibrary, "axios"),
        ("Apache-HttpClient/4.5.14 (Java/17.0.2)", K::HttpLibrary, "Apache-HttpClient"),
        ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0.0.0", K::HeadlessBrowser, "HeadlessChrome"),
        ("Mozilla/5.0 (Unknown; Linux) PhantomJS/2.1.1 Safari/538.1", K::HeadlessBrowser, "PhantomJS"),
        ("Mozilla/5.0 Chrome/120.0 Puppeteer", K::HeadlessBrowser, "Puppeteer"),
        ("Mozilla/5.0 Chrome/120.0 Playwright/1.40", K::HeadlessBrowser, "Playwright"),
        ("ia_archiver (+http://www.alexa.com/site/help/webmasters)", K::Other, "Alexa"),
    ];
    for (text, kind, name) in kinds {
        let agent = UserAgent::parse(text);
        assert_eq!(agent.declared, Some(Declared { kind, name: name.into() }), "{text}");
        assert_eq!(agent.device_type, DeviceType::Bot, "{text}");
        assert!(!agent.is_browser(), "{text}");
    }
    for kind in AutomationKind::ALL {
        assert!(kinds.iter().any(|(_, shown, _)| *shown == kind), "{kind:?}");
    }
}

#[test]
fn automation_of_unknown_name_is_told_by_its_name_or_its_address() {
    let unknown = [
        ("Zorgbot/1.0", "Zorgbot"),
        ("Mozilla/5.0 (compatible; Zorg-Crawler/2.1)", "Zorg-Crawler"),
        ("Mozilla/5.0 (compatible; Zorg/1.0; +https://zorg.example/)", "Zorg"),
        ("Zorg/1.0 (+http://zorg.example)", "Zorg"),
        ("Zorg/1.0 (someone@zorg.example)", "Zorg"),
        ("zorgspider2 python-requests/2.31.0", "zorgspider2"),
    ];
    for (text, name) in unknown {
        let declared = Some(Declared { kind: AutomationKind::Other, name: name.into() });
        assert_eq!(UserAgent::parse(text).declared, declared, "{text}");
    }
}

#[test]
fn an_empty_agent_tells_nothing() {
    for text in ["", "-", " ", "\"-\""] {
        let agent = UserAgent::parse(text);
        assert_eq!((agent.device_type, agent.browser, agent.os), (DeviceType::Unknown, None, None));
        assert_eq!((agent.declared.clone(), agent.released()), (None, None));
        assert!(!agent.is_browser());
    }
}

#[test]
fn what_is_past_512_bytes_is_not_read_and_no_character_is_cut() {
    let padding = "a".repeat(UserAgent::MAX_BYTES - 1);
    assert_eq!(UserAgent::parse(&format!("{padding} Googlebot/2.1")).declared, None);
    assert_eq!(UserAgent::parse(&format!("{padding}ä Googlebot/2.1")).declared, None);
    let fits = "a".repeat(UserAgent::MAX_BYTES - " Googlebot".len());
    assert!(UserAgent::parse(&format!("{fits} Googlebot/2.1")).declared.is_some());
}

#[test]
fn names_in_data_are_those_serde_writes() {
    for kind in AutomationKind::ALL {
        let written = serde_json::to_string(&kind).expect("a unit variant is a string");
        assert_eq!(written, format!("\"{}\"", kind.as_str()));
    }
    for device in DeviceType::ALL {
        let written = serde_json::to_string(&device).expect("a unit variant is a string");
        assert_eq!(written, format!("\"{}\"", device.as_str()));
    }
}

#[test]
fn versions_keep_their_numbers() {
    let major = |text: &str| Version::new(text).and_then(|version| version.major());
    assert_eq!(major("10_15_7"), Some(10));
    assert_eq!(major("65535.1"), Some(u16::MAX));
    assert_eq!(major("65536"), None);
    assert_eq!(major("XP"), None);
    assert_eq!(Version::new(""), None);
    assert_eq!(Version::new("...").map(|version| version.as_str().to_string()), None);
    assert_eq!(Version::new("1.2.").map(|version| version.as_str().to_string()), Some("1.2".to_string()));
}

proptest! {
    #[test]
    fn any_text_is_read_and_what_comes_out_is_bounded(text in "\\PC{0,700}") {
        let agent = UserAgent::parse(&text);
        prop_assert!(agent.declared.is_none_or(|declared| declared.name.len() <= 64));
        for product in [agent.browser, agent.os].into_iter().flatten() {
            prop_assert!(product.version.is_none_or(|version| version.as_str().len() <= Version::MAX_BYTES));
        }
    }

    #[test]
    fn texts_that_look_like_agents_are_read(
        pieces in prop::collection::vec(
            prop::sample::select(std::vec![
                "Mozilla/5.0", "(", ")", ";", " ", "/", "[", "Android", "iPhone OS 9_9", "Windows NT", "+http://", "bot",
                "Chrome/99", "Version/", "Opera", "MSIE ", "Trident/7", "CPU OS ", "ä", "@", "Safari", "Mobile", "9",
            ]),
            0..60,
        )
    ) {
        let text: String = pieces.concat();
        let agent = UserAgent::parse(&text);
        prop_assert_eq!(agent.is_browser() && agent.declared.is_some(), false);
        let _ = agent.released();
    }

    #[test]
    fn only_the_first_512_bytes_count(text in "\\PC{0,700}") {
        let cut = &text[..text.floor_char_boundary(UserAgent::MAX_BYTES)];
        prop_assert_eq!(UserAgent::parse(&text), UserAgent::parse(cut));
    }

    #[test]
    fn a_browser_that_adds_a_crawlers_name_is_declared(major in 1_u16..200, name in "[A-Z][a-z]{2,9}") {
        let browser = format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 \
             Safari/537.36"
        );
        prop_assert_eq!(UserAgent::parse(&browser).declared, None);
        let crawler = UserAgent::parse(&format!("{browser} {name}Bot/1.0 (+http://x)"));
        prop_assert!(crawler.declared.is_some());
        prop_assert_eq!(crawler.device_type, DeviceType::Bot);
    }
}
