//! A real signer process: killed, hung, lied to.
//!
//! The child is this test program again, running the ignored test `signer_child` only.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod refusals;
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portreeve_pkix::SignatureAlgorithm;
use portreeve_ra::ports::{SignError, Signer, ToSign};
use portreeve_signer::{SealedKey, SignerCommand, SignerProcess, SoftKeyAlgorithm};
use rustix::process::{Pid, Signal, kill_process};

use support::{Installation, certificate, certificate_for, enrollment, eventually, key, list, pid_of};

#[test]
#[ignore = "the child process of the other tests, not a test"]
fn signer_child() {
    // What goes wrong here is seen by the parent.
    let _ = portreeve_signer::child::run();
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

/// The key encryption key can come from the environment; nothing else of it reaches the child.
#[tokio::test]
async fn the_child_has_an_empty_environment() {
    let installation = Installation::new();
    let process = installation.start().await;
    let environment = std::fs::read(format!("/proc/{}/environ", pid_of(&process).as_raw_nonzero()));
    assert!(environment.is_ok_and(|octets| octets.is_empty()) || rustix::process::getuid().as_raw() != 0);
}
