//! A Redis server of a test: Debian's `redis-server` on a free port of 127.0.0.1 with a temporary folder.
//!
//! It can be killed and started again on the same port, stopped and resumed, emptied, and made to evict. It ends when
//! this is dropped, and with the test's process however that ends: a shell waits for the end of its input.

mod certificates;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

use crate::error::HarnessError;
use crate::process::{free_port, until};
pub use certificates::RedisFiles;

const PROGRAM: &str = "/usr/bin/redis-server";
const START_LIMIT: Duration = Duration::from_secs(120);
/// Another process may take a free port before the server does.
const ATTEMPTS_MAX: u32 = 5;

/// Starts the server, and kills it at the end of its own input: when the test has ended.
const SHELL: &str =
    r#""$@" >/dev/null 2>&1 & server=$!; echo $server >"$PID_FILE"; cat >/dev/null; kill -9 $server; wait"#;

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// Whether it listens with TLS as well, and asks for a client certificate there.
    pub tls: bool,
    /// Lines of its ACL file, such as `user me on >secret ~* +@all`; without any everybody may do everything.
    pub users: Vec<String>,
}

/// A Redis server.
#[derive(Debug)]
pub struct Redis {
    folder: TempDir,
    options: RedisOptions,
    files: Option<RedisFiles>,
    port: u16,
    tls_port: u16,
    shell: Option<Child>,
    pid: Option<Pid>,
}

impl Redis {
    /// Starts a server without TLS, for everybody.
    ///
    /// # Errors
    /// When it does not answer. Without the program, `cargo xtask test` installs it.
    pub fn start() -> Result<Self, HarnessError> {
        Self::start_with(RedisOptions::default())
    }

    /// Starts a server.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn start_with(options: RedisOptions) -> Result<Self, HarnessError> {
        let folder = TempDir::new().map_err(HarnessError::file(std::env::temp_dir()))?;
        let files = match options.tls {
            true => Some(RedisFiles::make(folder.path())?),
            false => None,
        };
        let mut server = Self {
            folder,
            options,
            files,
            port: 0,
            tls_port: 0,
            shell: None,
            pid: None,
        };
        let mut attempt = 1;
        loop {
            (server.port, server.tls_port) = (free_port(), free_port());
            match server.run() {
                Err(HarnessError::Late { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(error),
                Ok(()) => return Ok(server),
            }
        }
    }

    /// Its URL without TLS.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Its port on 127.0.0.1 without TLS.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its URL without TLS, for this user.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@127.0.0.1:{}/0", self.port)
    }

    /// Its URL with TLS; give a user's name and password as `USER:PASSWORD@`, or nothing.
    pub fn tls_url(&self, user: &str) -> String {
        format!("rediss://{user}127.0.0.1:{}/0", self.tls_port)
    }

    /// The files of its TLS.
    pub const fn files(&self) -> Option<&RedisFiles> {
        self.files.as_ref()
    }

    /// Asks the server, as the user `default`.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    pub fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> Result<T, HarnessError> {
        let failed = |error: redis::RedisError| HarnessError::Network {
            peer: self.url(),
            source: std::io::Error::other(error.to_string()),
        };
        let client = redis::Client::open(self.url()).map_err(failed)?;
        let mut connection = client
            .get_connection_with_timeout(Duration::from_secs(60))
            .map_err(failed)?;
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command.query(&mut connection).map_err(failed)
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn flush(&self) -> Result<(), HarnessError> {
        self.ask(&["FLUSHALL"])
    }

    /// From now on it has so little memory that it evicts whatever it likes.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn make_evict(&self) -> Result<(), HarnessError> {
        let () = self.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])?;
        self.ask(&["CONFIG", "SET", "maxmemory", "1mb"])
    }

    /// Kills it; connections break.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.end();
    }

    /// Starts it again on the same port after [`Redis::kill`], empty.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn restart(&mut self) -> Result<(), HarnessError> {
        self.run()
    }

    /// Stops it where it is: connections stay, and nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Redis::pause`].
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // One that has ended needs none.
            let _ = kill_process(pid, signal);
        }
    }

    fn run(&mut self) -> Result<(), HarnessError> {
        if !Path::new(PROGRAM).exists() {
            return Err(HarnessError::Absent {
                document: format!("this machine ({PROGRAM})"),
                part: "Redis server: run `cargo xtask test`, which installs the Debian package redis-server"
                    .to_owned(),
            });
        }
        self.end();
        let pid_file = self.folder.path().join("pid");
        let _ = std::fs::remove_file(&pid_file);
        let _ = std::fs::remove_file(self.log());
        let shell = Command::new("sh")
            .args(["-c", SHELL, "redis", PROGRAM])
            .args(self.arguments()?)
            .env("PID_FILE", &pid_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| HarnessError::Start {
                program: PROGRAM.to_owned(),
                source,
            })?;
        self.shell = Some(shell);
        self.pid = Some(until("the process id of Redis", START_LIMIT, || {
            Ok(pid(&pid_file))
        })?);
        until("a ready Redis", START_LIMIT, || self.is_ready())
            .map(drop)
            .map_err(|error| self.with_log(error))
    }

    /// As its own log says: something else may answer on its port.
    fn is_ready(&self) -> Result<Option<()>, HarnessError> {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let runs = self.pid.is_some_and(|pid| test_kill_process(pid).is_ok());
        match log.contains("Ready to accept connections") {
            true => Ok(Some(())),
            false if runs => Ok(None),
            false => Err(HarnessError::Late {
                what: "a ready Redis, which has ended,".to_owned(),
                limit: START_LIMIT,
                detail: String::new(),
            }),
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn arguments(&self) -> Result<Vec<String>, HarnessError> {
        let path = |name: &str| self.folder.path().join(name);
        let mut words = vec![
            "--bind 127.0.0.1".to_owned(),
            format!("--port {}", self.port),
            format!("--dir {}", self.folder.path().display()),
            format!("--logfile {}", self.log().display()),
            "--appendonly no".to_owned(),
            "--daemonize no".to_owned(),
            "--enable-debug-command yes".to_owned(),
        ];
        if let Some(files) = &self.files {
            words.extend([
                format!("--tls-port {}", self.tls_port),
                format!("--tls-ca-cert-file {}", files.ca.display()),
                format!("--tls-cert-file {}", files.server_cert.display()),
                format!("--tls-key-file {}", files.server_key.display()),
                "--tls-auth-clients yes".to_owned(),
            ]);
        }
        if !self.options.users.is_empty() {
            let file = path("users.acl");
            std::fs::write(&file, format!("{}\n", self.options.users.join("\n")))
                .map_err(HarnessError::file(&file))?;
            words.push(format!("--aclfile {}", file.display()));
        }
        let mut all: Vec<String> = words
            .iter()
            .flat_map(|pair| pair.splitn(2, ' ').map(str::to_owned))
            .collect();
        all.extend(["--save".to_owned(), String::new()]);
        Ok(all)
    }

    fn with_log(&self, error: HarnessError) -> HarnessError {
        match error {
            HarnessError::Late { what, limit, .. } => HarnessError::Late {
                what,
                limit,
                detail: std::fs::read_to_string(self.log()).unwrap_or_default(),
            },
            other => other,
        }
    }

    /// The shell kills the server when its input ends.
    fn end(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
        self.pid = None;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
    }
}

fn pid(file: &PathBuf) -> Option<Pid> {
    let text = std::fs::read_to_string(file).ok()?;
    Pid::from_raw(text.trim().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_is_killed_and_answers_again_on_the_same_port() {
        let mut server = Redis::start().unwrap();
        let url = server.url();
        let () = server.ask(&["SET", "a", "1"]).unwrap();
        assert_eq!(server.ask::<i64>(&["GET", "a"]).unwrap(), 1);
        server.flush().unwrap();
        assert_eq!(server.ask::<i64>(&["DBSIZE"]).unwrap(), 0);
        server.kill();
        assert!(server.ask::<String>(&["PING"]).is_err());
        server.restart().unwrap();
        assert_eq!(server.url(), url);
        assert_eq!(server.ask::<String>(&["PING"]).unwrap(), "PONG");
    }

    #[test]
    fn it_ends_with_its_owner_even_when_it_is_stopped() {
        let server = Redis::start().unwrap();
        let pid = server.pid.unwrap();
        server.pause();
        drop(server);
        assert!(test_kill_process(pid).is_err(), "it still runs");
    }
}
