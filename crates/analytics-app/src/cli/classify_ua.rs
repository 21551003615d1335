//! `analytics classify-ua`: what user agents tell, one a line in, one JSON object a line out.

use std::io::{self, BufRead, Write};

use analytics_domain::user_agent::{DeviceType, UserAgent};
use serde::Serialize;

/// One line of the answer; what is not known is null.
#[derive(Serialize)]
struct Line<'a> {
    user_agent: &'a str,
    device_type: Option<&'static str>,
    browser: Option<&'static str>,
    browser_version: Option<&'a str>,
    os: Option<&'static str>,
    os_version: Option<&'a str>,
    is_bot: bool,
    bot_name: Option<&'a str>,
    bot_kind: Option<&'static str>,
}

/// Answers every line of `agents`. Bytes that are no UTF-8 are replaced.
pub(super) fn run(agents: &mut dyn BufRead, out: &mut dyn Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if agents.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(());
        }
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        let read = UserAgent::parse(&text);
        let line = Line {
            user_agent: &text,
            device_type: (read.device_type != DeviceType::Unknown).then(|| read.device_type.as_str()),
            browser: read.browser.map(|browser| browser.name),
            browser_version: read
                .browser
                .as_ref()
                .and_then(|browser| Some(browser.version.as_ref()?.as_str())),
            os: read.os.map(|os| os.name),
            os_version: read.os.as_ref().and_then(|os| Some(os.version.as_ref()?.as_str())),
            is_bot: read.declared.is_some(),
            bot_name: read.declared.as_ref().map(|declared| &*declared.name),
            bot_kind: read.declared.as_ref().map(|declared| declared.kind.as_str()),
        };
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_answered_with_the_same_fields() {
        let agents: &[u8] =
            b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\n\xff\n\
            Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)";
        let mut out = Vec::new();
        run(&mut &*agents, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                r#"{"user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","device_type":"desktop","browser":"Firefox","browser_version":"128.0","os":"Linux","os_version":null,"is_bot":false,"bot_name":null,"bot_kind":null}"#,
                r#"{"user_agent":"","device_type":null,"browser":null,"browser_version":null,"os":null,"os_version":null,"is_bot":false,"bot_name":null,"bot_kind":null}"#,
                r#"{"user_agent":"�","device_type":null,"browser":null,"browser_version":null,"os":null,"os_version":null,"is_bot":false,"bot_name":null,"bot_kind":null}"#,
                r#"{"user_agent":"Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)","device_type":"bot","browser":null,"browser_version":null,"os":null,"os_version":null,"is_bot":true,"bot_name":"GPTBot","bot_kind":"ai_training"}"#,
            ]
        );
    }
}
