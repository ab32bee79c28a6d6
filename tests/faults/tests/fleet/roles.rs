//! What is handed from role to role.

use std::collections::BTreeSet;
use std::time::Duration;

use instant_acme::{OrderStatus, RevocationRequest};
use portreeve_faults::client::request_for;
use portreeve_faults::fleet::{Fleet, Plan};
use portreeve_faults::os;
use portreeve_pkix::Certificate;
use portreeve_ra::{Purpose, StreamKind};
use rustls::pki_types::CertificateDer;
use serde_json::Value;

use crate::{LIMIT, assert_whole, people};

/// How long what a worker or an operator did may take to be seen elsewhere.
const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_in_a_process_of_its_own_does_its_part() {
    let mut fleet = Fleet::start().await.unwrap();
    let client = fleet.client("default").await.unwrap();
    // Each request goes to the other edge than the one before.
    for number in 0..4 {
        let name = format!("{number}.turns.localhost");
        client.obtain(&name, LIMIT).await.unwrap();
    }
    let certificate = client.obtain("revoked.localhost", LIMIT).await.unwrap();
    // A busy machine may ask a client to come back.
    let refused = |done: &portreeve_faults::wire::Exchange| {
        done.status.as_u16() >= 400 && (done.status != 503 || done.retry_after.is_none())
    };
    let refused: Vec<_> = fleet.wire.exchanges().into_iter().filter(refused).collect();
    assert!(refused.is_empty(), "{refused:?}");

    let serial = serial(&certificate);
    assert!(!is_listed(&fleet, &serial).await.unwrap());
    let revocation = RevocationRequest {
        certificate: &CertificateDer::from(certificate),
        reason: None,
    };
    client.account().revoke(&revocation).await.unwrap();
    os::eventually("the serial number in the list", SOON, || async {
        Ok(is_listed(&fleet, &serial).await?.then_some(()))
    })
    .await
    .unwrap();

    let waiting = fleet.client("two").await.unwrap();
    let url = waiting.order("decided.localhost", LIMIT).await.unwrap();
    waiting.make_ready(&url, LIMIT).await.unwrap();
    fleet.only_edge(Some(0));
    let request = request_for("decided.localhost").unwrap();
    let status = waiting.finalize(&url, &request).await.unwrap();
    assert_eq!(status, OrderStatus::Processing);
    let id = os::eventually("a request that waits", SOON, || async { awaiting(&fleet) })
        .await
        .unwrap();
    fleet.only_edge(Some(1));
    assert_eq!(waiting.status(&url).await.unwrap(), OrderStatus::Processing);
    tokio::task::block_in_place(|| people::decide(&fleet, &id));
    waiting.complete(&url, &request, SOON).await.unwrap();
    fleet.only_edge(None);

    assert_eq!(
        speakers(&fleet, Purpose::Edge).await,
        2,
        "both edges have received"
    );
    assert_eq!(
        speakers(&fleet, Purpose::Worker).await,
        2,
        "both workers have judged"
    );
    for (name, has_signer) in [
        ("edge1", false),
        ("edge2", false),
        ("worker1", true),
        ("worker2", true),
        ("status1", true),
        ("console1", false),
    ] {
        let children = os::children(fleet.node(name).unwrap().process.pid()).unwrap();
        assert_eq!(!children.is_empty(), has_signer, "{name}: a signer");
    }
    assert_eq!(assert_whole(&mut fleet).await, 6);
}

/// From how many nodes there are records about enrollments that this role has signed.
async fn speakers(fleet: &Fleet, purpose: Purpose) -> usize {
    let records = fleet.records().await.unwrap();
    let headers = records.iter().map(portreeve_ra::Record::header);
    let of_role =
        headers.filter(|header| header.purpose == purpose && header.stream.kind == StreamKind::Enrollment);
    let nodes: BTreeSet<_> = of_role.map(|header| header.origin.node).collect();
    nodes.len()
}

/// The id of the request that waits for people, if there is one.
fn awaiting(fleet: &Fleet) -> Result<Option<String>, portreeve_faults::FaultError> {
    let list = [
        "request",
        "list",
        "--state",
        "awaiting_approval",
        "--output",
        "json",
    ];
    let listed = tokio::task::block_in_place(|| fleet.console()?.control(&list).map_err(Into::into));
    let listed: Result<_, portreeve_faults::FaultError> = listed;
    let found: Value = serde_json::from_str(&listed?.success()?.stdout).unwrap();
    let id = found.pointer("/items/0/id").and_then(Value::as_str);
    Ok(id.map(str::to_owned))
}

fn serial(certificate: &[u8]) -> Vec<u8> {
    let certificate = Certificate::from_der(certificate).unwrap();
    let octets = certificate.serial().as_bytes();
    [&[2, u8::try_from(octets.len()).unwrap()], octets].concat()
}

/// Whether the list of the node that publishes it holds an INTEGER with these octets.
async fn is_listed(fleet: &Fleet, serial: &[u8]) -> Result<bool, portreeve_faults::FaultError> {
    let list = fleet.wire.get(&fleet.crl()).await?;
    assert!(list.status.is_success(), "{list:?}");
    Ok(list.body.windows(serial.len()).any(|octets| octets == serial))
}

/// The system shares connections among nodes that listen on the same address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edges_share_one_address() {
    let plan = Plan {
        one_address: true,
        ..Plan::SMALL
    };
    let mut fleet = Fleet::of(&plan).await.unwrap();
    let client = fleet.client("default").await.unwrap();
    // Which edge takes a connection is for the kernel: now and then several in a row go to the same.
    let mut orders = 0;
    while orders < 6 || (orders < 60 && speakers(&fleet, Purpose::Edge).await < 2) {
        orders += 1;
        let name = format!("{orders}.shared.localhost");
        client.obtain(&name, LIMIT).await.unwrap();
    }
    assert_eq!(
        speakers(&fleet, Purpose::Edge).await,
        2,
        "each has taken some connections"
    );
    assert_eq!(assert_whole(&mut fleet).await, orders);
}
