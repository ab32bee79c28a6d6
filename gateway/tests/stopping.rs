//! How a gateway ends: asked once, asked twice, and when a part of it has ended before.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod dev;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;

use dev::{PROGRAM, home, options};
use futures_util::FutureExt;
use portreeve::{ControlClient, DrainOutcome, Manifest, manifest_path, start};
use portreeve_harness::pace::{PATIENCE, until};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A program that is killed with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    /// A gateway of `dev` that answers, and what it has written for clients.
    async fn dev(data_dir: &Path, settings: &[&str]) -> (Self, Manifest) {
        let free = "127.0.0.1:0";
        let mut command = Command::new(PROGRAM);
        command
            .args(["dev", "--listen", free, "--listen-http", free])
            .args(["--listen-admin", free, "--listen-management", free])
            .arg("--data-dir")
            .arg(data_dir)
            .stderr(Stdio::null());
        for setting in settings {
            command.args(["--set", setting]);
        }
        let program = Self(command.spawn().unwrap());
        let manifest = until("dev.json", || async {
            Manifest::read(&manifest_path(data_dir)).ok()
        })
        .await;
        let client = ControlClient::new(&manifest.control_socket);
        until("the control socket", || async {
            client.is_running().await.then_some(())
        })
        .await;
        (program, manifest)
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    async fn ended(&mut self) -> ExitStatus {
        until("the end", || {
            let ended = self.0.try_wait().unwrap();
            async move { ended }
        })
        .await
    }
}

/// Runs the program on this data directory to its end.
fn run(command: &str, data_dir: &Path) -> Output {
    let mut program = Command::new(PROGRAM);
    program.args([command, "--data-dir"]).arg(data_dir);
    program.env("NO_COLOR", "1").output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_ends_cleanly_when_asked() {
    let directory = home();
    let (mut program, manifest) = Program::dev(directory.path(), &[]).await;
    assert_eq!(manifest.pid, program.0.id());
    let health = run("health", directory.path());
    assert!(
        health.status.success(),
        "{}{}",
        text(&health.stdout),
        text(&health.stderr)
    );
    let doctor = run("doctor", directory.path());
    assert_eq!(doctor.status.code(), Some(0), "{}", text(&doctor.stdout));

    program.terminate();
    let status = program.ended().await;
    assert!(status.success(), "{status}");
    let offline = run("doctor", directory.path());
    assert_eq!(offline.status.code(), Some(0), "{}", text(&offline.stdout));
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
    let (mut program, manifest) = Program::dev(directory.path(), &patient).await;
    let (address, _request) = hanging_request(&manifest).await;
    program.terminate();
    until("no further connections", || async {
        TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
    assert_eq!(program.0.try_wait().unwrap(), None, "it waits for the request");
    program.terminate();
    let status = program.ended().await;
    assert_eq!(status.code(), Some(1), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_store_writes_no_more_says_so_and_stops() {
    let directory = home();
    let mut running = start(options(directory.path(), &[])).await.unwrap();
    let failed = running.failed().now_or_never();
    assert!(failed.is_none(), "{failed:?}");
    running.installation().store.close().await;
    let failed = tokio::time::timeout(PATIENCE, running.failed()).await.unwrap();
    assert_eq!(failed.duty, "store writer");
    assert_eq!(running.stop().await, DrainOutcome::Clean);
}
