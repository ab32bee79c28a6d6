//! How a gateway ends: asked twice, and when a part of it has ended before.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve::{
    ControlClient, DevAddresses, DrainOutcome, Manifest, Mode, StartOptions, dev_configuration,
    manifest_path, start,
};
use portreeve_harness::pace::PATIENCE;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portreeve");

/// A directory that is closed to others.
fn home() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
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

/// A program that is killed with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    fn dev(data_dir: &str, settings: &[&str]) -> Self {
        let free = "127.0.0.1:0";
        let mut command = Command::new(PROGRAM);
        command
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
            .stderr(Stdio::null());
        for setting in settings {
            command.args(["--set", setting]);
        }
        Self(command.spawn().unwrap())
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
}

/// A request whose body never comes; on return the gateway waits for it.
async fn hanging_request(manifest: &Manifest) -> (SocketAddr, TlsStream<TcpStream>) {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(&manifest.tls_root).unwrap();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let url = url::Url::parse(&manifest.acme.directory).unwrap();
    let address = SocketAddr::new("127.0.0.1".parse().unwrap(), url.port().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    let head = "POST /acme/default/new-account HTTP/1.1\r\nhost: localhost\r\n\
                content-type: application/jose+json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 12];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100");
    (address, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait() {
    let directory = home();
    let patient = [
        "server.limits.drain_timeout=\"1h\"",
        "server.limits.body_timeout=\"1h\"",
    ];
    let mut program = Program::dev(directory.path().to_str().unwrap(), &patient);
    let manifest = until("dev.json", || async {
        Manifest::read(&manifest_path(directory.path())).ok()
    })
    .await;
    let client = ControlClient::new(&manifest.control_socket);
    until("the control socket", || async {
        client.is_running().await.then_some(())
    })
    .await;
    let (address, _request) = hanging_request(&manifest).await;
    program.terminate();
    until("no further connections", || async {
        TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
    assert_eq!(program.0.try_wait().unwrap(), None, "it waits for the request");
    program.terminate();
    let status = until("the end", || {
        let ended = program.0.try_wait().unwrap();
        async move { ended }
    })
    .await;
    assert_eq!(status.code(), Some(1), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_store_writes_no_more_says_so_and_stops() {
    let directory = home();
    let config = dev_configuration(directory.path(), DevAddresses::remembered(), &[]).unwrap();
    let mut running = start(StartOptions {
        config,
        mode: Mode::Dev,
        program: Some(PROGRAM.into()),
        ..StartOptions::default()
    })
    .await
    .unwrap();
    let all_is_well = tokio::time::timeout(Duration::from_millis(50), running.failed()).await;
    assert!(all_is_well.is_err(), "{all_is_well:?}");
    running.installation().store.close().await;
    let failed = tokio::time::timeout(PATIENCE, running.failed()).await.unwrap();
    assert_eq!(failed.duty, "store writer");
    assert_eq!(running.stop().await, DrainOutcome::Clean);
}
