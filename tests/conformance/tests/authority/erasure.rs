//! Erasing what is known of an enrollment that has ended for good.

use portreeve_harness::authority::operator;
use portreeve_ra::authority::{Erased, Erasure, Meant};
use portreeve_ra::ports::Sealing;
use portreeve_ra::{EnrollmentState, EventKind, Purpose, RegistrationAuthority, Resolution};

use super::*;

/// The time, some days later.
pub(super) struct Later(pub(super) i64);

#[async_trait]
impl portreeve_ra::ports::Clock for Later {
    fn now(&self) -> Timestamp {
        let now = clock().now();
        Timestamp::from_unix_seconds(now.unix_seconds() + self.0 * 86_400)
    }
    async fn sleep(&self, duration: Duration) {
        clock().sleep(duration).await;
    }
}

fn says(comment: &str) -> DecisionRequest {
    DecisionRequest {
        by: operator("alice"),
        digest: None,
        comment: comment.to_owned(),
        origin: Origin::node(portreeve_ra::NodeId::from_bytes([1; 16])),
    }
}

pub(super) async fn erase(
    authority: &TestAuthority,
    node: &RegistrationAuthority,
    id: EnrollmentId,
) -> Result<Erasure, Error> {
    let sealing: &dyn Sealing = authority.store.as_ref();
    node.erase(sealing, id, says("asked for by the person")).await
}

async fn records(authority: &TestAuthority, id: EnrollmentId) -> Vec<Record> {
    authority
        .store
        .load(&[StreamId::enrollment(id)])
        .await
        .unwrap()
        .remove(0)
}

/// So many records were emptied, and nothing went with them.
fn done(records: u64) -> Erasure {
    Erasure::Done(Erased {
        records,
        ..Erased::default()
    })
}

#[tokio::test]
async fn an_expired_certificate_is_erased_and_nothing_else_changes() {
    let odd = Odd::new(Vec::new());
    let backend = Arc::clone(&odd.inner);
    let (authority, _) = odd.start("").await;
    let account = authority.account(&["a.test"]).await;
    let issuance = issued(&authority, &account, ("order", &csr("a.test"))).await;
    let id = issuance.enrollment;
    assert_eq!(
        erase(&authority, &authority.ra, id).await.unwrap(),
        Erasure::NotEnded,
        "it is in force"
    );
    let later = authority.node_at(Arc::new(Later(400)), backend, 9);
    let before = records(&authority, id).await;
    assert_eq!(
        erase(&authority, &later, id).await.unwrap(),
        done(before.len() as u64)
    );

    let after = records(&authority, id).await;
    let (said, emptied) = after.split_last().unwrap();
    let hashes = |records: &[Record]| records.iter().map(Record::hash).collect::<Vec<_>>();
    assert_eq!(hashes(emptied), hashes(&before));
    assert!(emptied.iter().all(Record::is_erased));
    let header = said.header();
    assert_eq!(
        (header.purpose, header.kinds.as_slice()),
        (Purpose::Console, &[EventKind::EnrollmentErased][..])
    );
    assert_eq!(header.actor, Actor::Operator(operator("alice")));
    assert_eq!(header.reason, "asked for by the person");
    for node in [&authority.ra, &later] {
        let enrollment = node.enrollment(id).await.unwrap().unwrap();
        assert_eq!(enrollment.state(), Some(EnrollmentState::Erased));
        assert!(enrollment.application().is_none() && enrollment.certificate().is_none());
    }
    assert_eq!(state(&authority).await, "erased");
    assert_eq!(erase(&authority, &later, id).await.unwrap(), done(0), "again");
    assert_eq!(records(&authority, id).await.len(), after.len());

    // Whoever still asks for it learns that there is nothing, and it is no incident.
    let standing = authority
        .ra
        .resume(
            &endpoint(),
            Operation::Enroll,
            &handle("order"),
            (&account.credential(), &authority.origin()),
        )
        .await;
    refused("the handle", standing, &Refusal::UnknownRequest);
    let outcome = revoke(
        &authority,
        account.credential(),
        (&issuance, RevocationReason::Unspecified),
    )
    .await;
    refused("revocation", outcome, &Refusal::UnknownCertificate);
    let resolved = authority.ra.resolve(id, Resolution::GiveUp, says("again")).await;
    refused("a decision", resolved, &Refusal::AlreadyDecided);
    assert_eq!(incidents(&authority).await, Vec::<&str>::new());
    let serial = issuance.certificate.serial();
    let meant = Meant {
        serial: serial.clone(),
        issuer: None,
        backend: None,
    };
    assert_eq!(
        authority.ra.certified(&meant).await.unwrap(),
        Some(id),
        "its number stays taken"
    );
    let other = issued(&authority, &account, ("another order", &csr("a.test"))).await;
    assert_ne!(other.enrollment, id);
}

#[tokio::test]
async fn what_still_goes_on_is_not_erased() {
    let odd = Odd::new(vec![Answer::Checkpoint(vec![1; 64 * 1024 + 1])]);
    let backend = Arc::clone(&odd.inner);
    let (authority, _) = odd.start("").await;
    let account = authority.account(&["a.test"]).await;
    let pending = enroll(&authority, &account, ("order", &csr("a.test")))
        .await
        .unwrap();
    let Disposition::Pending { enrollment: id, .. } = pending else {
        panic!("{pending:?}");
    };
    reach(&authority, "in_doubt").await;
    let later = authority.node_at(Arc::new(Later(400)), backend, 9);
    assert_eq!(
        erase(&authority, &later, id).await.unwrap(),
        Erasure::NotEnded,
        "in doubt"
    );
    authority
        .ra
        .resolve(id, Resolution::GiveUp, says("nothing came"))
        .await
        .unwrap();
    assert!(
        matches!(erase(&authority, &later, id).await.unwrap(), Erasure::Done(erased) if erased.records > 2)
    );
    let unknown = erase(&authority, &later, EnrollmentId::from_bytes([7; 16])).await;
    refused("unknown", unknown, &Refusal::UnknownRequest);
}

#[tokio::test]
async fn a_denial_counts_before_it_is_erased() {
    let odd = Odd::new(Vec::new());
    let backend = Arc::clone(&odd.inner);
    let (authority, _) = odd.start("approval = \"one\"").await;
    let account = authority.account(&["a.test"]).await;
    let request = csr("a.test");
    let pending = enroll(&authority, &account, ("order", &request)).await.unwrap();
    let Disposition::Pending { enrollment: id, .. } = pending else {
        panic!("{pending:?}");
    };
    let proposal = authority
        .ra
        .enrollment(id)
        .await
        .unwrap()
        .unwrap()
        .proposal()
        .unwrap();
    let vote = portreeve_ra::authority::Vote {
        comment: "no".to_owned(),
        ..authority.vote("alice").await
    };
    authority.ra.reject(proposal, vote).await.unwrap();
    reach(&authority, "refused").await;
    assert_eq!(
        erase(&authority, &authority.ra, id).await.unwrap(),
        Erasure::NotEnded
    );
    let denied = enroll(&authority, &account, ("order", &request)).await;
    assert!(
        matches!(denied, Ok(Disposition::Refused(Refusal::Denied))),
        "{denied:?}"
    );
    let tomorrow = authority.node_at(Arc::new(Later(2)), backend, 9);
    let of_proposal = || async {
        authority
            .store
            .load(&[StreamId::proposal(proposal)])
            .await
            .unwrap()
            .remove(0)
    };
    let before = of_proposal().await;
    let Erasure::Done(erased) = erase(&authority, &tomorrow, id).await.unwrap() else {
        panic!("it is over");
    };
    assert_eq!(erased.with.proposal, Some(proposal));
    let after = of_proposal().await;
    let (said, emptied) = after.split_last().unwrap();
    assert_eq!(said.header().kinds, [EventKind::ProposalErased]);
    assert!(emptied.iter().all(Record::is_erased));
    let hashes = |records: &[Record]| records.iter().map(Record::hash).collect::<Vec<_>>();
    assert_eq!(hashes(emptied), hashes(&before));
    assert_eq!(tomorrow.proposal(proposal).await.unwrap(), None);
    let late = tomorrow.approve(proposal, authority.vote("bob").await).await;
    refused("a decision", late, &Refusal::UnknownRequest);
    assert_eq!(incidents(&authority).await, Vec::<&str>::new());
}
