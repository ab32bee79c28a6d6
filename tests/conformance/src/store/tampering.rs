//! Somebody writes to the database. Verification finds it and names the place.

use std::io::Cursor;
use std::sync::Arc;

use portreeve_audit::export::{Title, export, record_signer, title, verify_export};
use portreeve_audit::{FaultKind, Report, Scope, SignedNote, verify_log};
use portreeve_ra::ports::AuditLog;

use super::StoreUnderTest;
use super::fixtures::*;
use super::seals::write;
use crate::audit::{Kept, ORIGIN, PurposeKeys, Writer, scope, sealer};

const OTHER_HASH: &str = "CAST( x'000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f' AS BLOB)";

/// The tables that are put back after each case.
const TABLES: [&str; 5] = [
    "record",
    "audit_leaf",
    "audit_node",
    "audit_tree",
    "audit_checkpoint",
];

async fn verified(log: &dyn AuditLog, scope: &Scope) -> Report {
    verify_log(log, scope, |_, _| ()).await.unwrap()
}

/// 600 sealed records with checkpoints over 300 and 600 of them; the checkpoints.
async fn sealed(subject: &dyn StoreUnderTest) -> Vec<SignedNote> {
    let (outside, mut writer) = (Arc::new(Kept::default()), Writer::default());
    for _ in 0..2 {
        write(subject, &mut writer, 300).await;
        sealer(subject, node(1), &outside).once().await.unwrap();
    }
    let notes = outside.0.lock().unwrap().clone();
    assert_eq!(notes.len(), 2);
    notes
}

/// Which leaf belongs to the record behind a condition.
fn place(leaf: u64) -> String {
    format!(
        "kind = 6 AND stream = (SELECT stream FROM audit_leaf WHERE leaf = {leaf}) \
         AND position = (SELECT position FROM audit_leaf WHERE leaf = {leaf})"
    )
}

/// What somebody does, what it is found as, and at which leaves.
type Case = (&'static str, Vec<String>, FaultKind, (u64, u64));

fn cases() -> Vec<Case> {
    let set = |leaf, what: &str| vec![format!("UPDATE record SET {what} WHERE {}", place(leaf))];
    vec![
        ("what a record says", set(7, "payload = CAST( x'00' AS BLOB)"), FaultKind::Payload, (7, 7)),
        ("its digest", set(8, &format!("payload_digest = {OTHER_HASH}")), FaultKind::Changed, (8, 8)),
        ("its header", set(9, "header = CAST( x'01' AS BLOB)"), FaultKind::Changed, (9, 9)),
        ("its signature", set(400, "signature = CAST( x'01' AS BLOB)"), FaultKind::Changed, (400, 400)),
        ("what it says is blanked", set(11, "salt = NULL, payload = NULL"), FaultKind::Emptied, (11, 11)),
        ("a record is removed", vec![format!("DELETE FROM record WHERE {}", place(270))], FaultKind::Removed, (270, 270)),
        ("a record with its leaf is removed", vec![
            format!("DELETE FROM record WHERE {}", place(270)), "DELETE FROM audit_leaf WHERE leaf = 270".to_owned(),
        ], FaultKind::Removed, (270, 270)),
        ("a record is moved to another stream", set(30, "stream = CAST( x'00112233445566778899aabbccddeeff' AS BLOB)"),
            FaultKind::Removed, (30, 30)),
        ("two records change places", vec![
            format!("UPDATE record SET position = 90 WHERE {}", place(0)),
            format!("UPDATE record SET position = 1 WHERE {}", place(7)),
            "UPDATE record SET position = (SELECT position FROM audit_leaf WHERE leaf = 7) WHERE position = 90".to_owned(),
        ], FaultKind::Changed, (0, 0)),
        ("two leaves change places", vec![
            "UPDATE audit_leaf SET leaf = 1000 WHERE leaf = 20".to_owned(),
            "UPDATE audit_leaf SET leaf = 20 WHERE leaf = 21".to_owned(),
            "UPDATE audit_leaf SET leaf = 21 WHERE leaf = 1000".to_owned(),
        ], FaultKind::Reordered, (20, 21)),
        ("a leaf's hash", vec![format!("UPDATE audit_leaf SET hash = {OTHER_HASH} WHERE leaf = 12")],
            FaultKind::Changed, (12, 12)),
        ("a node of the tree", vec![format!("UPDATE audit_node SET hash = {OTHER_HASH} WHERE node = 1")],
            FaultKind::Tree, (256, 511)),
        ("a node is removed", vec!["DELETE FROM audit_node WHERE node = 1".to_owned()], FaultKind::Tree, (256, 511)),
        ("the last leaves are removed", vec!["DELETE FROM audit_leaf WHERE leaf >= 590".to_owned()],
            FaultKind::Removed, (590, 599)),
        ("the tail is removed with all that tells of it", vec![
            "DELETE FROM audit_leaf WHERE leaf >= 300".to_owned(),
            "DELETE FROM audit_node WHERE node >= 1".to_owned(),
            "DELETE FROM audit_checkpoint WHERE size > 300".to_owned(),
            "UPDATE audit_tree SET size = 300, high = 300, watermark = 300".to_owned(),
            "DELETE FROM record WHERE sequence > 300".to_owned(),
        ], FaultKind::Truncated, (300, 599)),
        ("a leaf is added", vec![
            format!("INSERT INTO audit_leaf (leaf, sequence, kind, stream, position, hash) \
                SELECT 600, 5000, 6, stream, 4000, {OTHER_HASH} FROM audit_leaf WHERE leaf = 0"),
        ], FaultKind::Inserted, (600, 600)),
        ("a record is put among the sealed ones", vec![
            "UPDATE record SET sequence = 9000 WHERE sequence = 3".to_owned(),
            "INSERT INTO record (sequence, kind, stream, position, header, payload_digest, salt, payload, key, signature) \
             SELECT 3, kind, stream, 4000, header, payload_digest, salt, payload, key, signature \
             FROM record WHERE sequence = 9000".to_owned(),
        ], FaultKind::Inserted, (0, 599)),
        ("a checkpoint", vec!["UPDATE audit_checkpoint SET note = 'nothing' WHERE size = 300".to_owned()],
            FaultKind::Checkpoint, (299, 299)),
    ]
}

/// Every way to change, remove, reorder, insert or truncate is found at its place, and what is put back is good again.
pub async fn whatever_is_changed_is_found_at_its_place(subject: &mut dyn StoreUnderTest) {
    let notes = sealed(subject).await;
    let log = subject.audit_log();
    let scope = Scope {
        trusted: notes,
        ..scope()
    };
    let good = verified(log.as_ref(), &scope).await;
    assert!(good.is_good(), "{:?}", good.faults);
    assert_eq!(
        (good.size, good.trusted, good.checkpoints, good.covered),
        (600, 2, 2, 600)
    );
    for table in TABLES {
        subject
            .tamper(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}"))
            .await;
    }
    for (name, changes, what, (first, last)) in cases() {
        let mut changed = 0;
        for sql in &changes {
            changed += subject.tamper(sql).await;
        }
        assert!(changed > 0, "{name}: nothing was done");
        let report = verified(log.as_ref(), &scope).await;
        let found = report
            .faults
            .iter()
            .any(|fault| fault.what == what && (fault.first, fault.last) == (first, last));
        assert!(
            found,
            "{name}: {what:?} at {first} to {last} is not among {:#?}",
            report.faults
        );
        for table in TABLES {
            subject.tamper(&format!("DELETE FROM {table}")).await;
            subject
                .tamper(&format!("INSERT INTO {table} SELECT * FROM kept_{table}"))
                .await;
        }
        let again = verified(log.as_ref(), &scope).await;
        assert!(again.is_good(), "{name}, put back: {:?}", again.faults);
    }
    ranges(log.as_ref(), &scope, subject).await;
}

/// A part of the log is verified up to the checkpoints, and what lies elsewhere is not looked at.
async fn ranges(log: &dyn AuditLog, scope: &Scope, subject: &dyn StoreUnderTest) {
    let part = |from, to| Scope {
        range: Some((from, to)),
        ..scope.clone()
    };
    let report = verified(log, &part(520, 600)).await;
    assert!(report.is_good(), "{:?}", report.faults);
    assert!(report.records < 600 && report.covered == 600, "{report:?}");
    let sql = format!(
        "UPDATE record SET payload = CAST( x'00' AS BLOB) WHERE {}",
        place(7)
    );
    subject.tamper(&sql).await;
    assert!(verified(log, &part(600, 700)).await.is_good(), "elsewhere");
    let report = verified(log, &part(5, 8)).await;
    assert_eq!(
        report.faults.first().map(|fault| (fault.what, fault.first)),
        Some((FaultKind::Payload, 7))
    );
}

/// Whoever has stolen the key of checkpoints can seal and sign another history. Only a checkpoint that was kept
/// elsewhere tells.
pub async fn a_tail_that_was_signed_anew(subject: &mut dyn StoreUnderTest) {
    let notes = sealed(subject).await;
    let log = subject.audit_log();
    let last: u64 = 299;
    // The last record of a stream of its own goes, and nothing in the log tells of it any more.
    let stream = "SELECT stream FROM audit_leaf WHERE leaf > 305 GROUP BY stream HAVING count(*) = 1 ORDER BY stream LIMIT 1";
    let sql = format!("DELETE FROM record WHERE kind = 6 AND position = 1 AND stream = ({stream})");
    assert_eq!(subject.tamper(&sql).await, 1);
    for sql in [
        format!(
            "UPDATE audit_tree SET size = {0}, high = {0}, watermark = {0}",
            last + 1
        ),
        format!("DELETE FROM audit_leaf WHERE leaf > {last}"),
        "DELETE FROM audit_node WHERE node > 0".to_owned(),
        format!("DELETE FROM audit_checkpoint WHERE size > {}", last + 1),
    ] {
        subject.tamper(&sql).await;
    }
    let thief = Arc::new(Kept::default());
    sealer(subject, node(1), &thief).once().await.unwrap();
    let report = verified(log.as_ref(), &scope()).await;
    assert!(
        report.is_good(),
        "nothing in the log itself tells: {:?}",
        report.faults
    );
    assert_eq!(report.size, 599);
    for (name, trusted, faults) in [
        ("before", &notes[..1], vec![]),
        ("after", &notes[1..], vec![(FaultKind::Truncated, 599, 599)]),
    ] {
        let scope = Scope {
            trusted: trusted.to_vec(),
            ..scope()
        };
        let report = verified(log.as_ref(), &scope).await;
        let found: Vec<_> = report
            .faults
            .iter()
            .map(|fault| (fault.what, fault.first, fault.last))
            .collect();
        assert_eq!(found, faults, "{name}");
    }
    // The thief fills up what is missing.
    let filling = Writer::default().says(super::fixtures::stream(999), "nothing happened");
    subject.store().commit(records([filling])).await.unwrap();
    sealer(subject, node(1), &thief).once().await.unwrap();
    let scope = Scope {
        trusted: notes,
        ..scope()
    };
    let report = verified(log.as_ref(), &scope).await;
    let found: Vec<_> = report
        .faults
        .iter()
        .map(|fault| (fault.what, fault.first, fault.last))
        .collect();
    assert_eq!(found, [(FaultKind::Forked, 300, 599)]);
}

/// An export verifies without the store, and what is changed in the file is found.
pub async fn an_export(subject: &mut dyn StoreUnderTest) {
    let notes = sealed(subject).await;
    let keys = PurposeKeys::default();
    let log_keys: Vec<_> = keys.of_log().into_values().collect();
    let mut file = Vec::new();
    let first = Title::new(ORIGIN, &log_keys, &keys.public());
    let log = subject.audit_log();
    let size = export(log.as_ref(), (first, &mut file), |_, _| ()).await.unwrap();
    assert_eq!(size, 600);
    let text = String::from_utf8(file).unwrap();
    let verify = |text: &str| {
        let title = title(&mut Cursor::new(text)).unwrap();
        let scope = Scope {
            origin: title.origin.clone(),
            keys: title.log_keys().unwrap(),
            trusted: notes.clone(),
            signer: Some(record_signer(&title).unwrap()),
            range: None,
        };
        verify_export((&title, &scope), || Ok(Cursor::new(text)), |_, _| ())
    };
    let report = verify(&text).unwrap();
    assert!(report.is_good(), "{:?}", report.faults);
    assert_eq!((report.size, report.trusted, report.checkpoints), (600, 2, 2));
    let lines: Vec<&str> = text.lines().collect();
    let without = |from: usize, to: usize| {
        let kept = lines
            .iter()
            .enumerate()
            .filter(|(at, _)| !(from..to).contains(at));
        kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    let mut swapped = lines.clone();
    swapped.swap(51, 52);
    let swapped: String = swapped.iter().map(|line| format!("{line}\n")).collect();
    let salted = text.replacen("\"salt\":\"Bwc", "\"salt\":\"AAc", 1);
    let cases = [
        ("a line is gone", without(100, 101), FaultKind::Removed, 99),
        ("the tail is gone", without(501, 601), FaultKind::Truncated, 500),
        ("two lines are exchanged", swapped, FaultKind::Removed, 50),
        ("what one says", salted, FaultKind::Payload, 0),
    ];
    for (name, text, what, first) in cases {
        let report = verify(&text).unwrap();
        let found = report
            .faults
            .iter()
            .any(|fault| fault.what == what && fault.first == first);
        assert!(found, "{name}: {:?}", report.faults);
    }
    assert!(
        verify(&text[..text.len() - 3]).is_err(),
        "cut in the middle of a line"
    );
}
