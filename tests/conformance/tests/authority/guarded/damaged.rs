//! Somebody wrote into the database: an object that does not verify is in force for nobody, and everything else goes on. Nobody
//! gets more by it either.

use portreeve_ra::credentials::NewToken;
use portreeve_ra::objects::Damaged;
use portreeve_ra::{
    Circumstances, Event, IncidentKind, ObjectEvent, ObjectVersion, Place, ProposalEvent, Purpose, Right,
    SecretEvent, Unsigned,
};

use super::*;

/// Adds a record to the stream of an object that nobody signed, which is to say this.
async fn damage(authority: &TestAuthority, (kind, name): (ObjectKind, &str), text: &str) -> StreamId {
    let stream = ObjectVersion::stream(kind, name);
    let event = ObjectEvent::Published(ObjectVersion {
        kind,
        name: name.to_owned(),
        version: u32::MAX,
        body: text.to_owned(),
    });
    spoil(authority, stream, Event::Object(event)).await;
    stream
}

/// Adds a record with this event to a stream, which nobody signed.
async fn spoil(authority: &TestAuthority, stream: StreamId, event: Event) {
    let records = authority.store.load(&[stream]).await.unwrap().remove(0);
    let last = records.last().unwrap();
    let place = Place {
        stream,
        position: last.header().position + 1,
        previous: last.hash(),
    };
    let circumstances = Circumstances {
        purpose: Purpose::Console,
        at: authority.ra.now(),
        actor: Actor::Node,
        origin: authority.origin(),
        reason: "none".to_owned(),
    };
    let unsigned = Unsigned::new(place, circumstances, &[event], [7; 16]).unwrap();
    let batch = Batch {
        records: vec![unsigned.sign_with(last.key(), [2; 64])],
        ..Batch::default()
    };
    authority.store.commit(batch).await.unwrap();
}

fn is_tampering<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Internal(InternalError::Tampered { .. })))
}

#[tokio::test]
async fn one_object_that_does_not_verify_is_out_of_force_and_no_other() {
    let authority = guarded(ONE).await;
    let ra = &authority.ra;
    let bob = damage(
        &authority,
        (ObjectKind::Operator, "bob"),
        "roles = [\"superadmin\"]",
    )
    .await;
    let clerk = damage(&authority, (ObjectKind::Role, "clerk"), "rights = [\"*\"]").await;
    assert!(is_tampering(ra.standing(&operator("bob")).await));
    let operators = ra.operators().await.unwrap();
    let names: Vec<&str> = operators.iter().map(|operator| operator.name.as_str()).collect();
    assert_eq!(names, ["abe", "ann", "carol", "dora", "root"]);
    let endpoints = ra.objects().list(ObjectKind::Endpoint).await.unwrap();
    assert!(!endpoints.is_empty(), "the others are in force");
    assert!(ra.objects().list_whole(ObjectKind::Endpoint).await.is_ok());
    assert!(is_tampering(ra.objects().list_whole(ObjectKind::Operator).await));
    let ann = ra.standing(&operator("ann")).await.unwrap().unwrap();
    assert!(ann.roles.is_empty(), "the role gives nothing: {ann:?}");
    let carol = ra.standing(&operator("carol")).await.unwrap().unwrap();
    assert_eq!(carol.roles.len(), 1);

    let damaged = ra.objects().damaged().await.unwrap();
    let mut named: Vec<_> = damaged
        .into_iter()
        .map(|Damaged { stream, object, .. }| (stream, object))
        .collect();
    named.sort_by_key(|(_, object)| object.clone());
    assert_eq!(
        named,
        [
            (clerk, Some((ObjectKind::Role, "clerk".to_owned()))),
            (bob, Some((ObjectKind::Operator, "bob".to_owned()))),
        ]
    );
    let incidents = ra.incidents(None, 10).await.unwrap().items;
    let mut raised: Vec<_> = incidents
        .iter()
        .map(|standing| (standing.incident.what, standing.incident.subject))
        .collect();
    raised.sort_by_key(|(_, subject)| *subject != bob);
    assert_eq!(
        raised,
        [(IncidentKind::Tampered, bob), (IncidentKind::Tampered, clerk)],
        "once each"
    );
}

/// Who cannot be read may be a superadmin: the host does not come to stand in for them.
#[tokio::test]
async fn nobody_becomes_the_only_superadmin_by_writing_into_the_database() {
    let authority = guarded(OFFICERS).await;
    authority
        .put(ObjectKind::Operator, "rita", &holder("rita", "superadmin"))
        .await;
    let root = person(&authority, "root").await;
    for name in ["bob", "carol", "dora"] {
        let gone = change(&authority, &root, (ObjectKind::Operator, name, None)).await;
        assert!(matches!(gone, Ok(Outcome::Retired)), "{gone:?}");
    }
    damage(&authority, (ObjectKind::Operator, "rita"), "").await;
    let role = (ObjectKind::Role, "any", Some("rights = [\"*\"]"));
    for by in [&root, &host(&authority)] {
        let asked = change(&authority, by, role).await;
        let why = match asked {
            Err(ChangeError::Ra(error)) => rejection::<()>(Err(error)),
            other => panic!("{other:?}"),
        };
        assert_eq!(why.code(), "nobody_to_approve");
    }
}

/// An approval of somebody whose records are spoilt no longer counts, and somebody else approves in their place.
#[tokio::test]
async fn an_approver_who_is_not_believed_keeps_nobody_from_deciding() {
    let authority = guarded(OFFICERS).await;
    let root = person(&authority, "root").await;
    let id = proposed(&authority, &root, (ObjectKind::Role, "any", "rights = [\"*\"]")).await;
    let state = approve(&authority, id, "bob").await.unwrap();
    assert_eq!(state, ProposalState::Open);
    damage(&authority, (ObjectKind::Operator, "bob"), "").await;
    let carol = approve(&authority, id, "carol").await;
    assert_eq!(carol.unwrap(), ProposalState::Open, "bob's no longer counts");
    let dora = approve(&authority, id, "dora").await;
    assert_eq!(dora.unwrap(), ProposalState::Approved);
    let role = authority.ra.objects().current(ObjectKind::Role, "any").await;
    assert!(role.unwrap().is_some());
}

/// A proposal or a token that does not verify is not listed, and the others are.
#[tokio::test]
async fn lists_go_on_without_what_does_not_verify() {
    let authority = guarded(OFFICERS).await;
    let (ra, root) = (&authority.ra, person(&authority, "root").await);
    let mut asked = Vec::new();
    for name in ["one", "two"] {
        asked.push(proposed(&authority, &root, (ObjectKind::Team, name, "title = \"T\"")).await);
    }
    let discounted = ProposalEvent::Discounted {
        by: operator("bob"),
        why: "none".to_owned(),
    };
    spoil(
        &authority,
        StreamId::proposal(asked[0]),
        Event::Proposal(discounted),
    )
    .await;
    let listed = ra.proposals(None, 10).await.unwrap().items;
    let listed: Vec<ProposalId> = listed.into_iter().map(|proposal| proposal.id).collect();
    assert_eq!(listed, [asked[1]]);

    let mut tokens = Vec::new();
    for _ in 0..2 {
        let new = NewToken {
            operator: name_of("root"),
            label: String::new(),
            scopes: [Right::RequestRead].into(),
            lifetime: Duration::from_secs(60),
            bound_to: None,
        };
        tokens.push(ra.issue_token(&root, new).await.unwrap().id);
    }
    let revoked = Event::Secret(SecretEvent::Revoked);
    spoil(&authority, StreamId::secret(tokens[0]), revoked).await;
    let listed = ra
        .tokens(authority.store.as_ref(), None, (None, 10))
        .await
        .unwrap()
        .items;
    let listed: Vec<_> = listed.into_iter().map(|known| known.id).collect();
    assert_eq!(listed, [tokens[1]]);
}
