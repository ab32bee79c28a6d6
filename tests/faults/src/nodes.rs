//! Several gateways on one PostgreSQL database, behind one address.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portreeve_harness::postgres::{OWNER, PostgresServer};
use portreeve_harness::process::{DevOptions, Gateway, succeed};
use tempfile::TempDir;

use crate::FaultError;
use crate::checker::{Known, Report, check_at};
use crate::client::Client;
use crate::export::export;
use crate::front::Front;
use crate::ledger::Ledger;
use crate::responder::Responder;
use crate::wire::Wire;

const COMMAND_LIMIT: Duration = Duration::from_secs(180);

/// Gateways that share a database, and what their clients need.
pub struct Nodes {
    /// The database server.
    pub server: PostgresServer,
    /// The nodes.
    pub gateways: Vec<Gateway>,
    /// The clients' way to whichever node has its turn.
    pub wire: Wire,
    /// What the clients asked for and were given.
    pub ledger: Arc<Ledger>,
    responder: Responder,
    front: Arc<Front>,
    url: String,
    folder: TempDir,
}

impl Nodes {
    /// Starts this many nodes on an empty database, one after the other.
    pub async fn start(count: usize) -> Result<Self, FaultError> {
        Self::around(|_, place| {
            (0..count)
                .map(|number| Ok(Gateway::start_dev(place.options(number))?))
                .collect()
        })
        .await
    }

    /// Starts nodes on an empty database all at once.
    pub async fn start_at_once(count: usize) -> Result<Self, FaultError> {
        Self::around(|_, place| {
            let launched = (0..count).map(|number| Gateway::launch(place.options(number)));
            let mut gateways = launched.collect::<Result<Vec<_>, _>>()?;
            gateways.iter_mut().try_for_each(Gateway::wait_until_ready)?;
            Ok(gateways)
        })
        .await
    }

    /// Starts an edge and a node with the other roles, each under the database role of what it plays; the owner has made
    /// the installation before. Clients are taken to the edge.
    pub async fn start_walled() -> Result<Self, FaultError> {
        Self::start_roles(&[("front", "edge"), ("back", "worker,status,console")]).await
    }

    /// Starts nodes by login and roles, the edge first, each under the database role of what it plays.
    pub async fn start_roles(logins: &[(&str, &str)]) -> Result<Self, FaultError> {
        let nodes = Self::around(|server, place| {
            let mut owner = Gateway::start_dev(place.options(0))?;
            owner.terminate()?;
            let mut roles = owner.command(&["migrate", "roles"]);
            let script = succeed(&mut roles, COMMAND_LIMIT)?.stdout;
            let database = place.url.rsplit('/').next().unwrap_or_default();
            server.sql(database, &script)?;
            let mut gateways = Vec::new();
            for (number, &(login, roles)) in (1..).zip(logins) {
                let groups = roles.replace(',', ", portreeve_");
                let create =
                    format!("CREATE ROLE {login} LOGIN PASSWORD '{login}' IN ROLE portreeve_{groups}");
                server.sql(database, &create)?;
                let mut options = place.options(number);
                options.database = Some(place.url.replace(OWNER, &format!("{login}:{login}")));
                options.roles = Some(roles.to_owned());
                // An edge does without; the others write it into certificates.
                if roles != "edge" {
                    let status = "server.status_url=\"http://127.0.0.1:8080\"";
                    options.settings.push(status.to_owned());
                }
                gateways.push(Gateway::start_dev(options)?);
            }
            Ok(gateways)
        })
        .await?;
        nodes.only(Some(0));
        Ok(nodes)
    }

    async fn around(
        start: impl FnOnce(&PostgresServer, &Place) -> Result<Vec<Gateway>, FaultError>,
    ) -> Result<Self, FaultError> {
        let folder = TempDir::with_prefix("portreeve-nodes-").map_err(FaultError::system("folder"))?;
        let responder = Responder::start().await?;
        let (front, listener) = Front::bind().await?;
        let port = front.port();
        let (server, url, gateways) = tokio::task::block_in_place(|| -> Result<_, FaultError> {
            let server = PostgresServer::start()?;
            let place = Place {
                folder: folder.path().to_owned(),
                url: server.database()?,
                front: port,
                responder: responder.port(),
            };
            let gateways = start(&server, &place)?;
            Ok((server, place.url, gateways))
        })?;
        let root = gateways
            .first()
            .ok_or(FaultError::Unreadable("nodes"))?
            .tls_root()?;
        front.open(listener, gateways.iter().map(Gateway::public_port).collect());
        Ok(Self {
            server,
            gateways,
            wire: Wire::trusting(&root)?,
            ledger: Arc::default(),
            responder,
            front,
            url,
            folder,
        })
    }

    /// A client with a new account at the default endpoint.
    pub async fn client(&self) -> Result<Client, FaultError> {
        let gateway = self.gateways.first().ok_or(FaultError::Unreadable("nodes"))?;
        let directory = gateway.directory("default")?;
        Client::at(directory, (&self.wire, &self.responder, &self.ledger), "default").await
    }

    /// From now on every connection goes to this node; with `None` they take turns again.
    pub fn only(&self, node: Option<usize>) {
        self.front.only(node);
    }

    /// The URL of the database, for its owner.
    pub fn database(&self) -> &str {
        &self.url
    }

    /// Stops the nodes, and compares what clients were told with the database and the journals of all signers.
    pub async fn stop_and_check(&mut self) -> Result<Report, FaultError> {
        tokio::task::block_in_place(|| -> Result<(), FaultError> {
            for gateway in &mut self.gateways {
                gateway.terminate()?;
            }
            Ok(())
        })?;
        export(&self.url, self.folder.path()).await?;
        let known = Known {
            lines: self.ledger.lines(),
            own: self.wire.servers(),
        };
        check_at(self.folder.path(), &known).await
    }
}

/// What the nodes of an installation have in common.
struct Place {
    folder: PathBuf,
    url: String,
    front: u16,
    responder: u16,
}

impl Place {
    fn options(&self, number: usize) -> DevOptions {
        let kek = self.folder.join("kek");
        DevOptions {
            data_dir: Some(self.folder.join(format!("node{number}"))),
            http01_port: Some(self.responder),
            reserved_ports: true,
            database: Some(self.url.clone()),
            settings: vec![
                format!("keyset.kek={{ file = \"{}\" }}", kek.display()),
                format!("server.external_url=\"https://127.0.0.1:{}\"", self.front),
            ],
            ..DevOptions::default()
        }
    }
}
