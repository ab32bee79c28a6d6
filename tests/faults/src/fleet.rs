//! Nodes that each play some roles, as an operator runs them: `portreeve serve` on PostgreSQL and Redis, each with a
//! database role and key encryption keys of its own.

mod member;
mod person;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portreeve_harness::postgres::PostgresServer;
use portreeve_harness::process::{Finished, Node, attempt, default_binary, free_port, portreeve};
use portreeve_harness::redis::Redis;
use portreeve_ra::{Event, ObjectEvent, ObjectKind, Purpose, Record};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tempfile::TempDir;

use crate::FaultError;
use crate::cable::Cable;
use crate::checker::{Known, Report, check_at};
use crate::client::Client;
use crate::console::Console;
use crate::database::Database;
use crate::export::export;
use crate::front::Front;
use crate::ledger::Ledger;
use crate::os;
use crate::responder::Responder;
use crate::wire::Wire;
use member::Site;
pub use member::{Member, Plan};
pub use person::Person;

/// So many answers of one address come from every edge that listens there.
const IN_A_ROW: usize = 30;

/// How long nodes have for what follows from something that was done at another one.
const LIMIT: Duration = Duration::from_secs(180);

/// Nodes that share a database, and what their clients need.
pub struct Fleet {
    /// The nodes, by name; dropped first.
    pub nodes: BTreeMap<&'static str, Member>,
    /// The database server.
    pub server: PostgresServer,
    /// The server that carries hints.
    pub redis: Arc<Redis>,
    /// The clients' way to whichever edge has its turn.
    pub wire: Wire,
    /// What the clients asked for and were given.
    pub ledger: Arc<Ledger>,
    /// Those who were made operators.
    people: Mutex<Vec<Person>>,
    responder: Responder,
    front: Option<Arc<Front>>,
    site: Site,
    folder: TempDir,
}

impl Fleet {
    /// Two edges, two workers, a node that publishes and one where people decide.
    pub async fn start() -> Result<Self, FaultError> {
        Self::of(&Plan::APART).await
    }

    /// Makes an installation and starts its nodes.
    pub async fn of(plan: &Plan) -> Result<Self, FaultError> {
        let folder = TempDir::with_prefix("portreeve-fleet-").map_err(FaultError::system("folder"))?;
        let responder = Responder::start().await?;
        let (front, listener) = match plan.one_address {
            true => (None, None),
            false => {
                let (front, listener) = Front::bind().await?;
                (Some(front), Some(listener))
            }
        };
        let (server, redis) = tokio::task::block_in_place(|| -> Result<_, FaultError> {
            Ok((PostgresServer::start()?, Redis::start()?))
        })?;
        let site = Site {
            folder: folder.path().to_owned(),
            database: tokio::task::block_in_place(|| server.database())?,
            redis: redis.url(),
            front: front.as_ref().map_or_else(free_port, |front| front.port()),
            status: free_port(),
            responder: responder.port(),
        };
        tokio::task::block_in_place(|| found(&site, &server, plan))?;
        let nodes = launch(&site, plan, (server.port(), redis.port())).await?;
        if let (Some(front), Some(listener)) = (&front, listener) {
            let edges = nodes.values().filter(|member| member.is_edge());
            front.open(listener, edges.map(|member| member.public).collect());
        }
        let root = folder.path().join("tls-root.pem");
        let wire = Wire::trusting(&tls_root(&site.database, &root).await?)?;
        let fleet = Self {
            server,
            redis: Arc::new(redis),
            nodes,
            wire,
            ledger: Arc::default(),
            people: Mutex::default(),
            responder,
            front,
            site,
            folder,
        };
        fleet.apply().await?;
        Ok(fleet)
    }

    /// Publishes profile and endpoints at the console, and waits until every edge serves them.
    async fn apply(&self) -> Result<(), FaultError> {
        let from = self.site.objects()?;
        let console = self.console()?;
        tokio::task::block_in_place(|| {
            let from = from.to_string_lossy().into_owned();
            console.control(&["apply", "--from", &from])?.success()
        })?;
        // With notes of its own: these answers are none that a client saw.
        let wire = Wire::trusting(&self.folder.path().join("tls-root.pem"))?;
        for edge in self.nodes.values().filter(|member| member.is_edge()) {
            let url = format!("https://127.0.0.1:{}/acme/default/directory", edge.public);
            os::eventually("the endpoint at every edge", LIMIT, || async {
                // Behind a shared address each connection may reach another edge.
                for _ in 0..IN_A_ROW {
                    if !wire.get(&url).await?.status.is_success() {
                        return Ok(None);
                    }
                }
                Ok(Some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// A client with a new account at an endpoint.
    pub async fn client(&self, endpoint: &str) -> Result<Client, FaultError> {
        let directory = format!("https://127.0.0.1:{}/acme/{endpoint}/directory", self.site.front);
        Client::at(directory, (&self.wire, &self.responder, &self.ledger), endpoint).await
    }

    /// A node by its name.
    pub fn node(&self, name: &str) -> Result<&Member, FaultError> {
        let absent = || FaultError::Absent(format!("node {name}"));
        self.nodes.get(name).ok_or_else(absent)
    }

    /// A node by its name, to be stopped or started.
    pub fn node_mut(&mut self, name: &str) -> Result<&mut Member, FaultError> {
        let absent = || FaultError::Absent(format!("node {name}"));
        self.nodes.get_mut(name).ok_or_else(absent)
    }

    /// The node where people decide, on its host.
    pub fn console(&self) -> Result<&Node, FaultError> {
        Ok(&self.node(self.console_name()?)?.process)
    }

    /// The name of the node where people decide; the first one if there are several.
    pub fn console_name(&self) -> Result<&'static str, FaultError> {
        let mut nodes = self.nodes.iter();
        let console = nodes.find(|(_, member)| member.roles.contains("console"));
        let absent = || FaultError::Absent("console".to_owned());
        console.map(|(name, _)| *name).ok_or_else(absent)
    }

    /// A connection to the operator API of a node, on its host's socket.
    pub async fn socket(&self, name: &str) -> Result<Console, FaultError> {
        Console::at(&self.site.data_dir(name).join("c.sock")).await
    }

    /// Makes an operator with a role, and a client certificate for them.
    pub fn operator(&self, name: &str, role: &str) -> Result<Person, FaultError> {
        let made = Person::made(name, self.folder.path())?;
        let owner = self.site.config("owner");
        let issue = ["ca", "operator", name, "--csr", &made.file("csr")];
        let issued = portreeve(&owner, &issue)?.success()?.stdout;
        std::fs::write(made.file("pem"), issued).map_err(FaultError::system("certificate"))?;
        let console = self.console()?;
        console
            .control(&["operator", "create", name, "--role", role])?
            .success()?;
        let certificate = made.file("pem");
        let named = ["operator", "certificate", name, "--cert-file", &certificate];
        console.control(&named)?.success()?;
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        people.push(made.clone());
        Ok(made)
    }

    /// Runs a command as an operator elsewhere, who reaches the console over HTTPS; with nothing to show as `None`.
    pub fn as_operator(&self, person: Option<&Person>, arguments: &[&str]) -> Result<Finished, FaultError> {
        let url = format!("https://127.0.0.1:{}", self.node(self.console_name()?)?.admin);
        let root = self.folder.path().join("tls-root.pem");
        let mut command = Command::new(default_binary());
        command.args(arguments).args(["--url", &url, "--ca"]).arg(root);
        if let Some(person) = person {
            command.args(["--cert", &person.file("pem"), "--cert-key", &person.file("key")]);
        }
        Ok(attempt(command.env("NO_COLOR", "1"), LIMIT)?)
    }

    /// From now on every connection goes to this edge, counted in the order of their names; with `None` they take
    /// turns again.
    pub fn only_edge(&self, edge: Option<usize>) {
        if let Some(front) = &self.front {
            front.only(edge);
        }
    }

    /// What `/readyz` of a node says: the status, and the report.
    pub async fn readiness(&self, name: &str) -> Result<(u16, serde_json::Value), FaultError> {
        let url = format!("http://127.0.0.1:{}/readyz", self.node(name)?.management);
        let answer = self.wire.get(&url).await?;
        let report = serde_json::from_slice(&answer.body).map_err(|_| FaultError::Unreadable("/readyz"))?;
        Ok((answer.status.as_u16(), report))
    }

    /// Waits until a node is ready or unready.
    pub async fn until_ready(&self, name: &str, ready: bool, limit: Duration) -> Result<(), FaultError> {
        os::eventually(&format!("{name} ready: {ready}"), limit, || async {
            let (status, _) = self.readiness(name).await?;
            Ok(((status == 200) == ready).then_some(()))
        })
        .await
    }

    /// The URL of the revocation list.
    pub fn crl(&self) -> String {
        format!("http://127.0.0.1:{}/crl/issuing.crl", self.site.status)
    }

    /// A connection to the database as its owner, who may do anything.
    pub async fn owner(&self) -> Result<PgConnection, FaultError> {
        Ok(PgConnection::connect(&self.site.database).await?)
    }

    /// A connection to the database as a node has it.
    pub async fn as_node(&self, name: &str) -> Result<PgConnection, FaultError> {
        Ok(PgConnection::connect(&self.site.url_of(name, None)).await?)
    }

    /// A number from the database.
    pub async fn count(&self, sql: &'static str) -> Result<i64, FaultError> {
        let mut owner = self.owner().await?;
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut owner).await?;
        Ok(row.try_get(0)?)
    }

    /// Every record, in the order of their commits.
    pub async fn records(&self) -> Result<Vec<Record>, FaultError> {
        records(&self.site.database).await
    }

    /// The key encryption keys that lie in a node's data directory, by what they open; `None` is the shared one.
    pub fn keks(&self, name: &str) -> Vec<(Option<Purpose>, PathBuf)> {
        self.site.keks(&self.site.data_dir(name))
    }

    /// Waits until nothing is left to do, stops the nodes, and compares what clients were told with the database and
    /// the journals of all signers.
    pub async fn stop_and_check(&mut self) -> Result<Report, FaultError> {
        os::eventually("the end of all work", LIMIT, || async {
            // What is due in days is the end of a proposal, whether it was decided or not.
            let left =
                "SELECT count(*) FROM task WHERE due < extract(epoch FROM now() + interval '600 s') * 1000";
            Ok((self.count(left).await? == 0).then_some(()))
        })
        .await?;
        tokio::task::block_in_place(|| -> Result<(), FaultError> {
            for member in self.nodes.values_mut() {
                member.process.terminate()?;
            }
            Ok(())
        })?;
        export(&self.site.database, self.folder.path()).await?;
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let operators = people.iter().filter_map(Person::certificate);
        let known = Known {
            lines: self.ledger.lines(),
            own: self.wire.servers().into_iter().chain(operators).collect(),
        };
        check_at(self.folder.path(), &known).await
    }
}

/// Makes the installation as its owner, and database roles for its nodes.
fn found(site: &Site, server: &PostgresServer, plan: &Plan) -> Result<(), FaultError> {
    let owner = site.owner()?;
    for rank in ["root", "issuing", "management"] {
        let subject = format!("CN={rank}");
        portreeve(&owner, &["ca", "create", rank, "--subject", &subject])?.success()?;
    }
    let script = portreeve(&owner, &["migrate", "roles"])?.success()?.stdout;
    let database = site.database.rsplit('/').next().unwrap_or_default();
    server.sql(database, &script)?;
    for (name, roles) in plan.nodes {
        let groups: Vec<String> = roles.split(',').map(|role| format!("portreeve_{role}")).collect();
        let groups = groups.join(", ");
        server.sql(
            database,
            &format!("CREATE ROLE {name} LOGIN PASSWORD '{name}' IN ROLE {groups}"),
        )?;
    }
    Ok(())
}

/// Starts a worker, which makes the TLS certificate of all, then the others at once.
async fn launch(
    site: &Site,
    plan: &Plan,
    (database, redis): (u16, u16),
) -> Result<BTreeMap<&'static str, Member>, FaultError> {
    let mut nodes = BTreeMap::new();
    let is_worker = |roles: &str| roles.split(',').any(|role| role == "worker");
    let first = plan.nodes.iter().position(|(_, roles)| is_worker(roles));
    let first = first.and_then(|place| plan.nodes.get(place));
    let others = plan.nodes.iter().filter(|node| Some(*node) != first);
    for (name, roles) in first.into_iter().chain(others) {
        let cables = match plan.cabled == Some(*name) {
            true => Some((Cable::to(database).await?, Cable::to(redis).await?)),
            false => None,
        };
        let mut member = site.member((name, roles), cables, plan)?;
        if nodes.is_empty() {
            tokio::task::block_in_place(|| member.process.wait_until_ready())?;
        }
        nodes.insert(*name, member);
    }
    tokio::task::block_in_place(|| {
        nodes
            .values_mut()
            .try_for_each(|member: &mut Member| member.process.wait_until_ready())
    })?;
    Ok(nodes)
}

async fn records(database: &str) -> Result<Vec<Record>, FaultError> {
    let copy = TempDir::with_prefix("portreeve-copy-").map_err(FaultError::system("folder"))?;
    export(database, copy.path()).await?;
    Database::open(copy.path()).await?.records().await
}

/// Writes the certificate of the management CA, which TLS certificates come from, into a file.
async fn tls_root(database: &str, path: &Path) -> Result<PathBuf, FaultError> {
    let mut found = None;
    for record in records(database).await? {
        for event in record.events()? {
            if let Event::Object(ObjectEvent::Published(version)) = event
                && version.kind == ObjectKind::Ca
                && version.name.as_str() == "management"
            {
                found = Some(version.body);
            }
        }
    }
    let body: toml::Value = found
        .and_then(|body| toml::from_str(&body).ok())
        .ok_or_else(|| FaultError::Absent("management CA".to_owned()))?;
    let certificate = body.get("certificate").and_then(toml::Value::as_str);
    std::fs::write(path, certificate.unwrap_or_default()).map_err(FaultError::system("TLS root"))?;
    Ok(path.to_owned())
}

/// A directory that only its owner may look into.
fn private_directory(path: &Path) -> Result<(), FaultError> {
    let named = || path.display().to_string();
    std::fs::create_dir_all(path).map_err(FaultError::system(named()))?;
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(path, mode).map_err(FaultError::system(named()))
}
