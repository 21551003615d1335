//! Makers of previews of shared links.
//!
//! A token with `^` counts only at the start of an agent, since elsewhere it is an ordinary word.

/// Tokens in the order of the alphabet.
#[rustfmt::skip]
pub(super) const TOKENS: &[&str] = &[
    "^AddThis", "^ArenaUnfurlBot", "^Hatena", "^NING/", "^Notion/", "^Pinterest/", "^Synapse/", "^Tumblr/",
    "^Viber", "^WhatsApp", "AASA-Bot", "Akkoma", "BingPreview", "Bluesky",
    "bluesky-domain-status-classifier", "BlueskyPreviewBot", "BufferLinkPreviewBot", "Cardyb",
    "Chatwork LinkPreview", "ClickUpLinkUnfurler", "CodaBot", "Dazzle BlueSky Bot", "dbot",
    "DingTalkBot-LinkService", "Discordbot", "Discourse Forum Onebox", "Embedly", "EvernoteRichLinkBot",
    "EveryoneSocialBot", "facebookexternalhit", "Facebot", "FastmailUA", "FlipboardProxy", "Friendica",
    "GG PeekBot", "github-camo", "Goodreads", "Google Web Preview", "GoogleImageProxy", "GoToSocial",
    "GroupMeBot", "HatenaBookmark", "Iframely", "Jetslide", "KakaoTalk-Scrap", "KeybaseBot", "Lemmy",
    "Linespider", "LinkedInBot", "LMArenaUnfurlBot", "LoomlyBot", "Mastodon", "Matrix Synapse",
    "Mattermost-Bot", "Mediumbot-MetaTagFetcher", "meta-externalhit", "MicrosoftPreview", "Misskey",
    "mixi-check", "newsharecounts", "OdklBot", "OpenGraph.io", "Orlo-LinkPreview", "pinterest.com/bot",
    "Pinterestbot", "PixelFed", "Pleroma", "Plurk", "Quora-Bot", "redditbot", "Shortwave Image Fetcher",
    "SkypeUriPreview", "Slack-ImgProxy", "Slackbot", "Slackbot-LinkExpanding", "Snap URL Preview Service",
    "SnapchatBot", "SnapURLPreview", "SummalyBot", "Supabase Paired Crawler", "TelegramBot", "TumblrBot",
    "TweetmemeBot", "TwilioProxy", "Twitterbot", "Valve/Steam", "VKRobot", "vkShare", "Xing Bot",
    "XING-contenttabreceiver", "Yahoo Link Preview", "YahooMailProxy", "Zoom-LinkPreview",
];
