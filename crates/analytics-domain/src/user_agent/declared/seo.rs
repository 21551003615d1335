//! Collectors of links, ranks, prices and mentions for marketers.
//!
//! A token with `^` counts only at the start of an agent, since elsewhere it is an ordinary word.

/// Tokens in the order of the alphabet.
#[rustfmt::skip]
pub(super) const TOKENS: &[&str] = &[
    "2ip bot", "2ip.ru", "^Determ", "^findlink", "^Majestic", "^MetaURI", "^postrank", "^webzio",
    "AgencyAnalyticsBot", "AhrefsBot", "AhrefsSiteAudit", "alexa site audit", "analyticsseo.com",
    "Audisto Crawler", "AudistoBot", "AwarioBot", "AwarioRssBot", "AwarioSmartBot", "BacklinkCrawler",
    "Barkrowler", "BLEXBot", "BoardGamePricesBot", "BomboraBot", "botify", "BrandONbot", "BrandVerity",
    "Brandwatch", "BrightEdge Crawler", "brokenlinkcheck.com", "BW/", "Cincraw/", "ClarityBot",
    "Clearscopebot", "Cocolyzebot", "cognitiveSEO Bot", "cognitiveseo.com", "Companybook-Crawler",
    "contentkingapp", "Datafeedwatch", "DataForSeoBot", "Datanyze", "Dataprovider.com", "Dead Link Checker",
    "deadlinkchecker", "DeepCrawl", "DnyzBot", "Domain Re-Animator Bot", "domaincrawler", "Domains Project",
    "DomainStatsBot", "DomCopBot", "DotBot", "Dragonbot", "ExtLinksBot", "FuseonBot", "GuestpostsBot",
    "hypestat/", "IonCrawl", "keys-so-bot", "LinkCheckerBot", "linkdex", "LinkdexBot", "LinkisBot",
    "linko.app", "LinkpadBot", "LinksIndexerBot", "LinkTiger", "LinkWalker", "lipperhey", "magpie-crawler",
    "MarketGoo/", "MarketingMiner", "MauiBot", "MB-LinkChecker", "MediaMonitoringBot", "Mediatoolkitbot",
    "MegaIndex", "MeltwaterNews", "MergadoBot", "MJ12bot", "Moreover/", "MuckRack/", "netEstate NE Crawler",
    "Netpeak", "NetpeakCheckerBot", "Nimbostratus-Bot", "OnCrawl", "PR-CY.RU", "PricedroneShoppingBot",
    "Pro-Sitemaps", "RankActiveLinkBot", "RankSonicSiteAuditor", "RankurBot", "RavenCrawler", "rogerbot",
    "RSiteAuditor", "RyteBot", "SandobaCrawler", "Screaming Frog SEO Spider", "Searchmetrics",
    "SearchmetricsBot", "semaltbot", "SemrushBot", "SemrushBot-BA", "SemrushBot-FT", "SemrushBot-OCOB",
    "SemrushBot-SI", "SemrushBot-SWA", "seo-audit-check-bot", "seo4ajax.com", "SeobilityBot",
    "SeoCherryBot", "SEOkicks", "Seokicks-Robot", "SEOlizer", "seoLyt/", "SeopultContentAnalyzer",
    "seoscanners", "seositecheckup", "seostar.co", "SeoulBot", "SERankingBacklinksBot", "serpstatbot",
    "SERPtimizerBot", "Sindup/", "SISTRIX Crawler", "SISTRIX Optimizer", "SiteAuditBot", "Sitebulb",
    "SiteCheckerBotCrawler", "siteexplorer.info", "SiteScoreBot", "Skroutz ImageBot", "SkroutzBot",
    "smtbot", "SocialRankIOBot", "Sonic/", "spbot", "Spinn3r", "SplitSignalBot", "Statabot",
    "StatusNestBacklinkSpider", "SurdotlyBot", "SwifteqLinkChecker", "Sysomos/", "t3versionsBot",
    "TombaPublicWebCrawler", "toplistbot", "Traackr.com", "trendictionbot", "TrendsmapResolver", "Twingly",
    "UASlinkChecker", "um-LN", "urlappendbot", "UrlSuMa.de crawler", "URLSuMaBot", "VoilaBotCollector",
    "WebDataStats", "webprosbot", "Website-info.net-Robot", "WebwikiBot", "WooRank", "Woorankreview",
    "WordCountBot", "WPMU DEV Broken Link Checker", "Xenu Link Sleuth", "XML Sitemaps Generator", "xovibot",
    "XoviOnpageCrawler", "YextBot", "ZoominfoBot",
];
