//! What a request's other headers tell about the browser that its agent claims.

use super::HeaderMarks;
use crate::user_agent::{Engine, UserAgent};

impl HeaderMarks {
    /// Reads the marks of one request. `https` says whether it came over TLS, where that is known; `navigation` whether it
    /// asks for a document; `header` answers the first field of a name.
    ///
    /// Impossible is what no release of the claimed engine can send:
    ///
    /// - client hints (`Sec-CH-UA`) from Gecko or Safari, which never had them;
    /// - client hints that name another major version of Chromium than the agent does, since both come from one number;
    /// - `Sec-Fetch-Dest: document` without `Sec-Fetch-Mode: navigate`, which the Fetch standard sets together.
    ///
    /// Missing are the hints of a Chromium of version 89 or newer that navigates over TLS; a `WebView` (`; wv)`) may lack
    /// them. It fires nothing without TLS, where hints are not sent.
    pub fn read<'a>(
        agent: &UserAgent,
        https: Option<bool>,
        navigation: bool,
        header: impl Fn(&str) -> Option<&'a str>,
    ) -> Self {
        let Some((engine, major)) = agent.engine else { return Self::default() };
        if !agent.is_browser() {
            return Self::default();
        }
        let hints = header("sec-ch-ua");
        let contradicts = match engine {
            Engine::Chromium => hints.and_then(chromium_of).is_some_and(|told| told != major),
            Engine::Gecko | Engine::Safari => hints.is_some(),
            Engine::Trident | Engine::EdgeHtml | Engine::Presto => false,
        };
        let torn = header("sec-fetch-dest") == Some("document")
            && header("sec-fetch-mode").is_some_and(|mode| mode != "navigate");
        let due = engine == Engine::Chromium && major >= HINTS_SINCE && !agent.is_web_view();
        Self {
            impossible: contradicts || torn,
            hints_missing: due && navigation && https == Some(true) && hints.is_none(),
        }
    }
}

/// The major version of the brand `Chromium` in a list such as `"Chromium";v="124", "Not-A.Brand";v="99"`.
fn chromium_of(hints: &str) -> Option<u16> {
    let (_, after) = hints.split_once("\"Chromium\"")?;
    let (_, version) = after.split_once("v=\"")?;
    version.split(['"', '.']).next()?.parse().ok()
}

/// Chromium 89 (March 2021) sends client hints by default.
const HINTS_SINCE: u16 = 89;

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/124.0.0.0 Safari/537.36";
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0";
    const WEB_VIEW: &str = "Mozilla/5.0 (Linux; Android 13; SM-A536B; wv) AppleWebKit/537.36 (KHTML, like Gecko) \
                            Version/4.0 Chrome/124.0.0.0 Mobile Safari/537.36";

    fn marks(agent: &str, https: Option<bool>, headers: &[(&str, &str)]) -> (bool, bool) {
        let header = |name: &str| headers.iter().find(|(own, _)| *own == name).map(|(_, value)| *value);
        let read = HeaderMarks::read(&UserAgent::parse(agent), https, true, header);
        (read.impossible, read.hints_missing)
    }

    #[test]
    fn what_browsers_send_has_no_mark() {
        let chrome = [
            ("sec-ch-ua", "\"Chromium\";v=\"124\", \"Google Chrome\";v=\"124\", \"Not-A.Brand\";v=\"99\""),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate"),
        ];
        assert_eq!(marks(CHROME, Some(true), &chrome), (false, false));
        assert_eq!(marks(FIREFOX, Some(true), &chrome[1..]), (false, false));
        assert_eq!(marks("curl/8.5.0", Some(true), &[]), (false, false));
    }

    #[test]
    fn hints_of_another_version_or_engine_are_impossible() {
        let other = [("sec-ch-ua", "\"Not-A.Brand\";v=\"99\", \"Chromium\";v=\"117\"")];
        assert_eq!(marks(CHROME, None, &other), (true, false));
        assert_eq!(marks(FIREFOX, None, &other), (true, false));
        let torn = [("sec-fetch-dest", "document"), ("sec-fetch-mode", "cors")];
        assert_eq!(marks(FIREFOX, None, &torn), (true, false));
    }

    #[test]
    fn hints_are_missed_only_where_they_are_always_sent() {
        assert_eq!(marks(CHROME, Some(true), &[]), (false, true));
        assert_eq!(marks(CHROME, Some(false), &[]), (false, false), "hints are not sent without TLS");
        assert_eq!(marks(CHROME, None, &[]), (false, false), "unknown is not no");
        assert_eq!(marks(&CHROME.replace("124", "88"), Some(true), &[]), (false, false));
        assert_eq!(marks(WEB_VIEW, Some(true), &[]), (false, false));
    }

    #[test]
    fn the_version_of_chromium_is_read_from_any_order_of_brands() {
        assert_eq!(chromium_of("\"Google Chrome\";v=\"124\", \"Chromium\";v=\"124.0.1\""), Some(124));
        assert_eq!(chromium_of("\"Brave\";v=\"1\""), None);
        assert_eq!(chromium_of("\"Chromium\";v=\""), None);
    }
}
