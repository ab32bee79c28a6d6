//! A gateway with the servers that its validation asks.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use portreeve_harness::dns::DnsServer;
use portreeve_harness::http01::WebServer;
use portreeve_harness::process::{DevOptions, Finished, Gateway};

use super::account::Account;
use super::client::Client;

/// Validation must be quick to give up, or tests of failures would take long. The second loopback address is denied,
/// so that tests can see whether the guard looks at every address.
const SETTINGS: [&str; 4] = [
    "acme.validation.attempt_timeout=\"8s\"",
    "acme.validation.connect_timeout=\"4s\"",
    "acme.validation.dns_timeout=\"4s\"",
    "acme.validation.deny_networks=[\"127.0.0.2/32\"]",
];

/// The address that validation must not connect to.
pub(super) const DENIED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Ends a gateway when standard input ends, that is when the test program has ended in whatever way.
const LEASH: &str =
    "cat; kill \"$1\" 2>/dev/null; while kill -0 \"$1\" 2>/dev/null; do sleep 0.05; done; rm -rf \"$2\"";

/// A gateway, a DNS server and a web server.
#[derive(Debug)]
pub struct Site {
    gateway: Mutex<Gateway>,
    root: PathBuf,
    data_dir: PathBuf,
    dns: DnsServer,
    web: WebServer,
    _leash: Option<Child>,
}

/// A gateway that one test has for itself; it can be stopped and started.
#[derive(Debug)]
pub struct Own(Site);

impl Site {
    /// The gateway that the tests of one program share. It ends with the program.
    pub fn shared() -> &'static Self {
        static SITE: OnceLock<Site> = OnceLock::new();
        SITE.get_or_init(|| {
            let folder = std::env::temp_dir().join(format!("portreeve-conformance-{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("a temporary folder");
            let mut site = Self::start(&[], Some(folder.join("data")));
            let pid = site.gateway.lock().unwrap().pid().to_string();
            site._leash = Some(leash(&pid, &folder));
            site
        })
    }

    /// A gateway of one's own, with these values of `--set` besides.
    pub fn own(settings: &[&str]) -> Own {
        Own(Self::start(settings, None))
    }

    fn start(settings: &[&str], data_dir: Option<PathBuf>) -> Self {
        let dns = DnsServer::start().expect("a DNS server");
        let web = WebServer::start(&[Ipv4Addr::LOCALHOST, DENIED]).expect("a web server");
        let options = DevOptions {
            data_dir,
            dns: Some(dns.address()),
            http01_port: Some(web.port()),
            settings: SETTINGS
                .iter()
                .chain(settings)
                .map(|setting| (*setting).to_owned())
                .collect(),
            ..DevOptions::default()
        };
        let gateway = Gateway::start_dev(options).unwrap_or_else(|error| panic!("{error}"));
        let root = gateway.tls_root().expect("the root of the gateway's TLS");
        let data_dir = gateway.data_dir().to_owned();
        Self {
            gateway: Mutex::new(gateway),
            root,
            data_dir,
            dns,
            web,
            _leash: None,
        }
    }

    /// The DNS server.
    pub fn dns(&self) -> &DnsServer {
        &self.dns
    }

    /// The web server, on 127.0.0.1 and on an address that validation must not connect to.
    pub fn web(&self) -> &WebServer {
        &self.web
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A new client of an endpoint.
    #[track_caller]
    pub fn client(&self, endpoint: &str) -> Arc<Client> {
        let url = self
            .gateway
            .lock()
            .unwrap()
            .directory(endpoint)
            .expect("a directory");
        Arc::new(Client::new(&url, &self.root))
    }

    /// A new account at the endpoint `default`.
    #[track_caller]
    pub fn account(&self) -> Account {
        Account::open(&self.client("default"))
    }

    /// Runs a `portreeve` command on the data directory.
    #[track_caller]
    pub fn control(&self, arguments: &[&str]) -> Finished {
        self.gateway
            .lock()
            .unwrap()
            .control(arguments)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// A text in `dev.json`, by JSON pointer.
    #[track_caller]
    pub fn dev_text(&self, pointer: &str) -> String {
        self.gateway
            .lock()
            .unwrap()
            .dev_text(pointer)
            .unwrap_or_else(|error| panic!("{error}"))
            .to_owned()
    }

    /// Fetches a URL over plain HTTP; gives the status and the body.
    #[track_caller]
    pub fn fetch_plain(&self, url: &str) -> (u16, Vec<u8>) {
        let rest = url.strip_prefix("http://").expect("a plain URL");
        let (authority, path) = rest.split_once('/').expect("a path");
        let mut stream = TcpStream::connect(authority).expect("the gateway accepts connections");
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("a header");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (
            status.unwrap_or_else(|| panic!("{head}")),
            answer[end + 4..].to_vec(),
        )
    }

    /// Whether the gateway runs.
    pub fn is_running(&self) -> bool {
        self.gateway.lock().unwrap().is_running()
    }

    /// What the gateway has logged.
    pub fn log(&self) -> String {
        self.gateway.lock().unwrap().log()
    }
}

impl Own {
    /// Stops the gateway with SIGTERM and starts it again on the same data directory and port.
    pub fn restart(&self) {
        let mut gateway = self.0.gateway.lock().unwrap();
        let status = gateway.terminate().expect("the end of the gateway");
        assert!(status.success(), "{status}");
        gateway.restart().unwrap_or_else(|error| panic!("{error}"));
    }
}

impl std::ops::Deref for Own {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.0
    }
}

fn leash(pid: &str, folder: &Path) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", LEASH, "leash", pid]).arg(folder);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("a shell")
}
