//! Accounts and proofs.

use portreeve_harness::authority::keyset;
use portreeve_ra::accounts::OpenAccount;
use portreeve_ra::ports::EventSigner;
use portreeve_ra::proofs::NewProof;
use portreeve_ra::{AccountEvent, Circumstances, Event, Place, ProofEvent, Purpose, Unsigned, proof_stream};

use super::*;

#[tokio::test]
async fn one_key_opened_by_many_at_once_is_one_account() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let authority = Arc::new(authority);
    let key = stray_key();
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (authority, key) = (authority.clone(), key.clone());
        racing.spawn(async move {
            let request = OpenAccount {
                endpoint: endpoint(),
                key,
                contacts: Vec::new(),
                agreed: true,
                change: change(&authority),
            };
            authority.ra.open_account(request, None).await
        });
    }
    let opened = racing.join_all().await;
    let mut ids: Vec<_> = opened
        .into_iter()
        .map(|opened| opened.expect("opened").0)
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn looking_up_a_key_that_is_being_changed_is_no_incident() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let authority = Arc::new(authority);
    let account = authority.account(&[]).await;
    let keys = [account.key.clone(), stray_key()];
    let (changing, looked_up, id) = (authority.clone(), keys.clone(), account.id);
    let changes = tokio::spawn(async move {
        for turn in 1..=40 {
            let by = Credential::Account {
                account: id,
                key: keys[(turn + 1) % 2].clone(),
            };
            let key = keys[turn % 2].clone();
            let accounts = changing.ra.accounts();
            accounts
                .change_key(&by, key, change(&changing))
                .await
                .expect("changed");
        }
    });
    while !changes.is_finished() {
        for key in &looked_up {
            authority
                .ra
                .accounts()
                .by_key(&endpoint(), key)
                .await
                .expect("looked up");
        }
    }
    changes.await.expect("changes");
    assert!(incidents(&authority).await.is_empty());
}

#[tokio::test]
async fn a_key_that_was_replaced_signs_no_change() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&[]).await;
    let (accounts, old) = (authority.ra.accounts(), account.credential());
    let key = stray_key();
    accounts
        .change_key(&old, key.clone(), change(&authority))
        .await
        .expect("changed");
    // The edge verified these before the change was committed.
    let again = accounts.change_key(&old, stray_key(), change(&authority)).await;
    refused("key", again, &Refusal::NotAuthorized);
    let contacts = accounts
        .update_contacts(&old, Vec::new(), change(&authority))
        .await;
    refused("contacts", contacts, &Refusal::NotAuthorized);
    let closed = accounts.deactivate(&old, change(&authority)).await;
    refused("end", closed, &Refusal::NotAuthorized);
    let other = Credential::Key(key.clone());
    let by_key = accounts.deactivate(&other, change(&authority)).await;
    refused("no account", by_key, &Refusal::NotAuthorized);
    let account = accounts.by_id(account.id).await.unwrap().expect("known");
    assert_eq!(account.key, key);
}

#[tokio::test]
async fn a_deactivated_account_changes_nothing_any_more() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&[]).await;
    let accounts = authority.ra.accounts();
    accounts
        .deactivate(&account.credential(), change(&authority))
        .await
        .expect("deactivated");
    let key = accounts
        .change_key(&account.credential(), stray_key(), change(&authority))
        .await;
    refused("key", key, &Refusal::AccountDeactivated);
    let contacts = accounts
        .update_contacts(&account.credential(), Vec::new(), change(&authority))
        .await;
    refused("contacts", contacts, &Refusal::AccountDeactivated);
}

#[tokio::test]
async fn changes_at_once_all_take_place() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let authority = Arc::new(authority);
    let account = authority.account(&[]).await;
    let mut racing = tokio::task::JoinSet::new();
    for number in 0..12 {
        let (authority, by) = (authority.clone(), account.credential());
        racing.spawn(async move {
            let contacts = vec![format!("mailto:{number}@a.test")];
            let accounts = authority.ra.accounts();
            accounts.update_contacts(&by, contacts, change(&authority)).await
        });
    }
    for result in racing.join_all().await {
        result.expect("changed");
    }
    let records = authority
        .store
        .load(&[StreamId::account(account.id)])
        .await
        .unwrap();
    assert_eq!(records[0].len(), 13);
}

#[tokio::test]
async fn a_stream_does_not_grow_without_end() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&["a.test"]).await;
    let requester = Requester::Account(account.id);
    let proven = proof_stream(&requester, &name("a.test"));
    let agreed = Event::Account(AccountEvent::Agreed);
    let withdrawn = Event::Proof(ProofEvent::Withdrawn);
    for (stream, event) in [(StreamId::account(account.id), agreed), (proven, withdrawn)] {
        grow(&authority, stream, (event, 999)).await;
    }
    let accounts = authority.ra.accounts();
    prove(&authority, &requester).await.expect("the 1,000th");
    accounts
        .agree(&account.credential(), change(&authority))
        .await
        .expect("the 1,000th");

    let full = Refusal::RateLimited(Duration::from_secs(24 * 3600));
    refused("proof", prove(&authority, &requester).await, &full);
    let agreed = accounts.agree(&account.credential(), change(&authority)).await;
    refused("account", agreed, &full);
    accounts
        .deactivate(&account.credential(), change(&authority))
        .await
        .expect("it can still be closed");
    let withdrawn = authority
        .ra
        .proofs()
        .withdraw(&requester, &name("a.test"), change(&authority))
        .await;
    withdrawn.expect("it can still be withdrawn");
}

async fn prove(authority: &TestAuthority, requester: &Requester) -> Result<(), Error> {
    let proof = NewProof {
        requester: requester.clone(),
        identifier: name("a.test"),
        method: "test".to_owned(),
        evidence: String::new(),
        until: authority.ra.now().saturating_add(Duration::from_secs(3600)),
        origin: Origin::node(authority.ra.node()),
        alongside: Alongside::default(),
    };
    authority.ra.proofs().record(proof).await
}

/// Appends the same event again and again until a stream has so many records.
async fn grow(authority: &TestAuthority, stream: StreamId, (event, length): (Event, u64)) {
    let signer = keyset(authority.directory.path());
    let known = authority.store.load(&[stream]).await.unwrap().remove(0);
    let mut previous = known.last().expect("a record").hash();
    let mut records = Vec::new();
    for position in known.len() as u64 + 1..=length {
        let place = Place {
            stream,
            position,
            previous,
        };
        let circumstances = Circumstances {
            purpose: Purpose::Edge,
            at: authority.ra.now(),
            actor: Actor::Node,
            origin: Origin::node(authority.ra.node()),
            reason: String::new(),
        };
        let unsigned = Unsigned::new(place, circumstances, std::slice::from_ref(&event), [0; 16]).unwrap();
        let (key, signature) = signer.sign(Purpose::Edge, &unsigned.signed_bytes()).unwrap();
        let record = unsigned.sign_with(key, signature);
        previous = record.hash();
        records.push(record);
    }
    let batch = Batch {
        records,
        ..Batch::default()
    };
    authority.store.commit(batch).await.expect("records");
}

#[tokio::test]
async fn withdrawing_what_was_never_proven_leaves_no_trace() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&["a.test"]).await;
    let requester = Requester::Account(account.id);
    for (text, proofs) in [("b.test", 1), ("a.test", 1)] {
        let name = name(text);
        for _ in 0..2 {
            let withdrawn = authority
                .ra
                .proofs()
                .withdraw(&requester, &name, change(&authority));
            withdrawn.await.expect("withdrawn");
        }
        let streams = authority
            .store
            .streams(StreamKind::Proof, None, 10)
            .await
            .unwrap();
        assert_eq!(streams.items.len(), proofs, "{text}");
    }
    let live = authority
        .ra
        .proofs()
        .live(&requester, &[name("a.test")])
        .await
        .unwrap();
    assert_eq!(live, [None]);
}
