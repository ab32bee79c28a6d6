//! A whole gateway from start to stop, with real sockets, a real store and the real signer child.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve::{
    ClientError, Config, ControlClient, DevAddresses, DrainOutcome, Manifest, Mode, Running, StartError,
    StartOptions, dev_configuration, manifest_path, start,
};
use portreeve_console::{List, ObjectView, Publication};
use portreeve_harness::pace::PATIENCE;
use portreeve_harness::process::free_port;
use portreeve_ra::ObjectKind;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portreeve");

/// A directory that is closed to others.
fn home() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}

/// Ports out of the range from which the system takes those of outgoing connections: after a restart they are free again.
/// The second time the gateway is to remember them.
fn addresses(data_dir: &Path) -> DevAddresses {
    if manifest_path(data_dir).exists() {
        return DevAddresses::remembered();
    }
    let free = || SocketAddr::from(([127, 0, 0, 1], free_port()));
    DevAddresses {
        public: free(),
        http: free(),
        admin: free(),
        management: free(),
    }
}

fn options(config: Config, mode: Mode) -> StartOptions {
    StartOptions {
        config,
        mode,
        program: Some(PROGRAM.into()),
        ..StartOptions::default()
    }
}

fn dev_options(data_dir: &Path) -> StartOptions {
    options(
        dev_configuration(data_dir, addresses(data_dir), &[]).unwrap(),
        Mode::Dev,
    )
}

async fn dev(data_dir: &Path) -> Running {
    start(dev_options(data_dir)).await.unwrap()
}

/// One request over plain HTTP; status and body.
async fn get(address: std::net::SocketAddr, path: &str) -> (u16, Vec<u8>) {
    ask(TcpStream::connect(address).await.unwrap(), path).await
}

/// One request over a connection; status and body.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> (u16, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

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

/// Asks again until the answer is there; fails after a generous while.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_answers_and_keeps_everything_over_a_restart() {
    let directory = home();
    let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap();

    let running = dev(directory.path()).await;
    let manifest = Manifest::read(&manifest_path(directory.path())).unwrap();
    assert_eq!(Some(&manifest), running.manifest());
    assert_eq!(manifest.pid, std::process::id());
    assert_eq!(
        get(running.addresses()["http"], "/").await,
        (200, b"up\n".to_vec())
    );
    assert_eq!(get(running.addresses()["management"], "/livez").await.0, 200);
    let (status, ready) = get(running.addresses()["management"], "/readyz").await;
    assert_eq!(status, 200, "{}", text(&ready));
    assert!(text(&ready).contains("CRL issuing"), "{}", text(&ready));
    let metrics = text(&get(running.addresses()["management"], "/metrics").await.1);
    let left = metrics
        .lines()
        .find_map(|line| line.strip_prefix("portreeve_crl_left_seconds{ca=\"issuing\"} "));
    let left: f64 = left.unwrap().parse().unwrap();
    assert!((80_000.0..=86_400.0).contains(&left), "of 24 h: {left}");
    let (status, list) = get(running.addresses()["http"], "/crl/issuing.crl").await;
    assert!(
        status == 200 && list.first() == Some(&0x30),
        "a CRL is there from the start: {status}"
    );
    assert_eq!(
        get(running.addresses()["http"], "/acme/default/directory")
            .await
            .0,
        404,
        "never in the clear"
    );
    let files = ["tls-root.pem", "ca-chain.pem", "ca-root.pem"].map(read);
    assert_eq!(running.stop().await, DrainOutcome::Clean);

    let again = dev(directory.path()).await;
    let restarted = Manifest::read(&manifest_path(directory.path())).unwrap();
    assert_eq!(restarted, manifest, "ports and paths");
    assert_eq!(
        ["tls-root.pem", "ca-chain.pem", "ca-root.pem"].map(read),
        files,
        "CAs"
    );
    let client = ControlClient::new(again.control_socket());
    let endpoints: List<ObjectView> = client.read("/api/v1/endpoints").await.unwrap();
    let versions: Vec<_> = endpoints
        .items
        .iter()
        .map(|one| (one.name.as_str(), one.version))
        .collect();
    let shipped = [
        ("acme/approval", 1),
        ("acme/default", 1),
        ("acme/four-eyes", 1),
        ("acme/short", 1),
        ("est/approval", 1),
        ("est/default", 1),
        ("est/four-eyes", 1),
        ("est/short", 1),
    ];
    assert_eq!(versions, shipped, "nothing is published twice");
    assert_eq!(again.stop().await, DrainOutcome::Clean);
    assert!(
        !manifest.control_socket.exists(),
        "the socket goes with the gateway"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_directory_has_one_gateway() {
    let directory = home();
    let running = dev(directory.path()).await;
    let mut options = dev_options(directory.path());
    // Other addresses, or those would be taken first.
    for listener in options.config.server.listeners.values_mut() {
        listener.addr.set_port(0);
    }
    let error = start(options).await.err().unwrap().to_string();
    assert!(error.contains("in use by another process"), "{error}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_of_dev_can_be_set() {
    let directory = home();
    let endpoints = vec!["endpoint.acme.mine.profiles=[\"tls-server\"]".parse().unwrap()];
    let running = start(StartOptions {
        endpoints,
        ..dev_options(directory.path())
    })
    .await
    .unwrap();
    let object = running
        .ra()
        .objects()
        .current(ObjectKind::Endpoint, "acme/mine")
        .await
        .unwrap()
        .unwrap();
    assert!(object.body.contains("tls-server"), "{}", object.body);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_dies_is_replaced() {
    let directory = home();
    let running = dev(directory.path()).await;
    let management = running.addresses()["management"];
    let signer = running.installation().signer.clone().unwrap();
    let first = signer.pid().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(first).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let second = until("another signer", || async {
        signer.pid().filter(|pid| *pid != first)
    })
    .await;
    assert_ne!(first, second);
    until("readiness", || async {
        (get(management, "/readyz").await.0 == 200).then_some(())
    })
    .await;
    let metrics = text(&get(management, "/metrics").await.1);
    assert!(
        metrics.contains("portreeve_signer_restarts_total 1\n"),
        "{metrics}"
    );
    running.stop().await;
}

/// A configuration file of a real installation with free ports, in its data directory.
fn real(data_dir: &Path) -> PathBuf {
    let text = format!(
        "[server]\ndata_dir = {data_dir:?}\nexternal_url = \"https://localhost\"\nstatus_url = \"http://localhost\"\n\
         control_socket = \"c.sock\"\n\
         [server.listeners.public]\naddr = \"127.0.0.1:0\"\ntls = true\nmounts = [\"acme\"]\n\
         [server.listeners.http]\naddr = \"127.0.0.1:0\"\ntls = false\nmounts = [\"status\", \"management\"]\n\
         [backend.issuing]\n"
    );
    let path = data_dir.join("portreeve.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_is_made_and_served() {
    let directory = home();
    let path = real(directory.path());
    let file = path.to_str().unwrap();
    let load = || options(Config::load(&path, &[]).unwrap(), Mode::Serve);
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

    let mixed = start(options(Config::load(&path, &[]).unwrap(), Mode::Dev))
        .await
        .err()
        .unwrap();
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
        let (status, body) = ask(stream, "/acme/web/directory").await;
        (status == 200).then_some(body)
    })
    .await;
    let directory: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(directory["newOrder"], "https://localhost/acme/web/new-order");
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_refuses_what_dev_made() {
    let directory = home();
    dev(directory.path()).await.stop().await;
    let config = Config::load(&real(directory.path()), &[]).unwrap();
    match start(options(config, Mode::Serve)).await.err() {
        Some(StartError::Installation(error)) => {
            assert!(error.to_string().contains("portreeve dev"), "{error}")
        }
        other => panic!("{:?}", other.map(|error| error.to_string())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_ends_cleanly_when_asked() {
    let directory = home();
    let data_dir = directory.path().to_str().unwrap();
    let free = "127.0.0.1:0";
    let mut child = std::process::Command::new(PROGRAM)
        .args([
            "dev",
            "--data-dir",
            data_dir,
            "--listen",
            free,
            "--listen-http",
            free,
        ])
        .args(["--listen-admin", free, "--listen-management", free])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let manifest = until("dev.json", || async {
        Manifest::read(&manifest_path(directory.path())).ok()
    })
    .await;
    assert_eq!(manifest.pid, child.id());
    let client = ControlClient::new(&manifest.control_socket);
    until("the control socket", || async {
        client.is_running().await.then_some(())
    })
    .await;
    let health = run(&["health", "--data-dir", data_dir]);
    assert!(
        health.status.success(),
        "{}{}",
        text(&health.stdout),
        text(&health.stderr)
    );
    let doctor = run(&["doctor", "--data-dir", data_dir]);
    assert_eq!(doctor.status.code(), Some(0), "{}", text(&doctor.stdout));

    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = until("the end", || {
        let ended = child.try_wait().unwrap();
        async move { ended }
    })
    .await;
    assert!(status.success(), "{status}");
    let offline = run(&["doctor", "--data-dir", data_dir]);
    assert_eq!(offline.status.code(), Some(0), "{}", text(&offline.stdout));
}

#[test]
fn whoever_asks_for_no_certificate_where_est_is_served_is_told() {
    let directory = home();
    let path = real(directory.path());
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

#[test]
fn exit_codes() {
    let directory = home();
    let good = real(directory.path());
    let bad = directory.path().join("bad.toml");
    std::fs::write(&bad, "[server]\ncolour = 1\n").unwrap();
    let absent = directory.path().join("absent");
    let (good, bad, absent) = (
        good.to_str().unwrap(),
        bad.to_str().unwrap(),
        absent.to_str().unwrap(),
    );
    let rows: [(&str, &[&str], i32, &str); 12] = [
        ("nothing", &[], 2, "Usage"),
        ("no such command", &["frobnicate"], 2, "unrecognized"),
        (
            "fine configuration",
            &["config", "check", "--config", good],
            0,
            "is fine",
        ),
        (
            "bad configuration",
            &["config", "check", "--config", bad],
            1,
            "colour",
        ),
        (
            "no configuration",
            &["config", "check", "--config", absent],
            1,
            "cannot read",
        ),
        (
            "bad override",
            &["config", "check", "--config", good, "--set", "x"],
            2,
            "KEY=VALUE",
        ),
        ("schema", &["config", "schema"], 0, "external_url"),
        (
            "nobody runs",
            &["request", "--data-dir", absent, "list"],
            1,
            "is it running?",
        ),
        (
            "doctor, nothing there",
            &["doctor", "--data-dir", absent],
            4,
            "does not exist",
        ),
        (
            "exposed",
            &["dev", "--data-dir", absent, "--listen", "0.0.0.0:0"],
            2,
            "--insecure-public",
        ),
        (
            "some roles",
            &["serve", "--config", good, "--roles", "edge"],
            2,
            "--roles",
        ),
        ("completions", &["completions", "bash"], 0, "portreeve"),
    ];
    for (name, arguments, code, mentioned) in rows {
        let output = run(arguments);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert!(said.contains(mentioned), "{name}: {said}");
    }
}
