//! What clients asked for and were given.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// One order, as its client knows it.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// The endpoint, as the RA names it: `acme/default`.
    pub endpoint: String,
    /// The name ordered.
    pub name: String,
    /// Whether the client has tried to finalize it.
    pub finalized: bool,
    /// The certificate the client was given, in DER.
    pub certificate: Option<Vec<u8>>,
}

/// Every order of every client, by its URL.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<String, Line>>);

impl Ledger {
    /// An order was accepted.
    pub fn ordered(&self, url: &str, endpoint: &str, name: &str) {
        let line = Line {
            endpoint: format!("acme/{endpoint}"),
            name: name.to_owned(),
            ..Line::default()
        };
        self.lock().insert(url.to_owned(), line);
    }

    /// Its client is about to finalize it.
    pub fn finalizing(&self, url: &str) {
        if let Some(line) = self.lock().get_mut(url) {
            line.finalized = true;
        }
    }

    /// Its client has a certificate. Getting it again is the same, another one is kept as the later.
    pub fn given(&self, url: &str, certificate: Vec<u8>) {
        if let Some(line) = self.lock().get_mut(url) {
            line.certificate = Some(certificate);
        }
    }

    /// All lines, each with the id of its order.
    pub fn lines(&self) -> Vec<(Option<Uuid>, Line)> {
        self.lock()
            .iter()
            .map(|(url, line)| (order_id(url), line.clone()))
            .collect()
    }

    /// How many certificates were given.
    pub fn certificates(&self) -> usize {
        self.lock()
            .values()
            .filter(|line| line.certificate.is_some())
            .count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id at the end of an order's URL.
pub fn order_id(url: &str) -> Option<Uuid> {
    url.rsplit('/').next().and_then(|id| Uuid::try_parse(id).ok())
}
