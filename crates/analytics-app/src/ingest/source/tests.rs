//! Inputs whole, packed, damaged, missing and growing.

use std::io::Write;

use super::*;

const THREE: &[u8] = b"one\ntwo\nthree";

#[test]
fn blocks_hold_whole_lines_and_know_their_place() {
    let line = [b'x'; 999];
    let text: Vec<u8> = (0..1000).flat_map(|_| line.iter().copied().chain([b'\n'])).collect();
    let (_keep, input) = file(&text);
    let mut place = (1, 0);
    let mut again = Vec::new();
    for block in Blocks::with_block_bytes(0, vec![input]) {
        let block = block.expect("readable");
        assert_eq!((block.first_line, block.offset, block.data.len() % 1000), (place.0, place.1, 0));
        assert!(block.data.len() <= 2 * MAX_LINE_BYTES);
        place = (place.0 + block.data.len() as u64 / 1000, place.1 + block.data.len() as u64);
        again.extend(block.data);
    }
    assert!(again == text, "blocks put together are the file");
}

#[test]
fn packed_files_are_told_by_their_content_not_their_name() {
    for packed in
        [THREE.to_vec(), gzip(THREE), [gzip(b"one\ntw"), gzip(b"o\nthree")].concat(), zstandard(THREE)]
    {
        let (_keep, input) = file(&packed);
        let blocks: Vec<Block> = Blocks::new(vec![input]).map(|block| block.expect("readable")).collect();
        assert_eq!(
            blocks,
            [Block { data: THREE.to_vec(), input: 0, first_line: 1, offset: 0, header: None }]
        );
        let lines: Vec<(u64, &[u8])> = blocks[0].lines().collect();
        assert_eq!(lines, [(1, b"one".as_slice()), (2, b"two"), (3, b"three")]);
    }
}

#[test]
fn inputs_follow_each_other_and_an_error_stops_only_its_own() {
    let (_keep, first) = file(THREE);
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("none.log");
    let (_keep_empty, empty) = file(b"");
    let inputs = vec![
        first.clone(),
        Input::File(missing.clone()),
        Input::File(directory.path().to_owned()),
        empty,
        first,
    ];
    let seen: Vec<Result<usize, String>> = Blocks::new(inputs)
        .map(|block| block.map(|block| block.input).map_err(|error| error.to_string()))
        .collect();
    let directory = directory.path().display();
    assert_eq!(
        seen,
        [
            Ok(0),
            Err(format!("{} does not exist", missing.display())),
            Err(format!("{directory} is a directory; name the log files in it")),
            Ok(4),
        ]
    );
}

#[test]
fn a_cut_packed_file_gives_the_lines_before_the_cut_and_then_says_so() {
    let text: Vec<u8> = (0_u32..40_000)
        .flat_map(|number| format!("{}\n", number.wrapping_mul(2_654_435_761)).into_bytes())
        .collect();
    for packed in [gzip(&text), zstandard(&text)] {
        let (_keep, input) = file(&packed[..packed.len() / 2]);
        let mut blocks = Blocks::new(vec![input.clone()]);
        let mut lines = 0;
        let mut bytes = 0;
        let error = loop {
            match blocks.next().expect("an error before the end") {
                Ok(block) => {
                    assert!(text[bytes..].starts_with(&block.data));
                    lines += block.lines().count();
                    bytes += block.data.len();
                }
                Err(error) => break error,
            }
        };
        assert!(lines > 10_000, "{lines}");
        assert_eq!(
            error.to_string(),
            format!("{input} is cut or damaged after {lines} lines ({bytes} bytes unpacked)")
        );
        assert!(blocks.next().is_none());
    }
}

#[test]
fn formats_that_are_not_read_are_named() {
    for (magic, kind) in [
        (b"BZh91AY&SY".as_slice(), "a bzip2 file"),
        (b"\xfd7zXZ\0\0", "an xz file"),
        (b"PK\x03\x04aaaa", "a zip file"),
        (b"\xff\xfea\0b\0", "UTF-16 text"),
    ] {
        let (_keep, input) = file(magic);
        let error = Blocks::new(vec![input]).next().expect("an error").expect_err("not read");
        assert!(matches!(&error, SourceError::Unsupported { kind: named, .. } if *named == kind), "{error}");
    }
}

#[test]
fn an_over_long_line_is_shortened_but_stays_over_long_and_its_neighbours_stay_whole() {
    let mut text = b"before\n".to_vec();
    text.extend(std::iter::repeat_n(b'x', 5 << 20));
    text.extend(b"\nafter\n");
    let (_keep, input) = file(&text);
    let mut lines = Vec::new();
    let mut end = 0;
    for block in Blocks::with_block_bytes(0, vec![input]) {
        let block = block.expect("readable");
        assert!(block.data.len() <= 2 * MAX_LINE_BYTES);
        lines.extend(block.lines().map(|(number, line)| (number, line.len())));
        end = block.offset;
    }
    assert_eq!(lines, [(1, 6), (2, MAX_LINE_BYTES + 1), (3, 5)]);
    assert!(end < text.len() as u64);
}

#[test]
fn the_fields_header_travels_with_the_blocks_after_it() {
    let mut text = b"\xef\xbb\xbf#Version: 1.0\r\n#Fields: date time\r\n".to_vec();
    for _ in 0..40_000 {
        text.extend(b"2024-01-01 00:00:00\r\n");
    }
    let (_keep, input) = file(&text);
    let headers: Vec<Option<Vec<u8>>> = Blocks::with_block_bytes(0, vec![input])
        .map(|block| block.expect("readable").header.map(|header| header.to_vec()))
        .collect();
    assert_eq!(headers[0], None);
    assert!(headers.len() > 4);
    assert!(headers[1..].iter().all(|header| header.as_deref() == Some(b"#Fields: date time")));
}

#[test]
fn progress_counts_packed_bytes() {
    let packed = gzip(&b"line\n".repeat(10_000));
    let (_keep, input) = file(&packed);
    let mut blocks = Blocks::new(vec![input]);
    assert_eq!((blocks.bytes_read(), blocks.total_bytes()), (0, Some(packed.len() as u64)));
    while let Some(block) = blocks.next() {
        blocks.recycle(block.expect("readable").data);
    }
    assert_eq!(blocks.bytes_read(), packed.len() as u64);
    assert_eq!(Blocks::new(vec![Input::Stdin]).total_bytes(), None);
}

#[test]
fn a_tail_hands_out_a_line_once_it_is_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("access.log");
    append(&path, b"one\ntw");
    let mut tail = Tail::open(path.clone()).expect("opens");
    assert_eq!(poll(&mut tail), Some((0, 1, b"one\n".to_vec())));
    assert_eq!(poll(&mut tail), None);
    append(&path, b"o\nthree\n");
    assert_eq!(poll(&mut tail), Some((0, 2, b"two\nthree\n".to_vec())));
    assert_eq!(poll(&mut tail), None);
}

#[test]
fn a_tail_reads_a_renamed_log_to_its_end_and_goes_on_with_the_new_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("access.log");
    let old = directory.path().join("access.log.1");
    append(&path, b"one\n");
    let mut tail = Tail::open(path.clone()).expect("opens");
    assert_eq!(poll(&mut tail), Some((0, 1, b"one\n".to_vec())));
    std::fs::rename(&path, &old).expect("renames");
    append(&old, b"two\n");
    assert_eq!(poll(&mut tail), Some((0, 2, b"two\n".to_vec())));
    append(&path, b"");
    append(&old, b"late");
    assert_eq!(poll(&mut tail), None, "the new log is empty, so the server may still write into the old one");
    append(&path, b"new\n");
    assert_eq!(poll(&mut tail), Some((0, 3, b"late".to_vec())));
    assert_eq!(poll(&mut tail), Some((1, 1, b"new\n".to_vec())));
    assert_eq!(poll(&mut tail), None);
}

#[test]
fn a_tail_starts_again_when_the_log_is_truncated() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("access.log");
    append(&path, b"one\ntwo\n");
    let mut tail = Tail::open(path.clone()).expect("opens");
    assert_eq!(poll(&mut tail), Some((0, 1, b"one\ntwo\n".to_vec())));
    std::fs::write(&path, b"new\n").expect("truncates");
    assert_eq!(poll(&mut tail), Some((1, 1, b"new\n".to_vec())));
}

#[test]
fn a_dash_is_standard_input() {
    assert_eq!(Input::from_argument(Path::new("-")), Input::Stdin);
    assert_eq!(Input::from_argument(Path::new("./-")), Input::File("./-".into()));
}

fn file(content: &[u8]) -> (tempfile::NamedTempFile, Input) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(content).expect("writable");
    let input = Input::File(file.path().to_owned());
    (file, input)
}

fn append(path: &Path, content: &[u8]) {
    let mut file = File::options().create(true).append(true).open(path).expect("opens");
    file.write_all(content).expect("writable");
}

fn poll(tail: &mut Tail) -> Option<(usize, u64, Vec<u8>)> {
    tail.poll().expect("readable").map(|block| (block.input, block.first_line, block.data))
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

fn zstandard(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).expect("packs in memory")
}
