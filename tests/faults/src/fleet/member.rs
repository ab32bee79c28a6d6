//! The configuration of one node: its files, its addresses, its secrets.

use std::path::{Path, PathBuf};

use portreeve_harness::process::{Node, free_port};
use portreeve_policies::{shipped, shipped_roles};
use portreeve_ra::Purpose;

use super::private_directory;
use crate::FaultError;
use crate::cable::Cable;

/// Which nodes there are.
#[derive(Copy, Clone, Debug)]
pub struct Plan {
    /// Name and roles of each, as `--roles` says them.
    pub nodes: &'static [(&'static str, &'static str)],
    /// The node that reaches both servers through cables.
    pub cabled: Option<&'static str>,
    /// Whether all edges listen on one address, and the system shares connections among them; there is no other front
    /// then.
    pub one_address: bool,
}

impl Plan {
    /// A node for each role, two of those that clients wait for.
    pub const APART: Self = Self {
        nodes: &[
            ("edge1", "edge"),
            ("edge2", "edge"),
            ("worker1", "worker"),
            ("worker2", "worker"),
            ("status1", "status"),
            ("console1", "console"),
        ],
        cabled: None,
        one_address: false,
    };

    /// Fewer processes: two edges, two workers of which one does the rest as well.
    pub const SMALL: Self = Self {
        nodes: &[
            ("edge1", "edge"),
            ("edge2", "edge"),
            ("worker1", "worker,status,console"),
            ("worker2", "worker"),
        ],
        ..Self::APART
    };

    /// Two nodes of which each receives, judges, issues and lets people decide.
    pub const PAIR: Self = Self {
        nodes: &[("node1", "edge,worker,console"), ("node2", "edge,worker,console")],
        ..Self::APART
    };
}

/// A node.
pub struct Member {
    /// The process.
    pub process: Node,
    /// Its roles, as `--roles` says them.
    pub roles: &'static str,
    /// The port of its HTTPS listener, on an edge.
    pub public: u16,
    /// The port of `/readyz`.
    pub management: u16,
    /// The port of the operator API, on a console.
    pub admin: u16,
    /// The cables to PostgreSQL and to Redis, if it has some.
    pub cables: Option<(Cable, Cable)>,
}

impl Member {
    /// Whether clients come here.
    pub fn is_edge(&self) -> bool {
        self.roles.split(',').any(|role| role == "edge")
    }
}

/// What the nodes of an installation have in common.
pub(super) struct Site {
    pub(super) folder: PathBuf,
    /// The URL of the database, for its owner.
    pub(super) database: String,
    pub(super) redis: String,
    pub(super) front: u16,
    pub(super) status: u16,
    pub(super) responder: u16,
}

/// Purposes with a key encryption key of their own, and whether a node with this role holds it.
const KEKS: [(Purpose, &str, &[&str]); 6] = [
    (Purpose::Edge, "edge", &["edge", "worker", "console"]),
    (Purpose::Worker, "worker", &["worker"]),
    (Purpose::Status, "status", &["status"]),
    (Purpose::Console, "console", &["console"]),
    (Purpose::Ca, "ca", &["worker", "status"]),
    (Purpose::Audit, "audit", &["worker"]),
];

impl Site {
    /// Where a node keeps its files.
    pub(super) fn data_dir(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The URL of the database for a node; through a cable when there is one.
    pub(super) fn url_of(&self, name: &str, cable: Option<&Cable>) -> String {
        let url = self.database.replace("harness@", &format!("{name}:{name}@"));
        match (cable, url.rsplit_once(':')) {
            (Some(cable), Some((host, rest))) => {
                let database = rest.rsplit('/').next().unwrap_or_default();
                format!("{host}:{}/{database}", cable.port())
            }
            _ => url,
        }
    }

    /// The configuration with which the installation is made; its file.
    pub(super) fn owner(&self) -> Result<PathBuf, FaultError> {
        private_directory(&self.data_dir("owner").join("keks"))?;
        private_directory(&self.data_dir("owner"))?;
        self.write("owner", &self.common("owner", (&self.database, &self.redis)))
    }

    /// Configures a node and starts it.
    pub(super) fn member(
        &self,
        (name, roles): (&'static str, &'static str),
        cables: Option<(Cable, Cable)>,
        plan: &Plan,
    ) -> Result<Member, FaultError> {
        let public = if plan.one_address { self.front } else { free_port() };
        let (management, admin) = (free_port(), free_port());
        self.give_keks(name, roles)?;
        let url = self.url_of(name, cables.as_ref().map(|(database, _)| database));
        let redis = match &cables {
            Some((_, redis)) => format!("redis://127.0.0.1:{}/0", redis.port()),
            None => self.redis.clone(),
        };
        let mut text = self.common(name, (&url, &redis));
        let listeners = [
            ("public", public, "tls = true\nmounts = [\"acme\"]"),
            ("http", self.status, "tls = false\nmounts = [\"status\"]"),
            ("management", management, "tls = false\nmounts = [\"management\"]"),
            (
                "admin",
                admin,
                "tls = true\nclient_certs = true\nmounts = [\"admin\"]",
            ),
        ];
        for (listener, port, rest) in listeners {
            text.push_str(&format!(
                "[server.listeners.{listener}]\naddr = \"127.0.0.1:{port}\"\n{rest}\n"
            ));
        }
        let text = text.replace(
            "[server]\n",
            &format!("[server]\nreuse_port = {}\n", plan.one_address),
        );
        let config = self.write(name, &text)?;
        Ok(Member {
            process: Node::launch(&config, roles)?,
            roles,
            public,
            management,
            admin,
            cables,
        })
    }

    /// The files with key encryption keys in a data directory, by what they open; `None` is the shared one.
    pub(super) fn keks(&self, data_dir: &Path) -> Vec<(Option<Purpose>, PathBuf)> {
        let own = KEKS.map(|(purpose, word, _)| (Some(purpose), data_dir.join("keks").join(word)));
        let shared = std::iter::once((None, data_dir.join("kek")));
        shared.chain(own).filter(|(_, path)| path.exists()).collect()
    }

    /// Copies to a node the key encryption keys that its roles need, as an operator does.
    fn give_keks(&self, name: &str, roles: &str) -> Result<(), FaultError> {
        let (owner, own) = (self.data_dir("owner"), self.data_dir(name));
        private_directory(&own.join("keks"))?;
        private_directory(&own)?;
        let held = KEKS
            .iter()
            .filter(|(_, _, holders)| roles.split(',').any(|role| holders.contains(&role)));
        let held = held.map(|(_, word, _)| format!("keks/{word}"));
        for file in held.chain(["kek".to_owned()]) {
            std::fs::copy(owner.join(&file), own.join(&file)).map_err(FaultError::system(file))?;
        }
        Ok(())
    }

    /// What profile, endpoints and roles there are, in a folder as `apply` reads it.
    pub(super) fn objects(&self) -> Result<PathBuf, FaultError> {
        let folder = self.folder.join("objects");
        let endpoint = |more: &str| format!("profiles = [\"dev\"]\nbackend = \"issuing\"\n{more}");
        let policy = |min: u8| format!("age_max = \"7d\"\n[[step]]\nanyone = true\nmin = {min}\n");
        let profile = shipped().iter().find(|(name, _)| *name == "dev");
        let files = [
            ("approval-policies/one.toml", policy(1)),
            ("approval-policies/two.toml", policy(2)),
            (
                "profiles/dev.toml",
                profile.map(|(_, body)| (*body).to_owned()).unwrap_or_default(),
            ),
            ("endpoints/acme/default.toml", endpoint("")),
            ("endpoints/acme/approval.toml", endpoint("approval = \"one\"\n")),
            ("endpoints/acme/two.toml", endpoint("approval = \"two\"\n")),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text));
        let roles = shipped_roles().iter();
        let roles = roles.map(|(name, text)| (format!("roles/{name}.toml"), (*text).to_owned()));
        for (name, text) in files.into_iter().chain(roles) {
            let path = folder.join(&name);
            let parent = path.parent().unwrap_or(&folder);
            std::fs::create_dir_all(parent).map_err(FaultError::system(name.clone()))?;
            std::fs::write(&path, text).map_err(FaultError::system(name))?;
        }
        Ok(folder)
    }

    fn common(&self, name: &str, (database, redis): (&str, &str)) -> String {
        let data_dir = self.data_dir(name);
        let keks: String = KEKS
            .iter()
            .map(|(_, word, _)| format!("{word} = {{ file = \"keks/{word}\" }}\n"))
            .collect();
        format!(
            "[server]\ndata_dir = {data_dir:?}\nexternal_url = \"https://127.0.0.1:{}\"\n\
             status_url = \"http://127.0.0.1:{}\"\ncontrol_socket = \"c.sock\"\n\
             [database]\nurl = \"{database}\"\nconnections_max = 6\n\
             [redis]\nurl = \"{redis}\"\n\
             [keyset]\nkek = {{ file = \"kek\" }}\n[keyset.keks]\n{keks}\
             [backend.issuing]\n\
             [acme]\naccounts_per_address_max = 0\n\
             [acme.validation]\nhttp_port = {}\nallow_networks = [\"127.0.0.0/8\"]\n",
            self.front, self.status, self.responder
        )
    }

    /// A configuration file beside the data directories.
    pub(super) fn config(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.toml"))
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, FaultError> {
        let path = self.config(name);
        std::fs::write(&path, text).map_err(FaultError::system("configuration"))?;
        Ok(path)
    }
}
