//! Erasing: what records say goes, and everything that was proven with them holds.

use std::sync::Arc;

use portreeve_audit::{FaultKind, verify_log};
use portreeve_ra::ports::{Batch, Projection, RegistrationRow};
use portreeve_ra::{
    EnrollmentEvent, ErasedWith, Event, ProposalEvent, ProposalId, Purpose, Record, Registration,
    RegistrationEvent, RegistrationId, StreamId,
};

use super::StoreUnderTest;
use super::fixtures::*;
use super::seals::seal;
use crate::audit::{Kept, Writer, scope, sealer};

/// Proposals and registrations are erased like enrollments.
pub async fn erased_with_a_request(subject: &mut dyn StoreUnderTest) {
    let (outside, mut writer) = (Arc::new(Kept::default()), Writer::default());
    let registration = RegistrationId::from_bytes([9; 16]);
    let says = |event| Event::Registration(event);
    let discounted = || ProposalEvent::Discounted {
        by: "operator:ann".parse().unwrap(),
        why: "of somebody".to_owned(),
    };
    let proposal = StreamId::proposal(ProposalId::from_bytes([8; 16]));
    let streams = [
        (
            StreamId::registration(registration),
            says(RegistrationEvent::Defined(Registration::named("somebody"))),
            says(RegistrationEvent::Erased),
        ),
        (
            proposal,
            Event::Proposal(discounted()),
            Event::Proposal(ProposalEvent::Erased),
        ),
    ];
    for (stream, said, erased) in streams {
        let batch = [said.clone(), said, erased].map(|event| writer.record(Purpose::Console, stream, event));
        subject.store().commit(records(batch)).await.unwrap();
    }
    let row = RegistrationRow {
        registration,
        name: "somebody".to_owned(),
        team: None,
        state: "ended".to_owned(),
        vouched: false,
        until: None,
    };
    let batch = Batch {
        projections: vec![Projection::Registration(row)],
        ..Batch::default()
    };
    subject.store().commit(batch).await.unwrap();
    let sealer = sealer(subject, node(1), &outside);
    seal(&sealer).await;
    for stream in [StreamId::registration(registration), proposal] {
        let before = subject.store().load(&[stream]).await.unwrap().remove(0);
        assert_eq!(
            subject.sealing().erase(stream, 4).await.unwrap(),
            0,
            "no such record"
        );
        assert_eq!(subject.sealing().erase(stream, 3).await.unwrap(), 2, "{stream}");
        let after = subject.store().load(&[stream]).await.unwrap().remove(0);
        let emptied: Vec<bool> = after.iter().map(Record::is_erased).collect();
        assert_eq!(emptied, [true, true, false], "{stream}");
        let hashes = |records: &[Record]| records.iter().map(Record::hash).collect::<Vec<_>>();
        assert_eq!(hashes(&after), hashes(&before), "{stream}");
    }
    let shown = subject.store().registrations(&Default::default(), None, 5).await;
    assert!(shown.unwrap().items.is_empty(), "its name is gone from the list");
    let log = subject.audit_log();
    let report = verify_log(log.as_ref(), &scope(), |_, _| ()).await.unwrap();
    assert!(report.is_good(), "{:?}", report.faults);
    assert_eq!((report.records, report.erased), (6, 4));
}

/// Erasing removes what was said and nothing else, only behind a record that a console has written.
pub async fn erased_records(subject: &mut dyn StoreUnderTest) {
    let (outside, mut writer) = (Arc::new(Kept::default()), Writer::default());
    let streams = [1, 2].map(|number| StreamId::enrollment(enrollment(number)));
    let expired = || Event::Enrollment(EnrollmentEvent::Expired);
    for stream in streams {
        let batch = [(); 3].map(|()| writer.record(Purpose::Worker, stream, expired()));
        subject.store().commit(records(batch)).await.unwrap();
    }
    let sealer = sealer(subject, node(1), &outside);
    seal(&sealer).await;
    let [first, second] = streams;
    assert_eq!(
        subject.sealing().erase(first, 3).await.unwrap(),
        0,
        "no console has said so"
    );
    let said = writer.record(
        Purpose::Console,
        first,
        Event::Enrollment(EnrollmentEvent::Erased(ErasedWith::default())),
    );
    let mut batch = records([said]);
    batch.projections = vec![
        Projection::Request(request_row(1, "acme/test", "erased")),
        Projection::Certificate(certificate_row(1)),
    ];
    subject.store().commit(batch).await.unwrap();
    let before = subject.store().load(&streams).await.unwrap();
    assert_eq!(subject.sealing().erase(first, 4).await.unwrap(), 3);
    assert_eq!(subject.sealing().erase(first, 4).await.unwrap(), 0, "once");
    let after = subject.store().load(&streams).await.unwrap();
    assert_eq!(after[1], before[1]);
    let emptied: Vec<bool> = after[0].iter().map(Record::is_erased).collect();
    assert_eq!(emptied, [true, true, true, false]);
    let hashes = |records: &[Record]| records.iter().map(Record::hash).collect::<Vec<_>>();
    assert_eq!(hashes(&after[0]), hashes(&before[0]), "proofs and chains hold");
    let shown = subject
        .store()
        .requests(&Default::default(), None, 5)
        .await
        .unwrap()
        .items;
    assert_eq!((shown[0].names.as_str(), shown[0].requester.as_str()), ("", ""));
    let shown = subject.store().certificates(None, 5).await.unwrap().items;
    assert_eq!(shown[0].names, "");
    seal(&sealer).await;
    let log = subject.audit_log();
    let report = verify_log(log.as_ref(), &scope(), |_, _| ()).await.unwrap();
    assert!(report.is_good(), "{:?}", report.faults);
    assert_eq!((report.records, report.erased), (7, 3));
    // The same without an event that says so.
    let sql = "UPDATE record SET salt = NULL, payload = NULL WHERE kind = 1 AND position = 2";
    assert_eq!(subject.tamper(sql).await, 2);
    let report = verify_log(log.as_ref(), &scope(), |_, _| ()).await.unwrap();
    let faults: Vec<(FaultKind, u64)> = report
        .faults
        .iter()
        .map(|fault| (fault.what, fault.first))
        .collect();
    assert_eq!(faults, [(FaultKind::Emptied, 4)], "{second}");
}
