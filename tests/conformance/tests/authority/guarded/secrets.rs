//! Secrets: of registrations, and those that an operator signs in with and somebody else makes.

use portreeve_pkix::MacAlgorithm;
use portreeve_ra::accounts::OpenAccount;
use portreeve_ra::authority::{ExternalAccount, NewRegistrationSecret};
use portreeve_ra::credentials::NewToken;
use portreeve_ra::secrets::ShownSecret;
use portreeve_ra::{
    AllowedNames, EventKind, Registration, Right, SecretCheck, SecretId, SecretKind, SecretProof, SecretState,
};

use super::*;

const KEY: NewRegistrationSecret = NewRegistrationSecret {
    kind: SecretKind::AcmeEab,
    reference: None,
    uses_max: None,
    until: None,
};

async fn state(authority: &TestAuthority, id: SecretId) -> SecretState {
    let known = authority.ra.secrets().secret(id).await.unwrap().unwrap();
    known.value().state(authority.ra.now())
}

/// A registration that people have agreed to, and a key for it that waits for them.
async fn key(authority: &TestAuthority, by: &Acting, name: &str) -> (ShownSecret, ProposalId) {
    let ra = &authority.ra;
    let registration = Registration {
        names: AllowedNames::Only(vec!["a.test".parse().unwrap()]),
        ..Registration::named(name)
    };
    let made = ra.create_registration(by, registration).await.unwrap();
    approve(authority, made.proposal.unwrap(), "bob").await.unwrap();
    let shown = ra.issue_secret(by, made.known.id, KEY).await.unwrap().unwrap();
    let asked = shown.proposal.expect("waits");
    (shown, asked)
}

async fn open(authority: &TestAuthority, key: &ShownSecret) -> Result<(), Error> {
    let opening = OpenAccount {
        endpoint: endpoint(),
        key: stray_key(),
        contacts: Vec::new(),
        agreed: true,
        change: change_of(authority),
    };
    let (algorithm, input) = (MacAlgorithm::HmacSha256, b"header.payload".to_vec());
    let external = ExternalAccount {
        reference: key.reference.clone(),
        proof: SecretProof::Mac {
            algorithm,
            tag: algorithm.compute(&key.value, &input),
            input,
        },
        evidence: b"{}".to_vec(),
    };
    authority.ra.open_account(opening, Some(external)).await.map(drop)
}

fn change_of(authority: &TestAuthority) -> Change {
    Change {
        origin: authority.origin(),
        alongside: Alongside::default(),
    }
}

#[tokio::test]
async fn a_key_is_shown_at_once_and_good_when_somebody_has_agreed() {
    let authority = guarded(ONE).await;
    let ra = &authority.ra;
    let ann = person(&authority, "ann").await;
    let (shown, asked) = key(&authority, &ann, "web").await;
    assert_eq!(state(&authority, shown.id).await, SecretState::Pending);
    refused("not yet", open(&authority, &shown).await, &Refusal::NotAuthorized);
    let listed = ra.secrets_seen(&ann, (None, None), (None, 50)).await.unwrap();
    assert_eq!(listed.items.len(), 1);
    let own = rejection(ra.approve(asked, vote(&ann)).await);
    assert_eq!(own, DecisionRejection::Excluded(Exclusion::Asks));
    approve(&authority, asked, "carol").await.unwrap();
    open(&authority, &shown).await.expect("agreed to");
    let records = authority
        .store
        .load(&[StreamId::secret(shown.id)])
        .await
        .unwrap()
        .remove(0);
    let kinds: Vec<_> = records
        .iter()
        .flat_map(|record| record.header().kinds.clone())
        .collect();
    assert_eq!(kinds, [EventKind::SecretProposed, EventKind::SecretReleased]);
    let known = ra.secrets().secret(shown.id).await.unwrap().unwrap();
    assert_eq!(
        known.value().issued_by.principal(),
        Some(&operator("ann")),
        "counts as requester"
    );
}

#[tokio::test]
async fn a_key_that_was_denied_or_revoked_never_becomes_good() {
    let authority = guarded(ONE).await;
    let ra = &authority.ra;
    let (ann, carol) = (person(&authority, "ann").await, person(&authority, "carol").await);
    let (denied, asked) = key(&authority, &ann, "web").await;
    ra.reject(asked, vote(&carol)).await.unwrap();
    assert_eq!(state(&authority, denied.id).await, SecretState::Revoked);
    refused("denied", open(&authority, &denied).await, &Refusal::NotAuthorized);
    refused(
        "once",
        approve(&authority, asked, "bob").await,
        &Refusal::AlreadyDecided,
    );
    let (revoked, asked) = key(&authority, &ann, "db").await;
    ra.revoke_secret(&ann, revoked.id).await.unwrap().unwrap();
    let late = rejection(approve(&authority, asked, "carol").await);
    assert_eq!(late, DecisionRejection::Overtaken);
    refused(
        "revoked",
        open(&authority, &revoked).await,
        &Refusal::NotAuthorized,
    );
}

#[tokio::test]
async fn nobody_takes_another_operator_over_alone() {
    let authority = guarded(ONE).await;
    let (ra, bob) = (&authority.ra, name_of("bob"));
    let by = person(&authority, "bob").await;
    let own = ra.set_password(&by, &bob, ("own".to_owned(), None)).await;
    assert_eq!(own.unwrap(), None, "one's own needs nobody");
    let check = |text: &str| SecretCheck::Argon2id(text.to_owned());
    let ann = person(&authority, "ann").await;
    let reset = ra.set_password(&ann, &bob, ("ann's".to_owned(), None)).await;
    let asked = reset.unwrap().expect("waits");
    assert_eq!(
        ra.password(&bob).await.unwrap().unwrap().secret.check,
        check("own")
    );
    for (name, why) in [("ann", Exclusion::Asks), ("bob", Exclusion::Owner)] {
        let refused = rejection(approve(&authority, asked, name).await);
        assert_eq!(refused, DecisionRejection::Excluded(why), "{name}");
    }
    // Nor by a token, nor by the one-time credential of the host.
    let token = NewToken {
        operator: bob.clone(),
        label: String::new(),
        scopes: [Right::ConfigurationApprove].into(),
        bound_to: Some([7; 32]),
        lifetime: Duration::from_secs(60),
    };
    let made = ra.issue_token(&ann, token.clone()).await.unwrap();
    assert_eq!(state(&authority, made.id).await, SecretState::Pending);
    let theirs = ra.issue_token(&by, token).await.unwrap();
    assert_eq!(
        (state(&authority, theirs.id).await, theirs.proposal),
        (SecretState::Live, None)
    );

    approve(&authority, asked, "carol").await.unwrap();
    assert_eq!(
        ra.password(&bob).await.unwrap().unwrap().secret.check,
        check("ann's")
    );
    let reset = ra
        .set_password(&ann, &bob, ("second".to_owned(), None))
        .await
        .unwrap();
    let carol = person(&authority, "carol").await;
    ra.reject(reset.unwrap(), vote(&carol)).await.unwrap();
    assert_eq!(
        ra.password(&bob).await.unwrap().unwrap().secret.check,
        check("ann's"),
        "as it was"
    );
    // What the operator has set since is not undone by an approval that comes late.
    let reset = ra
        .set_password(&ann, &bob, ("third".to_owned(), None))
        .await
        .unwrap();
    ra.set_password(&by, &bob, ("mine".to_owned(), None))
        .await
        .unwrap();
    let late = rejection(approve(&authority, reset.unwrap(), "carol").await);
    assert_eq!(late, DecisionRejection::Overtaken);
    assert_eq!(
        ra.password(&bob).await.unwrap().unwrap().secret.check,
        check("mine")
    );
}
