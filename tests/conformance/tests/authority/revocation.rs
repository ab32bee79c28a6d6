//! Revocation: every right, every race, and nothing without a signed event.

use portreeve_ra::{Event, KeyReportEvent, key_report_stream};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use super::*;

#[tokio::test]
async fn every_certificate_of_a_compromised_key_can_be_revoked() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&["a.test"]).await;
    let request = csr("a.test");
    let first = issued(&authority, &account, ("one", &request)).await;
    let second = issued(&authority, &account, ("two", &request)).await;
    let key: PublicKey = first.certificate.public_key().clone();
    for (issuance, credential) in [(&first, account.credential()), (&second, Credential::Key(key))] {
        let wish = (issuance.as_ref(), RevocationReason::KeyCompromise);
        revoke(&authority, credential, wish).await.expect("revoked");
    }
    let again = enroll(&authority, &account, ("three", &request)).await;
    assert!(matches!(again, Err(Error::Refused(Refusal::Key(_)))), "{again:?}");
    let stream = key_report_stream(&first.certificate.public_key().fingerprint());
    let report = authority.store.load(&[stream]).await.unwrap().remove(0);
    assert_eq!(report.len(), 1, "said once for both certificates");
    let reporter = Actor::Requester(Requester::Account(account.id));
    assert_eq!(report[0].header().actor, reporter);
    let said = KeyReportEvent::Compromised {
        key: first.certificate.public_key().fingerprint(),
        enrollment: first.enrollment,
    };
    assert_eq!(report[0].events().unwrap(), [Event::KeyReport(said)]);
}

#[tokio::test]
async fn a_certificate_whose_claim_leads_to_a_newer_one_can_be_revoked() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&["a.test"]).await;
    let request = csr("a.test");
    let first = issued(&authority, &account, ("order", &request)).await;
    let claim = authority
        .store
        .claim(&claim_key("order"))
        .await
        .unwrap()
        .expect("claim");
    let over = Claim {
        until: authority.ra.now(),
        ..claim
    };
    put_claim(&authority, over).await;
    let second = issued(&authority, &account, ("order", &request)).await;
    assert_ne!(first.enrollment, second.enrollment, "renewal began");

    let wish = (first.as_ref(), RevocationReason::Superseded);
    revoke(&authority, account.credential(), wish)
        .await
        .expect("revoked");
    let retried = issued(&authority, &account, ("order", &request)).await;
    assert_eq!(retried.enrollment, second.enrollment, "its claim is untouched");
}

#[tokio::test]
async fn of_revocations_at_once_one_succeeds_and_the_others_hear_so() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let authority = Arc::new(authority);
    let account = authority.account(&["a.test"]).await;
    let issuance = Arc::new(*issued(&authority, &account, ("order", &csr("a.test"))).await);
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (authority, issuance, credential) = (authority.clone(), issuance.clone(), account.credential());
        racing.spawn(async move {
            revoke(&authority, credential, (&issuance, RevocationReason::Superseded)).await
        });
    }
    let results = racing.join_all().await;
    let done = results.iter().filter(|result| result.is_ok()).count();
    let told = |result: &Result<(), Error>| matches!(result, Err(Error::Refused(Refusal::AlreadyRevoked)));
    assert_eq!(
        (done, results.iter().filter(|result| told(result)).count()),
        (1, 7),
        "{results:?}"
    );
}

#[tokio::test]
async fn a_task_alone_revokes_nothing() {
    let (authority, backend) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&["a.test"]).await;
    let issuance = issued(&authority, &account, ("order", &csr("a.test"))).await;
    let task = NewTask {
        id: TaskId::from_bytes([9; 16]),
        kind: TaskKind::Revoke,
        subject: StreamId::enrollment(issuance.enrollment),
        wait: Duration::ZERO,
        lease: None,
    };
    let batch = Batch {
        tasks: vec![task],
        ..Batch::default()
    };
    authority.store.commit(batch).await.expect("task");
    finish_work(&authority).await;
    assert!(revoked_serials(&backend).is_empty(), "nobody asked for it");

    let wish = (issuance.as_ref(), RevocationReason::Superseded);
    revoke(&authority, account.credential(), wish)
        .await
        .expect("revoked");
    finish_work(&authority).await;
    assert_eq!(
        revoked_serials(&backend),
        [issuance.certificate.serial().to_string()]
    );
}

#[tokio::test]
async fn a_task_that_cannot_be_used_is_an_incident_and_keeps_back_no_other() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let tasks = [1, 2].map(|number| NewTask {
        id: TaskId::from_bytes([number; 16]),
        kind: TaskKind::Revoke,
        subject: StreamId::enrollment(EnrollmentId::from_bytes([number; 16])),
        wait: Duration::ZERO,
        lease: None,
    });
    let batch = Batch {
        tasks: tasks.to_vec(),
        ..Batch::default()
    };
    authority.store.commit(batch).await.expect("tasks");
    let file = SqliteConnectOptions::new().filename(authority.directory.path().join("portreeve.db"));
    let mut writer = file.connect().await.unwrap();
    let damage = format!("UPDATE task SET kind = 77 WHERE id = x'{}'", "01".repeat(16));
    writer.execute(AssertSqlSafe(damage)).await.unwrap();
    let writer = tokio::sync::Mutex::new(writer);
    for _ in 0..2 {
        authority.ra.work().await.unwrap();
    }
    assert_eq!(incidents(&authority).await, ["tampered"]);
    authority
        .work_until("the other is done", || async {
            let mut writer = writer.lock().await;
            writer.fetch_all("SELECT id FROM task").await.unwrap().len() == 1
        })
        .await;
}

#[tokio::test]
async fn who_has_only_proven_the_names_cannot_report_the_key() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let (owner, other) = (
        authority.account(&["a.test"]).await,
        authority.account(&["a.test"]).await,
    );
    let issuance = issued(&authority, &owner, ("order", &csr("a.test"))).await;
    let reported = revoke(
        &authority,
        other.credential(),
        (&issuance, RevocationReason::KeyCompromise),
    )
    .await;
    refused("keyCompromise", reported, &Refusal::RevocationReason);
    let wish = (issuance.as_ref(), RevocationReason::CessationOfOperation);
    revoke(&authority, other.credential(), wish)
        .await
        .expect("revoked");
}

#[tokio::test]
async fn a_certificate_of_a_ca_that_is_gone_can_be_revoked() {
    let (authority, backend) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&["a.test"]).await;
    let issuance = issued(&authority, &account, ("order", &csr("a.test"))).await;
    let TestAuthority { store, directory, .. } = authority;
    store.close().await;
    drop(store);
    let gone = Odd {
        name: BackendName::new("another").unwrap(),
        ..Odd::new(Vec::new())
    };
    let authority = TestAuthority::start_in(directory, Arc::new(gone), "").await;
    let wish = (issuance.as_ref(), RevocationReason::Superseded);
    revoke(&authority, account.credential(), wish)
        .await
        .expect("revoked");
    let due = authority.store.next_due().await.unwrap();
    assert!(due.is_some(), "it is told when it is there again");
    assert!(revoked_serials(&backend).is_empty());
}
