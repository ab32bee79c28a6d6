//! An installation with a signer, and what it is asked to sign.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_keyset::{Kek, KekSet, KekSource, WrappedKeyset};
use portreeve_pkix::{SerialNumber, SignatureAlgorithm, Timestamp, der, encode};
use portreeve_ra::EnrollmentId;
use portreeve_ra::ports::{Random, ToSign};
use portreeve_signer::{SignerCommand, SignerKek, SignerProcess, SoftKeyAlgorithm, SoftSigner, StartError};
use rustix::process::Pid;

pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, octets: &mut [u8]) {
        aws_lc_rs::rand::fill(octets).expect("random");
    }
}

pub(crate) struct Installation {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) keyset: Vec<u8>,
}

impl Installation {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let kek = Kek::generate_file(&directory.path().join("kek"), &SystemRandom).expect("kek");
        let keyset = WrappedKeyset::generate(&KekSet::shared(kek), &SystemRandom).expect("keyset");
        Self {
            keyset: keyset.to_bytes().expect("bytes"),
            directory,
        }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn command(&self) -> SignerCommand {
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

    pub(crate) async fn start(&self) -> SignerProcess {
        SignerProcess::start(self.command(), self.keyset.clone())
            .await
            .expect("starts")
    }

    pub(crate) async fn refusal(&self, command: SignerCommand) -> String {
        match SignerProcess::start(command, self.keyset.clone()).await {
            Ok(_) => "started".to_owned(),
            Err(StartError::Refused(reason)) => reason,
            Err(error) => format!("other error: {error}"),
        }
    }
}

pub(crate) async fn key(process: &SignerProcess, algorithm: SoftKeyAlgorithm) -> Arc<SoftSigner> {
    let generated = process.generate(algorithm).await.expect("generated");
    Arc::new(process.load(generated.sealed).await.expect("loaded"))
}

pub(crate) fn enrollment() -> EnrollmentId {
    EnrollmentId::new(now(), &SystemRandom)
}

pub(crate) fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().expect("clock");
    Timestamp::from_unix_millis(i64::try_from(since.as_millis()).expect("clock"))
}

/// A TBSCertificate in form.
pub(crate) fn certificate(serial: u8, algorithm: SignatureAlgorithm) -> Vec<u8> {
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
pub(crate) fn list(entries: usize, algorithm: SignatureAlgorithm) -> Vec<u8> {
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

pub(crate) fn certificate_for(enrollment: EnrollmentId, serial: u8) -> ToSign {
    ToSign::Certificate {
        enrollment,
        tbs: certificate(serial, SignatureAlgorithm::EcdsaSha256),
    }
}

pub(crate) fn pid_of(process: &SignerProcess) -> Pid {
    let pid = process.pid().expect("running");
    Pid::from_raw(i32::try_from(pid).expect("pid")).expect("pid")
}

/// Lets other tasks run until the condition holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::task::yield_now().await;
    }
}
