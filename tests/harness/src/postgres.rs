//! A private PostgreSQL server from Debian's packages: on a free port of the loopback address, in a temporary folder.
//!
//! A small shell watches over the server and reads its orders from a pipe. When the test process ends, however it
//! ends, the pipe closes; then the shell stops the server and removes the folder.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::error::HarnessError;
use crate::process::{free_port, succeed, until};

/// The role that owns everything on the server, and is let in from this machine without a password.
pub const OWNER: &str = "harness";

/// Where Debian keeps the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

const COMMAND_LIMIT: Duration = Duration::from_secs(180);
const START_LIMIT: Duration = Duration::from_secs(120);

/// The role that is let in with a client certificate in its name, and in no other way.
pub const CERTIFIED: &str = "certified";

/// Others than the owner need their password.
const ACCESS: &str = "local all all trust
hostssl all certified 127.0.0.1/32 cert
host all certified 127.0.0.1/32 reject
host all harness 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
";

const SETTINGS: &str =
    "max_connections = 300\nshared_buffers = 64MB\nmax_wal_size = 512MB\nautovacuum_naptime = 10s\n";

/// Orders, one a line: start, stop (as by an administrator), kill (as by a power failure). The end of the pipe stops
/// the server for good, at once: nothing of it is kept.
const WATCH: &str = r#"
trap '' INT TERM HUP
folder=$1
shift
pid=
crash() {
    [ -n "$pid" ] || return
    kill -STOP "$pid"
    children=$(cat "/proc/$pid/task/$pid/children")
    # shellcheck disable=SC2086
    kill -KILL "$pid" $children 2>/dev/null
    wait "$pid"
    for child in $children; do
        while readlink "/proc/$child/exe" >/dev/null 2>&1; do sleep 0.01; done
    done
    pid=
}
halt() {
    [ -n "$pid" ] || return
    kill "-$1" "$pid" 2>/dev/null
    wait "$pid"
    pid=
}
while read -r order; do
    case $order in
        start) "$@" >>"$folder/server.log" 2>&1 </dev/null & pid=$! ;;
        stop) halt INT ;;
        kill) crash ;;
    esac
    echo "$order"
done
halt QUIT
rm -rf "$folder"
"#;

/// A PostgreSQL server; it is stopped when this is dropped.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    watch: Mutex<Child>,
    databases: AtomicU32,
}

impl PostgresServer {
    /// Makes a server and waits until it answers.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or does not start.
    pub fn start() -> Result<Self, HarnessError> {
        let programs = programs()?;
        let folder = TempDir::with_prefix("portreeve-postgres-")
            .map_err(HarnessError::file("/tmp"))?
            .keep();
        let server = Self::prepare(folder.clone(), programs);
        if server.is_err() {
            let _ = std::fs::remove_dir_all(&folder);
        }
        let server = server?;
        server.start_again()?;
        Ok(server)
    }

    /// The server that all tests of this process share; started by the first who asks.
    ///
    /// # Errors
    /// As [`Self::start`], the same for all.
    pub fn shared() -> Result<&'static Self, HarnessError> {
        static SHARED: OnceLock<Result<PostgresServer, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start().map_err(|error| error.to_string()));
        shared.as_ref().map_err(|reason| HarnessError::Outcome {
            program: "the shared PostgreSQL server".to_owned(),
            outcome: "did not start".to_owned(),
            output: reason.clone(),
        })
    }

    fn prepare(folder: PathBuf, programs: PathBuf) -> Result<Self, HarnessError> {
        let data = folder.join("data");
        if is_root() {
            succeed(Command::new("chown").arg("postgres:").arg(&folder), COMMAND_LIMIT)?;
        }
        let mut init = unprivileged(&programs.join("initdb"));
        init.args([
            "-A",
            "trust",
            "-U",
            OWNER,
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        succeed(init.arg(&data), COMMAND_LIMIT)?;
        for (name, text) in [("pg_hba.conf", ACCESS), ("postgresql.auto.conf", SETTINGS)] {
            let path = data.join(name);
            std::fs::write(&path, text).map_err(HarnessError::file(path))?;
        }
        let port = free_port();
        let mut server = unprivileged(&programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-p").arg(port.to_string());
        server
            .args(["-c", "listen_addresses=127.0.0.1", "-k"])
            .arg(&folder);
        let watch = watch(&folder, &server)?;
        Ok(Self {
            folder,
            programs,
            port,
            watch: Mutex::new(watch),
            databases: AtomicU32::new(0),
        })
    }

    /// A new, empty database; its URL.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn database(&self) -> Result<String, HarnessError> {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        let name = format!("test_{}_{number}", std::process::id());
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(OWNER, &name))
    }

    /// The URL of a database for a role; the role may be followed by `:PASSWORD`.
    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL as the owner; what it printed, without headings.
    ///
    /// # Errors
    /// When it fails.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, HarnessError> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            OWNER,
            "-d",
            database,
        ]);
        psql.arg("-h")
            .arg(&self.folder)
            .arg("-p")
            .arg(self.port.to_string());
        Ok(succeed(psql.arg("-c").arg(sql), COMMAND_LIMIT)?.stdout)
    }

    /// Lets it speak TLS with this certificate and key, and ask for client certificates of this CA; all PEM.
    ///
    /// # Errors
    /// When it cannot.
    pub fn speak_tls(&self, certificate: &str, key: &str, client_ca: &str) -> Result<(), HarnessError> {
        let data = self.folder.join("data");
        for (name, text) in [
            ("server.crt", certificate),
            ("server.key", key),
            ("clients.crt", client_ca),
        ] {
            let path = data.join(name);
            std::fs::write(&path, text).map_err(HarnessError::file(&path))?;
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&path, private).map_err(HarnessError::file(&path))?;
            if is_root() {
                succeed(Command::new("chown").arg("postgres:").arg(&path), COMMAND_LIMIT)?;
            }
        }
        let settings = [
            "ALTER SYSTEM SET ssl_ca_file = 'clients.crt'",
            "ALTER SYSTEM SET ssl = on",
            "SELECT pg_reload_conf()",
        ];
        settings
            .iter()
            .try_for_each(|sql| self.sql("postgres", sql).map(drop))
    }

    /// Its port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its Unix socket.
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// Stops it as an administrator does: sessions end, what was committed is written.
    ///
    /// # Errors
    /// When the order does not reach it.
    pub fn stop(&self) -> Result<(), HarnessError> {
        self.order("stop")
    }

    /// Stops it as a power failure does.
    ///
    /// # Errors
    /// When the order does not reach it.
    pub fn kill(&self) -> Result<(), HarnessError> {
        self.order("kill")
    }

    /// Starts it again after [`Self::stop`] or [`Self::kill`], and waits until it answers.
    ///
    /// # Errors
    /// When it does not answer in time; its log is part of the error.
    pub fn start_again(&self) -> Result<(), HarnessError> {
        self.order("start")?;
        let ready = until("an answer of PostgreSQL", START_LIMIT, || {
            let mut ask = Command::new(self.programs.join("pg_isready"));
            ask.args(["-q", "-U", OWNER, "-d", "postgres", "-h", "127.0.0.1", "-p"]);
            let answer = ask.arg(self.port.to_string()).stdin(Stdio::null()).status();
            Ok(answer.is_ok_and(|status| status.success()).then_some(()))
        });
        ready.map_err(|error| match error {
            HarnessError::Late { what, limit, .. } => HarnessError::Late {
                what,
                limit,
                detail: self.log(),
            },
            other => other,
        })
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }

    /// Gives an order and waits until it was carried out.
    fn order(&self, word: &str) -> Result<(), HarnessError> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let broken = || HarnessError::file(&self.folder);
        let pipe = watch.stdin.as_mut();
        let pipe = pipe.ok_or_else(|| broken()(std::io::ErrorKind::BrokenPipe.into()))?;
        writeln!(pipe, "{word}").map_err(broken())?;
        let answers = watch.stdout.as_mut();
        let answers = answers.ok_or_else(|| broken()(std::io::ErrorKind::BrokenPipe.into()))?;
        let mut answer = vec![0; word.len() + 1];
        std::io::Read::read_exact(answers, &mut answer).map_err(broken())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let watch = self.watch.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(watch.stdin.take());
        let _ = watch.wait();
    }
}

/// Starts the shell that watches over a server. It lives in a process group of its own, so that an interrupt from the
/// keyboard reaches the test and not the server.
fn watch(folder: &Path, server: &Command) -> Result<Child, HarnessError> {
    use std::os::unix::process::CommandExt;
    let mut shell = Command::new("sh");
    shell.args(["-c", WATCH, "watch"]).arg(folder);
    shell.arg(server.get_program()).args(server.get_args());
    shell
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    shell.spawn().map_err(|source| HarnessError::Start {
        program: "sh".to_owned(),
        source,
    })
}

/// A command that is not run by root, whom PostgreSQL refuses.
fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(program);
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The programs of the newest version that is installed.
fn programs() -> Result<PathBuf, HarnessError> {
    let missing = || HarnessError::Missing {
        program: "PostgreSQL".to_owned(),
        package: "postgresql",
    };
    let versions = std::fs::read_dir(VERSIONS).map_err(|_| missing())?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs.join("initdb").is_file().then_some((version, programs))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, programs)| programs).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_stopped_started_and_removed() {
        let server = PostgresServer::start().unwrap();
        let folder = server.socket_folder().to_owned();
        let url = server.database().unwrap();
        let database = url.rsplit('/').next().unwrap().to_owned();
        server
            .sql(
                &database,
                "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)",
            )
            .unwrap();
        server.stop().unwrap();
        assert!(server.sql(&database, "SELECT 1").is_err(), "nobody answers");
        server.start_again().unwrap();
        assert_eq!(server.sql(&database, "SELECT n FROM kept").unwrap().trim(), "7");
        server.kill().unwrap();
        assert!(server.sql(&database, "SELECT 1").is_err(), "nobody answers");
        server.start_again().unwrap();
        assert_eq!(server.sql(&database, "SELECT n FROM kept").unwrap().trim(), "7");
        drop(server);
        assert!(!folder.exists());
    }
}
