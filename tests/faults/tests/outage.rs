//! What the gateway needs goes away for a while: room on the disk, the signer, the gateway itself.

#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use instant_acme::OrderStatus;
use portreeve_faults::checker::check;
use portreeve_faults::client::{Client, request_for};
use portreeve_faults::load::Load;
use portreeve_faults::os;
use portreeve_faults::site::{FileLimit, Site};
use portreeve_faults::wire::Exchange;

const LIMIT: Duration = Duration::from_secs(60);

/// The last POST to a path that ends so.
fn last_post(site: &Site, path: &str) -> Exchange {
    let exchanges = site.wire.exchanges();
    exchanges
        .into_iter()
        .rfind(|done| done.method == Method::POST && done.path.ends_with(path))
        .unwrap()
}

fn assert_unavailable(exchange: &Exchange) {
    assert_eq!(exchange.status, StatusCode::SERVICE_UNAVAILABLE, "{exchange:?}");
    let seconds: u64 = exchange
        .retry_after
        .as_ref()
        .expect("Retry-After")
        .parse()
        .expect("seconds");
    assert!((1..=60).contains(&seconds), "{exchange:?}");
}

async fn plain_status(site: &Site, url: &str) -> StatusCode {
    site.wire.get(url).await.unwrap().status
}

async fn ready(client: &Client, name: &str) -> String {
    let url = client.order(name, LIMIT).await.unwrap();
    client.make_ready(&url, LIMIT).await.unwrap();
    url
}

async fn assert_whole(site: &mut Site, certificates: usize) {
    site.stop().unwrap();
    let report = check(site).await.unwrap();
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    assert_eq!(
        (report.issued, report.signed),
        (certificates, certificates),
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_issuance_before_the_signature_and_nothing_else() {
    let mut site = Site::start(&[], FileLimit::Fails).await.unwrap();
    let client = site.client("default").await.unwrap();
    let url = ready(&client, "full.localhost").await;
    let request = request_for("full.localhost").unwrap();
    let before = site.journals().unwrap();

    os::fill_disk(site.gateway.pid()).unwrap();
    client.finalize(&url, &request).await.unwrap_err();
    assert_unavailable(&last_post(&site, "/finalize"));
    client.order_once("more.localhost").await.unwrap_err();
    assert_unavailable(&last_post(&site, "/new-order"));
    assert_eq!(site.journals().unwrap(), before, "nothing is signed");
    assert_eq!(
        client.status(&url).await.unwrap(),
        OrderStatus::Ready,
        "what is there can be read"
    );
    let management = site.gateway.dev_text("/management").unwrap().to_owned();
    let readiness = format!("{management}/readyz");
    assert_eq!(
        plain_status(&site, &readiness).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        plain_status(&site, &format!("{management}/livez")).await,
        StatusCode::OK
    );
    let crl = site.gateway.dev_text("/ca/crl").unwrap();
    assert_eq!(plain_status(&site, crl).await, StatusCode::OK);
    assert!(site.gateway.is_running());

    os::free_disk(site.gateway.pid()).unwrap();
    let ready_again =
        || async { Ok((plain_status(&site, &readiness).await == StatusCode::OK).then_some(())) };
    os::eventually("readiness", LIMIT, ready_again).await.unwrap();
    client.complete(&url, &request, LIMIT).await.unwrap();
    assert_whole(&mut site, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signer_that_cannot_write_its_journal_signs_nothing_and_is_replaced() {
    let mut site = Site::start(&[], FileLimit::Fails).await.unwrap();
    let client = site.client("default").await.unwrap();
    let url = ready(&client, "journal.localhost").await;

    let limited = os::children(site.gateway.pid()).unwrap();
    assert!(!limited.is_empty());
    for signer in &limited {
        os::fill_disk(*signer).unwrap();
    }
    client
        .complete(&url, &request_for("journal.localhost").unwrap(), LIMIT)
        .await
        .unwrap();
    let now = os::children(site.gateway.pid()).unwrap();
    assert!(
        !now.is_empty() && now.iter().any(|signer| !limited.contains(signer)),
        "the limited one could not sign"
    );
    assert_whole(&mut site, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_signer_is_replaced_and_nothing_is_lost() {
    const KILLS: u32 = 5;
    let mut site = Site::start(&[], FileLimit::Ends).await.unwrap();
    let gateway = site.gateway.pid();
    let load = Load::start(4, LIMIT, async || site.client("default").await)
        .await
        .unwrap();
    for _ in 0..KILLS {
        site.wire
            .reached(site.wire.sent() + 10 + u64::from(os::chance(20)))
            .await;
        let signers = os::eventually("a signer", LIMIT, || async {
            let signers = os::children(gateway)?;
            Ok((!signers.is_empty()).then_some(signers))
        });
        for signer in signers.await.unwrap() {
            os::kill(signer).unwrap();
        }
    }
    load.end().await.unwrap();
    assert!(site.gateway.is_running() && site.gateway.pid() == gateway);
    let given = site.ledger.certificates();
    assert!(given >= 4);
    assert_whole(&mut site, given).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_answered_before_the_end() {
    let mut site = Site::start(
        &[
            "acme.challenge_wait=\"20s\"",
            "server.limits.drain_timeout=\"5m\"",
        ],
        FileLimit::Ends,
    )
    .await
    .unwrap();
    let client = Arc::new(site.client("default").await.unwrap());
    let url = client.order("drained.localhost", LIMIT).await.unwrap();

    site.responder.hold();
    let proving = tokio::spawn({
        let (client, url) = (Arc::clone(&client), url.clone());
        async move { client.make_ready(&url, LIMIT).await }
    });
    site.responder.asked(1).await;
    os::terminate(site.gateway.pid()).unwrap();
    let directory = site.gateway.directory("default").unwrap();
    os::eventually("the end of listening", LIMIT, || async {
        Ok(site.wire.get(&directory).await.err().map(drop))
    })
    .await
    .unwrap();
    assert!(site.gateway.is_running(), "it waits for the request");
    site.responder.release();
    // Its next request finds nobody; this one had its answer.
    let _ = proving.await.unwrap();
    let challenge = last_post(&site, "/http-01");
    assert_eq!(challenge.status, StatusCode::OK);
    let status = serde_json::from_slice::<serde_json::Value>(&challenge.body).unwrap();
    assert_eq!(status.pointer("/status").unwrap(), "valid");
    site.stop().unwrap();

    site.restart().unwrap();
    let request = request_for("drained.localhost").unwrap();
    assert_eq!(client.status(&url).await.unwrap(), OrderStatus::Ready);
    client.complete(&url, &request, LIMIT).await.unwrap();
    assert_whole(&mut site, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonces_accounts_and_orders_survive_a_restart() {
    for kill in [true, false] {
        let mut site = Site::start(&[], FileLimit::Ends).await.unwrap();
        let client = site.client("default").await.unwrap();
        let url = ready(&client, "kept.localhost").await;
        let base = site.gateway.directory("default").unwrap();
        let new_nonce = base.replace("/directory", "/new-nonce");
        let kept = site.wire.get(&new_nonce).await.unwrap().nonce.unwrap();
        let spent = last_post(&site, "/new-order");

        if !kill {
            site.stop().unwrap();
        }
        site.restart().unwrap();
        site.wire.offer_nonce(kept.clone());
        let request = request_for("kept.localhost").unwrap();
        let answers = site.wire.exchanges().len();
        client.order_once("second.localhost").await.unwrap();
        let posts = posts_since(&site, answers);
        assert_eq!(
            posts,
            [(StatusCode::CREATED, String::new())],
            "a nonce from before is good, kill: {kill}"
        );

        // The same nonce again is not, also after another restart: it was spent with the order.
        site.restart().unwrap();
        site.wire.offer_nonce(kept);
        let answers = site.wire.exchanges().len();
        client.order_once("third.localhost").await.unwrap();
        let posts = posts_since(&site, answers);
        let again = [
            (StatusCode::BAD_REQUEST, "badNonce".to_owned()),
            (StatusCode::CREATED, String::new()),
        ];
        assert_eq!(posts, again, "kill: {kill}");

        assert!(spent.status.is_success());
        assert_eq!(client.status(&url).await.unwrap(), OrderStatus::Ready);
        client.complete(&url, &request, LIMIT).await.unwrap();
        assert_whole(&mut site, 1).await;
    }
}

/// Status and type of problem of every POST since then.
fn posts_since(site: &Site, answers: usize) -> Vec<(StatusCode, String)> {
    let exchanges = site.wire.exchanges();
    let posts = exchanges
        .iter()
        .skip(answers)
        .filter(|done| done.method == Method::POST);
    posts.map(|done| (done.status, done.problem())).collect()
}
