//! Who may ask about an enrollment, and what they are told.

use super::*;

#[tokio::test]
async fn a_key_that_is_not_the_accounts_learns_nothing() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&["a.test"]).await;
    let request = csr("a.test");
    issued(&authority, &account, ("order", &request)).await;
    let false_account = TestAccount {
        id: account.id,
        key: stray_key(),
    };
    for order in ["order", "nothing"] {
        let asked = ask_all(&authority, &false_account, (order, &request)).await;
        for (verb, result) in asked {
            refused(&format!("{verb} of {order}"), result, &Refusal::NotAuthorized);
        }
    }
    let accounts = authority.ra.accounts();
    accounts
        .deactivate(&account.credential(), change(&authority))
        .await
        .expect("deactivated");
    for (verb, result) in ask_all(&authority, &account, ("order", &request)).await {
        refused(verb, result, &Refusal::AccountDeactivated);
    }
}

async fn ask_all(
    authority: &TestAuthority,
    account: &TestAccount,
    (order, request): (&str, &[u8]),
) -> [(&'static str, Result<(), Error>); 3] {
    let (ra, credential) = (&authority.ra, account.credential());
    let resumed = ra
        .resume(
            &endpoint(),
            Operation::Enroll,
            &handle(order),
            (&credential, &authority.origin()),
        )
        .await;
    let confirmed = ra
        .confirm(
            &endpoint(),
            Operation::Enroll,
            &handle(order),
            (&credential, &authority.origin()),
        )
        .await;
    let enrolled = enroll(authority, account, (order, request)).await;
    [
        ("resume", resumed.map(drop)),
        ("confirm", confirmed),
        ("enroll", enrolled.map(drop)),
    ]
}

#[tokio::test]
async fn a_certificate_is_confirmed_once_and_not_before_it_is_there() {
    let deferred = Answer::Deferred(b"ticket".to_vec(), Duration::from_millis(50));
    let (authority, _) = Odd::new(vec![deferred]).start("").await;
    let authority = Arc::new(authority);
    let account = authority.account(&["a.test"]).await;
    let pending = enroll(&authority, &account, ("order", &csr("a.test"))).await;
    let Ok(Disposition::Pending { enrollment, .. }) = pending else {
        panic!("{pending:?}")
    };
    let credential = account.credential();
    let early = authority
        .ra
        .confirm(
            &endpoint(),
            Operation::Enroll,
            &handle("order"),
            (&credential, &authority.origin()),
        )
        .await;
    refused("early", early, &Refusal::UnknownRequest);
    reach(&authority, "issued").await;
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (authority, credential) = (authority.clone(), account.credential());
        racing.spawn(async move {
            let ra = &authority.ra;
            ra.confirm(
                &endpoint(),
                Operation::Enroll,
                &handle("order"),
                (&credential, &authority.origin()),
            )
            .await
        });
    }
    for result in racing.join_all().await {
        result.expect("confirmed");
    }
    let records = authority
        .store
        .load(&[StreamId::enrollment(enrollment)])
        .await
        .unwrap();
    assert_eq!(records[0].len(), 4, "received, progressed, issued, confirmed");
}

#[tokio::test]
async fn a_claim_that_names_another_request_is_an_incident() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&["a.test"]).await;
    issued(&authority, &account, ("order", &csr("a.test"))).await;
    let other = csr("a.test");
    let claim = authority
        .store
        .claim(&claim_key("order"))
        .await
        .unwrap()
        .expect("claim");
    let edited = Claim {
        digest: sha256(&other),
        ..claim
    };
    put_claim(&authority, edited).await;
    let answer = enroll(&authority, &account, ("order", &other)).await;
    assert!(
        matches!(answer, Err(Error::Internal(InternalError::Tampered { .. }))),
        "{answer:?}"
    );
    assert_eq!(incidents(&authority).await, ["tampered"]);
}

#[tokio::test]
async fn a_client_comes_back_when_its_endpoint_says() {
    let approval = "approval = \"one\"";
    let (authority, _) = Odd::new(Vec::new()).start(approval).await;
    let account = authority.account(&["a.test"]).await;
    let pending = enroll(&authority, &account, ("order", &csr("a.test"))).await;
    let resumed = authority
        .ra
        .resume(
            &endpoint(),
            Operation::Enroll,
            &handle("order"),
            (&account.credential(), &authority.origin()),
        )
        .await;
    for answer in [pending, resumed] {
        let Ok(Disposition::Pending { retry_after, .. }) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(retry_after, Duration::from_secs(1), "as the endpoint has it");
    }
}
