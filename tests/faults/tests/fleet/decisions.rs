//! What waits for people outlives the node it came to, and whatever Redis forgets.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use http::StatusCode;
use instant_acme::OrderStatus;
use portreeve_faults::client::{Client, request_for};
use portreeve_faults::console::Console;
use portreeve_faults::fleet::{Fleet, Plan};
use portreeve_faults::os;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{LIMIT, assert_whole, people};

const NODES: [&str; 2] = ["node1", "node2"];

const AWAITING: &str = "SELECT count(*) FROM request WHERE state = 'awaiting_approval'";

const DECISIONS: &str = "requests?state=awaiting_approval&limit=200";

/// Orders a name and asks for the certificate; people are asked then.
async fn ask(client: &Client, name: &str) -> (String, Vec<u8>) {
    let url = client.order(name, LIMIT).await.unwrap();
    client.make_ready(&url, LIMIT).await.unwrap();
    let request = request_for(name).unwrap();
    let status = client.finalize(&url, &request).await.unwrap();
    assert_eq!(status, OrderStatus::Processing, "{name}");
    (url, request)
}

/// The same about a name that the client has proven: the order is ready at once.
async fn ask_again(client: &Client, name: &str) -> (String, Vec<u8>) {
    let request = request_for(name).unwrap();
    let (url, status) = client.order_proven((name, &request), LIMIT).await.unwrap();
    assert_eq!(status, OrderStatus::Processing, "{name}");
    (url, request)
}

/// Approves all that waits, at one node, page after page, several people at once; how many these were.
async fn approve_all(fleet: &Fleet, name: &str) -> usize {
    const PEOPLE: usize = 4;
    let mut console = fleet.socket(name).await.unwrap();
    let (mut approved, mut path) = (0, DECISIONS.to_owned());
    loop {
        let (status, found) = console.get(&path).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{found}");
        let items = found["items"].as_array().unwrap();
        let mut deciding = JoinSet::new();
        for share in items.chunks(items.len().div_ceil(PEOPLE).max(1)) {
            let (console, share) = (fleet.socket(name).await.unwrap(), share.to_vec());
            deciding.spawn(approve(console, share));
        }
        deciding.join_all().await;
        approved += items.len();
        match &found["next_cursor"] {
            Value::String(cursor) => path = format!("{DECISIONS}&cursor={cursor}"),
            _ => return approved,
        }
    }
}

async fn approve(mut console: Console, items: Vec<Value>) {
    for item in items {
        let path = format!("requests/{}/approve", item["id"].as_str().unwrap());
        let (status, answer) = console.post(&path, &json!({"comment": "known"})).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
}

/// The node that a client asked is killed while people are asked. They decide at the other one, and the client goes there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_waits_outlives_the_node_it_came_to() {
    let mut fleet = Fleet::of(&Plan::PAIR).await.unwrap();
    tokio::task::block_in_place(|| people::confirm(&fleet));
    let client = fleet.client("approval").await.unwrap();
    for (dies, stays) in [(0, 1), (1, 0)] {
        fleet.only_edge(Some(dies));
        let (url, request) = ask(&client, &format!("{dies}.outlives.localhost")).await;
        fleet.node_mut(NODES[dies]).unwrap().process.kill();
        fleet.only_edge(Some(stays));
        assert_eq!(client.status(&url).await.unwrap(), OrderStatus::Processing);
        assert_eq!(approve_all(&fleet, NODES[stays]).await, 1);
        let certificate = client.complete(&url, &request, LIMIT).await.unwrap();
        tokio::task::block_in_place(|| fleet.node_mut(NODES[dies]).unwrap().process.restart()).unwrap();
        fleet.only_edge(Some(dies));
        let again = client.complete(&url, &request, LIMIT).await.unwrap();
        assert_eq!(again, certificate, "the node that was away gives the same");
    }

    // Whoever heard the decision dies as well, as soon as it has said so.
    let (url, request) = ask(&client, "both.outlives.localhost").await;
    assert_eq!(approve_all(&fleet, NODES[0]).await, 1);
    for name in NODES {
        fleet.node_mut(name).unwrap().process.kill();
    }
    for name in NODES {
        tokio::task::block_in_place(|| fleet.node_mut(name).unwrap().process.restart()).unwrap();
    }
    fleet.only_edge(None);
    client.complete(&url, &request, LIMIT).await.unwrap();
    assert_eq!(assert_whole(&mut fleet).await, 3);
}

/// `PORTREEVE_WAITING`, or 500.
fn waiting() -> usize {
    let given = std::env::var("PORTREEVE_WAITING").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(500)
}

/// Redis carries hints only. It is flushed while all of them wait and again while people decide; one node is asked by the
/// clients and the other by people.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_waits_while_redis_forgets_is_approved_and_issued_once() {
    const CLIENTS: usize = 4;
    let mut fleet = Fleet::of(&Plan::PAIR).await.unwrap();
    tokio::task::block_in_place(|| people::confirm(&fleet));
    let share = waiting() / CLIENTS;
    let mut asking = JoinSet::new();
    for number in 0..CLIENTS {
        let client = fleet.client("approval").await.unwrap();
        asking.spawn(async move {
            let name = format!("{number}.forgets.localhost");
            let mut asked = vec![ask(&client, &name).await];
            while asked.len() < share {
                asked.push(ask_again(&client, &name).await);
            }
            (client, asked)
        });
    }
    let asked = asking.join_all().await;
    let expected = CLIENTS * share;
    assert_eq!(
        fleet.count(AWAITING).await.unwrap(),
        i64::try_from(expected).unwrap()
    );

    tokio::task::block_in_place(|| fleet.redis.flush()).unwrap();
    fleet.only_edge(Some(0));
    let flushing = {
        let redis = Arc::clone(&fleet.redis);
        tokio::task::spawn_blocking(move || redis.flush())
    };
    assert_eq!(approve_all(&fleet, NODES[1]).await, expected);
    flushing.await.unwrap().unwrap();
    os::eventually("the end of the waiting", LIMIT, || async {
        Ok((fleet.count(AWAITING).await? == 0).then_some(()))
    })
    .await
    .unwrap();
    let mut fetching = JoinSet::new();
    for (client, asked) in asked {
        fetching.spawn(async move {
            let mut given = Vec::new();
            for (url, request) in asked {
                given.push(client.complete(&url, &request, LIMIT).await.unwrap());
            }
            given
        });
    }
    let given: BTreeSet<_> = fetching.join_all().await.into_iter().flatten().collect();
    assert_eq!(given.len(), expected, "one certificate for each");
    assert_eq!(assert_whole(&mut fleet).await, expected);
    let _ = writeln!(std::io::stderr(), "{expected} requests waited while Redis forgot");
}
