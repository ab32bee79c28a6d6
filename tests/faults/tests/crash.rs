//! `kill -9` of the real gateway, at random under load and at named points. After it is back, the clients get their
//! certificates on the orders they had, and store, journal and ledger agree. `PORTREEVE_CRASH_REPEAT` says how often each.

#![cfg(test)]

use std::time::Duration;

use portreeve_faults::checker::check;
use portreeve_faults::load::Load;
use portreeve_faults::os::chance;
use portreeve_faults::site::{FileLimit, Site};

const CLIENTS: usize = 4;
const LIMIT: Duration = Duration::from_secs(180);

fn repetitions() -> u32 {
    std::env::var("PORTREEVE_CRASH_REPEAT")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(3)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_random_under_load() {
    let mut site = Site::start(&[], FileLimit::Ends).await.unwrap();
    let load = Load::start(CLIENTS, LIMIT, async || site.client("default").await)
        .await
        .unwrap();
    for _ in 0..repetitions() {
        site.wire
            .reached(site.wire.sent() + 10 + u64::from(chance(40)))
            .await;
        tokio::time::sleep(Duration::from_micros(u64::from(chance(4_000)))).await;
        if chance(3) == 0 {
            // And again while it finds out what happened.
            site.restart_for(Duration::from_millis(u64::from(chance(400))))
                .await
                .unwrap();
        }
        site.restart().unwrap();
    }
    load.end().await.unwrap();
    site.stop().unwrap();

    let report = check(&site).await.unwrap();
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    assert!(report.finalized >= CLIENTS, "{report:?}");
    assert_eq!(
        (report.issued, report.signed),
        (report.finalized, report.finalized),
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_sets_itself_up() {
    for _ in 0..repetitions() {
        let times: Vec<Duration> = (0..2)
            .map(|_| Duration::from_millis(u64::from(chance(500))))
            .collect();
        let site = Site::start_after_kills(&times).await.unwrap();
        let client = site.client("default").await.unwrap();
        client.obtain("first.localhost", LIMIT).await.unwrap();
    }
}

#[cfg(feature = "failpoints")]
mod points {
    use std::sync::Arc;

    use super::*;
    use portreeve_faults::client::{Client, request_for};
    use portreeve_faults::os::eventually;
    use tokio::task::JoinSet;

    const ISSUANCES: u32 = 3;

    /// One issuance by each client; the gateway dies at the point during one of them, and is started again.
    async fn round(site: &mut Site, clients: &[Arc<Client>], (point, turn): (&str, u32)) {
        let which = 1 + chance(ISSUANCES);
        site.stop().unwrap();
        site.gateway.set_environment(vec![(
            "PORTREEVE_FAILPOINT".to_owned(),
            format!("{point}:{which}"),
        )]);
        site.restart().unwrap();

        let mut running = JoinSet::new();
        for (number, client) in clients.iter().cloned().enumerate() {
            let name = format!("{turn}.client{number}.localhost");
            running.spawn(async move {
                let url = client.order(&name, LIMIT).await.unwrap();
                client
                    .complete(&url, &request_for(&name).unwrap(), LIMIT)
                    .await
                    .unwrap();
            });
        }
        let gateway = &mut site.gateway;
        eventually(&format!("the end at {point}:{which}"), LIMIT, || {
            let ended = !gateway.is_running();
            async move { Ok(ended.then_some(())) }
        })
        .await
        .unwrap();
        site.gateway.set_environment(Vec::new());
        site.restart().unwrap();
        running.join_all().await;
    }

    async fn rounds(point: &str) {
        let mut site = Site::start(&[], FileLimit::Ends).await.unwrap();
        let mut clients = Vec::new();
        for _ in 0..ISSUANCES {
            clients.push(Arc::new(site.client("default").await.unwrap()));
        }
        for turn in 0..repetitions() {
            round(&mut site, &clients, (point, turn)).await;
        }
        site.stop().unwrap();

        let report = check(&site).await.unwrap();
        let expected = usize::try_from(repetitions() * ISSUANCES).unwrap();
        assert!(report.violations.is_empty(), "{point}: {:#?}", report.violations);
        assert_eq!(
            (report.finalized, report.issued, report.signed),
            (expected, expected, expected),
            "{point}"
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn before_the_intent() {
        rounds("intent-before").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn after_the_intent() {
        rounds("intent-after").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn before_the_signature() {
        rounds("signature-before").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn after_the_signature() {
        rounds("signature-after").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn before_the_response() {
        rounds("response-before").await;
    }
}
