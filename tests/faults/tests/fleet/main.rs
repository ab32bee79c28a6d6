//! Nodes that each play some roles, with the database roles and the keys of these alone, on PostgreSQL and Redis.
//! `PORTREEVE_FLEET_KILLS` says how often one of them is killed under load, 3 times if it is not set.

#![cfg(test)]

mod decisions;
mod doctor;
mod lease;
mod load;
mod partition;
mod people;
mod refusals;
mod roles;
mod rollback;
mod sealing;
mod walls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portreeve_faults::fleet::Fleet;
use portreeve_faults::wire::Exchange;
use tokio::task::JoinSet;

const LIMIT: Duration = Duration::from_secs(180);

/// Clients that order one name after the other until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Load {
    async fn start(fleet: &Fleet, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = JoinSet::new();
        for number in 0..clients {
            let (client, stop) = (fleet.client("default").await.unwrap(), Arc::clone(&stop));
            running.spawn(async move {
                let mut turn = 0;
                while !stop.load(Ordering::Relaxed) {
                    turn += 1;
                    let name = format!("{turn}.client{number}.localhost");
                    client.obtain(&name, LIMIT).await.unwrap();
                }
            });
        }
        Self {
            stop,
            clients: running,
        }
    }

    /// Ends it; every order that was begun has its certificate then.
    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.join_all().await;
    }
}

/// Waits until clients were given this many more certificates.
async fn more_certificates(fleet: &Fleet, count: usize) {
    let wanted = fleet.ledger.certificates() + count;
    portreeve_faults::os::eventually("more certificates", LIMIT, || async {
        Ok((fleet.ledger.certificates() >= wanted).then_some(()))
    })
    .await
    .unwrap();
}

/// Everybody who was told to come back was told when, and nobody saw another failure.
fn assert_only_unavailable(exchanges: &[Exchange]) {
    for done in exchanges {
        let fine = match done.status.as_u16() {
            503 => done.path == "/readyz" || done.retry_after.is_some(),
            // A nonce that was sent and spent before the connection broke.
            400 => done.problem() == "badNonce",
            // What the first try has done, whose answer did not arrive.
            403 => done.problem() == "orderNotReady",
            status => status < 400,
        };
        assert!(fine, "{done:?}");
    }
}

/// Nothing is lost, doubled or left over; how many certificates there are.
async fn assert_whole(fleet: &mut Fleet) -> usize {
    let report = fleet.stop_and_check().await.unwrap();
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    assert_eq!(report.issued, fleet.ledger.certificates(), "{report:?}");
    report.issued
}
