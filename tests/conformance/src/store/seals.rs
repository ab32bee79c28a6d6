//! Sealing: every record gets its leaf once, and only whoever has the duty gives it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portreeve_audit::stored::StoredTree;
use portreeve_audit::{Checkpoint, FaultKind, Frontier, RecordProof, Sealer, SealerError, verify_log};
use portreeve_ra::Record;
use portreeve_ra::ports::{CheckpointRow, RecordPlace, Seal, SealError, SealHolder, UnsealedRecord};

use super::StoreUnderTest;
use super::fixtures::*;
use crate::audit::{Kept, Writer, scope, sealer};

/// Commits this many records of seven streams, some of them together.
pub(crate) async fn write(subject: &dyn StoreUnderTest, writer: &mut Writer, count: u64) -> Vec<Record> {
    let mut written = Vec::new();
    while (written.len() as u64) < count {
        let number = writer.made;
        let mut batch = vec![writer.says(stream(100 + number % 7), &format!("number {number}"))];
        if number.is_multiple_of(5) {
            batch.push(writer.says(stream(200 + number), "with it"));
        }
        written.extend(batch.clone());
        subject.store().commit(records(batch)).await.unwrap();
    }
    written
}

pub(super) async fn seal(sealer: &Sealer) {
    sealer.once().await.unwrap();
}

/// All records there are have a leaf each, and the log verifies.
async fn all_sealed(subject: &dyn StoreUnderTest, written: &[Record]) {
    let log = subject.audit_log();
    let report = verify_log(log.as_ref(), &scope(), |_, _| ()).await.unwrap();
    assert!(report.is_good(), "{:?}", report.faults);
    assert_eq!((report.records, report.unsealed), (written.len() as u64, 0));
    assert_eq!(report.covered, report.size, "the last checkpoint covers all");
    let mut hashes = Vec::new();
    let mut from = 0;
    loop {
        let found = log.leaves(from, 100).await.unwrap();
        let Some(last) = found.last() else { break };
        from = last.index + 1;
        hashes.extend(found.iter().map(|leaf| leaf.hash));
    }
    let expected: BTreeSet<[u8; 32]> = written.iter().map(Record::hash).collect();
    assert_eq!(hashes.len(), written.len(), "each once");
    assert_eq!(hashes.iter().copied().collect::<BTreeSet<_>>(), expected);
    let mut tree = Frontier::default();
    hashes.iter().for_each(|hash| tree.append(*hash, |_, _| ()));
    assert_eq!(hex::encode(tree.root()), report.root);
    let mut stored = StoredTree::new(log.as_ref());
    assert_eq!(stored.frontier(report.size).await.unwrap(), tree);
}

/// Records are sealed in the order in which they were written, across many batches of the sealer, and once.
pub async fn every_record_is_sealed_once_in_order(subject: &mut dyn StoreUnderTest) {
    let (outside, mut writer) = (Arc::new(Kept::default()), Writer::default());
    let sealer = sealer(subject, node(1), &outside);
    seal(&sealer).await;
    assert_eq!(subject.audit_log().progress().await.unwrap().size, 0);
    let written = write(subject, &mut writer, 1_300).await;
    seal(&sealer).await;
    all_sealed(subject, &written).await;
    let leaves = subject.audit_log().leaves(0, 1_000).await.unwrap();
    let order: Vec<[u8; 32]> = written.iter().take(leaves.len()).map(Record::hash).collect();
    assert_eq!(leaves.iter().map(|leaf| leaf.hash).collect::<Vec<_>>(), order);
    seal(&sealer).await;
    all_sealed(subject, &written).await;
    let published = outside.0.lock().unwrap().len();
    assert_eq!(published, 1, "no second checkpoint of the same tree");
    let progress = subject.audit_log().progress().await.unwrap();
    assert_eq!(
        (progress.high, progress.watermark),
        (progress.newest, progress.newest)
    );
}

/// Of several writers a later number may be committed first. The earlier one is sealed when it is there.
pub async fn a_record_that_comes_late_is_sealed(subject: &mut dyn StoreUnderTest) {
    let (outside, mut writer) = (Arc::new(Kept::default()), Writer::default());
    let mut written = write(subject, &mut writer, 3).await;
    let last = subject.audit_log().progress().await.unwrap().newest;
    let moved = format!(
        "UPDATE record SET sequence = {} WHERE sequence = {last}",
        last + 50
    );
    assert_eq!(subject.tamper(&moved).await, 1);
    let sealer = sealer(subject, node(1), &outside);
    seal(&sealer).await;
    let progress = subject.audit_log().progress().await.unwrap();
    assert_eq!(
        (progress.high, progress.watermark),
        (last + 50, last - 1),
        "a gap is waited for"
    );
    for place in [last + 20, last + 10] {
        let late = writer.says(stream(300), "late");
        subject.store().commit(records([late.clone()])).await.unwrap();
        let newest = format!(
            "UPDATE record SET sequence = {place} WHERE kind = 6 AND position = {} AND stream = CAST( x'{}' AS BLOB)",
            late.header().position,
            hex::encode(stream(300).id)
        );
        assert_eq!(subject.tamper(&newest).await, 1);
        seal(&sealer).await;
        written.push(late);
        all_sealed(subject, &written).await;
    }
}

/// What is recorded after somebody has removed the newest record is sealed all the same.
pub async fn a_removed_record_hides_no_later_one(subject: &mut dyn StoreUnderTest) {
    let (outside, mut writer) = (Arc::new(Kept::default()), Writer::default());
    write(subject, &mut writer, 4).await;
    let sealer = sealer(subject, node(1), &outside);
    seal(&sealer).await;
    let removed = subject
        .tamper("DELETE FROM record WHERE sequence = (SELECT max(sequence) FROM record)")
        .await;
    assert_eq!(removed, 1);
    write(subject, &mut writer, 3).await;
    seal(&sealer).await;
    let log = subject.audit_log();
    let progress = log.progress().await.unwrap();
    let report = verify_log(log.as_ref(), &scope(), |_, _| ()).await.unwrap();
    assert!(progress.size >= 7 && report.unsealed == 0, "{progress:?}");
    assert!(
        report
            .faults
            .iter()
            .all(|fault| fault.what != FaultKind::Inserted),
        "{:?}",
        report.faults
    );
    assert_eq!(
        (report.faults[0].what, report.faults[0].first),
        (FaultKind::Removed, 3)
    );
}

/// What was prepared under an old fence, or for a tree of another size, is not written.
pub async fn only_the_holder_seals(subject: &mut dyn StoreUnderTest) {
    let mut writer = Writer::default();
    write(subject, &mut writer, 2).await;
    let (leases, sealing, log) = (subject.leases(), subject.sealing(), subject.audit_log());
    let term = Duration::from_secs(5);
    let first = leases.lease("audit/seal", node(1), term).await.unwrap().unwrap();
    let holder = |number, fence| SealHolder {
        duty: "audit/seal",
        node: node(number),
        fence,
    };
    let found = log.unsealed(&[], 0, 10).await.unwrap();
    let append = |holder: SealHolder, size: u64, leaves: &[UnsealedRecord]| Seal {
        holder,
        size,
        high: found.last().unwrap().sequence,
        watermark: 0,
        leaves: leaves.to_vec(),
        nodes: Vec::new(),
    };
    let one = found.get(..1).unwrap();
    sealing
        .seal(append(holder(1, first.fence), 0, one))
        .await
        .unwrap();
    // Node 1 stops; its lease runs out, and node 2 takes the duty.
    subject.clock().advance(term + term);
    let second = leases.lease("audit/seal", node(2), term).await.unwrap().unwrap();
    assert!(second.fence > first.fence);
    let row = CheckpointRow {
        number: 1,
        size: 1,
        at: Default::default(),
        note: "note".to_owned(),
    };
    let rest = found.get(1..).unwrap();
    let refused = [
        ("an old fence", append(holder(1, first.fence), 1, rest)),
        ("somebody else's fence", append(holder(1, second.fence), 1, rest)),
        ("another size", append(holder(2, second.fence), 0, rest)),
        ("sealed already", append(holder(2, second.fence), 1, one)),
    ];
    for (name, seal) in refused {
        assert_eq!(sealing.seal(seal).await, Err(SealError::Overtaken), "{name}");
        assert_eq!(log.leaves(0, 10).await.unwrap().len(), 1, "{name}");
        assert_eq!(log.progress().await.unwrap().size, 1, "{name}");
    }
    let kept = sealing.keep_checkpoint(&holder(1, first.fence), &row, 5).await;
    assert_eq!(kept, Err(SealError::Overtaken));
    sealing
        .keep_checkpoint(&holder(2, second.fence), &row, 5)
        .await
        .unwrap();
    let again = sealing.keep_checkpoint(&holder(2, second.fence), &row, 5).await;
    assert_eq!(again, Err(SealError::Overtaken), "a number is used once");
    sealing
        .seal(append(holder(2, second.fence), 1, rest))
        .await
        .unwrap();
    assert_eq!(log.leaves(0, 10).await.unwrap().len(), found.len());
}

/// A node that ended in the middle, between two batches or before its checkpoint, leaves nothing that is lost or doubled.
pub async fn a_sealer_goes_on_where_another_stopped(subject: &mut dyn StoreUnderTest) {
    let (outside, mut writer) = (Arc::new(Kept::default()), Writer::default());
    let mut written = write(subject, &mut writer, 300).await;
    seal(&sealer(subject, node(1), &outside)).await;
    // What it had sealed last has no checkpoint.
    subject.tamper("DELETE FROM audit_checkpoint").await;
    outside.0.lock().unwrap().clear();
    subject.restart().await;
    written.extend(write(subject, &mut writer, 300).await);
    let other = sealer(subject, node(2), &outside);
    seal(&other).await;
    assert_eq!(
        subject.audit_log().progress().await.unwrap().size,
        300,
        "the duty is held by node 1 for a while"
    );
    subject.clock().advance(Duration::from_secs(6));
    seal(&other).await;
    all_sealed(subject, &written).await;
    // One that ended between keeping a checkpoint and handing it out: the next makes up for it.
    let last = outside.0.lock().unwrap().pop();
    subject.restart().await;
    written.extend(write(subject, &mut writer, 1).await);
    seal(&sealer(subject, node(2), &outside)).await;
    all_sealed(subject, &written).await;
    let kept = outside.0.lock().unwrap().clone();
    assert!(!kept.is_empty() && kept.last() != last.as_ref());
}

/// Sealers of two nodes that both believe to have the duty do each other no harm.
pub async fn two_sealers_at_once(subject: &mut dyn StoreUnderTest) {
    let (outside, mut writer) = (Arc::new(Kept::default()), Writer::default());
    let sealers = [1, 2].map(|number| sealer(subject, node(number), &outside));
    let mut written = Vec::new();
    for turn in 0..8 {
        written.extend(write(subject, &mut writer, 90).await);
        if turn % 2 == 1 {
            subject.clock().advance(Duration::from_secs(6));
        }
        let [first, second] = &sealers;
        let (first, second) = tokio::join!(first.once(), second.once());
        for outcome in [first, second] {
            assert!(
                matches!(outcome, Ok(()) | Err(SealerError::Overtaken)),
                "{outcome:?}"
            );
        }
    }
    subject.clock().advance(Duration::from_secs(6));
    seal(&sealers[0]).await;
    all_sealed(subject, &written).await;
}

/// The store keeps the newest checkpoints.
pub async fn checkpoints_are_bounded(subject: &mut dyn StoreUnderTest) {
    let lease = subject
        .leases()
        .lease("audit/seal", node(1), Duration::from_secs(9))
        .await
        .unwrap();
    let holder = SealHolder {
        duty: "audit/seal",
        node: node(1),
        fence: lease.unwrap().fence,
    };
    for number in 1..=6 {
        let row = CheckpointRow {
            number,
            size: 10 * number,
            at: Default::default(),
            note: format!("{number}"),
        };
        subject.sealing().keep_checkpoint(&holder, &row, 3).await.unwrap();
    }
    let log = subject.audit_log();
    let numbers = |rows: Vec<CheckpointRow>| rows.iter().map(|row| row.number).collect::<Vec<_>>();
    assert_eq!(numbers(log.checkpoints(None, 10).await.unwrap()), [6, 5, 4, 3]);
    assert_eq!(numbers(log.checkpoints(Some(5), 1).await.unwrap()), [4]);
    assert_eq!(log.progress().await.unwrap().checkpoint, 60);
}

/// Nothing is signed on top of a log that is not the one that was signed before.
pub async fn a_log_that_went_back_is_not_sealed(subject: &mut dyn StoreUnderTest) {
    let (outside, mut writer) = (Arc::new(Kept::default()), Writer::default());
    write(subject, &mut writer, 20).await;
    seal(&sealer(subject, node(1), &outside)).await;
    let ways = [
        (
            "the tail is gone, with its checkpoint",
            vec![
                "DELETE FROM audit_leaf WHERE leaf >= 15",
                "UPDATE audit_tree SET size = 15",
                "DELETE FROM audit_checkpoint",
            ],
        ),
        (
            "a hash was changed",
            vec![
                "UPDATE audit_leaf SET hash = CAST( x'000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f' AS BLOB) \
             WHERE leaf = 3",
            ],
        ),
        ("a leaf is gone", vec!["DELETE FROM audit_leaf WHERE leaf = 4"]),
    ];
    subject
        .tamper("CREATE TABLE kept_leaf AS SELECT * FROM audit_leaf")
        .await;
    subject
        .tamper("CREATE TABLE kept_tree AS SELECT * FROM audit_tree")
        .await;
    subject
        .tamper("CREATE TABLE kept_checkpoint AS SELECT * FROM audit_checkpoint")
        .await;
    let incident = writer.says(stream(900), "something new");
    subject.store().commit(records([incident])).await.unwrap();
    for (name, changes) in ways {
        for sql in changes {
            assert!(subject.tamper(sql).await > 0, "{name}: {sql}");
        }
        let outcome = sealer(subject, node(1), &outside).once().await;
        assert!(
            matches!(&outcome, Err(SealerError::Distrusted(_)))
                || matches!(&outcome, Err(SealerError::Store(error)) if error.to_string().contains("lacks a hash")),
            "{name}: {outcome:?}"
        );
        for table in ["leaf", "tree", "checkpoint"] {
            subject.tamper(&format!("DELETE FROM audit_{table}")).await;
            subject
                .tamper(&format!("INSERT INTO audit_{table} SELECT * FROM kept_{table}"))
                .await;
        }
    }
    seal(&sealer(subject, node(1), &outside)).await;
    assert_eq!(subject.audit_log().progress().await.unwrap().size, 21);
}

/// An inclusion proof of a record holds with the checkpoint and the public key alone.
pub async fn proofs_of_records(subject: &mut dyn StoreUnderTest) {
    let (outside, mut writer) = (Arc::new(Kept::default()), Writer::default());
    let written = write(subject, &mut writer, 700).await;
    seal(&sealer(subject, node(1), &outside)).await;
    let (log, keys) = (subject.audit_log(), scope().keys);
    let note = outside.0.lock().unwrap().last().cloned().unwrap();
    let size = Checkpoint::verified(&note, &keys).unwrap().size;
    for record in [
        &written[0],
        &written[255],
        &written[256],
        &written[511],
        written.last().unwrap(),
    ] {
        let place = RecordPlace::of(record.header().stream, record.header().position);
        let index = log.index_of(place).await.unwrap().unwrap();
        let hashes = StoredTree::new(log.as_ref())
            .inclusion(index, size)
            .await
            .unwrap();
        let proof = RecordProof {
            record: record.to_stored(),
            index,
            hashes,
            checkpoint: note.clone(),
        };
        let mut read: RecordProof = proof.to_string().parse().unwrap();
        assert_eq!(read, proof);
        let (proven, checkpoint) = read.verify(&keys).unwrap();
        assert_eq!((&proven, checkpoint.size), (record, size));
        assert!(read.verify(&[]).is_err(), "without a key");
        read.record.signature[0] ^= 1;
        assert!(read.verify(&keys).is_err(), "of another record");
    }
    let nothing = RecordPlace::of(stream(1), 1);
    assert_eq!(log.index_of(nothing).await.unwrap(), None);
    let mut tree = StoredTree::new(log.as_ref());
    for earlier in [1, 255, 256, 257, 600, size] {
        let old = tree.frontier(earlier).await.unwrap().root();
        let new = tree.frontier(size).await.unwrap().root();
        let proof = tree.consistency(earlier, size).await.unwrap();
        portreeve_audit::proof::check_consistency((earlier, &old), &proof, (size, &new)).unwrap();
    }
}
