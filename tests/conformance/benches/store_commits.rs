//! How many issuances a second the SQLite store carries: what an ACME issuance reads and writes, by many clients at
//! once. `cargo bench -p portreeve-conformance --bench store_commits [-- CLIENTS SECONDS]`

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portreeve_conformance::fakes::{FreshRandom, HandClock, OneKeySealer};
use portreeve_conformance::store::fixtures::*;
use portreeve_pkix::sha256;
use portreeve_ra::ports::{
    Batch, Clock, DocumentWrite, Documents, NewTask, Projection, Random, Reservation, Space, Spend, Store,
    TaskChange,
};
use portreeve_store::{MadeBy, Options, PendingMigrations, SqliteStore};

/// Of an order, an authorization; of the events of an issuance with request, intent and certificate.
const ORDER: usize = 600;
const INTENT: usize = 2_500;
const ISSUED: usize = 1_200;

struct Client {
    store: Arc<SqliteStore>,
    clock: HandClock,
    numbers: Arc<AtomicU64>,
}

impl Client {
    fn nonce(&self) -> Spend {
        let mut key = [0; 32];
        FreshRandom.fill(&mut key);
        Spend {
            key,
            until: self.clock.now_plus_hour(),
        }
    }

    fn sized(&self, number: u64, version: u64) -> DocumentWrite {
        let keys = vec![key("account", "one", false)];
        let expires_at = Some(self.clock.now_plus_hour());
        DocumentWrite {
            keys,
            expires_at,
            ..document(number, version, &"o".repeat(ORDER))
        }
    }

    /// Four commits, and the reads between them.
    async fn issue(&self) {
        let number = 10 + 4 * self.numbers.fetch_add(1, Ordering::Relaxed);
        let (order, authorization) = (number, number + 1);
        let store = &self.store;
        store.load(&[stream(1)]).await.unwrap();
        let written = vec![self.sized(order, 1), self.sized(authorization, 1)];
        self.commit(Batch {
            documents: written,
            spends: vec![self.nonce()],
            ..Batch::default()
        })
        .await;

        store.load(&[stream(1)]).await.unwrap();
        store
            .documents(&[document_id(order), document_id(authorization)])
            .await
            .unwrap();
        let proven = Batch {
            documents: vec![self.sized(authorization, 2)],
            records: vec![record_saying(stream(number + 2), 1, "proven")],
            spends: vec![self.nonce()],
            ..Batch::default()
        };
        self.commit(proven).await;
        self.finalize(number).await;
    }

    async fn finalize(&self, number: u64) {
        let store = &self.store;
        store.load(&[stream(1)]).await.unwrap();
        store.document(&document_id(number)).await.unwrap();
        store.claim(&claim_key(number)).await.unwrap();
        store.load(&[stream(1), stream(number + 2)]).await.unwrap();
        let serial = sha256(&octets(number));
        let task = NewTask {
            lease: Some((node(1), Duration::from_secs(30))),
            ..task(number)
        };
        let intent = Batch {
            records: vec![record_saying(stream(number), 1, &"i".repeat(INTENT))],
            claims: vec![claim(number, number, self.clock.now_plus_hour())],
            reservations: vec![Reservation::Take {
                space: Space::Serial,
                key: serial,
                stream: stream(number),
            }],
            spends: vec![self.nonce()],
            tasks: vec![task],
            projections: vec![Projection::Request(request_row(
                number,
                "acme/default",
                "issuing",
            ))],
            ..Batch::default()
        };
        self.commit(intent).await;
        store.load(&[stream(number)]).await.unwrap();
        let issued = Batch {
            records: vec![record_saying(stream(number), 2, &"c".repeat(ISSUED))],
            task_changes: vec![TaskChange::Complete {
                id: task_id(number),
                fence: 1,
            }],
            projections: vec![
                Projection::Request(request_row(number, "acme/default", "issued")),
                Projection::Certificate(certificate_row(number)),
            ],
            ..Batch::default()
        };
        self.commit(issued).await;
        store.load(&[stream(1)]).await.unwrap();
        store.document(&document_id(number)).await.unwrap();
        store.load(&[stream(number)]).await.unwrap();
    }

    async fn commit(&self, batch: Batch) {
        self.store.commit(batch).await.unwrap();
    }
}

/// Seconds of processor time this process has used.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

#[tokio::main]
async fn main() {
    let numbers: Vec<u64> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let clients = numbers.first().copied().unwrap_or(32);
    let seconds = numbers.get(1).copied().unwrap_or(5);
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let clock = HandClock::default();
    let options = Options {
        made_by: MadeBy::Dev,
        pending: PendingMigrations::Apply,
        clock: Arc::new(clock.clone()),
        random: Arc::new(FreshRandom),
    };
    let store = SqliteStore::open(directory.path(), options, Arc::new(OneKeySealer::default()))
        .await
        .unwrap();
    store.commit(records([record(stream(1), 1)])).await.unwrap();
    println!("at {}", clock.now());

    let (cpu, started) = (cpu_seconds(), Instant::now());
    let over = Arc::new(AtomicBool::new(false));
    let numbers = Arc::new(AtomicU64::new(0));
    let running: Vec<_> = (0..clients)
        .map(|_| {
            let client = Client {
                store: Arc::clone(&store),
                clock: clock.clone(),
                numbers: Arc::clone(&numbers),
            };
            let over = Arc::clone(&over);
            tokio::spawn(async move {
                let mut took = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    client.issue().await;
                    took.push(started.elapsed());
                }
                took
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    over.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for client in running {
        took.extend(client.await.unwrap());
    }
    took.sort();
    let (elapsed, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let issued = f64::from(u32::try_from(took.len()).unwrap());
    println!(
        "{clients} clients: {:.0} issuances/s, {:.0} per core-second",
        issued / elapsed,
        issued / cpu
    );
    println!(
        "p50 {:?}, p99 {:?}, longest {:?}",
        took[took.len() / 2],
        took[took.len() * 99 / 100],
        took[took.len() - 1]
    );
    println!("{:?}", store.statistics());
    let log = std::fs::metadata(directory.path().join("portreeve.db-wal"))
        .unwrap()
        .len();
    println!("write-ahead log {} MiB", log >> 20);
    store.close().await;
}
