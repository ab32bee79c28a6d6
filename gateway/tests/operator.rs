//! What an operator does over the control socket with the real program, on a gateway whose CA cannot tell what it did.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use portreeve::{
    ClientError, ControlClient, DevAddresses, Mode, Running, StartOptions, Substitutes, dev_configuration,
    start,
};
use portreeve_harness::pace::PATIENCE;
use portreeve_pkix::{DnsName, Identifier, IssuerChain, PublicKey, Timestamp};
use portreeve_ra::accounts::{Change, OpenAccount};
use portreeve_ra::ports::{
    CaBackend, CaError, CaHealth, Capabilities, IssueOutcome, ReconcileOutcome, RevocationPower, RevokeOrder,
    RevokeOutcome,
};
use portreeve_ra::proofs::NewProof;
use portreeve_ra::steps::IssuanceOrder;
use portreeve_ra::{
    Alongside, BackendName, CertificateContents, ClaimHandle, Credential, Disposition, EndpointName,
    EnrollmentId, EnrollmentRequest, Intent, IntentBody, Operation, Origin, Requester,
};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portreeve");

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

/// A directory that is closed to others.
fn home() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}

async fn gateway(data_dir: &Path) -> Running {
    let name = BackendName::new("issuing").unwrap();
    let silent: Arc<dyn CaBackend> = Arc::new(Silent(name.clone()));
    start(StartOptions {
        config: dev_configuration(data_dir, DevAddresses::remembered(), &[]).unwrap(),
        mode: Mode::Dev,
        program: Some(PROGRAM.into()),
        substitutes: Substitutes {
            backends: [(name, silent)].into(),
            ..Substitutes::default()
        },
        ..StartOptions::default()
    })
    .await
    .unwrap()
}

/// A request for a certificate, filed with the RA as an edge does.
async fn request(running: &Running) -> String {
    let (ra, name) = (running.ra(), "doubt.test");
    let endpoint = EndpointName::new("acme/default").unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let account_key = rcgen::KeyPair::generate().unwrap();
    let account_key =
        PublicKey::from_der(&rcgen::PublicKeyData::subject_public_key_info(&account_key)).unwrap();
    let (origin, alongside) = (Origin::node(ra.node()), Alongside::default());
    let opening = OpenAccount {
        endpoint: endpoint.clone(),
        key: account_key.clone(),
        contacts: Vec::new(),
        agreed: true,
        change: Change { origin, alongside },
    };
    let (account, ..) = ra.open_account(opening, None).await.unwrap();
    let proof = NewProof {
        requester: Requester::Account(account),
        identifier: Identifier::Dns(DnsName::parse(name).unwrap()),
        method: "test".to_owned(),
        evidence: String::new(),
        until: ra.now().saturating_add(Duration::from_secs(3600)),
        origin: Origin::node(ra.node()),
        alongside: Alongside::default(),
    };
    ra.proofs().record(proof).await.unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let enrollment = EnrollmentRequest {
        endpoint,
        operation: Operation::Enroll,
        credential: Credential::Account {
            account,
            key: account_key,
        },
        handle: ClaimHandle(b"order".to_vec()).into(),
        request: params.serialize_request(&key).unwrap().der().to_vec(),
        channel: None,
        key_maker: None,
        profile_hint: None,
        not_before: None,
        not_after: None,
        origin: Origin::node(ra.node()),
        alongside: Alongside::default(),
    };
    match ra.enroll(enrollment).await.unwrap() {
        Disposition::Pending { enrollment, .. } => enrollment.to_string(),
        other => panic!("{other:?}"),
    }
}

/// The program on the gateway's control socket.
struct Operator(String);

impl Operator {
    async fn run(&self, arguments: &[&str]) -> Output {
        let (noun, rest) = arguments.split_first().unwrap();
        let mut command = std::process::Command::new(PROGRAM);
        command
            .args([*noun, "--socket", self.0.as_str()])
            .args(rest)
            .args(["--output", "json"]);
        // The gateway lives in this process and goes on answering meanwhile.
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What it says when it fails, with its exit code.
    async fn failure(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), said)
    }

    async fn reach(&self, id: &str, state: &str) {
        let started = Instant::now();
        while self.json(&["request", "show", id]).await["state"] != state {
            assert!(started.elapsed() < PATIENCE, "never {state}");
        }
    }
}

/// Nothing that a person wrote is cut, and no list is another one than was asked for: by the program and by the API.
async fn what_would_be_cut_is_refused(operator: &Operator, request: &str, incident: &str) {
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
        let (code, said) = operator.failure(row).await;
        let why = said.contains("1025 characters, and 1024 can be kept") || said.contains("1..=200");
        assert!(code == 2 && why, "{row:?}: {said}");
    }
    let client = ControlClient::new(Path::new(&operator.0));
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
    let operator = Operator(running.control_socket().to_str().unwrap().to_owned());
    let id = request(&running).await;
    operator.reach(&id, "in_doubt").await;

    let listed = operator.json(&["request", "list", "--state", "in_doubt"]).await;
    assert_eq!(listed["items"][0]["id"], id, "{listed}");
    let (code, said) = operator.failure(&["request", "list", "--state", "doubt"]).await;
    assert!(code == 1 && said.contains("in_doubt"), "{said}");

    let (code, said) = operator
        .failure(&["request", "resolve", &id, "--as", "retry"])
        .await;
    assert!(code == 2 && said.contains("--comment"), "{said}");
    let empty = ["request", "resolve", &id, "--as", "retry", "--comment", " "];
    let (code, said) = operator.failure(&empty).await;
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
    let shown = operator.json(&retry).await;
    assert!(
        ["issuing", "in_doubt"].contains(&shown["state"].as_str().unwrap()),
        "{shown}"
    );
    operator.reach(&id, "in_doubt").await;

    let give_up = [
        "request",
        "resolve",
        &id,
        "--as",
        "give-up",
        "--comment",
        "the CA has nothing",
    ];
    let shown = operator.json(&give_up).await;
    assert_eq!(shown["state"], "failed", "{shown}");
    let (code, said) = operator.failure(&give_up).await;
    assert!(code == 1 && said.contains("nothing_to_decide"), "{said}");

    let erase = ["audit", "erase", &id, "--comment", "asked for by the person"];
    let (code, said) = operator.failure(&erase).await;
    assert!(code == 2 && said.contains("--yes"), "{said}");
    let erased = operator.json(&[&erase[..], &["--yes"]].concat()).await;
    assert_eq!(erased["state"], "erased", "{erased}");
    assert!(erased["records"].as_u64() > Some(2), "{erased}");
    let shown = operator.json(&["request", "show", &id]).await;
    assert_eq!(
        (&shown["state"], &shown["subject"]),
        (&"erased".into(), &"".into()),
        "{shown}"
    );
    let listed = operator.json(&["request", "list", "--state", "erased"]).await;
    assert_eq!(listed["items"][0]["names"], "", "{listed}");

    let incidents = operator.json(&["audit", "incidents"]).await;
    let [incident] = incidents["items"].as_array().unwrap().as_slice() else {
        panic!("{incidents}")
    };
    assert_eq!(
        (&incident["what"], &incident["closed_at"]),
        (&"in_doubt".into(), &Value::Null)
    );
    what_would_be_cut_is_refused(&operator, &id, incident["id"].as_str().unwrap()).await;
    let close = [
        "audit",
        "close",
        incident["id"].as_str().unwrap(),
        "--comment",
        "asked the CA",
    ];
    let closed = operator.json(&close).await;
    assert!(closed["items"][0]["closed_at"].is_string(), "{closed}");
    let (code, said) = operator.failure(&close).await;
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
