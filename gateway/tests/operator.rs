//! What an operator does over the control socket with the real program, on a gateway whose CA cannot tell what it did.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod dev;
mod host;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dev::{home, options};
use host::Host;
use portreeve::{ClientError, ControlClient, Running, StartOptions, Substitutes, start};
use portreeve_harness::authority::{TestAccount, csr};
use portreeve_harness::pace::until;
use portreeve_pkix::{IssuerChain, Timestamp};
use portreeve_ra::ports::{
    CaBackend, CaError, CaHealth, Capabilities, IssueOutcome, ReconcileOutcome, RevocationPower, RevokeOrder,
    RevokeOutcome,
};
use portreeve_ra::steps::IssuanceOrder;
use portreeve_ra::{
    BackendName, CertificateContents, Disposition, EndpointName, EnrollmentId, Intent, IntentBody,
};
use serde_json::Value;

/// A CA that never answers an order, and does not know what became of it.
struct Silent(BackendName);

#[async_trait]
impl CaBackend for Silent {
    fn name(&self) -> &BackendName {
        &self.0
    }

    fn prepare(&self, _: &CertificateContents, id: EnrollmentId, now: Timestamp) -> Result<Intent, CaError> {
        Ok(Intent {
            backend: self.0.clone(),
            prepared_at: now,
            issuer: vec![0x30, 0],
            body: IntentBody::Upstream {
                request: vec![0x30, 0],
                key: id.as_bytes().to_vec(),
            },
        })
    }

    async fn issue(&self, _: &IssuanceOrder, _: Option<&[u8]>) -> Result<IssueOutcome, CaError> {
        Ok(IssueOutcome::Unknown)
    }

    async fn reconcile(&self, _: &Intent, _: Option<&[u8]>) -> Result<ReconcileOutcome, CaError> {
        Ok(ReconcileOutcome::CannotTell)
    }

    async fn revoke(&self, _: &RevokeOrder) -> Result<RevokeOutcome, CaError> {
        Ok(RevokeOutcome::Done)
    }

    fn chain(&self) -> Arc<IssuerChain> {
        Arc::default()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            revocation: RevocationPower::MustBeTold,
            defers: false,
            lifetime_max: None,
        }
    }

    async fn health(&self) -> CaHealth {
        CaHealth::Ready
    }
}

async fn gateway(data_dir: &Path) -> Running {
    let name = BackendName::new("issuing").unwrap();
    let silent: Arc<dyn CaBackend> = Arc::new(Silent(name.clone()));
    let substitutes = Substitutes {
        backends: [(name, silent)].into(),
        ..Substitutes::default()
    };
    let options = StartOptions {
        substitutes,
        ..options(data_dir, &[])
    };
    start(options).await.unwrap()
}

/// A request for a certificate, filed with the RA as an edge does.
async fn request(running: &Running) -> String {
    let (ra, name) = (running.ra(), "doubt.test");
    let endpoint = EndpointName::new("acme/default").unwrap();
    let account = TestAccount::open(ra, &endpoint, None).await;
    account.prove(ra, &[name]).await;
    let order = account.order(ra, &endpoint, ("order", csr(name)));
    match ra.enroll(order).await.unwrap() {
        Disposition::Pending { enrollment, .. } => enrollment.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Waits until a request is in this state.
async fn reach(host: &Host, id: &str, state: &str) {
    until(state, || async {
        let shown = host.json(&["request", "show", id]).await;
        (shown["state"] == state).then_some(())
    })
    .await;
}

/// Nothing that a person wrote is cut, and no list is another one than was asked for: by the program and by the API.
async fn what_would_be_cut_is_refused((host, socket): (&Host, &Path), request: &str, incident: &str) {
    let long = "ä".repeat(1_025);
    let rows: [&[&str]; 7] = [
        &["audit", "close", incident, "--comment", &long],
        &["request", "reject", request, "--comment", &long, "--yes"],
        &["request", "resolve", request, "--as", "retry", "--comment", &long],
        &["apply", "--from", "/nowhere", "--reason", &long],
        &["request", "list", "--limit", "0"],
        &["request", "list", "--limit", "201"],
        &["audit", "incidents", "--limit", "0"],
    ];
    for row in rows {
        let (code, said) = host.failure(row).await;
        let why = said.contains("1025 characters, and 1024 can be kept") || said.contains("1..=200");
        assert!(code == 2 && why, "{row:?}: {said}");
    }
    let client = ControlClient::new(socket);
    let malformed = |what: &str, outcome: Result<Value, ClientError>| match outcome {
        Err(ClientError::Problem(problem)) => {
            assert_eq!(
                (problem.status, problem.code.as_str()),
                (400, "malformed"),
                "{what}"
            );
            problem.detail
        }
        other => panic!("{what}: {other:?}"),
    };
    let comment = serde_json::json!({ "comment": long });
    let close = format!("/api/v1/incidents/{incident}/close");
    let said = malformed("close", client.post(&close, &comment).await);
    assert!(said.contains("1025 characters"), "{said}");
    let object = serde_json::json!({ "name": "acme/web", "body": "profiles = [\"dev\"]", "reason": long });
    let said = malformed("publish", client.post("/api/v1/endpoints", &object).await);
    assert!(said.contains("the reason has 1025 characters"), "{said}");
    for list in ["requests", "certificates", "incidents"] {
        let said = malformed(list, client.read(&format!("/api/v1/{list}?limit=0")).await);
        assert!(said.contains("limit is from 1 to 200"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_doubt_is_resolved_and_its_incident_closed() {
    let directory = home();
    let running = gateway(directory.path()).await;
    let host = Host::by("--socket", running.control_socket());
    let id = request(&running).await;
    reach(&host, &id, "in_doubt").await;

    let listed = host.json(&["request", "list", "--state", "in_doubt"]).await;
    assert_eq!(listed["items"][0]["id"], id, "{listed}");
    let (code, said) = host.failure(&["request", "list", "--state", "doubt"]).await;
    assert!(code == 1 && said.contains("in_doubt"), "{said}");

    let (code, said) = host.failure(&["request", "resolve", &id, "--as", "retry"]).await;
    assert!(code == 2 && said.contains("--comment"), "{said}");
    let empty = ["request", "resolve", &id, "--as", "retry", "--comment", " "];
    let (code, said) = host.failure(&empty).await;
    assert!(code == 1 && said.contains("malformed"), "{said}");
    let retry = [
        "request",
        "resolve",
        &id,
        "--as",
        "retry",
        "--comment",
        "it is back",
    ];
    let shown = host.json(&retry).await;
    assert!(
        ["issuing", "in_doubt"].contains(&shown["state"].as_str().unwrap()),
        "{shown}"
    );
    reach(&host, &id, "in_doubt").await;

    let give_up = [
        "request",
        "resolve",
        &id,
        "--as",
        "give-up",
        "--comment",
        "the CA has nothing",
    ];
    let shown = host.json(&give_up).await;
    assert_eq!(shown["state"], "failed", "{shown}");
    let (code, said) = host.failure(&give_up).await;
    assert!(code == 1 && said.contains("nothing_to_decide"), "{said}");

    let erase = ["audit", "erase", &id, "--comment", "asked for by the person"];
    let (code, said) = host.failure(&erase).await;
    assert!(code == 2 && said.contains("--yes"), "{said}");
    let erased = host.json(&[&erase[..], &["--yes"]].concat()).await;
    assert_eq!(erased["state"], "erased", "{erased}");
    assert!(erased["records"].as_u64() > Some(2), "{erased}");
    let shown = host.json(&["request", "show", &id]).await;
    assert_eq!(
        (&shown["state"], &shown["subject"]),
        (&"erased".into(), &"".into()),
        "{shown}"
    );
    let listed = host.json(&["request", "list", "--state", "erased"]).await;
    assert_eq!(listed["items"][0]["names"], "", "{listed}");

    let incidents = host.json(&["audit", "incidents"]).await;
    let [incident] = incidents["items"].as_array().unwrap().as_slice() else {
        panic!("{incidents}")
    };
    assert_eq!(
        (&incident["what"], &incident["closed_at"]),
        (&"in_doubt".into(), &Value::Null)
    );
    what_would_be_cut_is_refused(
        (&host, running.control_socket()),
        &id,
        incident["id"].as_str().unwrap(),
    )
    .await;
    let close = [
        "audit",
        "close",
        incident["id"].as_str().unwrap(),
        "--comment",
        "asked the CA",
    ];
    let closed = host.json(&close).await;
    assert!(closed["items"][0]["closed_at"].is_string(), "{closed}");
    let (code, said) = host.failure(&close).await;
    assert!(code == 1 && said.contains("already_decided"), "{said}");
    for list in ["requests", "certificates", "incidents"] {
        let path = format!("/api/v1/{list}?cursor=0a");
        match ControlClient::new(running.control_socket())
            .read::<Value>(&path)
            .await
        {
            Err(ClientError::Problem(problem)) => {
                assert_eq!(
                    (problem.status, problem.code.as_str()),
                    (400, "bad_cursor"),
                    "{list}"
                );
            }
            other => panic!("{list}: {other:?}"),
        }
    }
    running.stop().await;
}
