//! Edits that are to make an identifier count as proven.

use instant_acme::OrderStatus;
use portreeve_faults::client::{Client, request_for};
use portreeve_faults::database::now_millis;
use portreeve_faults::forge;
use portreeve_pkix::{DnsName, Identifier, Timestamp};
use portreeve_ra::{AccountId, Event, ProofEvent, Purpose, Requester, StreamId, StreamKind, proof_stream};
use uuid::Uuid;

use super::{LIMIT, SIGNATURES, assert_not_valid, incidents, incidents_shown, signed, start};

fn requester(client: &Client) -> Requester {
    let id = Uuid::try_parse(client.account().id().rsplit('/').next().unwrap()).unwrap();
    Requester::Account(AccountId::from_bytes(id.into_bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inserted_proof_proves_nothing() {
    let mut site = start().await;
    let client = site.client("default").await.unwrap();
    client.obtain("own.localhost", LIMIT).await.unwrap();
    let before = signed(&site).await;
    let requester = requester(&client);
    let own = proof_stream(
        &requester,
        &Identifier::Dns(DnsName::parse("own.localhost").unwrap()),
    );
    let mut expected = Vec::new();
    for (number, (name, signature)) in SIGNATURES.into_iter().enumerate() {
        let host = format!("other{number}.localhost");
        let earlier = client.order(&host, LIMIT).await.unwrap();
        let identifier = Identifier::Dns(DnsName::parse(&host).unwrap());
        let stream = proof_stream(&requester, &identifier);
        let mut database = site.database().await.unwrap();
        let genuine = database.stream(own).await.unwrap();
        let proven = [Event::Proof(ProofEvent::Proven {
            requester: requester.clone(),
            identifier,
            method: "http-01".to_owned(),
            evidence: "127.0.0.1".to_owned(),
            until: Timestamp::from_unix_millis(now_millis() + 86_400_000),
        })];
        let forged = forge::record((stream, &[]), (Purpose::Edge, &proven), signature(&genuine[0])).unwrap();
        database.insert(&forged).await.unwrap();
        expected.push(("tampered", stream));

        for restart in [false, true] {
            if restart {
                site.restart().unwrap();
            }
            client.order_once(&host).await.unwrap_err();
            client
                .finalize(&earlier, &request_for(&host).unwrap())
                .await
                .unwrap_err();
            assert_eq!(client.status(&earlier).await.unwrap(), OrderStatus::Pending);
        }
        assert_eq!(incidents(&site).await, expected, "{name}");
    }
    assert_eq!(incidents_shown(&site), expected.len());
    assert_eq!(signed(&site).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_authorization_proves_nothing() {
    let mut site = start().await;
    let client = site.client("default").await.unwrap();
    let own = client.order("own.localhost", LIMIT).await.unwrap();
    client.make_ready(&own, LIMIT).await.unwrap();
    let other = client.order("other.localhost", LIMIT).await.unwrap();
    let before = signed(&site).await;
    let (valid, pending) = (
        authorization(&client, &own).await,
        authorization(&client, &other).await,
    );
    let mut database = site.database().await.unwrap();
    let edited = database
        .copy_document("acme.authz", valid.as_bytes(), pending.as_bytes())
        .await
        .unwrap();
    assert_eq!(edited, 1);

    for restart in [false, false, true] {
        if restart {
            site.restart().unwrap();
        }
        client
            .finalize(&other, &request_for("other.localhost").unwrap())
            .await
            .unwrap_err();
        assert_not_valid(&client, &other).await;
    }
    assert_eq!(signed(&site).await, before);
    let document = StreamId {
        kind: StreamKind::Document,
        id: pending.into_bytes(),
    };
    assert_eq!(incidents(&site).await, [("tampered", document)]);
    assert_eq!(incidents_shown(&site), 1);
}

/// The id of the only authorization of an order.
async fn authorization(client: &Client, order: &str) -> Uuid {
    let mut order = client.account().order(order.to_owned()).await.unwrap();
    let mut authorizations = order.authorizations();
    let authorization = authorizations.next().await.unwrap().unwrap();
    Uuid::try_parse(authorization.url().rsplit('/').next().unwrap()).unwrap()
}
