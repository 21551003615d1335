//! Crawlers that build a search index for people.
//!
//! A token with `^` counts only at the start of an agent, since elsewhere it is an ordinary word.

/// Tokens in the order of the alphabet.
#[rustfmt::skip]
pub(super) const TOKENS: &[&str] = &[
    "360Spider", "7Siters", "^Aboundex", "^BIGLOTRON", "^convera", "^FediIndex", "^fluffy", "^Gigablast",
    "^Scrubby", "^Seekbot", "^Swisscows", "^WikiDo", "^wotbox", "^yanga", "A6-Indexer", "acoonbot",
    "adidxbot", "AlexandriaOrgBot", "Algolia Crawler", "Amazonbot", "AmazonProductDiscovery",
    "AmazonSellerInitiatedListing", "Applebot", "arabot", "AspiegelBot", "Baiduspider", "Baiduspider-image",
    "Baiduspider-render", "bingbot", "blekkobot", "Bot.AraTurka.com", "br-crawler", "Bravebot", "Cliqzbot",
    "coccoc", "coccocbot", "Coveobot", "CyberFindCrawler", "Daum", "Daumoa", "DeuSu/",
    "developers.google.com/+/web/snippet", "discobot", "DuckDuckBot", "DuckDuckGo-Favicons-Bot",
    "edisterbot", "Exabot", "FAST Enterprise Crawler", "FAST-WebCrawler", "FemtosearchBot", "FindFiles.net",
    "findthatfile", "findxbot", "fiperbot", "Flamingo_SearchEngine", "FleebsBot", "Fluffy the spider",
    "fr-crawler", "Freespoke/", "Funnelback", "FyndSearchEngine-Crawler", "FyndSearchEngine-ReCrawler",
    "Gabanzabot", "GeedoBot", "GeedoProductSearch", "GeedoShopProductFinder", "GigablastOpenSource",
    "Gigabot", "GlobalWebSearch", "GlobalWebSearchx", "Gluten Free Crawler", "Golfe/", "Google Favicon",
    "Google-Certificates-Bridge", "Google-PhysicalWeb", "Google-Structured-Data-Testing-Tool",
    "google-xrawler", "Googlebot", "Googlebot-IA", "Googlebot-Image", "Googlebot-Mobile", "Googlebot-News",
    "Googlebot-Video", "Greppr Web Crawler", "grub.org", "gsa-crawler", "IbouBot", "ichiro/", "IndeedBot",
    "IndeedJobBot", "INETDEX-BOT", "intelx.io_bot", "IstellaBot", "JobboerseBot", "jobswithgptcom-bot",
    "Jooblebot", "jyxobot", "Kagibot", "lb-spider", "Level9SearchBot", "Linguee Bot", "lyonl-asset-proxy",
    "lyonl-crawler", "MagiBot", "Mail.RU_Bot", "Marginalia", "MatchorySearch", "Mnogosearch", "MojeekBot",
    "msnbot", "msrbot", "NapBot", "NaverBot", "Neevabot", "NestDaddybot", "Nicecrawler", "NTENTbot",
    "Nutch", "officestorebot", "OICrawler", "OpenHoseBot", "openindexspider", "OpenTheBoxBot", "OrangeBot",
    "Owler (ows.eu", "PetalBot", "PhxBot", "PlayStore-Google", "psbot", "purebot", "Qwantbot", "Qwantify",
    "SafeSearch microdata crawler", "scribdbot", "search.marginalia.nu", "Searcherweb", "Searcherxweb",
    "SearchExpress", "Seekport", "SeznamBot", "SeznamHomepageCrawler", "SiteSearch360", "Slurp",
    "SMTnetPMBot", "Sogou", "Sosospider", "Speedy Spider", "SputnikBot", "StartpagePrivateImageProxy",
    "stepstoneCrawlBot", "StractBot", "Swiftbot", "tagoobot", "Teoma", "TheInternetSearchx",
    "top100.rambler.ru crawler", "ToutiaoSpider", "trovitBot", "UsineNouvelleCrawler", "voilabot",
    "VsuSearchSpider", "WadooBot", "wbsearchbot", "WepchSearchEngine", "WeSEE:Search", "wocbot",
    "WordupInfoSearch", "woriobot", "Y!J", "Yacybot", "yandex.com/bots", "YandexAccessibilityBot",
    "YandexBlogs", "YandexBot", "YandexCalendar", "YandexDirect", "YandexFavicons", "YandexImageResizer",
    "YandexImages", "YandexMarket", "YandexMedia", "YandexMetrika", "YandexMobileBot", "YandexNews",
    "YandexOntoDB", "YandexPagechecker", "YandexRenderResourcesBot", "YandexScreenshotBot",
    "YandexSitelinks", "YandexTurbo", "YandexUserproxy", "YandexVerticals", "YandexVideo",
    "YandexWebmaster", "Yeti", "YisouSpider", "YoudaoBot", "Zealbot", "ZoomInfo-", "ZumBot", "ZyBorg/",
];
