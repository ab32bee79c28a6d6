//! Edits of enrollments: an approval nobody gave, and one that was used already.

use instant_acme::OrderStatus;
use portreeve_faults::client::{Client, request_for};
use portreeve_faults::forge;
use portreeve_faults::ledger::order_id;
use portreeve_faults::os::eventually;
use portreeve_faults::site::Site;
use portreeve_ra::{
    ClaimHandle, ClaimKey, EndpointName, EnrollmentEvent, Event, Operation, Purpose, StreamId, StreamKind,
};

use super::{LIMIT, SIGNATURES, assert_not_valid, incidents, incidents_shown, signed, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inserted_approval_issues_nothing() {
    let mut site = start().await;
    let client = site.client("approval").await.unwrap();
    let before = signed(&site).await;
    let mut expected = Vec::new();
    for (number, (name, signature)) in SIGNATURES.into_iter().enumerate() {
        let url = waiting(&client, &format!("forged{number}.localhost")).await;
        let stream = enrollment_of(&site, &url).await;
        let mut database = site.database().await.unwrap();
        let records = database.stream(stream).await.unwrap();
        let approved = [Event::Enrollment(EnrollmentEvent::Approved { proposal: None })];
        let genuine = signature(&records[0]);
        let forged = forge::record((stream, &records), (Purpose::Worker, &approved), genuine).unwrap();
        database.insert(&forged).await.unwrap();
        database.add_task(stream).await.unwrap();
        expected.push(("tampered", stream));

        let raised = || async { Ok((incidents(&site).await.len() == expected.len()).then_some(())) };
        eventually(&format!("an incident about a signature {name}"), LIMIT, raised)
            .await
            .unwrap();
        assert_not_valid(&client, &url).await;
        // Again: more work on it, and the same after a restart.
        database.add_task(stream).await.unwrap();
        assert_not_valid(&client, &url).await;
        site.restart().unwrap();
        assert_not_valid(&client, &url).await;
        assert_eq!(incidents(&site).await, expected, "{name}");
    }
    assert_eq!(incidents_shown(&site), expected.len());
    assert_eq!(signed(&site).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enrollment_cut_back_to_its_approval_is_not_issued_again() {
    let mut site = start().await;
    let client = site.client("approval").await.unwrap();
    let url = waiting(&client, "cut.localhost").await;
    approve_all(&site);
    client
        .complete(&url, &request_for("cut.localhost").unwrap(), LIMIT)
        .await
        .unwrap();
    let stream = enrollment_of(&site, &url).await;
    let (signatures, certificates) = signed(&site).await;

    // Twice while it runs, once while it does not.
    for running in [true, true, false] {
        if !running {
            site.stop().unwrap();
        }
        let mut database = site.database().await.unwrap();
        database.cut_after(stream, 1).await.unwrap();
        database.add_task(stream).await.unwrap();
        drop(database);
        if !running {
            site.restart().unwrap();
        }
        let ended =
            || async { Ok(matches!(client.status(&url).await, Ok(OrderStatus::Invalid)).then_some(())) };
        eventually("the end of the enrollment", LIMIT, ended)
            .await
            .unwrap();
        assert_eq!(
            incidents(&site).await,
            [("second_content", stream)],
            "running: {running}"
        );
    }
    assert_eq!(
        signed(&site).await,
        (signatures, certificates - 1),
        "the list lost the first; no other was signed"
    );
    assert_eq!(incidents_shown(&site), 1);
}

/// An order that waits for approval.
async fn waiting(client: &Client, name: &str) -> String {
    let url = client.order(name, LIMIT).await.unwrap();
    client.make_ready(&url, LIMIT).await.unwrap();
    let status = client.finalize(&url, &request_for(name).unwrap()).await.unwrap();
    assert_eq!(status, OrderStatus::Processing);
    url
}

/// The stream of the enrollment behind an order at the endpoint that asks people.
async fn enrollment_of(site: &Site, url: &str) -> StreamId {
    let endpoint = EndpointName::new("acme/approval").unwrap();
    let order = order_id(url).unwrap();
    let claim = ClaimKey::new(
        &endpoint,
        Operation::Enroll,
        &ClaimHandle(order.as_bytes().to_vec()),
    );
    let records = site.database().await.unwrap().records().await.unwrap();
    let received = |event| match event {
        Event::Enrollment(EnrollmentEvent::Received(application)) => application.claim == claim,
        _ => false,
    };
    let found = records.iter().find(|record| {
        record.header().stream.kind == StreamKind::Enrollment
            && record.events().unwrap().into_iter().any(received)
    });
    found.unwrap().header().stream
}

/// Approves whatever waits, as the operator of the host.
fn approve_all(site: &Site) {
    let list = site.gateway.control(&[
        "request",
        "list",
        "--state",
        "awaiting_approval",
        "--output",
        "json",
    ]);
    let list: serde_json::Value = serde_json::from_str(&list.unwrap().success().unwrap().stdout).unwrap();
    for item in list.pointer("/items").unwrap().as_array().unwrap() {
        let id = item.get("id").and_then(serde_json::Value::as_str).unwrap();
        site.gateway
            .control(&["request", "approve", id, "--yes"])
            .unwrap()
            .success()
            .unwrap();
    }
}
