//! The small pieces that lines are made of: quoted fields, escapes, numbers, addresses, request lines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use memchr::{memchr, memchr2, memrchr};

/// A quoted field, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quoted {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether a backslash is in it.
    pub(super) escaped: bool,
}

/// The quoted field whose opening quote stands right before `from`.
///
/// A backslash takes the next byte with it. A quote that neither a space nor the end follows belongs to the text:
/// servers that do not escape leave such quotes, those that do write none. `None` when the line ends first.
pub(super) fn quoted(line: &[u8], from: usize) -> Option<Quoted> {
    let mut escaped = false;
    let mut at = from;
    loop {
        let found = at + memchr2(b'"', b'\\', line.get(at..)?)?;
        if line[found] == b'\\' {
            escaped = true;
            at = found + 2;
        } else if matches!(line.get(found + 1), None | Some(b' ')) {
            return Some(Quoted { from, to: found, escaped });
        } else {
            at = found + 1;
        }
    }
}

/// The next field in quotes, whatever fields without stand before it.
pub(super) fn next_quoted(line: &[u8], mut at: usize) -> Option<Quoted> {
    loop {
        match line.get(at)? {
            b' ' => at += 1,
            b'"' => return quoted(line, at + 1),
            _ => (_, at) = token(line, at)?,
        }
    }
}

/// The next run of bytes without a space.
pub(super) fn token(line: &[u8], from: usize) -> Option<(usize, usize)> {
    let start = from + line.get(from..)?.iter().position(|&byte| byte != b' ')?;
    let length = line[start..].iter().position(|&byte| byte == b' ').unwrap_or(line.len() - start);
    Some((start, start + length))
}

/// `value` with `%HH` undone.
pub(super) fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        match (byte, after) {
            (b'%', [high, low, then @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(hex(*high) << 4 | hex(*low));
                rest = then;
            }
            _ => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    decoded
}

/// Appends `field` with the escapes of Apache and nginx undone: `\xHH`, `\"`, `\\`, and Apache's `\b \n \r \t \v`.
///
/// Any other backslash stays. Bytes that are no UTF-8 afterwards become U+FFFD.
pub(super) fn push_unescaped(kept: &mut String, field: &[u8]) {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some(found) = memchr(b'\\', rest) {
        bytes.extend_from_slice(&rest[..found]);
        let (byte, length) = match rest[found + 1..] {
            [b'x' | b'X', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(high) << 4 | hex(low), 4)
            }
            [quote @ (b'"' | b'\\'), ..] => (quote, 2),
            [b'n', ..] => (b'\n', 2),
            [b'r', ..] => (b'\r', 2),
            [b't', ..] => (b'\t', 2),
            [b'b', ..] => (8, 2),
            [b'v', ..] => (11, 2),
            _ => (b'\\', 1),
        };
        bytes.push(byte);
        rest = &rest[found + length..];
    }
    bytes.extend_from_slice(rest);
    push_lossy(kept, &bytes);
}

/// Appends `bytes` as text, U+FFFD for each part that is no UTF-8.
pub(super) fn push_lossy(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// The column in `line` of a column in what [`push_lossy`] made of it.
pub(super) fn column_before_repair(line: &[u8], column: usize) -> usize {
    let (mut raw, mut repaired) = (0, 0);
    for chunk in line.utf8_chunks() {
        let valid = chunk.valid().len();
        if column <= repaired + valid {
            break;
        }
        raw += valid + chunk.invalid().len();
        repaired += valid;
        if !chunk.invalid().is_empty() {
            repaired += char::REPLACEMENT_CHARACTER.len_utf8();
        }
    }
    (raw + column.saturating_sub(repaired)).clamp(1, line.len() + 1)
}

/// The value of a hexadecimal digit; 0 for any other byte.
pub(super) fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// Where the parts of a request line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestParts {
    pub(super) method_end: usize,
    /// The target begins one after `method_end`.
    pub(super) target_end: usize,
    pub(super) protocol: Option<(usize, usize)>,
}

/// The parts of a request line, or `None` when it is no HTTP.
///
/// It is HTTP when it begins with a method (letters, digits, `-`, `_`, from a letter on, at most 32) and a target
/// follows. With a protocol at the end the target may be anything, spaces included; without (HTTP/0.9, and clients
/// that forget it) it has to look like one: a path, an absolute URL or `*`.
pub(super) fn request(line: &[u8]) -> Option<RequestParts> {
    let method_end = line.iter().take(33).position(|&byte| byte == b' ')?;
    let (first, rest) = line[..method_end].split_first()?;
    if !first.is_ascii_alphabetic()
        || !rest.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    {
        return None;
    }
    let from = method_end + 1;
    if let Some(space) = memrchr(b' ', &line[from..]).map(|at| from + at)
        && space > from
        && is_protocol(&line[space + 1..])
    {
        return Some(RequestParts { method_end, target_end: space, protocol: Some((space + 1, line.len())) });
    }
    let target = &line[from..];
    let plausible = target.first() == Some(&b'/')
        || target == b"*"
        || target.windows(3).take(16).any(|three| three == b"://");
    plausible.then_some(RequestParts { method_end, target_end: line.len(), protocol: None })
}

/// Whether `word` is a protocol with a version, such as `HTTP/1.1` or `RTSP/1.0`.
fn is_protocol(word: &[u8]) -> bool {
    if let [b'H', b'T', b'T', b'P', b'/', major, rest @ ..] = word {
        return major.is_ascii_digit() && rest.len() <= 4;
    }
    let Some(slash) = memchr(b'/', word) else { return false };
    (1..=8).contains(&slash)
        && word[..slash].iter().all(u8::is_ascii_alphabetic)
        && (1..=4).contains(&(word.len() - slash - 1))
        && word[slash + 1..].iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// A decimal number that fits in 64 bits; `None` for anything else.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    if digits.len() < 20 {
        // Nineteen digits always fit.
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + u64::from(digit);
        }
        return Some(value);
    }
    for &byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    Some(value)
}

/// A response status: `Ok(None)` for `-`, `Err` when it is no number of one to three digits.
pub(super) fn status(token: &[u8]) -> Result<Option<u16>, ()> {
    match token {
        b"-" => Ok(None),
        [_] | [_, _] | [_, _, _] => number(token).map(|status| Some(status as u16)).ok_or(()),
        _ => Err(()),
    }
}

/// Seconds with decimals (`0.123`) in microseconds; more than six decimals are cut off.
pub(super) fn seconds_to_micros(token: &[u8]) -> Option<u64> {
    let (whole, decimals) = match memchr(b'.', token) {
        Some(point) => (&token[..point], &token[point + 1..]),
        None => (token, &token[..0]),
    };
    let mut micros = number(whole)?.checked_mul(1_000_000)?;
    let mut unit = 100_000;
    for &byte in decimals {
        if !byte.is_ascii_digit() {
            return None;
        }
        micros = micros.checked_add(u64::from(byte - b'0') * unit)?;
        unit /= 10;
    }
    Some(micros)
}

/// An address, with a port or without, IPv6 in brackets or not, with a zone or not; IPv4-mapped becomes IPv4.
pub(super) fn address(token: &[u8]) -> Option<IpAddr> {
    if let Some(address) = ipv4(token) {
        return Some(IpAddr::V4(address));
    }
    if token.len() > 80 {
        return None;
    }
    let text = std::str::from_utf8(token).ok()?;
    if let Some(bracketed) = text.strip_prefix('[') {
        return ipv6(bracketed.split(']').next()?);
    }
    match token.iter().filter(|&&byte| byte == b':').take(2).count() {
        0 => None,
        1 => {
            let (host, port) = text.split_once(':')?;
            port.parse::<u16>().ok()?;
            ipv4(host.as_bytes()).map(IpAddr::V4)
        }
        _ => ipv6(text),
    }
}

fn ipv6(text: &str) -> Option<IpAddr> {
    let address: Ipv6Addr = text.split('%').next()?.parse().ok()?;
    Some(IpAddr::V6(address).to_canonical())
}

/// Four decimal numbers up to 255 without leading zeros, which some programs read as octal.
fn ipv4(token: &[u8]) -> Option<Ipv4Addr> {
    if !(7..=15).contains(&token.len()) {
        return None;
    }
    let mut address = 0_u32;
    let mut part = 0_u32;
    let mut digits = 0;
    let mut points = 0;
    for &byte in token {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            if digits > 0 && part == 0 {
                return None;
            }
            part = part * 10 + u32::from(digit);
            digits += 1;
            if part > 255 {
                return None;
            }
        } else if byte == b'.' && digits > 0 {
            address = address << 8 | part;
            (part, digits) = (0, 0);
            points += 1;
        } else {
            return None;
        }
    }
    (points == 3 && digits > 0).then(|| Ipv4Addr::from(address << 8 | part))
}

/// `name:port` without the port.
pub(super) fn without_port(name: &[u8]) -> &[u8] {
    match memrchr(b':', name) {
        Some(colon)
            if name[colon + 1..].iter().all(u8::is_ascii_digit)
                && memchr(b':', &name[..colon]).is_none_or(|_| name[colon - 1] == b']') =>
        {
            &name[..colon]
        }
        _ => name,
    }
}
