//! CAs with keys in a real signer process, judged by the `openssl` program.

use std::path::Path;
use std::process::Command;

use portreeve_keyset::{Kek, KekSet, KekSource, WrappedKeyset};
use portreeve_pkix::{SerialNumber, pem};
use portreeve_ra::ports::{CaBackend, IssueOutcome};
use portreeve_ra::{EnrollmentId, RevocationReason};
use portreeve_signer::{SignerCommand, SignerKek, SignerProcess, SoftKeyAlgorithm, SoftSigner};

use super::*;

#[test]
#[ignore = "the child process of the other tests, not a test"]
fn signer_child() {
    // What goes wrong here is seen by the parent.
    let _ = portreeve_signer::child::run();
}

async fn start(directory: &Path) -> SignerProcess {
    let kek = Kek::generate_file(&directory.join("kek"), &System).expect("kek");
    let keyset = WrappedKeyset::generate(&KekSet::shared(kek), &System).expect("keyset");
    let kek = SignerKek {
        shared: KekSource::File(directory.join("kek")),
        ca: None,
    };
    let args = [
        "--ignored",
        "--exact",
        "tests::openssl::signer_child",
        "--test-threads=1",
    ];
    let args = args.map(Into::into).to_vec();
    let program = std::env::current_exe().expect("this program");
    let command = SignerCommand::new(program, args, kek, directory.join("journal"));
    SignerProcess::start(command, keyset.to_bytes().expect("bytes"))
        .await
        .expect("starts")
}

async fn key(process: &SignerProcess, algorithm: SoftKeyAlgorithm) -> Arc<SoftSigner> {
    let generated = process.generate(algorithm).await.expect("generated");
    Arc::new(process.load(generated.sealed).await.expect("loaded"))
}

fn openssl(directory: &Path, arguments: &str) -> String {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output();
    let output = output.expect("openssl is installed");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    format!("{} {text}", if output.status.success() { "ok" } else { "failed" })
}

fn real_now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().expect("clock");
    Timestamp::from_unix_millis(i64::try_from(since.as_millis()).expect("clock"))
}

async fn make_ca(process: &SignerProcess, algorithm: SoftKeyAlgorithm) -> (LocalCa, Arc<SetClock>) {
    let clock = SetClock::at(real_now());
    let ceremony = Ceremony {
        clock: &*clock,
        random: &System,
    };
    let root_signer = key(process, algorithm).await;
    let root = create_root(&*root_signer, &authority("Root", 7300, None), &ceremony)
        .await
        .expect("root");
    let signer = key(process, algorithm).await;
    let parent = Parent {
        certificate: &root,
        signer: &*root_signer,
    };
    let mut wanted = authority("Issuing", 3650, Some(0));
    wanted.addresses = addresses();
    let issuer = create_issuing(&parent, signer.public_key(), &wanted, &ceremony)
        .await
        .expect("issuing");
    let parts = LocalCaParts {
        issuer,
        chain: vec![root],
        signer,
        clock: clock.clone(),
        random: Arc::new(System),
    };
    (LocalCa::new(config(), parts).expect("CA"), clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_accepts_what_is_issued_and_sees_what_is_revoked() {
    let directory = tempfile::tempdir().expect("directory");
    let at = directory.path();
    let process = start(at).await;
    for algorithm in [
        SoftKeyAlgorithm::EcP256,
        SoftKeyAlgorithm::Rsa2048,
        SoftKeyAlgorithm::Ed25519,
    ] {
        let (ca, clock) = make_ca(&process, algorithm).await;
        let write = |name: &str, label: &str, der: &[u8]| {
            std::fs::write(at.join(name), pem::encode(label, der)).expect("written");
        };
        let chain = ca.chain();
        write("root.pem", "CERTIFICATE", chain.issuers()[1].der());
        write("issuing.pem", "CERTIFICATE", chain.issuers()[0].der());
        let mut serials = Vec::new();
        for name in ["good.pem", "bad.pem"] {
            let now = clock.now();
            let enrollment = EnrollmentId::new(now, &System);
            let intent = ca
                .prepare(&contents(ec_key()), enrollment, now)
                .expect("prepared");
            let issued = match ca.sign_stored(enrollment, &intent).await {
                Ok(IssueOutcome::Issued(issued)) => issued,
                other => panic!("{other:?}"),
            };
            write(name, "CERTIFICATE", issued.certificate.der());
            serials.push(intent.serial().expect("serial").clone());
        }
        let revoked = [(serials[1].clone(), clock.now(), RevocationReason::KeyCompromise)];
        let (from, to) = (clock.now(), clock.now().saturating_add(DAY));
        let source = ca.revocation_list().expect("signs lists");
        let list = source.sign_list(7, from, to, &revoked).await.expect("list");
        write("list.pem", "X509 CRL", &list);

        let verify = "verify -x509_strict -CAfile root.pem -untrusted issuing.pem";
        let said = openssl(at, &format!("{verify} good.pem"));
        assert!(said.starts_with("ok"), "{algorithm}: {said}");
        let said = openssl(
            at,
            &format!("{verify} -crl_check -CRLfile list.pem -verify_hostname a.example.com good.pem"),
        );
        assert!(said.starts_with("ok"), "{algorithm}: {said}");
        let said = openssl(at, &format!("{verify} -crl_check -CRLfile list.pem bad.pem"));
        assert!(
            said.starts_with("failed") && said.contains("revoked"),
            "{algorithm}: {said}"
        );
        let said = openssl(at, "crl -in list.pem -CAfile issuing.pem -noout -text");
        assert!(said.contains("verify OK"), "{algorithm}: {said}");
        let expected = [
            serials[1].to_hex().to_uppercase(),
            "Key Compromise".into(),
            "CRL Number: \n                7".into(),
        ];
        for part in expected {
            assert!(said.contains(&part), "{algorithm}: no {part} in {said}");
        }
    }
}

#[tokio::test]
async fn lists_of_many_sizes_read() {
    let test = TestCa::new().await;
    let directory = tempfile::tempdir().expect("directory");
    let source = test.ca.revocation_list().expect("signs lists");
    for count in [0_u64, 1, 2, 5000] {
        let revoked: Vec<_> = (0..count)
            .map(|number| {
                let top = if number.is_multiple_of(2) {
                    1 << 60
                } else {
                    1 << 63
                };
                let serial = SerialNumber::from_bytes(&(number + 1 + top).to_be_bytes()).expect("serial");
                let reason = RevocationReason::from_number(number % 7).expect("reason");
                (serial, NOW.saturating_sub(DAY), reason)
            })
            .collect();
        let to = NOW.saturating_add(DAY);
        let list = source
            .sign_list(count + 1, NOW, to, &revoked)
            .await
            .expect("list");
        let (rest, parsed) = x509_parser::parse_x509_crl(&list).expect("parses");
        assert!(rest.is_empty());
        assert_eq!(parsed.iter_revoked_certificates().count() as u64, count);
        assert_eq!(parsed.version().map(|version| version.0), Some(1));
        assert_eq!(
            parsed.crl_number().map(|number| number.to_string()),
            Some((count + 1).to_string())
        );
        for (entry, (serial, at, reason)) in parsed.iter_revoked_certificates().zip(&revoked) {
            assert_eq!(entry.user_certificate.to_bytes_be(), serial.as_bytes());
            assert_eq!(entry.revocation_date.timestamp(), at.unix_seconds());
            let code = entry.reason_code().map(|(_, code)| code.0);
            let unspecified = *reason == RevocationReason::Unspecified;
            assert_eq!(
                code,
                (!unspecified).then(|| reason.number()),
                "no code for unspecified"
            );
        }
        std::fs::write(directory.path().join("list.pem"), pem::encode("X509 CRL", &list)).expect("written");
        let issuer = pem::encode("CERTIFICATE", test.ca.issuer().der());
        std::fs::write(directory.path().join("issuing.pem"), issuer).expect("written");
        let said = openssl(directory.path(), "crl -in list.pem -CAfile issuing.pem -noout");
        assert!(said.contains("verify OK"), "{count}: {said}");
    }
    assert!(
        source.sign_list(1, NOW, NOW, &[]).await.is_err(),
        "a list that ends when it begins"
    );
}

#[tokio::test]
async fn a_million_entries() {
    let test = TestCa::new().await;
    let revoked: Vec<_> = (0..1_000_000_u128)
        .map(|number| {
            let serial = SerialNumber::random128(&(number + (1 << 120)).to_be_bytes());
            (serial, NOW, RevocationReason::Superseded)
        })
        .collect();
    let source = test.ca.revocation_list().expect("signs lists");
    let list = source
        .sign_list(1, NOW, NOW.saturating_add(DAY), &revoked)
        .await
        .expect("list");
    assert!(
        list.len() > 49_000_000 && list.len() < 52_000_000,
        "{}",
        list.len()
    );
}
