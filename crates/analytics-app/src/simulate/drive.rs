//! Sends simulated traffic to a running server over HTTP/1.1.
//!
//! Addresses travel in `X-Forwarded-For`, so the server must trust the sender as a proxy to see them. One connection,
//! one request at a time: this shows behaviour, it is no load generator.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde::Serialize;

use super::Traffic;
use super::line::headers;
use super::plan::SimulationPlan;
use super::trace::{Method, Record, Trace};

/// Sends every request of a plan, in order, and gives what came back.
///
/// `speed` is how many simulated seconds pass in a real one; `None` sends as fast as answers come. Bodies are read and
/// thrown away, at most 16 MiB each; a connection that the server closes is opened again.
///
/// # Errors
/// [`DriveError::Unreachable`] when the server cannot be connected to; ten failed requests in a row end the drive
/// with [`DriveError::GaveUp`].
pub fn drive(
    target: &Target,
    speed: Option<f64>,
    plan: &SimulationPlan,
    pace: &mut dyn Pace,
) -> Result<DriveSummary, DriveError> {
    let traffic = Traffic::generate(plan);
    let mut connection = Connection::open(target)?;
    let mut summary = DriveSummary::default();
    let mut failed_in_a_row = 0;
    let first = traffic.records.first().map_or(0, |record| record.at);
    for record in &traffic.records {
        if let Some(speed) = speed {
            let due = Duration::from_secs_f64((record.at - first) as f64 / 1e6 / speed);
            pace.wait_until(due);
        }
        summary.sent += 1;
        match connection.exchange(target, &traffic.trace, record) {
            Ok(status) => {
                failed_in_a_row = 0;
                summary.count(status);
            }
            Err(source) => {
                summary.failed += 1;
                failed_in_a_row += 1;
                if failed_in_a_row == MOST_FAILURES {
                    return Err(DriveError::GaveUp { sent: summary.sent, source });
                }
            }
        }
    }
    Ok(summary)
}

/// Lets time pass between requests; given by whoever may wait.
pub trait Pace {
    /// Returns when this much time has passed since the first call; at once when it has passed already.
    fn wait_until(&mut self, since_start: Duration);
}

/// A server that may be driven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    authority: String,
    addresses: Vec<SocketAddr>,
}

impl Target {
    /// The server of an `http://host[:port][/]` URL. Hosts that are not loopback need `own_host`, with which the caller
    /// says that the host is theirs to load.
    ///
    /// # Errors
    /// [`DriveError::BadUrl`] for anything but `http`, or with a path, query or user; [`DriveError::Unreachable`] when the
    /// name does not resolve; [`DriveError::NotOurs`] for a foreign host without `own_host`.
    pub fn new(url: &str, own_host: bool) -> Result<Self, DriveError> {
        let bad = || DriveError::BadUrl { url: url.to_owned() };
        let rest = url.strip_prefix("http://").ok_or_else(bad)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.is_empty() || authority.contains(['/', '?', '#', '@', ' ', '\r', '\n']) {
            return Err(bad());
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(host, port)| {
            port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
        });
        let with_port = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let unreachable = |source| DriveError::Unreachable { authority: authority.to_owned(), source };
        let addresses: Vec<SocketAddr> = with_port.to_socket_addrs().map_err(unreachable)?.collect();
        if !own_host && !addresses.iter().all(|address| address.ip().is_loopback()) {
            return Err(DriveError::NotOurs { authority: authority.to_owned() });
        }
        Ok(Self { authority: authority.to_owned(), addresses })
    }
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DriveSummary {
    /// Requests sent.
    pub sent: u64,
    /// Requests without a readable answer.
    pub failed: u64,
    /// Answers with a status of 100 to 399.
    pub accepted: u64,
    /// Answers with status 429.
    pub limited: u64,
    /// Other answers of 400 to 499.
    pub client_errors: u64,
    /// Answers of 500 and above.
    pub server_errors: u64,
}

impl DriveSummary {
    fn count(&mut self, status: u16) {
        match status {
            0..400 => self.accepted += 1,
            429 => self.limited += 1,
            400..500 => self.client_errors += 1,
            _ => self.server_errors += 1,
        }
    }
}

/// Why a server cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Not a URL of the form that is understood.
    #[error("{url:?} must read http://host or http://host:port")]
    BadUrl {
        /// What was given.
        url: String,
    },
    /// The host is not loopback, and the caller did not say that it is theirs.
    #[error("{authority} is not this machine; pass --i-own-this-host if it is yours to load")]
    NotOurs {
        /// Host and port.
        authority: String,
    },
    /// No connection.
    #[error("cannot reach {authority}")]
    Unreachable {
        /// Host and port.
        authority: String,
        /// Why.
        source: io::Error,
    },
    /// Too many requests in a row failed.
    #[error("gave up after {sent} requests, the last ten of which failed")]
    GaveUp {
        /// Requests sent so far.
        sent: u64,
        /// What the last failure was.
        source: io::Error,
    },
}

struct Connection {
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    fn open(target: &Target) -> Result<Self, DriveError> {
        let stream = connect(target)
            .map_err(|source| DriveError::Unreachable { authority: target.authority.clone(), source })?;
        Ok(Self { stream: Some(stream) })
    }

    /// Sends one request and reads its answer. A kept connection that turns out to be closed is replaced once.
    fn exchange(&mut self, target: &Target, trace: &Trace, record: &Record) -> io::Result<u16> {
        let request = request(target, trace, record);
        if let Some(stream) = self.stream.take()
            && let Ok(status) = self.attempt(stream, &request, record.hit.method)
        {
            return Ok(status);
        }
        self.attempt(connect(target)?, &request, record.hit.method)
    }

    fn attempt(
        &mut self,
        mut stream: BufReader<TcpStream>,
        request: &[u8],
        method: Method,
    ) -> io::Result<u16> {
        stream.get_mut().write_all(request)?;
        let (status, keep) = answer(&mut stream, method)?;
        self.stream = keep.then_some(stream);
        Ok(status)
    }
}

fn connect(target: &Target) -> io::Result<BufReader<TcpStream>> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in &target.addresses {
        match TcpStream::connect_timeout(address, TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                stream.set_nodelay(true)?;
                return Ok(BufReader::new(stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn request(target: &Target, trace: &Trace, record: &Record) -> Vec<u8> {
    let hit = &record.hit;
    let visitor = &trace.visitors[hit.visitor as usize];
    let mut text = format!(
        "{} {} HTTP/1.1\r\nHost: {}\r\nX-Forwarded-For: {}\r\n",
        hit.method.as_str(),
        trace.text(hit.path),
        target.authority,
        visitor.address
    );
    for (name, value) in headers(trace, record) {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    }
    if hit.method == Method::Post {
        text.push_str("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=1");
    } else {
        text.push_str("\r\n");
    }
    text.into_bytes()
}

/// Reads one answer; gives its status and whether the connection can be used again.
fn answer(stream: &mut BufReader<TcpStream>, method: Method) -> io::Result<(u16, bool)> {
    loop {
        let (status, head) = head(stream)?;
        if (100..200).contains(&status) {
            continue;
        }
        let no_body = method == Method::Head || status == 204 || status == 304;
        let keep = if no_body {
            true
        } else if head.chunked {
            skip_chunks(stream)?;
            true
        } else if let Some(length) = head.length {
            skip(stream, length)?;
            true
        } else {
            io::copy(&mut stream.take(MOST_BODY), &mut io::sink())?;
            false
        };
        return Ok((status, keep && !head.close));
    }
}

#[derive(Default)]
struct Head {
    length: Option<u64>,
    chunked: bool,
    close: bool,
}

fn head(stream: &mut BufReader<TcpStream>) -> io::Result<(u16, Head)> {
    let mut limited = stream.take(MOST_HEAD);
    let mut line = String::new();
    limited.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|text| text.trim_end().parse().ok());
    let status =
        status.filter(|_| line.starts_with("HTTP/1.")).ok_or_else(|| invalid("no HTTP/1 status line"))?;
    let mut head = Head { close: line.starts_with("HTTP/1.0"), ..Head::default() };
    loop {
        line.clear();
        if limited.read_line(&mut line)? == 0 {
            return Err(invalid("the header does not end"));
        }
        let field = line.trim_end().to_ascii_lowercase();
        match field.split_once(':').map(|(name, value)| (name, value.trim())) {
            None if field.is_empty() => return Ok((status, head)),
            None => return Err(invalid("a header field without a colon")),
            Some(("content-length", value)) => {
                head.length = Some(value.parse().map_err(|_| invalid("a content length that is no number"))?);
            }
            Some(("transfer-encoding", value)) => head.chunked = value.ends_with("chunked"),
            Some(("connection", value)) => head.close |= value.contains("close"),
            Some(_) => {}
        }
    }
}

fn skip_chunks(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut total = 0;
    loop {
        let mut line = String::new();
        stream.take(MOST_HEAD).read_line(&mut line)?;
        let size = line.split(';').next().unwrap_or("").trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| invalid("a chunk without a size"))?;
        if size == 0 {
            // Trailers, then an empty line.
            loop {
                line.clear();
                if stream.take(MOST_HEAD).read_line(&mut line)? <= 2 {
                    return Ok(());
                }
            }
        }
        total += size;
        if size > MOST_BODY || total > MOST_BODY {
            return Err(invalid("an answer above 16 MiB"));
        }
        skip(stream, size + 2)?;
    }
}

fn skip(stream: &mut BufReader<TcpStream>, length: u64) -> io::Result<()> {
    if length > MOST_BODY + 2 {
        return Err(invalid("an answer above 16 MiB"));
    }
    let read = io::copy(&mut stream.take(length), &mut io::sink())?;
    if read == length { Ok(()) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

const TIMEOUT: Duration = Duration::from_secs(10);
const MOST_FAILURES: u32 = 10;
/// Bytes of a status line with its header.
const MOST_HEAD: u64 = 64 * 1024;
/// Bytes of a body.
const MOST_BODY: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::super::{SimulationOptions, parse_actors};
    use super::*;

    #[test]
    fn only_plain_http_urls_of_this_machine_are_driven_unasked() {
        for url in
            ["https://127.0.0.1", "127.0.0.1:80", "http://", "http://a@127.0.0.1/", "http://127.0.0.1/path"]
        {
            assert!(matches!(Target::new(url, true), Err(DriveError::BadUrl { .. })), "{url}");
        }
        assert!(matches!(Target::new("http://192.0.2.1:8080", false), Err(DriveError::NotOurs { .. })));
        assert!(Target::new("http://192.0.2.1:8080", true).is_ok());
        for url in ["http://127.0.0.1", "http://127.0.0.1:8080/", "http://[::1]:8080"] {
            assert!(Target::new(url, false).is_ok(), "{url}");
        }
    }

    #[test]
    fn every_request_arrives_in_order_with_its_address_and_each_kind_of_answer_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::new(&format!("http://{}", listener.local_addr().unwrap()), false).unwrap();
        let server = thread::spawn(move || serve(&listener));
        let plan = plan(40);
        let mut pace = Recorded(Vec::new());
        let summary = drive(&target, Some(2.0), &plan, &mut pace).unwrap();
        // Tells the server to stop.
        connect(&target).unwrap().get_mut().write_all(b"STOP / HTTP/1.1\r\n\r\n").unwrap();
        let seen = server.join().unwrap();

        let traffic = Traffic::generate(&plan);
        let expected: Vec<_> = traffic
            .records
            .iter()
            .map(|record| {
                let address = traffic.trace.visitors[record.hit.visitor as usize].address;
                format!("{} {} {address}", record.hit.method.as_str(), traffic.trace.text(record.hit.path))
            })
            .collect();
        assert_eq!(seen, expected);
        let quarter = summary.sent / 4;
        assert_eq!(
            summary,
            DriveSummary {
                sent: 40,
                accepted: 2 * quarter,
                limited: quarter,
                server_errors: quarter,
                ..summary.clone()
            }
        );
        assert_eq!(pace.0.len(), 40);
        assert!(pace.0.is_sorted());
    }

    #[test]
    fn a_server_that_never_answers_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::new(&format!("http://{}", listener.local_addr().unwrap()), false).unwrap();
        let server = thread::spawn(move || {
            for stream in listener.incoming().take(20) {
                drop(stream);
            }
        });
        let error = drive(&target, None, &plan(40), &mut Recorded(Vec::new())).unwrap_err();
        assert!(matches!(error, DriveError::GaveUp { sent: 10, .. }), "{error:?}");
        drop(server);
    }

    struct Recorded(Vec<Duration>);

    impl Pace for Recorded {
        fn wait_until(&mut self, since_start: Duration) {
            self.0.push(since_start);
        }
    }

    fn plan(requests: u64) -> SimulationPlan {
        SimulationPlan::new(SimulationOptions {
            requests: Some(requests),
            actors: parse_actors("bots=off,human=5,comment_spam=2").unwrap(),
            site_pages: 150,
            ..SimulationOptions::default()
        })
        .unwrap()
    }

    /// Answers in turn with a length, in chunks, with 429 and with 500 and a closed connection.
    fn serve(listener: &TcpListener) -> Vec<String> {
        let mut seen = Vec::new();
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            loop {
                let mut lines = Vec::new();
                let mut line = String::new();
                while stream.read_line(&mut line).unwrap() > 2 {
                    lines.push(line.trim_end().to_owned());
                    line.clear();
                }
                let Some(first) = lines.first() else { break };
                if first.starts_with("STOP") {
                    return seen;
                }
                let address = lines.iter().find_map(|line| line.strip_prefix("X-Forwarded-For: ")).unwrap();
                let is_head = first.starts_with("HEAD");
                if first.starts_with("POST") {
                    stream.read_exact(&mut [0; 3]).unwrap();
                }
                let turn = seen.len() % 4;
                seen.push(format!("{} {address}", first.strip_suffix(" HTTP/1.1").unwrap()));
                let text = match turn {
                    0 => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                    1 => {
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nA: b\r\n\r\n"
                    }
                    2 => "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
                    _ => "HTTP/1.1 500 No\r\nConnection: close\r\n\r\nwhat",
                };
                let text = if is_head { text.split_inclusive("\r\n\r\n").next().unwrap() } else { text };
                stream.get_mut().write_all(text.as_bytes()).unwrap();
                if turn == 3 {
                    break;
                }
            }
        }
        seen
    }
}
