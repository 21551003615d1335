//! A POST over HTTP, with TLS where the address says so.

use std::time::Duration;

use super::{Delivery, NoAnswer, WebhookTransport};
use crate::system::http_agent;

/// POSTs to one address, over TLS 1.2 or 1.3 where it begins with `https://`.
#[derive(Debug)]
pub struct HttpTransport {
    agent: ureq::Agent,
    url: String,
}

/// A webhook cannot be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhook {
    /// The address has another scheme, or none.
    #[error("a webhook's address begins with https:// or http://")]
    Scheme,
    /// There is no certificate to trust.
    #[error("a webhook over TLS needs certificates to trust, and this machine has none")]
    NothingTrusted,
}

impl HttpTransport {
    /// A transport to this address that waits `timeout` for an answer and follows no redirect. Over TLS it talks to
    /// receivers whose certificate is signed by one of `trusted` (DER), such as
    /// [`trusted_certificates`](crate::system::trusted_certificates), and no others.
    ///
    /// # Errors
    /// [`InvalidWebhook`] for an address of another scheme, and for `https://` without a certificate to trust.
    pub fn new(
        url: impl Into<String>,
        timeout: Duration,
        trusted: &[Vec<u8>],
    ) -> Result<Self, InvalidWebhook> {
        let url = url.into();
        let tls = url.starts_with("https://");
        if !tls && !url.starts_with("http://") {
            return Err(InvalidWebhook::Scheme);
        }
        if tls && trusted.is_empty() {
            return Err(InvalidWebhook::NothingTrusted);
        }
        Ok(Self { agent: http_agent(timeout, trusted), url })
    }
}

impl WebhookTransport for HttpTransport {
    fn post(&self, delivery: &Delivery) -> Result<u16, NoAnswer> {
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        for (name, value) in &delivery.headers {
            request = request.header(*name, value);
        }
        let answer = request.send(&delivery.body).map_err(|error| NoAnswer(error.into()))?;
        Ok(answer.status().as_u16())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::thread::JoinHandle;

    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;

    /// Self-signed for `localhost`, of an elliptic key, until 2126; made with
    /// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=localhost
    /// -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE`. Only these tests trust it.
    const CERTIFICATE: &[u8] = include_bytes!("test_certificate.der");
    const KEY: &[u8] = include_bytes!("test_key.der");

    #[test]
    fn a_post_over_http_carries_headers_and_body_and_answers_the_status() {
        let (port, server) = serve(|stream| stream);
        let transport = transport(&format!("http://127.0.0.1:{port}/hook"));
        assert_eq!(transport.post(&delivery()).unwrap(), 503);
        asked_well(server);
    }

    #[test]
    fn a_post_over_tls_carries_headers_and_body_and_answers_the_status() {
        let (port, server) = serve(encrypted);
        let url = format!("https://localhost:{port}/hook");
        let transport = HttpTransport::new(url, PATIENCE, &[CERTIFICATE.to_vec()]).unwrap();
        assert_eq!(transport.post(&delivery()).unwrap(), 503);
        asked_well(server);
    }

    #[test]
    fn a_receiver_that_is_not_who_it_should_be_gets_nothing() {
        let stranger = include_bytes!("test_stranger.der").as_slice();
        // The certificate is for localhost, so under its address it is another's.
        for (host, trusted) in [("127.0.0.1", CERTIFICATE), ("localhost", stranger)] {
            let (port, server) = serve(encrypted);
            let url = format!("https://{host}:{port}/hook");
            let transport = HttpTransport::new(url, PATIENCE, &[trusted.to_vec()]).unwrap();
            assert!(transport.post(&delivery()).is_err(), "{host}");
            assert_eq!(server.join().unwrap(), None, "{host}");
        }
    }

    #[test]
    fn a_webhook_that_is_not_there_gives_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        assert!(transport(&url).post(&delivery()).is_err());
    }

    #[test]
    fn a_webhook_that_hangs_gives_no_answer_when_the_time_is_over() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        // The system takes the connection and what is sent; nobody ever answers.
        let transport = HttpTransport::new(url, Duration::from_millis(50), &[]).unwrap();
        assert!(transport.post(&delivery()).is_err());
        drop(listener);
    }

    #[test]
    fn an_address_that_cannot_be_sent_to_is_refused() {
        let refused = |url: &str| HttpTransport::new(url, PATIENCE, &[]).err();
        for url in ["", "example.org", "ftp://example.org/", "HTTPS"] {
            assert_eq!(refused(url), Some(InvalidWebhook::Scheme), "{url:?}");
        }
        assert_eq!(refused("https://example.org/"), Some(InvalidWebhook::NothingTrusted));
    }

    /// A server for one request that answers 503, at this port; gives back what it was asked, if it was.
    fn serve<S: Read + Write>(
        wrap: impl FnOnce(TcpStream) -> S + Send + 'static,
    ) -> (u16, JoinHandle<Option<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let mut stream = wrap(listener.accept().unwrap().0);
            let mut read = Vec::new();
            while !read.ends_with(BODY.as_bytes()) {
                let mut piece = [0; 1_024];
                let length = stream.read(&mut piece).ok().filter(|length| *length > 0)?;
                read.extend_from_slice(&piece[..length]);
            }
            let answer = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).unwrap();
            stream.flush().unwrap();
            Some(String::from_utf8(read).unwrap())
        });
        (port, server)
    }

    fn encrypted(stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], PrivatePkcs8KeyDer::from(KEY).into())
            .unwrap();
        StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
    }

    fn asked_well(server: JoinHandle<Option<String>>) {
        let request = server.join().unwrap().unwrap().to_lowercase();
        assert!(request.starts_with("post /hook http/1.1\r\n"), "{request}");
        assert!(request.contains("analytics-signature: v1=3\r\n"), "{request}");
    }

    fn transport(url: &str) -> HttpTransport {
        HttpTransport::new(url, PATIENCE, &[]).unwrap()
    }

    fn delivery() -> Delivery {
        let headers = [("analytics-id", "1"), ("analytics-timestamp", "2"), ("analytics-signature", "v1=3")];
        Delivery { headers: headers.map(|(name, value)| (name, value.to_owned())), body: BODY.into() }
    }

    const BODY: &str = "{\"a\":1}";
    const PATIENCE: Duration = Duration::from_secs(20);
}
