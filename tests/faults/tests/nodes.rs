//! Several nodes on one PostgreSQL database: turn by turn, at once, killed, and with the database away.

#![cfg(test)]

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use portreeve_faults::client::request_for;
use portreeve_faults::load::Load;
use portreeve_faults::nodes::Nodes;
use portreeve_faults::{journal, os};
use portreeve_harness::pace::{PATIENCE, within};
use portreeve_harness::process::Gateway;

const LIMIT: Duration = Duration::from_secs(180);

async fn assert_whole(nodes: &mut Nodes, certificates: usize) {
    let report = nodes.stop_and_check().await.unwrap();
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    assert_eq!(
        (report.issued, report.signed),
        (certificates, certificates),
        "{report:?}"
    );
}

/// Each request of a client goes to the other node than the one before: account, nonces, orders, proofs and
/// certificates are the same on both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_serve_one_client_turn_by_turn() {
    const ORDERS: usize = 8;
    let mut nodes = Nodes::start(2).await.unwrap();
    let client = nodes.client().await.unwrap();
    for number in 0..ORDERS {
        client
            .obtain(&format!("{number}.turns.localhost"), LIMIT)
            .await
            .unwrap();
    }
    let refused = nodes
        .wire
        .exchanges()
        .into_iter()
        .filter(|done| done.method == Method::POST && !done.status.is_success())
        .map(|done| (done.path.clone(), done.status, done.problem()))
        .collect::<Vec<_>>();
    assert_eq!(
        refused,
        [],
        "no request is refused for having come to another node"
    );
    for gateway in &nodes.gateways {
        let signed = journal::read_all(gateway.data_dir()).unwrap();
        assert!(!signed.is_empty(), "both have signed");
    }
    assert_whole(&mut nodes, ORDERS).await;
}

/// `PORTREEVE_RACE_ORDERS`, or 50.
fn race_orders() -> usize {
    let given = std::env::var("PORTREEVE_RACE_ORDERS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(50)
}

/// A nonce that one node has issued is good at the other, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nonce_of_one_node_is_good_once_at_any() {
    let mut nodes = Nodes::start(2).await.unwrap();
    nodes.only(Some(0));
    let client = nodes.client().await.unwrap();
    let directory = nodes.gateways[0].directory("default").unwrap();
    let new_nonce = directory.replace("/directory", "/new-nonce");
    let kept = nodes.wire.get(&new_nonce).await.unwrap().nonce.unwrap();

    let fresh = vec![(StatusCode::CREATED, String::new())];
    let replayed = vec![
        (StatusCode::BAD_REQUEST, "badNonce".to_owned()),
        (StatusCode::CREATED, String::new()),
    ];
    let rows = [
        ("used at the other", 1, &fresh),
        ("again there", 1, &replayed),
        ("again where it comes from", 0, &replayed),
    ];
    for (number, (name, node, expected)) in rows.into_iter().enumerate() {
        nodes.only(Some(node));
        nodes.wire.offer_nonce(kept.clone());
        let begun = nodes.wire.exchanges().len();
        client
            .order_once(&format!("{number}.nonce.localhost"))
            .await
            .unwrap();
        let exchanges = nodes.wire.exchanges();
        let posts = exchanges
            .iter()
            .skip(begun)
            .filter(|done| done.method == Method::POST);
        let posts: Vec<_> = posts.map(|done| (done.status, done.problem())).collect();
        assert_eq!(&posts, expected, "{name}");
    }
    assert_whole(&mut nodes, 0).await;
}

/// The same order is finalized through both nodes at the same moment: one certificate, and both clients get it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_finalized_on_two_nodes_at_once_has_one_certificate() {
    let orders = race_orders();
    let mut nodes = Nodes::start(2).await.unwrap();
    let client = Arc::new(nodes.client().await.unwrap());
    for number in 0..orders {
        let name = format!("{number}.race.localhost");
        let url = client.order(&name, LIMIT).await.unwrap();
        client.make_ready(&url, LIMIT).await.unwrap();
        let request = request_for(&name).unwrap();
        let given = client.race((&url, &request), LIMIT).await.unwrap();
        assert_eq!(given[0], given[1], "{name}");
    }
    assert_whole(&mut nodes, orders).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_starts_nodes_that_play_one_role_each() {
    let roles = [
        ("front", "edge"),
        ("back", "worker"),
        ("shelf", "status"),
        ("desk", "console"),
    ];
    let mut nodes = Nodes::start_roles(&roles).await.unwrap();
    for gateway in &nodes.gateways {
        let readiness = format!("{}/readyz", gateway.dev_text("/management").unwrap());
        assert_eq!(nodes.wire.get(&readiness).await.unwrap().status, StatusCode::OK);
    }
    let listens = |gateway: &Gateway| TcpStream::connect(("127.0.0.1", gateway.public_port())).is_ok();
    let listening: Vec<bool> = nodes.gateways.iter().map(listens).collect();
    assert_eq!(
        listening,
        [true, false, false, false],
        "only the edge listens where clients come"
    );
    let client = nodes.client().await.unwrap();
    client.obtain("apart.localhost", LIMIT).await.unwrap();
    assert_whole(&mut nodes, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_share_keys_and_cas() {
    let nodes = Nodes::start_at_once(3).await.unwrap();
    let read = |name: &str| -> Vec<String> {
        let paths = nodes.gateways.iter().map(|gateway| gateway.data_dir().join(name));
        paths.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    };
    for name in ["ca-chain.pem", "ca-root.pem", "tls-root.pem"] {
        let found = read(name);
        assert!(found.iter().all(|text| *text == found[0]), "{name}");
    }
    let ids = read("node");
    assert!(
        ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2],
        "each is a node of its own"
    );
    let client = nodes.client().await.unwrap();
    for number in 0..3 {
        client
            .obtain(&format!("{number}.start.localhost"), LIMIT)
            .await
            .unwrap();
    }
}

/// An edge has a database role that reads no CA key and appends no decision, and clients notice nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_behind_its_wall_serves_clients() {
    const ORDERS: usize = 3;
    let mut nodes = Nodes::start_walled().await.unwrap();
    let client = nodes.client().await.unwrap();
    for number in 0..ORDERS {
        client
            .obtain(&format!("{number}.wall.localhost"), LIMIT)
            .await
            .unwrap();
    }
    let denied = nodes.server.log().matches("permission denied").count();
    assert_eq!(
        denied,
        0,
        "nobody tried what the database denies: {}",
        nodes.server.log()
    );
    let signed = |node: usize| journal::read_all(nodes.gateways[node].data_dir()).unwrap().len();
    assert_eq!((signed(0), signed(1)), (0, ORDERS), "the edge signs nothing");
    assert_whole(&mut nodes, ORDERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_nodes_lose_nothing() {
    const KILLS: usize = 6;
    let mut nodes = Nodes::start(2).await.unwrap();
    let load = Load::start(4, LIMIT, async || nodes.client().await)
        .await
        .unwrap();
    for kill in 0..KILLS {
        let sent = nodes.wire.sent() + 10 + u64::from(os::chance(20));
        nodes.wire.reached(sent).await;
        let victim = kill % nodes.gateways.len();
        tokio::task::block_in_place(|| nodes.gateways[victim].restart()).unwrap();
    }
    load.end().await.unwrap();
    let given = nodes.ledger.certificates();
    assert!(given >= 4);
    assert_whole(&mut nodes, given).await;
}

/// The database is restarted under load: whoever asks meanwhile is told when to come back, and soon may.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_away_is_said_so_and_is_back_soon() {
    let mut nodes = Nodes::start(2).await.unwrap();
    let load = Load::start(4, LIMIT, async || nodes.client().await)
        .await
        .unwrap();
    let readiness = format!("{}/readyz", nodes.gateways[0].dev_text("/management").unwrap());
    for kill in [false, true] {
        nodes.wire.reached(nodes.wire.sent() + 40).await;
        tokio::task::block_in_place(|| {
            if kill {
                nodes.server.kill()
            } else {
                nodes.server.stop()
            }
        })
        .unwrap();
        let begun = nodes.wire.exchanges().len();
        nodes.wire.reached(nodes.wire.sent() + 20).await;
        // What was found in the second before still counts.
        let away = || async {
            let answer = nodes.wire.get(&readiness).await?;
            Ok((answer.status == StatusCode::SERVICE_UNAVAILABLE).then_some(()))
        };
        os::eventually("unreadiness", PATIENCE, away).await.unwrap();
        tokio::task::block_in_place(|| nodes.server.start_again()).unwrap();
        let ready = || async {
            let answer = nodes.wire.get(&readiness).await?;
            Ok((answer.status == StatusCode::OK).then_some(()))
        };
        os::eventually("readiness", within(Duration::from_secs(5)), ready)
            .await
            .unwrap();
        for done in nodes.wire.exchanges().iter().skip(begun) {
            let told = done.status != StatusCode::SERVICE_UNAVAILABLE
                || done.path == "/readyz"
                || done.retry_after.is_some();
            assert!(
                told && done.status != StatusCode::INTERNAL_SERVER_ERROR,
                "{done:?}"
            );
        }
    }
    load.end().await.unwrap();
    let given = nodes.ledger.certificates();
    assert!(given >= 4);
    assert_whole(&mut nodes, given).await;
}
