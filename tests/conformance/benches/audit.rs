//! How fast the audit log is sealed and verified, and what sealing costs those who commit.
//! `cargo bench -p portreeve-conformance --bench audit [-- RECORDS [postgres]]`

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portreeve_audit::{Auditor, SealConfig, SealWatch, Sealer, SealerParts, verify_log};
use portreeve_conformance::audit::{Alarms, ORIGIN, PurposeKeys, Writer, scope};
use portreeve_conformance::fakes::{FreshRandom, OneKeySealer};
use portreeve_conformance::store::fixtures::{node, octets, records};
use portreeve_harness::postgres::PostgresServer;
use portreeve_queue::SystemClock;
use portreeve_ra::ports::{AuditLog, Clock, RecordPlace, SealedRecord};
use portreeve_ra::{StreamId, StreamKind};
use portreeve_store::{MadeBy, OpenStore, Options, PendingMigrations, StoreUrl};

/// Octets of what one record says: about what the records of an issuance have on average.
const WORDS: usize = 900;

/// Records of one stream, about what an enrollment has.
const POSITIONS: u64 = 4;

fn stream(number: u64) -> StreamId {
    StreamId {
        kind: StreamKind::Incident,
        id: octets(number),
    }
}

async fn open(url: &StoreUrl) -> OpenStore {
    let options = Options {
        made_by: MadeBy::Dev,
        pending: PendingMigrations::Apply,
        clock: Arc::new(SystemClock),
        random: Arc::new(FreshRandom),
    };
    let database = url.open(options, 20).await.unwrap();
    database
        .into_store(Arc::new(OneKeySealer::default()))
        .await
        .unwrap()
}

fn sealer(store: &OpenStore) -> Sealer {
    let keys = PurposeKeys::default();
    Sealer::new(SealerParts {
        log: Arc::clone(&store.audit),
        sealing: Arc::clone(&store.sealing),
        leases: Arc::clone(&store.leases),
        keys: keys.of_log(),
        signer: Arc::new(keys),
        outside: Vec::new(),
        alarm: Arc::new(Alarms::default()),
        watch: Arc::new(SealWatch::default()),
        clock: Arc::new(SystemClock),
        node: node(1),
        origin: ORIGIN.to_owned(),
        config: SealConfig::default(),
    })
}

/// Commits so many records, some hundred at a time.
async fn fill(store: &OpenStore, count: u64) {
    let (mut writer, words) = (Writer::default(), "w".repeat(WORDS));
    let mut made = 0;
    while made < count {
        let part =
            (made..(made + 400).min(count)).map(|number| writer.says(stream(number / POSITIONS), &words));
        let batch = records(part.collect::<Vec<_>>());
        made += batch.records.len() as u64;
        store.store.commit(batch).await.unwrap();
    }
}

/// Commits by 16 clients, each waiting for its own, a second.
async fn commits(store: &OpenStore, (from, time): (u64, Duration)) -> f64 {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..16)
        .map(|client| {
            let (store, stop, count) = (store.clone(), Arc::clone(&stop), Arc::clone(&count));
            tokio::spawn(async move {
                let (mut writer, words) = (Writer::default(), "w".repeat(WORDS));
                let mut number = from + client * 10_000_000;
                while !stop.load(Ordering::Relaxed) {
                    let record = writer.says(stream(number), &words);
                    store.store.commit(records([record])).await.unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                    number += 1;
                }
            })
        })
        .collect();
    let begun = Instant::now();
    SystemClock.sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// When something began, by the wall and by the processor.
struct Begun(Instant, f64);

impl Begun {
    fn now() -> Self {
        Self(Instant::now(), cpu_seconds())
    }

    /// Prints how many of them were done in a second, and in a second of one core.
    fn rate(&self, name: &str, count: u64) {
        let (wall, cpu) = (self.0.elapsed().as_secs_f64(), cpu_seconds() - self.1);
        let count = count as f64;
        println!(
            "{name:<44} {:>10.0} /s {:>10.0} /s of one core",
            count / wall,
            count / cpu.max(0.001)
        );
    }
}

/// What this process has used, in user and system mode; 100 ticks are a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = [11, 12]
        .iter()
        .map(|at| fields[*at].parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

/// The tree and the chains alone, from memory, on one core.
async fn tree_alone(log: &dyn AuditLog, size: u64) {
    let mut all: Vec<SealedRecord> = Vec::new();
    while (all.len() as u64) < size.min(50_000) {
        let found = log.leaves(all.len() as u64, 1_000).await.unwrap();
        all.extend(found);
    }
    let begun = Begun::now();
    let mut auditor = Auditor::new(ORIGIN, None);
    all.iter().for_each(|leaf| auditor.leaf(leaf));
    let report = auditor.finish(all.len() as u64);
    assert!(report.is_good());
    begun.rate("verify, from memory, without signatures", all.len() as u64);
}

async fn measure(url: &StoreUrl, count: u64) {
    let store = open(url).await;
    let begun = Begun::now();
    fill(&store, count).await;
    begun.rate("(committing, 400 at a time)", count);
    let sealer = Arc::new(sealer(&store));
    let begun = Begun::now();
    sealer.once().await.unwrap();
    begun.rate("seal", count);
    let log = Arc::clone(&store.audit);
    assert_eq!(log.progress().await.unwrap().size, count);
    for (name, signer) in [
        ("verify, without signatures", false),
        ("verify, with signatures", true),
    ] {
        let mut scope = scope();
        if !signer {
            scope.signer = None;
        }
        let begun = Begun::now();
        let report = verify_log(log.as_ref(), &scope, |_, _| ()).await.unwrap();
        assert!(report.is_good(), "{:?}", report.faults);
        begun.rate(name, count);
    }
    tree_alone(log.as_ref(), count).await;
    let begun = Begun::now();
    for turn in 0..200 {
        let index = turn * count / 200;
        portreeve_audit::StoredTree::new(log.as_ref())
            .inclusion(index, count)
            .await
            .unwrap();
        let place = RecordPlace::of(stream(index / POSITIONS), index % POSITIONS + 1);
        assert_eq!(log.index_of(place).await.unwrap(), Some(index));
    }
    begun.rate("inclusion proofs", 200);
    let mut rates: BTreeMap<bool, f64> = BTreeMap::new();
    for (turn, sealing) in [(1, false), (2, true), (3, false), (4, true)] {
        let sealer = Arc::clone(&sealer);
        let running = sealing.then(|| tokio::spawn(async move { sealer.run().await }));
        let found = commits(&store, (turn * 1_000_000_000, Duration::from_secs(4))).await;
        running.inspect(|task| task.abort());
        rates
            .entry(sealing)
            .and_modify(|rate| *rate = rate.max(found))
            .or_insert(found);
    }
    println!(
        "{:<44} {:>12.0} commits/s",
        "commits of one record, 16 clients", rates[&false]
    );
    println!(
        "{:<44} {:>12.0} commits/s",
        "the same while sealing", rates[&true]
    );
    store.close().await;
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let count = arguments
        .first()
        .and_then(|count| count.parse().ok())
        .unwrap_or(100_000);
    let directory = tempfile::tempdir().unwrap();
    let text = match arguments.get(1).map(String::as_str) {
        Some("postgres") => {
            tokio::task::block_in_place(|| PostgresServer::shared().unwrap().database().unwrap())
        }
        _ => format!("sqlite:{}", directory.path().display()),
    };
    let url = StoreUrl::parse(&text, directory.path()).unwrap();
    measure(&url, count).await;
}
