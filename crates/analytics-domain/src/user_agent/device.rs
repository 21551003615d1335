//! Which kind of device an agent names.

use super::phrases::{Index, Word};
use super::tokens::Agent;
use super::{DeviceType, Product};

/// The kind of device; `Unknown` if nothing tells.
///
/// A television or console says so in a word of its own. An Android device is a phone if it says `Mobile`, as Google
/// asks makers to do, and a tablet if it does not. Applications that are not browsers do not follow that rule, so
/// without a Mozilla token an Android device is a phone.
pub(super) fn device(text: &str, hint: Hint, agent: &Agent<'_>, system: Option<&Product>) -> DeviceType {
    let hint = hint.0;
    if let Some(kind @ (DeviceType::Tv | DeviceType::Console)) = hint {
        return kind;
    }
    let mobile =
        agent.product("Mobile").is_some() || agent.has_part("Mobile") || hint == Some(DeviceType::Mobile);
    let browser = text.starts_with("Mozilla/") || text.starts_with("Opera/");
    match system.map(|system| system.name) {
        Some("iPadOS") => DeviceType::Tablet,
        Some("Android" | "BlackBerry OS") if hint == Some(DeviceType::Tablet) => DeviceType::Tablet,
        Some("Android") if browser && !mobile => DeviceType::Tablet,
        Some("webOS") => hint.unwrap_or(DeviceType::Tv),
        Some("tvOS" | "Roku OS" | "VIDAA" | "Digital TV") => DeviceType::Tv,
        Some(name) if ["PlayStation", "Nintendo", "Xbox"].iter().any(|maker| name.starts_with(maker)) => {
            DeviceType::Console
        }
        Some(
            "iOS" | "Android" | "HarmonyOS" | "Tizen" | "Windows Phone" | "Windows CE" | "Symbian"
            | "Series 40" | "BlackBerry OS" | "Bada" | "KaiOS",
        ) => hint.unwrap_or(DeviceType::Mobile),
        Some("Linux") if hint.is_some() || mobile => hint.unwrap_or(DeviceType::Mobile),
        Some(_) => DeviceType::Desktop,
        None if mobile => DeviceType::Mobile,
        None => hint.unwrap_or(DeviceType::Unknown),
    }
}

/// What the most telling word so far says: a television or console before a tablet before a phone.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hint(Option<DeviceType>);

impl Hint {
    /// Takes note of a word of the agent.
    #[inline]
    pub(super) fn note(&mut self, text: &[u8], word: &Word) {
        if let Some(place) = INDEX.find(PHRASES, text, word, |_| true) {
            let kind = Some(kind_of(place));
            if weight(kind) > weight(self.0) {
                self.0 = kind;
            }
        }
    }
}

const fn weight(kind: Option<DeviceType>) -> u8 {
    match kind {
        Some(DeviceType::Tv | DeviceType::Console) => 3,
        Some(DeviceType::Tablet) => 2,
        Some(DeviceType::Mobile) => 1,
        Some(DeviceType::Desktop | DeviceType::Bot | DeviceType::Unknown) | None => 0,
    }
}

const fn kind_of(place: usize) -> DeviceType {
    if place < TV.len() {
        DeviceType::Tv
    } else if place < TV.len() + CONSOLE.len() {
        DeviceType::Console
    } else if place < TV.len() + CONSOLE.len() + TABLET.len() {
        DeviceType::Tablet
    } else {
        DeviceType::Mobile
    }
}

const TV: &[&str] = &[
    "SMART-TV",
    "SmartTV",
    "Smart TV",
    "HbbTV",
    "CE-HTML",
    "NetCast",
    "Web0S",
    "AppleTV",
    "Apple TV",
    "tvOS",
    "Roku",
    "CrKey",
    "GoogleTV",
    "Google TV",
    "Android TV",
    "AndroidTV",
    "BRAVIA",
    "MiTV",
    "MIBOX",
    "MiBox",
    "SHIELD Android TV",
    "AFTB",
    "AFTS",
    "AFTT",
    "AFTM",
    "AFTN",
    "AFTA",
    "AFTMM",
    "AFTKA",
    "AFTSS",
    "AFTSSS",
    "AFTR",
    "AFTJMST",
    "AFTEU",
    "AFTKM",
    "AFTKRT",
    "AFTGAZL",
    "AFTTI",
    "Viera",
    "VIDAA",
    "InettvBrowser",
    "DTV",
    "Opera TV",
    "Philips TV",
    "PhilipsTV",
    "Large Screen",
    "Freebox",
    "TV Safari",
    "STB",
    "Chromecast",
    "NETTV",
    "AQUOSBrowser",
    "Maple",
];
const CONSOLE: &[&str] = &[
    "PlayStation",
    "Nintendo",
    "Xbox",
    "XBOX_ONE_ED",
    "NintendoBrowser",
    "PSP",
    "SteamDeck",
    "Steam GameOverlay",
];
const TABLET: &[&str] = &[
    "iPad",
    "Tablet;",
    "Tablet)",
    "Kindle",
    "KFTT",
    "KFOT",
    "KFJWI",
    "KFJWA",
    "KFSOWI",
    "KFTHWI",
    "KFAPWI",
    "KFFOWI",
    "KFGIWI",
    "KFMAWI",
    "KFTRWI",
    "PlayBook",
    "Tablet OS",
    "TouchPad",
    "Nook",
    "Kobo",
    "Silk-Accelerated",
    "Nexus 7",
    "Nexus 9",
    "Nexus 10",
    "Pixel C",
    "Xoom",
];
const MOBILE: &[&str] = &[
    "iPhone",
    "iPod",
    "DoCoMo",
    "FOMA",
    "KDDI",
    "J2ME",
    "MIDP",
    "CLDC",
    "WILLCOM",
    "DDIPOCKET",
    "SoftBank",
    "Vodafone",
    "J-PHONE",
    "emobile",
    "jig browser",
    "jig browser9",
    "jig browser9i",
    "H11T",
    "H31IA",
    "H12HW",
    "Opera Mini",
    "Opera Mobi",
    "UP.Browser",
    "UCWEB",
    "BlackBerry",
    "SymbianOS",
    "Symbian",
    "Series60",
    "Series40",
    "IEMobile",
    "Windows Phone",
    "Windows CE",
    "Nokia",
    "SonyEricsson",
    "KAIOS",
    "KaiOS",
    "BB10",
    "Maemo",
    "MeeGo",
    "Fennec",
    "Minimo",
    "Palm",
    "PalmOS",
    "BREW",
    "Obigo",
    "Wireless Transcoder",
    "Mobile-Gateway",
    "Mobile Gateway",
    "OPiOS",
    "Mobile;",
    "Mobile)",
    "CUBOT",
];

static INDEX: Index<512> = Index::build(PHRASES);
const PHRASES: &[&str] = &joined();

const fn joined() -> [&'static str; TV.len() + CONSOLE.len() + TABLET.len() + MOBILE.len()] {
    let mut all = [""; TV.len() + CONSOLE.len() + TABLET.len() + MOBILE.len()];
    let lists = [TV, CONSOLE, TABLET, MOBILE];
    let (mut list, mut at) = (0, 0);
    while list < lists.len() {
        let mut place = 0;
        while place < lists[list].len() {
            all[at] = lists[list][place];
            at += 1;
            place += 1;
        }
        list += 1;
    }
    all
}
