//! Whoever may act for their own teams alone: what these own, and nothing else.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portreeve_pkix::{DnsName, Identifier, MacAlgorithm, PublicKey, sha256};
use portreeve_ra::accounts::{Change, OpenAccount};
use portreeve_ra::authority::ExternalAccount;
use portreeve_ra::proofs::NewProof;
use portreeve_ra::{
    Alongside, ClaimHandle, Credential, Disposition, EndpointName, EnrollmentId, EnrollmentRequest,
    Operation, Origin, Requester, SecretProof,
};
use rcgen::{CertificateParams, KeyPair, PublicKeyData};

use super::*;

/// Requests that wait at `acme/approval`, of an account that a registration of this team vouches for; their ids, the
/// newest first.
async fn waiting(running: &Running, team: Option<&str>, names: &[&str]) -> Vec<String> {
    asked(running, ("acme/approval", team), names).await
}

/// The same at any endpoint: nobody is asked where it has no approval policy.
async fn asked(running: &Running, (endpoint, team): (&str, Option<&str>), names: &[&str]) -> Vec<String> {
    let ra = running.ra();
    let endpoint = EndpointName::new(endpoint).unwrap();
    let key = KeyPair::generate().unwrap();
    let key = PublicKey::from_der(&key.subject_public_key_info()).unwrap();
    let change = || Change {
        origin: Origin::node(ra.node()),
        alongside: Alongside::default(),
    };
    let opening = OpenAccount {
        endpoint: endpoint.clone(),
        key: key.clone(),
        contacts: Vec::new(),
        agreed: true,
        change: change(),
    };
    let external = match team {
        Some(team) => Some(vouched(running, team, names).await),
        None => None,
    };
    let (account, ..) = ra.open_account(opening, external).await.unwrap();
    let mut ids = Vec::new();
    for name in names {
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
        let mut params = CertificateParams::new(vec![(*name).to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(&KeyPair::generate().unwrap()).unwrap();
        let enrollment = EnrollmentRequest {
            endpoint: endpoint.clone(),
            operation: Operation::Enroll,
            credential: Credential::Account {
                account,
                key: key.clone(),
            },
            handle: ClaimHandle(name.as_bytes().to_vec()).into(),
            request: request.der().to_vec(),
            profile_hint: None,
            not_before: None,
            not_after: None,
            channel: None,
            key_maker: None,
            origin: Origin::node(ra.node()),
            alongside: Alongside::default(),
        };
        match ra.enroll(enrollment).await.unwrap() {
            Disposition::Pending { enrollment, .. } => ids.push(enrollment.to_string()),
            Disposition::Issued(issuance) => ids.push(issuance.enrollment.to_string()),
            other => panic!("{other:?}"),
        }
    }
    ids.reverse();
    ids
}

/// What an account of a new registration of this team shows.
async fn vouched(running: &Running, team: &str, names: &[&str]) -> ExternalAccount {
    let registration = json!({"name": format!("of-{team}"), "team": team, "names": names});
    let made = admin(running).post("registrations", registration).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let key = json!({"registration": format!("of-{team}")});
    let made = admin(running).post("eab-keys", key).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let secret = URL_SAFE_NO_PAD
        .decode(made.body["secret"].as_str().unwrap())
        .unwrap();
    let (algorithm, input) = (MacAlgorithm::HmacSha256, b"header.payload".to_vec());
    ExternalAccount {
        reference: made.body["reference"].as_str().unwrap().to_owned(),
        proof: SecretProof::Mac {
            algorithm,
            tag: algorithm.compute(&secret.into(), &input),
            input,
        },
        evidence: b"{}".to_vec(),
    }
}

/// An operator of a team with a role for what their teams own.
async fn member(running: &Running, name: &str, team: &str) -> Caller {
    let admin = admin(running);
    let body = json!({"body": format!("roles = [\"of-team\"]\nteams = [\"{team}\"]"), "name": name});
    assert_eq!(admin.post("operators", body).await.status, 201);
    let password = json!({"password": PASSWORD});
    let path = format!("operators/{name}/password");
    assert_eq!(admin.call("PUT", &path, &password).await.status, 204);
    Caller::new(running).password(name, PASSWORD)
}

/// The ids on a list, page after page.
async fn listed(caller: &Caller, path: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let more = cursor
            .map(|cursor| format!("&cursor={cursor}"))
            .unwrap_or_default();
        let page = caller.get(&format!("{path}{more}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= 2, "{path}");
        found.extend(items.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        cursor = page.body["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return found;
        }
    }
}

/// A request of which somebody hears as of one that is not there, whatever they want with it.
async fn assert_absent(caller: &Caller, id: &str, row: &str) {
    let (path, absent) = (format!("requests/{id}"), (404, "unknown_request"));
    assert_problem(&caller.get(&path).await, absent, row);
    let verbs = [
        ("resolve", json!({"resolution": "give_up", "comment": "no"})),
        ("approve", json!({"comment": ""})),
        ("reject", json!({"comment": "no"})),
        ("grant/withdraw", json!({"reason": "no"})),
    ];
    for (verb, body) in verbs {
        let answer = caller.post(&format!("{path}/{verb}"), body).await;
        assert_problem(&answer, absent, &format!("{row}: {verb}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_act_on_what_their_team_owns_and_on_nothing_else() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let admin = admin(&running);
    let role = "rights = [\"request.read\", \"request.approve\", \"request.resolve\", \"certificate.read\", \"certificate.revoke\"]\n\
                backends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"own\"";
    let role = json!({"name": "of-team", "body": role});
    assert_eq!(admin.post("roles", role).await.status, 201);
    for team in ["web", "db"] {
        let team = json!({"name": team, "body": format!("title = \"{team}\"")});
        assert_eq!(admin.post("teams", team).await.status, 201);
    }
    let (ann, dan) = (
        member(&running, "ann", "web").await,
        member(&running, "dan", "db").await,
    );
    let nobodys = waiting(&running, None, &["a.test"]).await;
    let webs = waiting(&running, Some("web"), &["b.test", "c.test", "d.test"]).await;
    let dbs = waiting(&running, Some("db"), &["e.test"]).await;

    for (who, caller, own) in [("ann", &ann, &webs), ("dan", &dan, &dbs)] {
        assert_eq!(&listed(caller, "requests?limit=2").await, own, "{who}");
        let waiting = "requests?state=awaiting_approval&limit=2";
        assert_eq!(&listed(caller, waiting).await, own, "{who}");
    }
    assert_eq!(listed(&admin, "requests?limit=2").await.len(), 5);

    let request = format!("requests/{}", webs[0]);
    let shown = ann.get(&request).await;
    assert_eq!(
        (shown.status, &shown.body["state"]),
        (200, &json!("awaiting_approval"))
    );
    let proposal = format!("approvals/{}", shown.body["proposal"]["id"].as_str().unwrap());
    assert_eq!(ann.get(&proposal).await.status, 200);
    assert_problem(
        &dan.get(&proposal).await,
        (404, "not_found"),
        "another team's proposal",
    );
    for (row, id) in [("another team's", &webs[0]), ("nobody's", &nobodys[0])] {
        assert_absent(&dan, id, row).await;
    }
    let store = running.ra().store();
    let refused = store.streams(StreamKind::Access, None, 200).await.unwrap();
    assert!(refused.items.len() >= 10, "each refusal is an event: {refused:?}");
    let nowhere = EnrollmentId::from_bytes([7; 16]).to_string();
    assert_absent(&dan, &nowhere, "none").await;
    let nobody = operator(&running, "nina", &[]).await;
    for id in [&webs[0], &nowhere] {
        let shown = nobody.get(&format!("requests/{id}")).await;
        assert_problem(&shown, (403, "forbidden"), "no right at all");
    }

    let resolution = json!({"resolution": "give_up", "comment": "no"});
    let resolved = ann.post(&format!("{request}/resolve"), resolution).await;
    assert_eq!(
        resolved.status, 409,
        "hers, and nothing to resolve: {}",
        resolved.body
    );
    let approved = ann
        .post(&format!("{request}/approve"), json!({"comment": ""}))
        .await;
    assert_eq!(approved.status, 200, "{}", approved.body);
    // What became of it is nobody else's business.
    assert_absent(&dan, &webs[0], "issued").await;

    // Whoever may look and not decide hears that first, and only whoever may decide that there is nothing to decide.
    let reader = operator(&running, "rita", &["reader"]).await;
    let issued = asked(&running, ("acme/default", None), &["f.test"])
        .await
        .remove(0);
    assert_eq!(reader.get(&format!("requests/{issued}")).await.status, 200);
    for (verb, body) in [
        ("approve", json!({"comment": ""})),
        ("grant/withdraw", json!({"reason": "no"})),
    ] {
        let path = format!("requests/{issued}/{verb}");
        let answer = reader.post(&path, body.clone()).await;
        assert_problem(&answer, (403, "forbidden"), verb);
        assert_problem(&admin.post(&path, body).await, (409, "nothing_to_decide"), verb);
    }

    // One certificate in the call for many: with the rights that the call for one needs, and of what they see.
    let role = "rights = [\"certificate.revoke\"]\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"";
    let made = admin
        .post("roles", json!({"name": "revoker", "body": role}))
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let blind = operator(&running, "bruno", &["revoker"]).await;
    let digest = sha256(format!("portreeve/revoke/1\nsuperseded\n{issued}\n").as_bytes());
    let body = json!({"requests": [issued], "reason": "superseded", "digest": hex::encode(digest)});
    let refused = blind.post("certificates/revoke", body.clone()).await;
    assert_problem(&refused, (403, "forbidden"), "who may not see certificates");
    for (row, caller, outcome) in [
        ("another team's", &dan, "unknown_certificate"),
        ("everybody's", &admin, "revoked"),
    ] {
        let found = caller.post("certificates/revoke", body.clone()).await;
        assert_eq!(found.status, 200, "{row}: {}", found.body);
        assert_eq!(found.body["items"][0]["outcome"], outcome, "{row}");
    }
    running.stop().await;
}
