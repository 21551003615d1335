//! The tracker's script and the pixel for visitors without script, as they are served.

use std::io::Write;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A file that never changes while the program runs.
#[derive(Debug)]
pub struct Served {
    /// Its content.
    pub body: Vec<u8>,
    /// The same with gzip, where that is shorter.
    pub gzip: Option<Vec<u8>>,
    /// Its weak entity tag, which is the same with gzip and without.
    pub etag: String,
    /// Its media type.
    pub media_type: &'static str,
}

/// The script of `assets/tracker.js` without its comments and indentation.
pub static SCRIPT: LazyLock<Served> = LazyLock::new(|| {
    let lines =
        SOURCE.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//"));
    let body = lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes();
    Served::new(body, "text/javascript; charset=utf-8")
});

/// A transparent GIF of one pixel.
pub static PIXEL: LazyLock<Served> = LazyLock::new(|| Served::new(GIF.to_vec(), "image/gif"));

impl Served {
    fn new(body: Vec<u8>, media_type: &'static str) -> Self {
        let etag = format!("W/\"{}\"", &blake3::hash(&body).to_hex()[..32]);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let packed = gzip.write_all(&body).and_then(|()| gzip.finish());
        let gzip = packed.ok().filter(|packed| packed.len() < body.len());
        Self { body, gzip, etag, media_type }
    }
}

const SOURCE: &str = include_str!("../assets/tracker.js");
/// `GIF89a`, a palette of two colours of which the first is transparent, one pixel.
const GIF: &[u8; 43] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tracker_is_at_most_3_kib_with_gzip() {
        let bytes = SCRIPT.gzip.as_ref().unwrap().len();
        assert!(bytes <= 3_072, "{bytes} bytes");
    }

    #[test]
    fn the_tracker_says_the_names_that_the_server_reads() {
        let script = str::from_utf8(&SCRIPT.body).unwrap();
        for name in [
            "page_url",
            "time_on_page_ms",
            "time_to_first_",
            "max_scroll_depth",
            "scroll_velocity_avg",
            "scroll_direction_changes",
            "click_count",
            "mouse_move_distance_px",
            "mouse_path_entropy",
            "keyboard_events",
            "copy_events",
            "focus_time_ms",
            "blur_count",
            "tab_switches",
            "visible_time_ms",
            "hidden_time_ms",
            "at_ms",
            "selects_text",
            "interactive",
            "outcome",
            "mutation_ms",
            "navigation_ms",
            "scroll_ms",
            "focus_ms",
            "watched_ms",
            "token",
            "now_ms",
            "referrer",
            "navigation",
            "single_page",
            "restored",
            "automation",
            "viewport_width",
            "viewport_height",
            "properties",
        ] {
            assert!(script.contains(name), "{name}");
        }
    }

    #[test]
    fn the_tracker_is_served_without_comments_and_has_no_line_that_looks_like_one() {
        let script = str::from_utf8(&SCRIPT.body).unwrap();
        assert!(script.starts_with("(() => {\n'use strict';\n") && script.ends_with("})();\n"));
        assert!(!script.contains("//"));
    }

    #[test]
    fn the_pixel_is_a_gif_of_one_pixel() {
        assert_eq!((&PIXEL.body[..6], &PIXEL.body[6..10]), (&b"GIF89a"[..], &[1, 0, 1, 0][..]));
        assert_eq!(PIXEL.body.last(), Some(&b';'));
        assert_eq!(PIXEL.gzip, None, "it would be longer");
        assert_ne!(PIXEL.etag, SCRIPT.etag);
    }
}
