//! Readers of feeds, hosted ones and those on a desk.
//!
//! A token with `^` counts only at the start of an agent, since elsewhere it is an ordinary word.

/// Tokens in the order of the alphabet.
#[rustfmt::skip]
pub(super) const TOKENS: &[&str] = &[
    "^Canto", "^Castro", "^Current/", "^Fever", "^OpenRSS", "^Planet", "^Podcasts/", "^Podimo",
    "^Protopage", "^RSSAPI/", "Akregator", "AllAfrica", "Apple-PubSub", "AppleSyndication",
    "artemis web reader", "Atom Feed Robot", "BazQux", "BestChange", "BlingERP", "Bloglines", "BlogTraffic",
    "Blogtrottr", "Buttondown", "CapitalOneBot", "cococ", "Collapsify", "CommaFeed",
    "Cozi-iCalendar-FeedReader", "dlvr.it", "Elfeed", "everyfeed-spider", "Fastladder FeedFetcher",
    "fedoraplanet", "Feed Parser", "Feed Wrangler", "Feedbin", "feedbot", "FeedBurner", "FeedDemon",
    "Feeder /", "feeder.co", "Feedfetcher-Google", "FeedFlow", "Feedjira", "Feedly", "FeedlyBot",
    "feedparser", "Feedpresso Content Index Bot", "Feedsearch Bot", "Feedsearch-Crawler", "Feedspot",
    "FeedValidator", "Feedwind", "feedzirra", "FlipboardRSS", "FreshRSS", "g2reader-bot", "gooRSSreader",
    "gooRSSreader3", "gPodder", "Gwene", "Hatena Antenna", "Headline-Reader", "Innologica", "Inoreader",
    "iTMS", "jsRSS", "Liferea", "livedoor FeedFetcher", "MagpieRSS", "MailChimp", "Miniflux", "MonitoRSS/",
    "NAVER Blog Rssbot", "NetNewsWire", "Netvibes", "newsbeuter", "NewsBlur", "Newsboat", "NewsGator",
    "NewsGatorOnline", "Newsify Feed Fetcher", "NextCloud", "Nextcloud-News", "NicheIndex", "Overcast/",
    "page2rss", "PocketCasts/", "PodchaserParser", "qcbot", "QuiteRSS", "rawdog", "ReadKit", "Reeder",
    "RSS reader", "rss-is-dead.lol web bot", "rss-parser", "RSS.Social", "rss2email", "rss2tg", "RssBar",
    "rssbot", "RSSingBot", "RSSOwl", "RssReaderBot", "ScourRSSBot", "Selfoss", "ShortPixel", "SimplePie",
    "SottopopNone", "Specificfeeds", "subscriber", "subscribers", "Superfeedr", "theoldreader.com",
    "Tiny Tiny RSS", "tt-rss", "UniversalFeedParser", "upday/", "Vienna/", "Windows-RSS-Platform",
    "YandoriRSSBot", "yelpspider",
];
