//! A real signer process: killed, hung, lied to.
//!
//! The child is this test program again, running the ignored test `signer_child` only.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_keyset::{Kek, KekSet, KekSource, WrappedKeyset};
use portreeve_pkix::{SerialNumber, SignatureAlgorithm, Timestamp, der, encode};
use portreeve_ra::EnrollmentId;
use portreeve_ra::ports::{Random, SignError, Signer, ToSign};
use portreeve_signer::{
    SealedKey, SignerCommand, SignerKek, SignerProcess, SoftKeyAlgorithm, SoftSigner, StartError,
};
use rustix::process::{Pid, Signal, kill_process};

#[test]
#[ignore = "the child process of the other tests, not a test"]
fn signer_child() {
    // What goes wrong here is seen by the parent.
    let _ = portreeve_signer::child::run();
}

struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, octets: &mut [u8]) {
        aws_lc_rs::rand::fill(octets).expect("random");
    }
}

struct Installation {
    directory: tempfile::TempDir,
    keyset: Vec<u8>,
}

impl Installation {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let kek = Kek::generate_file(&directory.path().join("kek"), &SystemRandom).expect("kek");
        let keyset = WrappedKeyset::generate(&KekSet::shared(kek), &SystemRandom).expect("keyset");
        Self {
            keyset: keyset.to_bytes().expect("bytes"),
            directory,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self) -> SignerCommand {
        let args = ["--ignored", "--exact", "signer_child", "--test-threads=1"];
        SignerCommand::new(
            std::env::current_exe().expect("this program"),
            args.map(Into::into).to_vec(),
            SignerKek {
                shared: KekSource::File(self.path("kek")),
                ca: None,
            },
            self.path("signer"),
        )
    }

    async fn start(&self) -> SignerProcess {
        SignerProcess::start(self.command(), self.keyset.clone())
            .await
            .expect("starts")
    }

    async fn refusal(&self, command: SignerCommand) -> String {
        match SignerProcess::start(command, self.keyset.clone()).await {
            Ok(_) => "started".to_owned(),
            Err(StartError::Refused(reason)) => reason,
            Err(error) => format!("other error: {error}"),
        }
    }
}

async fn key(process: &SignerProcess, algorithm: SoftKeyAlgorithm) -> Arc<SoftSigner> {
    let generated = process.generate(algorithm).await.expect("generated");
    Arc::new(process.load(generated.sealed).await.expect("loaded"))
}

fn enrollment() -> EnrollmentId {
    EnrollmentId::new(now(), &SystemRandom)
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().expect("clock");
    Timestamp::from_unix_millis(i64::try_from(since.as_millis()).expect("clock"))
}

/// A TBSCertificate in form.
fn certificate(serial: u8, algorithm: SignatureAlgorithm) -> Vec<u8> {
    let empty = der::sequence::<Vec<u8>>(&[]);
    der::sequence(&[
        der::constructed(der::tag::context_constructed(0), &[der::unsigned_integer(&[2])]),
        SerialNumber::random128(&[serial.max(1); 16]).to_der(),
        algorithm.algorithm_identifier_der(),
        empty.clone(),
        der::sequence(&[
            encode::time(Timestamp::default()),
            encode::time(Timestamp::default()),
        ]),
        empty.clone(),
        empty,
        der::constructed(der::tag::context_constructed(3), &[encode::extensions(&[])]),
    ])
}

/// A TBSCertList in form, with so many octets of entries.
fn list(entries: usize, algorithm: SignatureAlgorithm) -> Vec<u8> {
    der::sequence(&[
        der::unsigned_integer(&[1]),
        algorithm.algorithm_identifier_der(),
        der::sequence::<Vec<u8>>(&[]),
        encode::time(now()),
        encode::time(now()),
        der::tlv(der::tag::SEQUENCE, &vec![0; entries]),
        der::constructed(der::tag::context_constructed(0), &[encode::crl_number(1)]),
    ])
}

fn certificate_for(enrollment: EnrollmentId, serial: u8) -> ToSign {
    ToSign::Certificate {
        enrollment,
        tbs: certificate(serial, SignatureAlgorithm::EcdsaSha256),
    }
}

fn pid_of(process: &SignerProcess) -> Pid {
    let pid = process.pid().expect("running");
    Pid::from_raw(i32::try_from(pid).expect("pid")).expect("pid")
}

/// Lets other tasks run until the condition holds.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_kind_of_key_signs() {
    let installation = Installation::new();
    let process = installation.start().await;
    for algorithm in SoftKeyAlgorithm::ALL {
        if algorithm == SoftKeyAlgorithm::Rsa4096 {
            continue; // seconds of search for primes; its code is that of the other sizes
        }
        let signer = key(&process, algorithm).await;
        let tbs = certificate(1, signer.algorithm());
        let what = ToSign::Certificate {
            enrollment: enrollment(),
            tbs: tbs.clone(),
        };
        let signature = signer.sign(what).await.expect("signed");
        assert!(
            signer
                .public_key()
                .verify(signer.algorithm(), &tbs, &signature)
                .is_ok(),
            "{algorithm}"
        );
        let stored = SealedKey::parse(&signer.sealed().to_bytes()).expect("stored form");
        assert_eq!(stored.public_key(), signer.public_key(), "{algorithm}");
    }
    assert_eq!(process.health().await, Ok(()));
}

#[tokio::test]
async fn a_second_certificate_for_one_enrollment_is_refused_across_restarts() {
    let installation = Installation::new();
    let process = installation.start().await;
    let signer = key(&process, SoftKeyAlgorithm::EcP256).await;
    let id = enrollment();
    let first = certificate_for(id, 1);
    let second = certificate_for(id, 2);
    signer.sign(first.clone()).await.expect("signed");
    signer.sign(first.clone()).await.expect("the same bytes again");
    assert_eq!(signer.sign(second.clone()).await, Err(SignError::SecondContent));

    let before = pid_of(&process);
    kill_process(before, Signal::KILL).expect("killed");
    assert_eq!(
        signer.sign(second.clone()).await,
        Err(SignError::SecondContent),
        "after a kill"
    );
    assert_ne!(pid_of(&process), before);
    signer
        .sign(first.clone())
        .await
        .expect("the same bytes after a kill");

    let sealed = signer.sealed().clone();
    drop((signer, process));
    let process = installation.start().await;
    let signer = process.load(sealed).await.expect("loaded");
    assert_eq!(
        signer.sign(second).await,
        Err(SignError::SecondContent),
        "after a restart"
    );
    signer.sign(first).await.expect("the same bytes after a restart");
}

/// Both are asked for at once: one of them is signed.
#[tokio::test]
async fn two_contents_racing_for_one_enrollment() {
    let installation = Installation::new();
    let process = installation.start().await;
    let signer = key(&process, SoftKeyAlgorithm::EcP256).await;
    for _ in 0..20 {
        let id = enrollment();
        let (one, two) = tokio::join!(
            signer.sign(certificate_for(id, 1)),
            signer.sign(certificate_for(id, 2))
        );
        assert_eq!(
            u8::from(one.is_ok()) + u8::from(two.is_ok()),
            1,
            "{one:?} {two:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_child_is_killed_at_work() {
    let installation = Installation::new();
    let process = installation.start().await;
    let signer = key(&process, SoftKeyAlgorithm::EcP256).await;
    let tasks: Vec<_> = (0..300_u16)
        .map(|number| {
            let (signer, id) = (Arc::clone(&signer), enrollment());
            tokio::spawn(async move {
                let serial = u8::try_from(number % 200).expect("small") + 1;
                loop {
                    match signer.sign(certificate_for(id, serial)).await {
                        Ok(_) => return (id, serial),
                        Err(SignError::Unavailable(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    for _ in 0..3 {
        if let Some(pid) = process.pid() {
            let pid = Pid::from_raw(i32::try_from(pid).expect("pid")).expect("pid");
            // The child may be gone already: then there is none to kill.
            let _ = kill_process(pid, Signal::KILL);
            eventually("another child", || {
                process
                    .pid()
                    .is_some_and(|now| now != pid.as_raw_nonzero().get() as u32)
            })
            .await;
        }
    }
    for task in tasks {
        let (id, serial) = task.await.expect("task");
        let other = signer
            .sign(certificate_for(id, serial.wrapping_add(1).max(1)))
            .await;
        assert_eq!(other, Err(SignError::SecondContent));
    }
}

#[tokio::test]
async fn a_child_that_hangs_is_replaced() {
    let installation = Installation::new();
    let command = SignerCommand {
        // Long for a child that works, on a busy machine too.
        patience: Duration::from_secs(4),
        ..installation.command()
    };
    let process = SignerProcess::start(command, installation.keyset.clone())
        .await
        .expect("starts");
    let signer = key(&process, SoftKeyAlgorithm::EcP256).await;
    let stopped = pid_of(&process);
    kill_process(stopped, Signal::STOP).expect("stopped");
    signer
        .sign(certificate_for(enrollment(), 1))
        .await
        .expect("signed by its successor");
    assert_ne!(pid_of(&process), stopped);
    assert_eq!(process.restarts(), 1);
}

#[tokio::test]
async fn the_child_ends_with_its_last_user() {
    let installation = Installation::new();
    let process = installation.start().await;
    let signer = key(&process, SoftKeyAlgorithm::EcP256).await;
    let pid = pid_of(&process).as_raw_nonzero();
    drop(process);
    signer
        .sign(certificate_for(enrollment(), 1))
        .await
        .expect("its signer still uses it");
    drop(signer);
    let proc = format!("/proc/{pid}");
    eventually("the child ends", || !Path::new(&proc).exists()).await;
}

#[tokio::test]
async fn the_child_dumps_no_core() {
    let installation = Installation::new();
    let process = installation.start().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid_of(&process).as_raw_nonzero()));
    let limits = limits.expect("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .expect("line");
    assert_eq!(
        core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(),
        ["0", "0"]
    );
}

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
    let whole = std::fs::read(&path).expect("journal");
    assert_eq!(whole.len(), 64 * 5);
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

    let mut damaged = whole;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_lists_pass_beside_certificates() {
    let installation = Installation::new();
    let process = installation.start().await;
    let signer = key(&process, SoftKeyAlgorithm::EcP256).await;
    let lists: Vec<_> = (0..3)
        .map(|_| {
            let signer = Arc::clone(&signer);
            let tbs = list(8_000_000, SignatureAlgorithm::EcdsaSha256);
            tokio::spawn(async move { signer.sign(ToSign::RevocationList { tbs }).await })
        })
        .collect();
    for serial in 1..20 {
        signer
            .sign(certificate_for(enrollment(), serial))
            .await
            .expect("signed");
    }
    for list in lists {
        list.await.expect("task").expect("signed");
    }
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

/// The key encryption key can come from the environment; nothing else of it reaches the child.
#[tokio::test]
async fn the_child_has_an_empty_environment() {
    let installation = Installation::new();
    let process = installation.start().await;
    let environment = std::fs::read(format!("/proc/{}/environ", pid_of(&process).as_raw_nonzero()));
    assert!(environment.is_ok_and(|octets| octets.is_empty()) || rustix::process::getuid().as_raw() != 0);
}
