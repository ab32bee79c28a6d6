//! Requests and answers.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portreeve_pkix::Certificate;
use portreeve_wire::cms::certs_only;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::Identity;
use crate::acme::{Message, Received, Site, Transport};

/// The longest header that some clients read.
const HEADER_BYTES_MAX: usize = 1024;

/// A client of one endpoint, with what it shows of who it is.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    url: String,
    root: std::path::PathBuf,
    base: String,
    identity: Option<Identity>,
    versions: Vec<&'static SupportedProtocolVersion>,
    authorization: Option<String>,
}

/// What came back; the form that every answer must have was checked.
#[derive(Debug)]
pub struct Answer(pub Received);

impl Client {
    /// Of the endpoint with this label, who shows nothing.
    pub fn new(site: &Site, label: &str) -> Self {
        let url = site.dev_text("/est/url");
        let root = site.dev_text("/tls_root");
        let base = format!("/.well-known/est/{label}");
        Self::over((&url, Path::new(&root)), base, None, vec![&TLS13, &TLS12])
    }

    fn over(
        (url, root): (&str, &Path),
        base: String,
        identity: Option<Identity>,
        versions: Vec<&'static SupportedProtocolVersion>,
    ) -> Self {
        let shown = identity
            .as_ref()
            .map(|identity| (identity.chain.clone(), identity.key.serialize_der()));
        Self {
            transport: Transport::with((url, root), shown.as_ref(), &versions),
            url: url.to_owned(),
            root: root.to_owned(),
            base,
            identity,
            versions,
            authorization: None,
        }
    }

    /// The same with the user of `dev`.
    #[must_use]
    pub fn as_dev(self, site: &Site) -> Self {
        let (name, password) = (site.dev_text("/est/username"), site.dev_text("/est/password"));
        self.as_user(&name, &password)
    }

    /// The same with a name and a password.
    #[must_use]
    pub fn as_user(self, name: &str, password: &str) -> Self {
        let pair = STANDARD.encode(format!("{name}:{password}"));
        self.with_authorization(&format!("Basic {pair}"))
    }

    /// The same with this header.
    #[must_use]
    pub fn with_authorization(self, value: &str) -> Self {
        Self {
            authorization: Some(value.to_owned()),
            ..self
        }
    }

    /// The same with a certificate.
    #[must_use]
    pub fn showing(self, identity: &Identity) -> Self {
        let authorization = self.authorization.clone();
        let versions = self.versions.clone();
        let fresh = Self::over(
            (&self.url, &self.root),
            self.base,
            Some(identity.clone()),
            versions,
        );
        Self {
            authorization,
            ..fresh
        }
    }

    /// The same that speaks one version of TLS.
    #[must_use]
    pub fn speaking(self, version: &'static SupportedProtocolVersion) -> Self {
        let authorization = self.authorization.clone();
        let identity = self.identity.clone();
        let fresh = Self::over((&self.url, &self.root), self.base, identity, vec![version]);
        Self {
            authorization,
            ..fresh
        }
    }

    /// Asks for a document.
    pub fn get(&self, operation: &str) -> Answer {
        self.send("GET", &format!("{}/{operation}", self.base), (&[], b""))
    }

    /// Sends a request in one line of base64.
    pub fn post(&self, operation: &str, der: &[u8]) -> Answer {
        self.post_text(operation, STANDARD.encode(der).as_bytes())
    }

    /// Sends this body as a PKCS #10 request.
    pub fn post_text(&self, operation: &str, body: &[u8]) -> Answer {
        let headers = [("Content-Type", "application/pkcs10")];
        self.send("POST", &format!("{}/{operation}", self.base), (&headers, body))
    }

    /// Sends anything.
    pub fn send(&self, method: &str, target: &str, (headers, body): (&[(&str, &str)], &[u8])) -> Answer {
        let own = self
            .authorization
            .as_deref()
            .map(|value| ("Authorization", value));
        let message = Message {
            method,
            target,
            headers: headers.iter().copied().chain(own).collect(),
            body,
        };
        Answer::of(self.transport.send(&message))
    }

    /// Sends a request that is made of the value that names its connection.
    pub fn post_linked(&self, operation: &str, request: impl FnOnce([u8; 32]) -> Vec<u8>) -> Answer {
        let made = |value| self.octets(operation, &[], STANDARD.encode(request(value)).as_bytes());
        Answer::of(self.transport.send_linked(made))
    }

    /// Sends requests, each with its own headers, one after the other on one connection.
    pub fn converse(&self, operation: &str, requests: &[&[(&str, &str)]], der: &[u8]) -> Vec<Answer> {
        let body = STANDARD.encode(der);
        let octets: Vec<Vec<u8>> = requests
            .iter()
            .map(|headers| self.octets(operation, headers, body.as_bytes()))
            .collect();
        self.transport
            .converse(&octets)
            .into_iter()
            .map(Answer::of)
            .collect()
    }

    /// Sends a request and hangs up without waiting for the answer.
    pub fn abandon(&self, operation: &str, der: &[u8]) {
        let body = STANDARD.encode(der);
        self.transport
            .abandon(&self.octets(operation, &[], body.as_bytes()));
    }

    fn octets(&self, operation: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut head = format!(
            "POST {}/{operation} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/pkcs10\r\n",
            self.base,
            self.transport.authority()
        );
        let own = self
            .authorization
            .as_deref()
            .map(|value| ("Authorization", value));
        for (name, value) in headers.iter().copied().chain(own) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        [head.as_bytes(), body].concat()
    }
}

impl Answer {
    /// Checks what every answer must have: a length, no chunks, a short header, and words where something is refused.
    #[track_caller]
    fn of(received: Received) -> Self {
        assert!(received.header("transfer-encoding").is_none(), "{received:?}");
        assert!(
            received.header("content-length").is_some() || received.status == 204,
            "{received:?}"
        );
        let header: usize = received
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        assert!(header + 64 < HEADER_BYTES_MAX, "{received:?}");
        if received.status >= 400 {
            let content_type = received.header("content-type").unwrap_or_default();
            assert!(content_type.starts_with("text/plain"), "{received:?}");
            assert!(received.body.len() < 600, "{received:?}");
        }
        match received.status {
            401 => assert!(
                received
                    .header("www-authenticate")
                    .is_some_and(|value| value.contains(" realm="))
            ),
            202 | 429 | 503 => assert!(received.header("retry-after").is_some(), "{received:?}"),
            405 => assert!(received.header("allow").is_some(), "{received:?}"),
            _ => {}
        }
        Self(received)
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.body).into_owned()
    }

    /// It has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.0.status, status, "{}", self.text());
        self
    }

    /// The octets that the body is base64 of.
    #[track_caller]
    pub fn decoded(&self) -> Vec<u8> {
        let text: String = self.text().split_ascii_whitespace().collect();
        STANDARD
            .decode(&text)
            .unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The certificates in it.
    #[track_caller]
    pub fn certificates(&self) -> Vec<Certificate> {
        certs_only::decode(&self.decoded()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The one certificate of an answer to an enrolment.
    #[track_caller]
    pub fn certificate(self) -> Certificate {
        let answer = self.expect(200);
        assert_eq!(
            answer.0.header("content-type"),
            Some("application/pkcs7-mime; smime-type=certs-only")
        );
        let mut certificates = answer.certificates();
        assert_eq!(
            certificates.len(),
            1,
            "the certificate that was issued, and no other"
        );
        certificates.remove(0)
    }

    /// Whether the base64 is in lines of 64 characters; it is in one line otherwise.
    #[track_caller]
    pub fn is_wrapped(&self) -> bool {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() == 1 {
            return false;
        }
        let (last, whole) = lines.split_last().expect("a line");
        assert!(
            whole.iter().all(|line| line.len() == 64) && last.len() <= 64,
            "{text}"
        );
        true
    }
}
