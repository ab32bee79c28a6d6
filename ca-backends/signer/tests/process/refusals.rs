//! What the child refuses: to start, to open, to sign.

use std::path::Path;
use std::time::Duration;

use portreeve_keyset::{Kek, KekSource};
use portreeve_pkix::SignatureAlgorithm;
use portreeve_ra::EnrollmentId;
use portreeve_ra::ports::{SignError, Signer, ToSign};
use portreeve_signer::{SignerProcess, SoftKeyAlgorithm, StartError};

use crate::support::{
    Installation, SystemRandom, certificate, certificate_for, enrollment, eventually, key, list, now, pid_of,
};

#[tokio::test]
async fn what_keeps_the_child_from_starting_is_said() {
    let installation = Installation::new();
    let other_kek = Kek::generate_file(&installation.path("other"), &SystemRandom).expect("kek");
    let mut command = installation.command();
    command.kek.shared = KekSource::File(installation.path("other"));
    let reason = installation.refusal(command).await;
    assert!(
        reason.contains("shared key encryption key") && reason.contains(other_kek.check()),
        "{reason}"
    );

    let mut command = installation.command();
    command.kek.ca = Some(KekSource::File(installation.path("other")));
    let reason = installation.refusal(command).await;
    assert!(reason.contains("purpose ca"), "{reason}");

    let mut command = installation.command();
    command.kek.shared = KekSource::Environment("PORTREEVE_SIGNER_TEST_UNSET".to_owned());
    let reason = installation.refusal(command).await;
    assert!(reason.contains("PORTREEVE_SIGNER_TEST_UNSET"), "{reason}");

    let mut command = installation.command();
    command.journal = installation.path("kek");
    let reason = installation.refusal(command).await;
    assert!(reason.contains("journal"), "{reason}");

    let process = installation.start().await;
    let reason = installation.refusal(installation.command()).await;
    assert!(reason.contains("in use"), "{reason}");
    drop(process);

    let mut command = installation.command();
    command.program = installation.path("no-such-program");
    let error = SignerProcess::start(command, installation.keyset.clone())
        .await
        .err();
    assert!(matches!(error, Some(StartError::Spawn(_))), "{error:?}");

    let mut command = installation.command();
    command.program = "/bin/true".into();
    let error = SignerProcess::start(command, installation.keyset.clone())
        .await
        .err();
    assert!(matches!(error, Some(StartError::Silent)), "{error:?}");
}

#[tokio::test]
async fn a_torn_journal_is_used_and_a_damaged_one_is_not() {
    let installation = Installation::new();
    let process = installation.start().await;
    let signer = key(&process, SoftKeyAlgorithm::EcP256).await;
    let ids: Vec<EnrollmentId> = (0..4).map(|_| enrollment()).collect();
    for &id in &ids {
        signer.sign(certificate_for(id, 1)).await.expect("signed");
    }
    let pid = pid_of(&process).as_raw_nonzero();
    let sealed = signer.sealed().clone();
    drop((signer, process));
    let proc = format!("/proc/{pid}");
    eventually("the child ends", || !Path::new(&proc).exists()).await;

    let path = installation.path("signer/journal");
    let mut whole = std::fs::read(&path).expect("journal");
    let room = whole.split_off(64 * 5);
    assert!(!room.is_empty() && room.iter().all(|octet| *octet == 0));
    std::fs::write(&path, [&whole[..], &[0x5a; 100]].concat()).expect("written");
    let process = installation.start().await;
    let signer = process.load(sealed).await.expect("loaded");
    for &id in &ids {
        assert_eq!(
            signer.sign(certificate_for(id, 2)).await,
            Err(SignError::SecondContent)
        );
    }
    drop((signer, process));

    let mut damaged = [whole, room].concat();
    damaged[64 + 20] ^= 1;
    eventually("the lock is free", || std::fs::write(&path, &damaged).is_ok()).await;
    let reason = installation.refusal(installation.command()).await;
    assert!(reason.contains("damaged at octet 64"), "{reason}");
}

#[tokio::test]
async fn bytes_that_are_not_what_they_are_said_to_be() {
    let installation = Installation::new();
    let process = installation.start().await;
    let signer = key(&process, SoftKeyAlgorithm::EcP256).await;
    let p256 = SignatureAlgorithm::EcdsaSha256;
    let id = enrollment();
    let old = EnrollmentId::new(
        now().saturating_sub(Duration::from_secs(32 * 24 * 3600)),
        &SystemRandom,
    );
    let rows = [
        (
            "list as certificate",
            ToSign::Certificate {
                enrollment: id,
                tbs: list(0, p256),
            },
        ),
        (
            "certificate as list",
            ToSign::RevocationList {
                tbs: certificate(1, p256),
            },
        ),
        (
            "other algorithm",
            ToSign::Certificate {
                enrollment: id,
                tbs: certificate(1, SignatureAlgorithm::Ed25519),
            },
        ),
        ("nothing", ToSign::RevocationList { tbs: Vec::new() }),
        ("too old", certificate_for(old, 1)),
    ];
    for (name, what) in rows {
        let refused = signer.sign(what).await;
        assert!(
            matches!(refused, Err(SignError::Refused(_))),
            "{name}: {refused:?}"
        );
    }
    signer
        .sign(certificate_for(id, 1))
        .await
        .expect("what was refused left no entry");
}

#[tokio::test]
async fn keys_of_another_installation_do_not_open() {
    let (one, two) = (Installation::new(), Installation::new());
    let (first, second) = (one.start().await, two.start().await);
    let foreign = first
        .generate(SoftKeyAlgorithm::Ed25519)
        .await
        .expect("generated")
        .sealed;
    let refused = second.load(foreign).await.err();
    assert!(matches!(refused, Some(SignError::Refused(_))), "{refused:?}");
    assert_eq!(second.health().await, Ok(()));
}
