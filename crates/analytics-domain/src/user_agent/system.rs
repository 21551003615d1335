//! Which operating system an agent names.

use super::phrases::{Index, Words};
use super::tokens::{Agent, after};
use super::{Product, Version};

/// The system, if one is named; a particular one wins over what it is built on or claims to be like.
pub(super) fn system(agent: &Agent<'_>) -> Option<Product> {
    let mut best: Option<(u8, Product)> = None;
    let mut offer = |found: Option<(u8, Product)>| {
        if let Some((rank, product)) = found
            && best.is_none_or(|(best, _)| best < rank)
        {
            best = Some((rank, product));
        }
    };
    for part in agent.parts() {
        offer(in_part(part));
    }
    for product in agent.products() {
        offer(in_product(product.name, product.version));
    }
    best.map(|(_, product)| product)
}

/// A system named by a comment part, and how particular it is.
fn in_part(part: &str) -> Option<(u8, Product)> {
    let first = *part.as_bytes().first()?;
    match first {
        b'W' => windows(part).or_else(|| listed(part)),
        b'i' | b'I' | b'C' | b'M' | b'P' if part.contains("OS") || first == b'i' => {
            apple(part).or_else(|| listed(part))
        }
        b'c' if part.starts_with("compatible") => None,
        _ => listed(part),
    }
}

/// The system whose name stands at the start of a comment part.
fn listed(part: &str) -> Option<(u8, Product)> {
    let bytes = part.as_bytes();
    let place = Words::new(bytes)
        .take_while(|word| word.start == 0)
        .filter_map(|word| INDEX.find(&PREFIXES, bytes, &word, |_| true))
        .max_by_key(|place| PREFIXES[*place].len())?;
    let (prefix, name, rank) = SYSTEMS[place];
    let rest = part[prefix.len()..].trim_start_matches(['/', ' ', '-']);
    let version = match name {
        // The architecture stands before the number of the build.
        "ChromeOS" => rest.split(' ').nth(1).unwrap_or_default(),
        _ if rest.starts_with(|letter: char| letter.is_ascii_digit()) && name != "Linux" => rest,
        _ => "",
    };
    Some((rank, Product { name, version: Version::new(version) }))
}

/// Windows, by the table of kernel versions that Microsoft publishes.
fn windows(part: &str) -> Option<(u8, Product)> {
    let product = |name, version| Some((NAMED, Product { name, version: Version::new(version) }));
    if let Some(rest) = part.strip_prefix("Windows Phone") {
        return product("Windows Phone", rest.trim_start_matches(" OS").trim_start());
    }
    if let Some(kernel) = part.strip_prefix("Windows NT").or_else(|| part.strip_prefix("WinNT")) {
        let kernel = kernel.trim_start();
        let known = KERNELS.iter().find(|(number, _)| kernel.starts_with(number));
        return product("Windows", known.map_or("NT", |(_, version)| version));
    }
    let rest = part.strip_prefix("Windows").or_else(|| part.strip_prefix("Win"))?;
    let version = rest.trim_start();
    for (text, name) in
        [("98", "98"), ("95", "95"), ("9x 4.90", "ME"), ("ME", "ME"), ("2000", "2000"), ("XP", "XP")]
    {
        if version.starts_with(text) {
            return product("Windows", name);
        }
    }
    match (version, rest) {
        ("CE", _) => product("Windows CE", ""),
        ("" | "32" | "64", _) => Some((GENERIC + 1, Product { name: "Windows", version: None })),
        (_, _) => None,
    }
}

/// The systems of Apple.
fn apple(part: &str) -> Option<(u8, Product)> {
    let product = |name, version: &str| Some((NAMED, Product { name, version: Version::new(version) }));
    if let Some(rest) = part.strip_prefix("CPU ").filter(|rest| rest.contains("OS ")) {
        let version = rest.split_once("OS ").map_or("", |(_, version)| version);
        // `CPU OS` is what an iPad says; the name iPadOS came with version 13.
        let tablet = rest.starts_with("OS ");
        let system = Product { name: "iOS", version: Version::new(version) };
        let renamed =
            tablet && system.version.and_then(|version| version.major()).is_some_and(|major| major >= 13);
        let name = if renamed { "iPadOS" } else { "iOS" };
        return Some((NAMED, Product { name, ..system }));
    }
    if let Some((_, version)) = part.split_once("Mac OS X") {
        let like = part.contains("like Mac OS X");
        return if like { product("iOS", "") } else { product("macOS", version.trim_start()) };
    }
    for device in ["iPhone", "iPad", "iPod", "iPod touch"] {
        if let Some(rest) = after(part, device)
            && !rest.starts_with("OS")
        {
            return Some((GENERIC + 1, Product { name: "iOS", version: None }));
        }
    }
    match after(part, "iPhone OS").or_else(|| after(part, "iOS")) {
        Some(version) => product("iOS", version),
        None => None,
    }
}

/// A system named by a product outside the comments.
fn in_product(name: &str, version: &str) -> Option<(u8, Product)> {
    let found = match name {
        "Roku" => Product {
            name: "Roku OS",
            version: Version::new(version.trim_start_matches(|c: char| !c.is_ascii_digit())),
        },
        "KAIOS" => Product { name: "KaiOS", version: Version::new(version) },
        "Tizen" => Product { name: "Tizen", version: Version::new(version) },
        "HarmonyOS" | "OpenHarmony" => Product { name: "HarmonyOS", version: Version::new(version) },
        "Android" => Product { name: "Android", version: Version::new(version) },
        "Ubuntu" | "Fedora" => Product { name: "Linux", version: None },
        "tvOS" => Product { name: "tvOS", version: Version::new(version) },
        "webOS" => Product { name: "webOS", version: Version::new(version) },
        name if name.starts_with("AppleTV") => Product { name: "tvOS", version: Version::new("") },
        name if name.starts_with("BlackBerry") => {
            Product { name: "BlackBerry OS", version: Version::new(version) }
        }
        _ => return None,
    };
    Some((NAMED, found))
}

/// A kernel or a family, which a more particular name may refine.
const GENERIC: u8 = 1;
/// The name of a system.
const NAMED: u8 = 3;
/// A system that also claims another one.
const CLAIMS_ANOTHER: u8 = 4;

/// Windows kernel versions and the names they were sold under; 10.0 is Windows 10 and 11, which agents do not tell
/// apart.
const KERNELS: [(&str, &str); 12] = [
    ("10.0", "10"),
    ("6.4", "10"),
    ("6.3", "8.1"),
    ("6.2", "8"),
    ("6.1", "7"),
    ("6.0", "Vista"),
    ("5.2", "XP"),
    ("5.1", "XP"),
    ("5.01", "2000"),
    ("5.0", "2000"),
    ("4.0", "NT 4"),
    ("4", "NT 4"),
];

/// How a comment part begins, the system that says so, and how particular it is.
const SYSTEMS: &[(&str, &str, u8)] = &[
    ("Android", "Android", NAMED),
    ("Linux", "Linux", GENERIC),
    ("X11", "Linux", 0),
    ("CrOS", "ChromeOS", NAMED),
    ("Macintosh", "macOS", GENERIC),
    ("Mac_PowerPC", "Mac OS", NAMED),
    ("Mac_PPC", "Mac OS", NAMED),
    ("PPC", "Mac OS", NAMED),
    ("Tizen", "Tizen", CLAIMS_ANOTHER),
    ("Bada", "Bada", NAMED),
    ("Web0S", "webOS", CLAIMS_ANOTHER),
    ("webOS", "webOS", CLAIMS_ANOTHER),
    ("hpwOS", "webOS", CLAIMS_ANOTHER),
    ("HarmonyOS", "HarmonyOS", CLAIMS_ANOTHER),
    ("OpenHarmony", "HarmonyOS", CLAIMS_ANOTHER),
    ("KAIOS", "KaiOS", CLAIMS_ANOTHER),
    ("Fuchsia", "Fuchsia", NAMED),
    ("BB10", "BlackBerry OS", NAMED),
    ("BlackBerry", "BlackBerry OS", NAMED),
    ("PlayBook", "BlackBerry OS", NAMED),
    ("RIM Tablet OS", "BlackBerry OS", NAMED),
    ("SymbianOS", "Symbian", NAMED),
    ("Symbian", "Symbian", NAMED),
    ("Series60", "Symbian", NAMED),
    ("Series40", "Series 40", NAMED),
    ("FreeBSD", "FreeBSD", NAMED),
    ("OpenBSD", "OpenBSD", NAMED),
    ("NetBSD", "NetBSD", NAMED),
    ("DragonFly", "DragonFly BSD", NAMED),
    ("SunOS", "SunOS", NAMED),
    ("Solaris", "SunOS", NAMED),
    ("AIX", "AIX", NAMED),
    ("HP-UX", "HP-UX", NAMED),
    ("IRIX", "IRIX", NAMED),
    ("OS/2", "OS/2", NAMED),
    ("Haiku", "Haiku", NAMED),
    ("BeOS", "BeOS", NAMED),
    ("AmigaOS", "AmigaOS", NAMED),
    ("tvOS", "tvOS", CLAIMS_ANOTHER),
    ("Apple TV", "tvOS", CLAIMS_ANOTHER),
    ("VIDAA", "VIDAA", CLAIMS_ANOTHER),
    ("Roku", "Roku OS", CLAIMS_ANOTHER),
    ("PLAYSTATION 3", "PlayStation 3", CLAIMS_ANOTHER),
    ("PlayStation 3", "PlayStation 3", CLAIMS_ANOTHER),
    ("PlayStation 4", "PlayStation 4", CLAIMS_ANOTHER),
    ("PlayStation 5", "PlayStation 5", CLAIMS_ANOTHER),
    ("PlayStation; PlayStation 5", "PlayStation 5", CLAIMS_ANOTHER),
    ("PlayStation Vita", "PlayStation Vita", CLAIMS_ANOTHER),
    ("PlayStation Portable", "PlayStation Portable", CLAIMS_ANOTHER),
    ("PSP", "PlayStation Portable", CLAIMS_ANOTHER),
    ("Nintendo Switch", "Nintendo Switch", CLAIMS_ANOTHER),
    ("Nintendo WiiU", "Nintendo Wii U", CLAIMS_ANOTHER),
    ("Nintendo Wii", "Nintendo Wii", CLAIMS_ANOTHER),
    ("New Nintendo 3DS", "Nintendo 3DS", CLAIMS_ANOTHER),
    ("Nintendo 3DS", "Nintendo 3DS", CLAIMS_ANOTHER),
    ("Nintendo DSi", "Nintendo DSi", CLAIMS_ANOTHER),
    ("Xbox Series X", "Xbox Series X", CLAIMS_ANOTHER + 2),
    ("Xbox One", "Xbox One", CLAIMS_ANOTHER + 1),
    ("XBOX_ONE_ED", "Xbox One", CLAIMS_ANOTHER + 1),
    ("Xbox", "Xbox 360", CLAIMS_ANOTHER),
    ("DTV", "Digital TV", NAMED),
];

static INDEX: Index<256> = Index::build(&PREFIXES);
const PREFIXES: [&str; SYSTEMS.len()] = {
    let mut prefixes = [""; SYSTEMS.len()];
    let mut place = 0;
    while place < SYSTEMS.len() {
        prefixes[place] = SYSTEMS[place].0;
        place += 1;
    }
    prefixes
};
