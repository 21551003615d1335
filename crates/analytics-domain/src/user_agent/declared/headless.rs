//! Browsers without a person in front of them.
//!
//! A token with `^` counts only at the start of an agent, since elsewhere it is an ordinary word.

/// Tokens in the order of the alphabet.
#[rustfmt::skip]
pub(super) const TOKENS: &[&str] = &[
    "^Splash", "CasperJS", "Cypress/", "DumpRenderTree", "Ghost Inspector", "Headless", "headless_shell",
    "HeadlessChrome", "HeadlessEdg", "HtmlUnit", "jsdom", "Nightmare", "PhantomJS", "Playwright",
    "Prerender", "Puppeteer", "Rendertron", "Rigor)", "RuxitRecorder", "Selenium", "Sikuli", "SlimerJS",
    "Sparkler", "splash Version/", "TestCafe", "TestLocally/", "WebKit-headless", "wkhtmltoimage",
    "wkhtmltopdf", "YLT Chrome", "Zombie.js", "ZombieJS",
];
