//! Scanners for weaknesses, and surveys of what answers on the network.
//!
//! A token with `^` counts only at the start of an agent, since elsewhere it is an ordinary word.

/// Tokens in the order of the alphabet.
#[rustfmt::skip]
pub(super) const TOKENS: &[&str] = &[
    "^binlar", "^EmailWolf", "^Hello World", "^hydra", "abuse.xmco.fr", "Acunetix", "air.ai/scanning",
    "AkismetBot", "AliyunSecBot", "antibot", "Arachni", "ArtemisBot", "asnriskscorer",
    "Bad Neighborhood Header Detector", "bitdiscovery", "BitSightBot", "BlackDuck-FD",
    "BrowserBot-Observer", "burpcollaborator.net", "BurpSuite", "Censys", "CensysInspect", "CERT PL",
    "CertChief", "Cloudflare-Radar-Scanner", "Cloudflare-SSLDetector", "commix", "COMODO SSL Checker",
    "cookie-maestro", "Cookiebot", "CookieHub Bot", "CookieHubScan", "CookieHubVerify", "CookieYesbot",
    "csirt.cz", "CyberPatrol", "cypex.ai/scanning", "Detectify", "DigiCert DCV", "DirBuster", "dirsearch",
    "DNSScanner", "Do Not Track Verifier", "Dratabot", "ec2linkfinder", "Expanse", "fasthttp-scanner",
    "Feed Image Audit", "feroxbuster", "ffuf", "filterdb.iss.net/crawler", "Fuzz Faster U Fool",
    "GenomeCrawlerd", "gobuster", "Google-Trust-Services", "GoogleSecurityScanner", "Hardenize",
    "Hello, World", "hstspreload-bot", "HTTP Banner Detection",
    "https://developers.cloudflare.com/security-center", "httpx - Open-source",
    "Internet-structure-research-project-bot", "InternetMeasurement", "Invicti", "ip-web-crawler.com",
    "iubenda-radar", "jndi:", "joomscan", "Jorgee", "Jugendschutzprogramm-Crawler", "K7MLWCBot", "Keydrop",
    "Keydrop.io", "KrawlerBot", "l9explore", "l9scan", "l9tcpid", "LeakIX", "LegalMonster",
    "libredtail-http", "LightspeedSystemsCrawler", "ltx71", "masscan", "masscan-ng", "Metasploit",
    "ModatScanner", "Morfeus", "MRGbot", "muhstik", "Nessus", "Netcraft SSL Server Survey",
    "NetcraftSurveyAgent", "Netsparker", "NetSystemsResearch", "Nikto", "NINJA bot", "Nmap",
    "Nmap Scripting Engine", "NsToolsBot", "Nuclei", "Odin;", "OpenVAS", "OWASP ZAP", "Palo Alto Networks",
    "ProbelySPDR", "ProjectShield-UrlCheck", "Qualys", "QualysGuard", "ReverseEngineeringBot",
    "Riddler (http://riddler.io", "SafeDNSBot", "Sansec Security Monitor", "SBL-BOT", "SecurityHeaders",
    "Shodan", "SiteLock", "skipfish", "Software-Security-Research", "sqlmap", "SSL Labs",
    "SSL Labs (https://www.ssllabs.com", "Sucuri", "Test Certificate Info", "TLS tester", "TLSProbe",
    "TwinWaveScanner", "Unshorten.It!", "UrlBeeBot", "UT-Dorkbot", "VaultPress", "Verispider", "virustotal",
    "visionheight.com/scan", "w3af", "WanscannerBot", "watchTowr", "wfuzz", "WhatWeb", "WPScan", "wpsec",
    "WTotem", "Xenotix", "XSpider", "ZAP/", "zaproxy", "zgrab", "zgrab2", "ZmEu",
];
