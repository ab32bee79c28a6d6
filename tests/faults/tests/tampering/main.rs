//! Somebody writes into the database. Whatever they write, there is no certificate by it, and an operator learns of it once.

#![cfg(test)]

mod account;
mod enrollment;
mod identifier;
mod people;
mod profile;
mod revocation;
mod rollback;

use std::time::Duration;

use instant_acme::OrderStatus;
use portreeve_faults::client::Client;
use portreeve_faults::forge::Signed;
use portreeve_faults::site::{FileLimit, Site};
use portreeve_ra::{Event, Record, StreamId};

const LIMIT: Duration = Duration::from_secs(60);

/// Whose signature a forgery bears, given a genuine record.
type Signature = for<'a> fn(&'a Record) -> Signed<'a>;

/// Each kind of forged signature, by name.
const SIGNATURES: [(&str, Signature); 3] = [
    ("of another key", |_| Signed::ByOwnKey),
    ("of another key under the right id", |genuine| {
        Signed::AsIfBy(genuine)
    }),
    ("copied", |genuine| Signed::CopiedFrom(genuine)),
];

async fn start() -> Site {
    Site::start(&[], FileLimit::Ends).await.unwrap()
}

/// The incidents in the store: what, and where.
async fn incidents(site: &Site) -> Vec<(&'static str, StreamId)> {
    let found = site.database().await.unwrap().incidents().await.unwrap();
    found
        .into_iter()
        .map(|incident| (incident.what.as_str(), incident.subject))
        .collect()
}

/// How many incidents the operator is shown.
fn incidents_shown(site: &Site) -> usize {
    let shown = site
        .gateway
        .control(&["audit", "incidents", "--output", "json"])
        .unwrap()
        .success()
        .unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    shown.pointer("/items").unwrap().as_array().unwrap().len()
}

/// How many certificates were signed, and how many are listed.
async fn signed(site: &Site) -> (usize, usize) {
    let certificates = site
        .database()
        .await
        .unwrap()
        .certificate_rows()
        .await
        .unwrap()
        .len();
    (site.journals().unwrap().len(), certificates)
}

/// The only event of the only record of a stream.
async fn only_event(site: &Site, stream: StreamId) -> (Record, Event) {
    let record = site
        .database()
        .await
        .unwrap()
        .stream(stream)
        .await
        .unwrap()
        .pop()
        .unwrap();
    let event = record.events().unwrap().pop().unwrap();
    (record, event)
}

/// How a payload is replaced.
#[derive(Copy, Clone, Debug)]
enum Rewriting {
    /// The payload alone.
    Payload,
    /// The payload and the digest that is signed.
    WithDigest,
}

/// Lets a stored record say something else.
async fn rewrite(site: &Site, (record, event): (&Record, Event), how: Rewriting) {
    let payload = borsh::to_vec(&vec![event]).unwrap();
    let stored = record.to_stored();
    let digest = match how {
        Rewriting::Payload => stored.payload_digest,
        Rewriting::WithDigest => {
            portreeve_pkix::sha256(&[stored.salt.unwrap().as_slice(), &payload].concat()).to_vec()
        }
    };
    site.database()
        .await
        .unwrap()
        .rewrite(record, &payload, &digest)
        .await
        .unwrap();
}

/// The order has no certificate, asked several times: an error and anything but `valid` will do.
async fn assert_not_valid(client: &Client, url: &str) {
    for _ in 0..3 {
        if let Ok(status) = client.status(url).await {
            assert_ne!(status, OrderStatus::Valid);
        }
    }
}
