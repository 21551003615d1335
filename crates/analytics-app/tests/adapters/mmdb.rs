//! Writes small databases in MMDB format: a tree of address bits, a section of data, and what the file says of itself.
//!
//! The format is version 2.0 of the `MaxMind` DB file format, with records of 24 bits and IPv4 addresses at `::/96`.

use std::net::IpAddr;

/// A value of a row.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(&'static str),
    Number(u32),
    Map(Vec<(&'static str, Value)>),
    List(Vec<Value>),
}

/// The database of these rows, each a network such as `192.0.2.0/24` with its value. Networks do not overlap.
pub(crate) fn database(rows: &[(&str, Value)]) -> Vec<u8> {
    let (mut nodes, mut data) = (vec![[Slot::Empty; 2]], Vec::new());
    for (network, value) in rows {
        let (bits, prefix) = bits_of(network);
        insert(&mut nodes, bits, prefix, Slot::Data(data.len()));
        data.extend(encoded(value));
    }
    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match record {
            Slot::Empty => nodes.len(),
            Slot::Node(at) => *at,
            Slot::Data(at) => nodes.len() + SEPARATOR + at,
        };
        file.extend(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
    }
    file.extend([0; SEPARATOR]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(header(7, 9));
    let nodes = u32::try_from(nodes.len()).unwrap();
    let fields: [(&str, Vec<u8>); 9] = [
        ("binary_format_major_version", unsigned(5, 2)),
        ("binary_format_minor_version", unsigned(5, 0)),
        ("build_epoch", unsigned(9, 1_700_000_000)),
        ("database_type", encoded(&Value::Text("Test"))),
        ("description", header(7, 0)),
        ("ip_version", unsigned(5, 6)),
        ("languages", header(11, 0)),
        ("node_count", unsigned(6, nodes)),
        ("record_size", unsigned(5, 24)),
    ];
    for (name, value) in fields {
        file.extend(text(name));
        file.extend(value);
    }
    file
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    Empty,
    Node(usize),
    Data(usize),
}

fn insert(nodes: &mut Vec<[Slot; 2]>, bits: u128, prefix: u32, data: Slot) {
    let mut node = 0;
    for depth in 0..prefix {
        let side = (bits >> (127 - depth) & 1) as usize;
        if depth + 1 == prefix {
            nodes[node][side] = data;
            return;
        }
        node = match nodes[node][side] {
            Slot::Node(at) => at,
            Slot::Empty => {
                nodes.push([Slot::Empty; 2]);
                nodes[node][side] = Slot::Node(nodes.len() - 1);
                nodes.len() - 1
            }
            Slot::Data(_) => panic!("networks do not overlap"),
        };
    }
}

fn bits_of(network: &str) -> (u128, u32) {
    let (address, prefix) = network.split_once('/').unwrap();
    let prefix: u32 = prefix.parse().unwrap();
    match address.parse().unwrap() {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 96 + prefix),
        IpAddr::V6(v6) => (v6.to_bits(), prefix),
    }
}

fn encoded(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(value) => text(value),
        Value::Number(value) => unsigned(6, *value),
        Value::Map(entries) => {
            let body = entries.iter().flat_map(|(name, value)| [text(name), encoded(value)].concat());
            header(7, entries.len()).into_iter().chain(body).collect()
        }
        Value::List(items) => {
            header(11, items.len()).into_iter().chain(items.iter().flat_map(encoded)).collect()
        }
    }
}

fn text(value: &str) -> Vec<u8> {
    [header(2, value.len()), value.as_bytes().to_vec()].concat()
}

fn unsigned(kind: u8, value: u32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let digits = &bytes[value.leading_zeros() as usize / 8..];
    [header(kind, digits.len()), digits.to_vec()].concat()
}

/// The control byte of a type and size, and the bytes that long sizes and late types need.
fn header(kind: u8, size: usize) -> Vec<u8> {
    let (short, more) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
    assert!(size < 285, "the values of tests are short");
    let first = if kind < 8 { vec![kind << 5 | short] } else { vec![short, kind - 7] };
    first.into_iter().chain(more).collect()
}

/// Zeros between the tree and the data.
const SEPARATOR: usize = 16;
