//! A registration is erased with the last request that was made through it.

use portreeve_ra::authority::{Erased, Erasure};
use portreeve_ra::ports::{CheckpointRow, Seal, SealError, SealHolder, Sealing, StoreError};
use portreeve_ra::{Error, EventKind, Record, Registration, RegistrationId, StreamId};

use super::super::erasure::{Later, erase};
use super::support::*;
use super::*;

/// What is erased when nothing stands in the way.
async fn erased(these: &These, id: EnrollmentId) -> Erased {
    let backend = Arc::clone(&these.backend) as Arc<dyn CaBackend>;
    let later = these.authority.node_at(Arc::new(Later(400)), backend, 9);
    match erase(&these.authority, &later, id).await.unwrap() {
        Erasure::Done(erased) => erased,
        Erasure::NotEnded => panic!("it has ended"),
    }
}

async fn end(these: &These, id: RegistrationId) {
    let (ra, by) = (&these.authority.ra, host());
    let ended = ra.end_registration(&acting(ra, &by), id).await;
    assert!(ended.unwrap().is_some());
}

fn vouched(name: &str) -> Registration {
    Registration {
        vouched: true,
        ..allowing(name, &[".web.test"])
    }
}

#[tokio::test]
async fn a_registration_goes_with_its_last_request() {
    let these = These::start("").await;
    let web = these.register(vouched("web")).await;
    let account = these.bound(&web).await;
    let mut issued = Vec::new();
    for name in ["a.web.test", "b.web.test", "c.web.test"] {
        issued.push(these.enroll(&account, name, name).await.unwrap().enrollment);
    }
    let of_this = StreamId::registration(web.id);
    assert_eq!(
        erased(&these, issued[0]).await.with.registration,
        None,
        "it is in use"
    );
    end(&these, web.id).await;
    assert_eq!(
        erased(&these, issued[1]).await.with.registration,
        None,
        "one is left"
    );
    assert!(!these.records(of_this).await.iter().any(Record::is_erased));

    let before = these.records(of_this).await;
    assert_eq!(erased(&these, issued[2]).await.with.registration, Some(web.id));
    let after = these.records(of_this).await;
    let (said, emptied) = after.split_last().unwrap();
    assert_eq!(said.header().kinds, [EventKind::RegistrationErased]);
    assert!(emptied.iter().all(Record::is_erased));
    let hashes = |records: &[Record]| records.iter().map(Record::hash).collect::<Vec<_>>();
    assert_eq!(hashes(emptied), hashes(&before), "chains and proofs hold");

    let (ra, by) = (&these.authority.ra, host());
    assert!(
        ra.registration_seen(&acting(ra, &by), web.id)
            .await
            .unwrap()
            .is_none()
    );
    let refused = these.ask(&account, "again", "a.web.test").await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    let anew = these.register(vouched("web")).await;
    assert_ne!(anew.id, web.id, "the name is free");
    assert_eq!(incidents(&these.authority).await, Vec::<&str>::new());
}

/// The node ended after it had said so, and before anything was removed.
#[tokio::test]
async fn what_a_crash_left_is_removed_by_doing_it_again() {
    let these = These::start("").await;
    let web = these.register(vouched("web")).await;
    let account = these.bound(&web).await;
    let id = these
        .enroll(&account, "one", "a.web.test")
        .await
        .unwrap()
        .enrollment;
    end(&these, web.id).await;
    let backend = Arc::clone(&these.backend) as Arc<dyn CaBackend>;
    let later = these.authority.node_at(Arc::new(Later(400)), backend, 9);
    let request = DecisionRequest {
        by: host().principal,
        digest: None,
        comment: "asked for".to_owned(),
        origin: Origin::node(these.authority.ra.node()),
    };
    assert!(later.erase(&NeverErases, id, request).await.is_err());
    let of_this = StreamId::registration(web.id);
    assert!(!these.records(of_this).await.iter().any(Record::is_erased));
    let done = erased(&these, id).await;
    assert_eq!(done.with.registration, Some(web.id));
    assert!(done.records > 3, "{done:?}");
    assert!(these.records(of_this).await[0].is_erased());
    let unknown = these.authority.ra.enrollment(id).await.unwrap().unwrap();
    assert_eq!(unknown.on_behalf_of(), None);
}

/// A store that cannot be written to any more.
struct NeverErases;

#[async_trait]
impl Sealing for NeverErases {
    async fn seal(&self, _: Seal) -> Result<(), SealError> {
        Ok(())
    }

    async fn keep_checkpoint(&self, _: &SealHolder, _: &CheckpointRow, _: u64) -> Result<(), SealError> {
        Ok(())
    }

    async fn erase(&self, _: StreamId, _: u64) -> Result<u64, StoreError> {
        Err(StoreError::Unavailable {
            retry_after: Duration::from_secs(1),
        })
    }
}
