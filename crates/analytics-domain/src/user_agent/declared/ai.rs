//! Crawlers, fetchers and agents of AI products, by what they do with a page.
//!
//! A token with `^` counts only at the start of an agent, since elsewhere it is an ordinary word.

/// Collect training data.
#[rustfmt::skip]
pub(super) const TRAINING: &[&str] = &[
    "^Anomura", "^ImageMind", "^Novellum", "^YaK", "AgentTimes", "AI2Bot", "Ai2Bot-DeepResearchEval",
    "AI2Bot-Dolma", "anthropic-ai", "Applebot-Extended", "Brightbot", "Brightbot 1.0", "Bytespider",
    "CCBot", "Channel3Bot", "ChatGLM-Spider", "ClaudeBot", "cohere-ai", "cohere-training-data-crawler",
    "Cotoyogi", "Datenbank Crawler", "DeepSeekBot", "Echobot Bot", "ExteContextCrawl", "FacebookBot",
    "Factset_spyderbot", "Flyriverbot", "FriendlyCrawler", "Google-Extended", "GPTBot", "GrokBot",
    "ICC-Crawler", "ImagesiftBot", "imageSpider", "img2dataset", "ISSCyberRiskCrawler", "Kangaroo Bot",
    "KunatoCrawler", "laion-huggingface-processor", "LAIONDownloader", "linkReader", "meta-externalagent",
    "MyCentralAIScraperBot", "NagetBot", "netEstate Imprint Crawler", "newsai", "omgili", "omgilibot",
    "PanguBot", "Panscient", "panscient.com", "Poseidon Research Crawler", "Reflectionbot",
    "SBIntuitionsBot", "semantic-visions", "Sidetrade indexer bot", "Spawning-AI",
    "TaraGroup Intelligent Bot", "The Knowledge AI", "Thinkbot", "TikTokSpider", "Timpibot", "TSM-turingos",
    "VelenPublicWebCrawler", "Webzio-Extended", "xAI-Bot",
];

/// Build an index, or fetch for one, that an AI product searches.
#[rustfmt::skip]
pub(super) const SEARCH: &[&str] = &[
    "AddSearchBot", "aiHitBot", "AISearchBot", "AIWebIndex", "amazon-kendra", "Amzn-SearchBot", "Andibot",
    "Aranet-SearchBot", "AzureAI-SearchBot", "bigsur.ai", "Claude-SearchBot", "Cloudflare-AutoRAG",
    "CloudVertexBot", "CragCrawler", "Crawl4AI", "Crawlspace", "Diffbot", "ExaSearchBot", "Firecrawl",
    "FirecrawlAgent", "Google-CloudVertexBot", "HenkBot", "iAskBot", "iaskspider", "KendraBot", "LinerBot",
    "LinkupBot", "meta-webindexer", "Mozilla-Tabstack", "OAI-SearchBot", "PerplexityBot",
    "Querit-SearchBot", "QueritBot", "ShapBot", "TavilyBot", "Terra Cotta", "TerraCotta", "TongyiBot",
    "YandexAdditional", "YandexAdditionalBot", "YiyanBot", "YouBot", "ZanistaBot",
];

/// Fetch a page because a person asked.
#[rustfmt::skip]
pub(super) const USER_FETCH: &[&str] = &[
    "amazon-QBusiness", "Amzn-User", "ApifyBot", "ApifyWebsiteContentCrawler", "Bedrockbot", "ChatGPT-User",
    "Claude-User", "Claude-Web", "DuckAssistBot", "GeistHaus-PageFetcher", "Gemini-Deep-Research",
    "Google-Firebase", "Google-NotebookLM", "GoogleAgent-URLContext", "kagi-fetcher", "Kimi-User",
    "meta-externalfetcher", "MistralAI-User", "NotebookLM", "Perplexity-User", "PerplexityUser", "PhindBot",
    "Poggio-Citations", "QuillBot", "quillbot.com", "Shap-User", "UseAI",
];

/// Act on pages for a person.
#[rustfmt::skip]
pub(super) const AGENT: &[&str] = &[
    "^Code", "^Cursor", "^Devin", "^OpenAI", "^opencode", "^Operator", "^Trae",
    "Amazon-Bedrock-AgentCore-Browser", "AmazonBuyForMe", "Anchor Browser", "ChatGPT Agent", "Claude-Code",
    "Gemini-CLI", "Google-Agent", "Google-Gemini-CLI", "GoogleAgent-Mariner", "Lightpanda", "Manus-User",
    "NovaAct", "opencode-smartfetch", "TwinAgent",
];
