//! What an auditor is handed: proofs, checkpoints, keys, exports.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use portreeve_audit::checkpoint::{notes, one_line, unfold};
use portreeve_audit::export::{title, verify_export};
use portreeve_audit::{RecordProof, Scope, SignedNote, VerifierKey};

fuzz_target!(|text: &str| {
    if let Ok(note) = text.parse::<SignedNote>() {
        assert_eq!(
            note.to_string().parse(),
            Ok(note.clone()),
            "what is written is read again"
        );
        assert!(
            note.verify(&[]).is_err(),
            "nobody's signature counts without a key"
        );
        let line = one_line(&note);
        assert!(!line.contains('\n'));
        let _ = notes(&unfold(&line));
    }
    if let Ok(proof) = text.parse::<RecordProof>() {
        assert_eq!(
            proof.to_string().parse(),
            Ok(proof.clone()),
            "what is written is read again"
        );
        assert!(proof.verify(&[]).is_err());
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    let _ = notes(&unfold(text));
    if let Ok(title) = title(&mut Cursor::new(text)) {
        let _ = (title.log_keys(), title.record_keys());
        let scope = Scope {
            origin: title.origin.clone(),
            ..Scope::default()
        };
        let _ = verify_export((&title, &scope), || Ok(Cursor::new(text)), |_, _| ());
    }
});
