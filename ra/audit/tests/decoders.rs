//! Decoders of what an auditor is handed: what is written is read again, and nothing makes them panic.

#![cfg(test)]

use std::io::Cursor;

use portreeve_audit::checkpoint::{notes, one_line, unfold};
use portreeve_audit::export::{title, verify_export};
use portreeve_audit::{Checkpoint, RecordProof, Scope, SignedNote, VerifierKey};
use portreeve_ra::StoredRecord;
use proptest::prelude::*;

fn note() -> impl Strategy<Value = SignedNote> {
    (
        any::<u64>(),
        any::<[u8; 32]>(),
        any::<[u8; 32]>(),
        any::<[u8; 64]>(),
    )
        .prop_map(|(size, root, key, signature)| {
            let origin = "portreeve/test".to_owned();
            let key = VerifierKey::new(&origin, key).unwrap();
            let text = Checkpoint { origin, size, root }.to_string();
            SignedNote::new(text, vec![key.signature(signature)]).unwrap()
        })
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..80)
}

fn proof() -> impl Strategy<Value = RecordProof> {
    let record = (
        octets(),
        octets(),
        prop::option::of(octets()),
        prop::option::of(octets()),
        octets(),
        octets(),
    );
    let hashes = prop::collection::vec(any::<[u8; 32]>(), 0..40);
    (record, any::<u64>(), hashes, note()).prop_map(|(record, index, hashes, checkpoint)| {
        let (header, payload_digest, salt, payload, key, signature) = record;
        RecordProof {
            record: StoredRecord {
                header,
                payload_digest,
                salt,
                payload,
                key,
                signature,
            },
            index,
            hashes,
            checkpoint,
        }
    })
}

/// Every decoder, on text that may be anything.
fn decode(text: &str) {
    let _ = text.parse::<SignedNote>();
    let _ = text.parse::<Checkpoint>();
    let _ = text.parse::<VerifierKey>();
    let _ = notes(&unfold(text));
    if let Ok(proof) = text.parse::<RecordProof>() {
        assert!(proof.verify(&[]).is_err());
    }
    if let Ok(title) = title(&mut Cursor::new(text)) {
        let _ = (title.log_keys(), title.record_keys());
        let scope = Scope {
            origin: title.origin.clone(),
            ..Scope::default()
        };
        let _ = verify_export((&title, &scope), || Ok(Cursor::new(text)), |_, _| ());
    }
}

proptest! {
    #[test]
    fn notes_are_read_as_they_are_written(note in note()) {
        prop_assert_eq!(note.to_string().parse(), Ok(note.clone()));
        prop_assert_eq!(notes(&unfold(&one_line(&note))), Ok((vec![note], false)));
    }

    #[test]
    fn proofs_are_read_as_they_are_written(proof in proof()) {
        prop_assert_eq!(proof.to_string().parse(), Ok(proof));
    }

    #[test]
    fn nothing_makes_them_panic(text in "(?s).{0,300}") {
        decode(&text);
    }

    #[test]
    fn nothing_that_was_changed_makes_them_panic(
        proof in proof(), at in any::<prop::sample::Index>(), with in any::<char>(), cut in any::<bool>(),
    ) {
        let text = proof.to_string();
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        let (head, tail) = text.split_at(places[at.index(places.len())]);
        let rest: String = tail.chars().skip(1).collect();
        decode(&if cut { head.to_owned() } else { format!("{head}{with}{rest}") });
    }
}
