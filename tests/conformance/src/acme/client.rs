//! One directory, as seen by a client.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;

use super::answer::Answer;
use super::draft::Draft;
use super::key::Signer;
use super::transport::{Message, Transport};

const JOSE: &str = "application/jose+json";

/// A client of one directory. It keeps nonces for later, and demands that each one it is given is new.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    directory_url: String,
    directory: Value,
    nonces: Mutex<Nonces>,
}

#[derive(Debug, Default)]
struct Nonces {
    unused: Vec<String>,
    seen: HashSet<String>,
}

impl Client {
    /// Fetches the directory under this URL; `root` is the PEM file to trust.
    pub fn new(directory_url: &str, root: &Path) -> Self {
        let mut client = Self {
            transport: Transport::new(directory_url, root),
            directory_url: directory_url.to_owned(),
            directory: Value::Null,
            nonces: Mutex::default(),
        };
        let answer = client.call("GET", directory_url, &[], b"");
        assert_eq!(answer.status(), 200, "{answer}");
        client.directory = answer.json();
        client
    }

    /// The connections.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The directory.
    pub fn directory(&self) -> &Value {
        &self.directory
    }

    /// The URL of the directory.
    pub fn directory_url(&self) -> &str {
        &self.directory_url
    }

    /// The URL of a resource that stands in the directory.
    #[track_caller]
    pub fn url(&self, resource: &str) -> String {
        let url = self.directory[resource].as_str();
        url.unwrap_or_else(|| panic!("no {resource} in {}", self.directory))
            .to_owned()
    }

    /// A URL below the directory that does not stand in it.
    pub fn below(&self, path: &str) -> String {
        let base = self
            .directory_url
            .strip_suffix("directory")
            .expect("a directory's URL");
        format!("{base}{path}")
    }

    /// A nonce that was not used yet.
    pub fn nonce(&self) -> String {
        if let Some(known) = self.nonces.lock().unwrap().unused.pop() {
            return known;
        }
        let answer = self.call("HEAD", &self.url("newNonce"), &[], b"");
        assert!(answer.nonce().is_some(), "{answer}");
        self.nonces
            .lock()
            .unwrap()
            .unused
            .pop()
            .expect("the nonce that just came")
    }

    /// Sends any request.
    #[track_caller]
    pub fn call(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let target = self.transport.target(url);
        let received = self.transport.send(&Message {
            method,
            target,
            headers: headers.to_vec(),
            body,
        });
        let answer = Answer::new(received, &self.directory_url);
        self.keep_nonce(&answer);
        answer
    }

    /// Sends a body as a signed request is sent.
    #[track_caller]
    pub fn post(&self, url: &str, body: &[u8]) -> Answer {
        self.call("POST", url, &[("Content-Type", JOSE)], body)
    }

    /// Sends the octets of a whole HTTP request; `None` when the connection is closed without an answer.
    pub fn post_octets(&self, octets: &[u8]) -> Option<Answer> {
        let received = self.transport.send_octets(octets, "POST")?;
        let answer = Answer::new(received, &self.directory_url);
        self.keep_nonce(&answer);
        Some(answer)
    }

    /// A request that brings its key along (`jwk`).
    pub fn draft_with_key<'a>(&'a self, key: &'a dyn Signer, url: &str, payload: &Value) -> Draft<'a> {
        Draft::new(self, key, url, payload.to_string().as_bytes()).set("jwk", key.jwk())
    }

    /// Sends a request that brings its key along.
    #[track_caller]
    pub fn post_with_key(&self, key: &dyn Signer, url: &str, payload: &Value) -> Answer {
        self.draft_with_key(key, url, payload).send()
    }

    #[track_caller]
    fn keep_nonce(&self, answer: &Answer) {
        let Some(nonce) = answer.nonce() else { return };
        let is_base64url = nonce
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        assert!(
            is_base64url && !nonce.is_empty(),
            "RFC 8555 section 6.5.1: {nonce:?}"
        );
        let mut nonces = self.nonces.lock().unwrap();
        assert!(
            nonces.seen.insert(nonce.to_owned()),
            "the nonce {nonce} was given out before"
        );
        nonces.unused.push(nonce.to_owned());
    }
}
