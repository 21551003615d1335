//! Checks that a site is up, quick, or valid.
//!
//! A token with `^` counts only at the start of an agent, since elsewhere it is an ordinary word.

/// Tokens in the order of the alphabet.
#[rustfmt::skip]
pub(super) const TOKENS: &[&str] = &[
    "^BlogVault", "^Buck/", "^CheckHost", "^Cronless", "^deepnoc", "^DMBrowser", "^EasyCron", "^Monit/",
    "^munin", "^Netumo", "^NETVIGIE", "^Panopta", "^Prometheus/", "^RED/", "^Spectate", "^Splunk",
    "^Termly", "^uptrends", "^webmon", "ABEvalBot", "Accessible Web Bot", "AccessStatus", "Acquia optimize",
    "ActiveComply", "AlertSite", "Amazon Route 53 Health Check Service",
    "Amazon-Route53-Health-Check-Service", "AppInsights", "AtVowBot", "AWS-Health-Check", "Baidu-YunGuanCe",
    "Better Uptime Bot", "BetterStack", "BetterUptimeBot", "BinaryCanary", "Blackbox Exporter",
    "Blackbox-Exporter", "Blockaid", "Bugsnag", "CapsuleChecker", "carbon-umbrella-bot", "Catchpoint",
    "changedetection", "check_curl", "check_http", "Checkly", "CheckMarkNetwork", "Chrome-Lighthouse",
    "CloudFlare-AlwaysOnline", "cloudflare-csup", "Cloudflare-Custom-Error-Page-Crawler",
    "Cloudflare-Healthchecks", "Cloudflare-SpeedTest", "Cloudflare-Traffic-Manager", "Cloudflare-Validator",
    "CloudflareRadarURLScanner", "collectd", "Consul Health Check", "Critical CSS Bot", "cron-job.org",
    "Cronitor", "Curebot", "DareBoost", "Data-Hotel-Watchdog", "Datadog Agent", "Datadog Synthetic",
    "Datadog/Synthetics", "DatadogSynthetics", "Dotcom-Monitor", "downnotifier.com", "DowntimeDetector",
    "DrataAutopilot", "DreamHost Data Team", "Dubbotbot", "easyDNS Monitoring", "EdgeWatch/",
    "ELB-HealthChecker", "elmah.io Uptime Monitoring", "elmahio-uptimebot", "EvoUptimeBot", "Experibot",
    "FastDAST", "FreeWebMonitoring SiteChecker", "Freshbot", "Freshping", "FreshpingBot",
    "Google Trust Services", "Google-Cloud-Monitoring", "GoogleHC", "GoogleStackdriverMonitoring",
    "GotSiteMonitor.com", "GTmetrix", "HAProxy-healthcheck", "HeadOnlyScraper", "healthchecks.io",
    "HetrixTools", "Honeybadger Uptime Check", "HoneybadgerBot", "HostTracker", "Hydrozen.io", "Hyperspin",
    "Icinga", "internetVista monitor", "Irokez.cz monitoring", "IsDownBot", "jetmon", "keycdn-tools",
    "kube-probe", "LogicMonitor", "loopimprovements.com", "Magus Bot", "minicrawler", "monitis -",
    "monitoring360bot", "Monsidobot", "MonSpark/", "montastic-monitor", "MontasticMonitor", "MxToolbox/",
    "Nagios", "NewRelicbot", "NewRelicPinger", "NewRelicSynthetics", "NIXStatsbot", "NodePing", "Noibu",
    "ObservePoint", "OhDear/", "OnlineOrNot.com_bot", "Pagespeed/", "PingAdmin.Ru", "Pingdom",
    "Pingdom.com_bot", "PingdomPageSpeed", "PingdomTMS", "pingping.io", "Poduptime", "Pomothy-Bot",
    "PRTG Network Monitor", "PRTGCloudBot", "PTST/", "pulsetic.com", "Rackspace Monitoring",
    "RuxitSynthetic", "Scrunchbot", "SENTINEL-LinkCheck", "sentry/", "SentryUptimeBot", "SequelWP",
    "Server Density Service Monitoring", "ServerDensity", "Silktide", "Site24x7", "Siteimprove.com",
    "SiteUptime.com", "solarwinds", "splunk-synthetics", "Splunk/", "SQWatcher/", "StatusCabot",
    "StatusCake", "Streamline3Bot", "sv-watchagent", "SynthesiBot", "synthetic-monitoring-agent",
    "ThousandEyes", "Traefik-HealthCheck", "TSMbot", "updown.io", "Uptime-Kuma", "Uptime/", "Uptimebot",
    "Uptimebot.org", "uptimedoctor", "UptimeRobot", "UptimeStatistics", "Uptimia", "Validator.nu",
    "Varnish Health Probe", "videootv Bot", "Vigil/", "W3C-checklink", "W3C-mobileOK", "W3C_CSS_Validator",
    "W3C_I18n-Checker", "W3C_Unicorn", "W3C_Validator", "Watchbot monitoring robot", "Watchful",
    "WatchMouse", "WebsiteOps", "websitepulse", "WEDOS OnLine", "wheresitup.com", "WormlyBot",
    "WOVN Crawler", "WPMU DEV Hub", "WPMUDEV Uptime Monitor", "WPUmbrella", "www.uptime.com", "Zabbix",
];
