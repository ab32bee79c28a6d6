//! `portreeve dev` as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::logged::Logged;
use super::{Finished, attempt, free_port};
use crate::error::HarnessError;

const LISTENERS: [&str; 4] = [
    "--listen",
    "--listen-http",
    "--listen-admin",
    "--listen-management",
];
const COMMAND_LIMIT: Duration = Duration::from_secs(180);

/// How a gateway is started.
#[derive(Debug, Clone, Default)]
pub struct DevOptions {
    /// The data directory; a temporary one, removed at the end, when there is none.
    pub data_dir: Option<PathBuf>,
    /// The DNS server that validation asks.
    pub dns: Option<SocketAddr>,
    /// The port http-01 is asked on; a free one when there is none.
    pub http01_port: Option<u16>,
    /// The database; the embedded one when there is none.
    pub database: Option<String>,
    /// The roles it plays, as `--roles` takes them; all when there are none.
    pub roles: Option<String>,
    /// Values of `--set`, each `KEY=VALUE`.
    pub settings: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// The binary; the one built with these tests when there is none.
    pub binary: Option<PathBuf>,
    /// Listen on ports out of the range from which systems take those of outgoing connections, chosen once. A gateway
    /// that is started again and again then finds its ports free, whoever connects meanwhile.
    pub reserved_ports: bool,
}

/// The ports of one gateway.
#[derive(Debug, Clone, Copy)]
struct Ports {
    /// Where http-01 is asked.
    http01: u16,
    /// Where its listeners listen; 0 lets the gateway choose.
    listeners: [u16; LISTENERS.len()],
}

impl Ports {
    fn of(options: &DevOptions) -> Self {
        let listener = |_| if options.reserved_ports { free_port() } else { 0 };
        Self {
            http01: options.http01_port.unwrap_or_else(free_port),
            listeners: [(); LISTENERS.len()].map(listener),
        }
    }
}

/// A gateway that runs; it is stopped when this is dropped, and its log shown if the test failed.
#[derive(Debug)]
pub struct Gateway {
    options: DevOptions,
    ports: Ports,
    data_dir: PathBuf,
    process: Logged,
    dev: Value,
    _temporary: Option<TempDir>,
}

impl Gateway {
    /// Starts `portreeve dev` on free ports and waits until it accepts connections.
    ///
    /// # Errors
    /// When it cannot be started, ends, or is not ready in time; the log is part of the error.
    pub fn start_dev(options: DevOptions) -> Result<Self, HarnessError> {
        let mut gateway = Self::launch(options)?;
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    /// Starts `portreeve dev` as [`Self::start_dev`] does, and does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(options: DevOptions) -> Result<Self, HarnessError> {
        let temporary = match &options.data_dir {
            Some(_) => None,
            None => Some(TempDir::with_prefix("portreeve-").map_err(HarnessError::file("/tmp"))?),
        };
        let data_dir = match (&options.data_dir, &temporary) {
            (Some(folder), _) => folder.clone(),
            (None, Some(folder)) => folder.path().join("data"),
            (None, None) => PathBuf::from("portreeve-data"),
        };
        let ports = Ports::of(&options);
        let log = data_dir.with_extension("log");
        let mut command = dev(&options, &data_dir, ports);
        Ok(Self {
            process: Logged::start("portreeve dev".to_owned(), &mut command, log)?,
            options,
            ports,
            data_dir,
            dev: Value::Null,
            _temporary: temporary,
        })
    }

    /// Starts it again on the same data directory, after [`Self::kill`] or [`Self::terminate`].
    ///
    /// # Errors
    /// As [`Self::start_dev`].
    pub fn restart(&mut self) -> Result<(), HarnessError> {
        self.relaunch()?;
        self.wait_until_ready()
    }

    /// Starts it again as [`Self::restart`] does, and does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn relaunch(&mut self) -> Result<(), HarnessError> {
        let mut command = dev(&self.options, &self.data_dir, self.ports);
        self.process.start_again(&mut command)
    }

    /// Changes the environment of the next start.
    pub fn set_environment(&mut self, environment: Vec<(String, String)>) {
        self.options.environment = environment;
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub fn terminate(&mut self) -> Result<ExitStatus, HarnessError> {
        self.process.terminate()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The port its public HTTPS listener was told to use; 0 when it chose one itself.
    pub fn public_port(&self) -> u16 {
        self.ports.listeners.first().copied().unwrap_or_default()
    }

    /// The port that http-01 is asked on.
    pub fn http01_port(&self) -> u16 {
        self.ports.http01
    }

    /// What it wrote to `dev.json`.
    pub fn dev(&self) -> &Value {
        &self.dev
    }

    /// A text in `dev.json`, by JSON pointer, as in `/ca/root`.
    ///
    /// # Errors
    /// When there is no such text.
    pub fn dev_text(&self, pointer: &str) -> Result<&str, HarnessError> {
        self.dev
            .pointer(pointer)
            .and_then(Value::as_str)
            .ok_or_else(|| HarnessError::Absent {
                document: "dev.json".to_owned(),
                part: pointer.to_owned(),
            })
    }

    /// The ACME directory of an endpoint.
    ///
    /// # Errors
    /// When `dev.json` names no directory.
    pub fn directory(&self, endpoint: &str) -> Result<String, HarnessError> {
        let default = self.dev_text("/acme/directory")?;
        Ok(default.replace("/acme/default/", &format!("/acme/{endpoint}/")))
    }

    /// The root certificate of its HTTPS listeners.
    ///
    /// # Errors
    /// When `dev.json` names none.
    pub fn tls_root(&self) -> Result<PathBuf, HarnessError> {
        self.dev_text("/tls_root").map(PathBuf::from)
    }

    /// A `portreeve` command of the same binary, to be completed by the caller.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary(&self.options));
        command.args(arguments).env("NO_COLOR", "1");
        command
    }

    /// Runs a command that talks to this gateway, found by its data directory.
    ///
    /// # Errors
    /// When it cannot be run or takes too long; its exit status is for the caller to judge.
    pub fn control(&self, arguments: &[&str]) -> Result<Finished, HarnessError> {
        let mut command = self.command(arguments);
        attempt(command.arg("--data-dir").arg(&self.data_dir), COMMAND_LIMIT)
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until it accepts connections, after [`Self::launch`] or [`Self::relaunch`].
    ///
    /// # Errors
    /// As [`Self::start_dev`].
    pub fn wait_until_ready(&mut self) -> Result<(), HarnessError> {
        let path = self.data_dir.join("dev.json");
        self.dev = self.process.until_ready(|pid, _| {
            read_dev(&path).filter(|dev| dev.get("pid").and_then(Value::as_u64) == Some(pid.into()))
        })?;
        Ok(())
    }
}

/// The command of a gateway.
fn dev(options: &DevOptions, data_dir: &Path, ports: Ports) -> Command {
    let mut command = Command::new(binary(options));
    command.arg("dev").arg("--data-dir").arg(data_dir);
    for (listener, port) in LISTENERS.iter().zip(ports.listeners) {
        command.arg(listener).arg(format!("127.0.0.1:{port}"));
    }
    command
        .arg("--set")
        .arg(format!("acme.validation.http_port={}", ports.http01));
    if let Some(database) = &options.database {
        command.arg("--database").arg(database);
    }
    if let Some(roles) = &options.roles {
        command.arg("--roles").arg(roles);
    }
    if let Some(dns) = options.dns {
        command
            .arg("--set")
            .arg(format!("acme.validation.dns_resolver=\"{dns}\""));
    }
    for setting in &options.settings {
        command.arg("--set").arg(setting);
    }
    command.envs(options.environment.iter().map(|(name, value)| (name, value)));
    command
}

fn read_dev(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn binary(options: &DevOptions) -> PathBuf {
    options.binary.clone().unwrap_or_else(default_binary)
}

/// The binary named by `PORTREEVE_BIN`, else the one two folders above the running test (`target/debug/deps/test` and
/// `target/debug/portreeve`).
pub fn default_binary() -> PathBuf {
    if let Some(binary) = std::env::var_os("PORTREEVE_BIN") {
        return PathBuf::from(binary);
    }
    let test = std::env::current_exe().unwrap_or_default();
    test.parent()
        .and_then(Path::parent)
        .map_or_else(|| "portreeve".into(), |folder| folder.join("portreeve"))
}
