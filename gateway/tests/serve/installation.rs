//! A real installation: its CAs are made, it is served, objects are published, and `dev` has no part in it.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use portreeve::{ClientError, ControlClient, Mode, Running, StartError, start};
use portreeve_console::{ObjectView, Publication};
use portreeve_harness::http::{get, get_over};
use portreeve_harness::pace::until;
use portreeve_ra::ObjectKind;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::dev::{self, PROGRAM, home};
use super::{options, real};

fn run(arguments: &[&str]) -> Output {
    std::process::Command::new(PROGRAM)
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_is_made_and_served() {
    let directory = home();
    let path = real(directory.path(), directory.path());
    let file = path.to_str().unwrap();
    let load = || options(&path, Mode::Serve);
    let error = start(load()).await.err().unwrap().to_string();
    assert!(error.contains("portreeve ca create"), "{error}");

    for (rank, subject) in [
        ("root", "CN=Root"),
        ("issuing", "CN=Issuing"),
        ("management", "CN=Management"),
    ] {
        let made = run(&["ca", "--config", file, "create", rank, "--subject", subject]);
        assert!(made.status.success(), "{rank}: {}", text(&made.stderr));
    }
    let twice = run(&["ca", "--config", file, "create", "root", "--subject", "CN=Root"]);
    assert!(
        !twice.status.success() && text(&twice.stderr).contains("already"),
        "{}",
        text(&twice.stderr)
    );
    let doctor = run(&["doctor", "--config", file]);
    assert_eq!(doctor.status.code(), Some(0), "{}", text(&doctor.stdout));

    let running = start(load()).await.unwrap();
    let http = running.addresses()["http"];
    assert_eq!(get(http, "/readyz").await.0, 200);
    assert_eq!(get(http, "/ca/issuing.cer").await.0, 200);
    apply(&directory.path().join("objects"), running.control_socket()).await;
    directory_is_served(&running).await;
    let listed = run(&["ca", "--config", file, "list", "--output", "json"]);
    assert!(
        text(&listed.stdout).contains("CN=Issuing"),
        "of a running gateway: {}",
        text(&listed.stdout)
    );
    running.stop().await;

    let mixed = start(options(&path, Mode::Dev)).await.err().unwrap();
    assert!(mixed.to_string().contains("real installation"), "{mixed}");
}

/// Publishes a profile and an endpoint from files, twice.
async fn apply(objects: &Path, socket: &Path) {
    std::fs::create_dir_all(objects.join("profiles")).unwrap();
    std::fs::create_dir_all(objects.join("endpoints/acme")).unwrap();
    let (_, profile) = portreeve_policies::shipped()
        .iter()
        .find(|(name, _)| *name == "tls-server")
        .unwrap();
    std::fs::write(objects.join("profiles/web.toml"), profile).unwrap();
    let endpoint = "profiles = [\"web\"]\nbackend = \"issuing\"\n";
    std::fs::write(objects.join("endpoints/acme/web.toml"), endpoint).unwrap();
    let (objects, socket) = (objects.to_str().unwrap(), socket.to_str().unwrap());
    for outcome in ["published", "unchanged"] {
        let applied = run(&["apply", "--socket", socket, "-f", objects, "--output", "json"]);
        let shown = text(&applied.stdout);
        assert!(applied.status.success(), "{}", text(&applied.stderr));
        assert_eq!(shown.matches(&format!("\"{outcome}\"")).count(), 2, "{shown}");
    }
    let client = ControlClient::new(Path::new(socket));
    let broken = Publication {
        name: "acme/web".into(),
        body: "profiles = []".into(),
        reason: String::new(),
        check: false,
    };
    match client.post::<ObjectView>("/api/v1/endpoints", &broken).await {
        Err(ClientError::Problem(problem)) => {
            assert_eq!((problem.status, problem.code.as_str()), (422, "object_rejected"))
        }
        other => panic!("{other:?}"),
    }
}

/// The endpoint that was published while running is served over TLS, under the management CA.
async fn directory_is_served(running: &Running) {
    let object = running
        .ra()
        .objects()
        .current(ObjectKind::Ca, "management")
        .await
        .unwrap()
        .unwrap();
    let body: toml::Table = toml::from_str(&object.body).unwrap();
    let root = CertificateDer::from_pem_slice(body["certificate"].as_str().unwrap().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let address = running.addresses()["public"];
    let answer = until("the new endpoint", || async {
        let stream = TcpStream::connect(address).await.unwrap();
        let stream = connector
            .connect(ServerName::try_from("localhost").unwrap(), stream)
            .await
            .unwrap();
        let (status, body) = get_over(stream, "/acme/web/directory").await;
        (status == 200).then_some(body)
    })
    .await;
    let directory: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(directory["newOrder"], "https://localhost/acme/web/new-order");
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_refuses_what_dev_made() {
    let directory = home();
    let of_dev = dev::options(directory.path(), &[]);
    start(of_dev).await.unwrap().stop().await;
    let config = real(directory.path(), directory.path());
    match start(options(&config, Mode::Serve)).await.err() {
        Some(StartError::Installation(error)) => {
            assert!(error.to_string().contains("portreeve dev"), "{error}")
        }
        other => panic!("{:?}", other.map(|error| error.to_string())),
    }
}

#[test]
fn whoever_asks_for_no_certificate_where_est_is_served_is_told() {
    let directory = home();
    let path = real(directory.path(), directory.path());
    let without = std::fs::read_to_string(&path).unwrap();
    let asking = "mounts = [\"acme\", \"est\"]\nclient_certs = true";
    let file = path.to_str().unwrap();
    for (mounts, told) in [
        ("mounts = [\"acme\"]", false),
        ("mounts = [\"acme\", \"est\"]", true),
        (asking, false),
    ] {
        std::fs::write(&path, without.replace("mounts = [\"acme\"]", mounts)).unwrap();
        for command in [
            &["config", "check", "--config", file][..],
            &["doctor", "--config", file],
        ] {
            let said = text(&run(command).stdout);
            let found =
                said.contains("server.listeners.public: serves est and asks for no client certificate");
            assert_eq!(found, told, "{mounts}: {command:?}: {said}");
        }
    }
}
