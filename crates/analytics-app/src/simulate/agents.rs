//! User agents made by rules: browser, version by release date, and system.

use super::chance::Chance;

/// What a person holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    Desktop,
    Phone,
    Tablet,
    LivingRoom,
}

/// A browser's agent as it stood on a day.
///
/// Ages: 58 % run the newest release that has been out for two weeks, 20 % the one before, 10 % one of the last year,
/// 12 % one that is two years old or older (real asset-loading visitors: 10 to 27 %).
pub(super) fn browser(chance: &mut Chance, device: Device, day: i64) -> String {
    match device {
        Device::Desktop => desktop(chance, day),
        Device::Phone => phone(chance, day),
        Device::Tablet => tablet(chance, day),
        Device::LivingRoom => (*chance.pick(&LIVING_ROOM)).to_owned(),
    }
}

/// The agent of a desktop Chrome of this major version, as people of two systems send it; for tools that imitate it.
pub(super) fn chrome(major: u16, windows: bool) -> String {
    let system = if windows { "Windows NT 10.0; Win64; x64" } else { "X11; Linux x86_64" };
    format!("{MOZILLA} ({system}) {WEBKIT} Chrome/{major}.0.0.0 Safari/537.36")
}

/// The newest Chrome that had been released on this day; the first of the table before it.
pub(super) fn newest_chrome(day: i64) -> u16 {
    newest(&CHROME, day).0
}

/// A text browser's agent.
pub(super) fn text_browser(chance: &mut Chance) -> &'static str {
    const AGENTS: [&str; 3] = [
        "Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.8.9",
        "w3m/0.5.3+git20230121",
        "ELinks/0.16.1.1 (textmode; Linux; 120x40-2)",
    ];
    chance.pick::<&str>(&AGENTS)
}

fn desktop(chance: &mut Chance, day: i64) -> String {
    let system = *chance.weighted(&[
        ("Windows NT 10.0; Win64; x64", 66),
        ("Macintosh; Intel Mac OS X 10_15_7", 22),
        ("X11; Linux x86_64", 9),
        ("X11; CrOS x86_64 14541.0.0", 3),
    ]);
    let mac = system.starts_with("Mac");
    let family = match chance.below(100) {
        _ if system.contains("CrOS") => Family::Chrome,
        0..45 if mac => Family::Safari,
        0..12 => Family::Firefox,
        12..27 if system.starts_with("Win") => Family::Edge,
        27..30 => Family::Opera,
        _ => Family::Chrome,
    };
    match family {
        Family::Safari => {
            let version = aged(chance, &SAFARI, day);
            format!(
                "{MOZILLA} ({system}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version} Safari/605.1.15",
                version = dotted(version)
            )
        }
        Family::Firefox => {
            let version = aged(chance, &FIREFOX, day);
            let system = if mac { "Macintosh; Intel Mac OS X 10.15" } else { system };
            format!("{MOZILLA} ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0")
        }
        Family::Edge => {
            let version = aged(chance, &CHROME, day);
            format!("{MOZILLA} ({system}) {WEBKIT} Chrome/{version}.0.0.0 Safari/537.36 Edg/{version}.0.0.0")
        }
        // Opera numbers its releases about 16 behind the Chromium that it is built on.
        Family::Opera => {
            let version = aged(chance, &CHROME, day);
            let opera = version - 16;
            format!("{MOZILLA} ({system}) {WEBKIT} Chrome/{version}.0.0.0 Safari/537.36 OPR/{opera}.0.0.0")
        }
        Family::Chrome => {
            let version = aged(chance, &CHROME, day);
            format!("{MOZILLA} ({system}) {WEBKIT} Chrome/{version}.0.0.0 Safari/537.36")
        }
    }
}

fn phone(chance: &mut Chance, day: i64) -> String {
    match chance.below(100) {
        0..38 => {
            let version = aged(chance, &SAFARI, day);
            let system = ios(version);
            let inside = format!(
                "{MOZILLA} (iPhone; CPU iPhone OS {system} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
            );
            match chance.below(100) {
                0..80 => format!("{inside} Version/{} Mobile/15E148 Safari/604.1", dotted(version)),
                80..90 => {
                    format!("{inside} CriOS/{}.0.0.0 Mobile/15E148 Safari/604.1", aged(chance, &CHROME, day))
                }
                90..94 => {
                    format!("{inside} FxiOS/{}.0 Mobile/15E148 Safari/605.1.15", aged(chance, &FIREFOX, day))
                }
                _ => format!("{inside} Mobile/15E148 Instagram 409.0.0.31.77"),
            }
        }
        38..86 => {
            let version = aged(chance, &CHROME, day);
            format!("{MOZILLA} (Linux; Android 10; K) {WEBKIT} Chrome/{version}.0.0.0 Mobile Safari/537.36")
        }
        86..93 => {
            let (samsung, chromium) = *chance.pick(&[(29, 136), (28, 130), (27, 125), (25, 121)]);
            format!(
                "{MOZILLA} (Linux; Android 10; K) {WEBKIT} SamsungBrowser/{samsung}.0 Chrome/{chromium}.0.0.0 Mobile Safari/537.36"
            )
        }
        93..97 => {
            let version = aged(chance, &FIREFOX, day);
            let android = chance.between(11, 15);
            format!(
                "{MOZILLA} (Android {android}; Mobile; rv:{version}.0) Gecko/{version}.0 Firefox/{version}.0"
            )
        }
        // A phone whose maker's name holds "bot": it must not be taken for one.
        97 => {
            let version = aged(chance, &CHROME, day);
            format!(
                "{MOZILLA} (Linux; Android 12; CUBOT NOTE 30) {WEBKIT} Chrome/{version}.0.0.0 Mobile Safari/537.36"
            )
        }
        _ => {
            let model = chance.pick(&["SM-A155F", "Pixel 8", "moto g54", "2201117TG", "CPH2591"]);
            let version = aged(chance, &CHROME, day);
            format!(
                "{MOZILLA} (Linux; Android 14; {model}; wv) {WEBKIT} Version/4.0 Chrome/{version}.0.0.0 Mobile Safari/537.36"
            )
        }
    }
}

fn tablet(chance: &mut Chance, day: i64) -> String {
    if chance.percent(55) {
        let version = aged(chance, &SAFARI, day);
        let (system, version) = (ios(version), dotted(version));
        format!(
            "{MOZILLA} (iPad; CPU OS {system} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version} Mobile/15E148 Safari/604.1"
        )
    } else {
        let version = aged(chance, &CHROME, day);
        format!("{MOZILLA} (Linux; Android 10; K) {WEBKIT} Chrome/{version}.0.0.0 Safari/537.36")
    }
}

enum Family {
    Chrome,
    Edge,
    Firefox,
    Opera,
    Safari,
}

/// A version by age, see [`browser`].
fn aged(chance: &mut Chance, releases: &[Release], day: i64) -> u16 {
    let rolled_out = newest(releases, day - 14);
    let at = releases.iter().position(|release| release.0 == rolled_out.0).unwrap_or(0);
    match chance.below(100) {
        0..58 => rolled_out.0,
        58..78 => releases[at.saturating_sub(1)].0,
        78..88 => {
            let fresh = releases[..=at].iter().filter(|release| released(**release) > day - 365).count();
            releases[at - chance.below(fresh.max(1) as u32) as usize].0
        }
        _ => {
            let old = releases.iter().filter(|release| released(**release) <= day - 730).count();
            // The old ones crowd at the end of what their systems support.
            let back = chance.exponential(4).min(old.saturating_sub(1) as i64);
            releases[old.saturating_sub(1).min(at) - (back as usize).min(old.saturating_sub(1).min(at))].0
        }
    }
}

fn newest(releases: &[Release], day: i64) -> Release {
    let known = releases.iter().filter(|release| released(**release) <= day).count();
    releases[known.max(1) - 1]
}

fn released(release: Release) -> i64 {
    let (_, year, month, day) = release;
    days_from_civil(i64::from(year), i64::from(month), i64::from(day))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (the usual shift of the year to March).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// 1805 is Safari 18.5.
fn dotted(version: u16) -> String {
    format!("{}.{}", version / 100, version % 100)
}

/// iOS stopped telling its version at 18.6 when Safari 26 came.
fn ios(version: u16) -> String {
    let version = if version >= 2_600 { 1_806 } else { version };
    format!("{}_{}", version / 100, version % 100)
}

/// Version, year, month, day of the first stable release.
type Release = (u16, u16, u8, u8);

const MOZILLA: &str = "Mozilla/5.0";
const WEBKIT: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";

const LIVING_ROOM: [&str; 6] = [
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 8.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/8.0 TV Safari/537.36",
    "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0.5359.211 Safari/537.36 WebAppManager",
    "Mozilla/5.0 (PlayStation; PlayStation 5/10.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox Series X) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36 Edge/44.19041.7417",
    "Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/609.4 (KHTML, like Gecko) NF/6.0.3.27.0 NintendoBrowser/5.1.0.29116",
    "Mozilla/5.0 (Linux; Android 9; AFTKA) AppleWebKit/537.36 (KHTML, like Gecko) Silk/120.4.1 like Chrome/120.0.6099.230 Safari/537.36",
];

/// Chrome and Chromium, from the dates that the project publishes; the newest stands still after the end of the table.
const CHROME: [Release; 52] = [
    (80, 2020, 2, 4),
    (83, 2020, 5, 19),
    (85, 2020, 8, 25),
    (87, 2020, 11, 17),
    (88, 2021, 1, 19),
    (90, 2021, 4, 14),
    (92, 2021, 7, 20),
    (94, 2021, 9, 21),
    (96, 2021, 11, 15),
    (98, 2022, 2, 1),
    (100, 2022, 3, 29),
    (103, 2022, 6, 21),
    (105, 2022, 8, 30),
    (107, 2022, 10, 25),
    (109, 2023, 1, 10),
    (111, 2023, 3, 7),
    (113, 2023, 5, 2),
    (115, 2023, 7, 18),
    (117, 2023, 9, 12),
    (119, 2023, 10, 31),
    (120, 2023, 12, 5),
    (121, 2024, 1, 23),
    (122, 2024, 2, 20),
    (123, 2024, 3, 19),
    (124, 2024, 4, 16),
    (125, 2024, 5, 14),
    (126, 2024, 6, 11),
    (127, 2024, 7, 23),
    (128, 2024, 8, 20),
    (129, 2024, 9, 17),
    (130, 2024, 10, 15),
    (131, 2024, 11, 12),
    (132, 2025, 1, 14),
    (133, 2025, 2, 4),
    (134, 2025, 3, 4),
    (135, 2025, 4, 1),
    (136, 2025, 4, 29),
    (137, 2025, 5, 27),
    (138, 2025, 6, 24),
    (139, 2025, 8, 5),
    (140, 2025, 9, 2),
    (141, 2025, 9, 30),
    (142, 2025, 10, 28),
    (143, 2025, 12, 2),
    (144, 2026, 1, 13),
    (145, 2026, 2, 10),
    (146, 2026, 3, 10),
    (147, 2026, 4, 7),
    (148, 2026, 5, 5),
    (149, 2026, 6, 2),
    (150, 2026, 6, 30),
    (151, 2026, 7, 28),
];

/// Firefox, from Mozilla's release calendar.
const FIREFOX: [Release; 35] = [
    (78, 2020, 6, 30),
    (84, 2020, 12, 15),
    (88, 2021, 4, 19),
    (91, 2021, 8, 10),
    (95, 2021, 12, 7),
    (99, 2022, 4, 5),
    (102, 2022, 6, 28),
    (106, 2022, 10, 18),
    (109, 2023, 1, 17),
    (113, 2023, 5, 9),
    (115, 2023, 7, 4),
    (118, 2023, 9, 26),
    (120, 2023, 11, 21),
    (122, 2024, 1, 23),
    (124, 2024, 3, 19),
    (126, 2024, 5, 14),
    (128, 2024, 7, 9),
    (130, 2024, 9, 3),
    (132, 2024, 10, 29),
    (134, 2025, 1, 7),
    (135, 2025, 2, 4),
    (136, 2025, 3, 4),
    (137, 2025, 4, 1),
    (138, 2025, 4, 29),
    (139, 2025, 5, 27),
    (140, 2025, 6, 24),
    (141, 2025, 7, 22),
    (142, 2025, 8, 19),
    (143, 2025, 9, 16),
    (144, 2025, 10, 14),
    (145, 2025, 11, 11),
    (146, 2025, 12, 9),
    (147, 2026, 1, 13),
    (148, 2026, 2, 24),
    (149, 2026, 3, 24),
];

/// Safari, major times 100 plus minor, from Apple's release notes.
const SAFARI: [Release; 24] = [
    (1_400, 2020, 9, 16),
    (1_401, 2021, 4, 26),
    (1_500, 2021, 9, 20),
    (1_504, 2022, 3, 14),
    (1_506, 2022, 7, 20),
    (1_600, 2022, 9, 12),
    (1_603, 2023, 1, 23),
    (1_606, 2023, 7, 24),
    (1_700, 2023, 9, 18),
    (1_702, 2023, 12, 11),
    (1_704, 2024, 3, 5),
    (1_705, 2024, 5, 13),
    (1_706, 2024, 7, 29),
    (1_800, 2024, 9, 16),
    (1_801, 2024, 10, 28),
    (1_802, 2024, 12, 11),
    (1_803, 2025, 1, 27),
    (1_804, 2025, 3, 31),
    (1_805, 2025, 5, 12),
    (1_806, 2025, 7, 29),
    (2_600, 2025, 9, 15),
    (2_601, 2025, 11, 3),
    (2_602, 2025, 12, 12),
    (2_603, 2026, 2, 11),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_the_epoch() {
        assert_eq!(days_from_civil(1970, 1, 1), 0);
        assert_eq!(days_from_civil(2000, 3, 1), 11_017);
        assert_eq!(days_from_civil(2026, 3, 2), 20_514);
    }

    #[test]
    fn no_agent_is_newer_than_the_day() {
        let day = days_from_civil(2024, 6, 1);
        let mut chance = Chance::new(3, "agents", 0);
        for releases in [&CHROME[..], &FIREFOX[..], &SAFARI[..]] {
            for _ in 0..2_000 {
                let version = aged(&mut chance, releases, day);
                let release = releases.iter().find(|release| release.0 == version).unwrap();
                assert!(released(*release) <= day, "{release:?}");
            }
        }
        assert_eq!(newest_chrome(days_from_civil(2026, 3, 2)), 145);
        assert_eq!(newest_chrome(0), 80);
    }

    #[test]
    fn about_an_eighth_is_two_years_behind() {
        let day = days_from_civil(2026, 3, 2);
        let mut chance = Chance::new(3, "old", 0);
        let old = (0..10_000).filter(|_| aged(&mut chance, &CHROME, day) <= 122).count();
        assert!((1_000..1_500).contains(&old), "{old}");
    }

    #[test]
    fn tables_are_in_order_of_release() {
        for releases in [&CHROME[..], &FIREFOX[..], &SAFARI[..]] {
            assert!(releases.is_sorted_by_key(|release| released(*release)));
            assert!(releases.is_sorted_by_key(|release| release.0));
        }
    }

    #[test]
    fn every_device_has_an_agent_on_any_day() {
        let mut chance = Chance::new(3, "devices", 0);
        for day in [0, 18_262, 20_514, 40_000] {
            for device in [Device::Desktop, Device::Phone, Device::Tablet, Device::LivingRoom] {
                for _ in 0..500 {
                    let agent = browser(&mut chance, device, day);
                    assert!(agent.starts_with("Mozilla/5.0 (") && !agent.contains('"'), "{agent}");
                }
            }
        }
    }
}
