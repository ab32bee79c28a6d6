//! Nodes that each play some roles, with the database roles and the keys of these alone, on PostgreSQL and Redis.
//! `PORTREEVE_FLEET_KILLS` says how often one of them is killed under load, 3 times if it is not set.

#![cfg(test)]

mod decisions;
mod doctor;
mod lease;
mod loaded;
mod partition;
mod people;
mod refusals;
mod roles;
mod rollback;
mod sealing;
mod walls;

use std::time::Duration;

use portreeve_faults::fleet::Fleet;
use portreeve_faults::load::Load;
use portreeve_faults::wire::Exchange;

const LIMIT: Duration = Duration::from_secs(180);

/// Clients that order one name after the other, at whichever edge has its turn.
async fn load(fleet: &Fleet, clients: usize) -> Load {
    let open = async || fleet.client("default").await;
    Load::start(clients, LIMIT, open).await.unwrap()
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
