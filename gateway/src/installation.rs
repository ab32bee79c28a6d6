//! The installation on disk: data directory, keyset, store, signer. Everything else is built on these.

mod wall;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portreeve_keyset::{Kek, KekError, KekSet, KekSource, Keyset, KeysetError, WrappedKeyset};
use portreeve_queue::{FileHeads, HeadsError, SystemClock, SystemRandom};
use portreeve_ra::ports::{Clock, Random, SignError, StoreError};
use portreeve_ra::{NodeId, Purpose, Role, Roles};
use portreeve_signer::{SignerCommand, SignerKek, SignerProcess};
use portreeve_store::{MadeBy, OpenDatabase, OpenError, OpenStore, Options, PendingMigrations, StoreUrl};
use tracing::{info, warn};

use crate::config::{Config, ConfigError, KekSources, SignerSection};
use crate::data_dir::{self, DataDirError, Making};
use crate::dev::replace_file;
pub use wall::Breach;

/// The raw value under which the store keeps the wrapped keyset.
const KEYSET_VALUE: &str = "keyset";

/// The purposes that a node opens. Purpose `ca` is opened by the signer child alone. A worker opens `edge` as well: it
/// makes the TLS certificates of edges, and can cause anything that an edge can say. A console opens it to seal secrets
/// for edges, and has no voice in its name.
fn purposes(roles: Roles) -> Vec<Purpose> {
    let mut purposes: Vec<Purpose> = roles.iter().map(Role::purpose).collect();
    if roles.has(Role::Worker) {
        purposes.extend([Purpose::Edge, Purpose::Audit]);
    }
    if roles.has(Role::Console) {
        purposes.push(Purpose::Edge);
    }
    purposes.sort();
    purposes.dedup();
    purposes
}

/// The purposes whose keys a node needs: those it opens, and `ca` when it has a signer, which opens that.
pub fn purposes_needed(roles: Roles) -> Vec<Purpose> {
    let mut purposes = purposes(roles);
    if roles.sign() {
        purposes.push(Purpose::Ca);
    }
    purposes
}

/// For what an installation is opened.
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
pub enum Mode {
    /// `portreeve dev`: made on the way if absent.
    #[default]
    Dev,
    /// `portreeve serve`: must have been made.
    Serve,
    /// `portreeve ca create`: made on the way if absent, for `serve`.
    Create,
}

/// Why an installation does not open.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// The data directory or a file in it.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The place of the store is not known.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store, while reading what it holds in the clear.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keyset.
    #[error(transparent)]
    Keyset(#[from] KeysetError),
    /// An edge that does not judge could open what only those who judge should.
    #[error(transparent)]
    Wall(#[from] Breach),
    /// The store has no keyset.
    #[error("{0} holds no installation yet: run `portreeve ca create root` first")]
    Absent(String),
    /// The key encryption key is gone, and the keyset is not.
    #[error("the store has a keyset and its key encryption key is missing ({0}): restore it from your copy")]
    KekLost(String),
    /// `serve` on what `dev` made.
    #[error(
        "{0} was made by `portreeve dev`, whose keys and profiles are for trials: make a new installation"
    )]
    MadeByDev(String),
    /// `dev` on what is in earnest.
    #[error("{0} is a real installation: give `portreeve dev` a directory or database of its own")]
    NotMadeByDev(String),
    /// What this node has seen of the configuration.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// The signer.
    #[error(transparent)]
    Signer(#[from] portreeve_signer::StartError),
    /// A signer does its work no more.
    #[error("signer: {0}")]
    Sign(#[from] SignError),
    /// No program to run as a signer.
    #[error("the path of this program cannot be found: {0}")]
    Program(std::io::Error),
}

/// How the signer child is started.
#[derive(Clone, Debug)]
pub struct SignerProgram {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl SignerProgram {
    /// This program itself, with its hidden command.
    pub fn own() -> Result<Self, InstallationError> {
        let program = std::env::current_exe().map_err(InstallationError::Program)?;
        Ok(Self {
            program,
            args: vec!["signer".into()],
        })
    }
}

/// An open installation: what everything else is built on.
#[derive(Clone)]
pub struct Installation {
    /// Its id, made with it: a UUIDv7.
    pub id: [u8; 16],
    /// The truth.
    pub store: OpenStore,
    /// The keys that seal and sign records.
    pub keyset: Arc<Keyset>,
    /// What this node does.
    pub roles: Roles,
    /// What is wrong with the wall around an edge that does not judge; under `serve` it does not open then.
    pub breach: Option<Breach>,
    /// The child that holds CA keys; only workers and status nodes have one.
    pub signer: Option<SignerProcess>,
    /// This node.
    pub node: NodeId,
    /// What this node has seen of the configuration: the file `heads` in the data directory.
    pub heads: Arc<FileHeads>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
}

/// Opens the installation that a configuration describes.
pub async fn open(
    config: &Config,
    (mode, roles): (Mode, Roles),
    program: &SignerProgram,
) -> Result<Installation, InstallationError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let data_dir = config.data_dir();
    let url = config.database.store(data_dir)?;
    let making = if mode == Mode::Serve {
        Making::Refused
    } else {
        Making::Allowed
    };
    data_dir::prepare(data_dir, making)?;
    if let Some(directory) = url.directory()
        && mode == Mode::Serve
        && !directory.exists()
    {
        return Err(InstallationError::Absent(url.to_string()));
    }
    let node = node(data_dir, (clock.as_ref(), random.as_ref()))?;
    let heads = FileHeads::open(&data_dir.join("heads"))?;
    let (made_by, pending) = purpose(mode);
    let options = Options {
        made_by,
        pending,
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
    };
    let mut database = open_database(&url, mode, (options, config.database.connections_max)).await?;
    let sources = config.keyset.sources(data_dir);
    let wrapped = wrapped_keyset(&mut database, mode, (&sources, random.as_ref())).await?;
    let keyset = open_keyset(&wrapped, &sources, roles)?;
    let breach = wall::examine(&wrapped, &sources, roles)?;
    match &breach {
        Some(breach) if mode == Mode::Serve => return Err(breach.clone().into()),
        Some(breach) => warn!(%breach, "fine for trials"),
        None => {}
    }
    let signer = if roles.sign() {
        let section = config.signer.get("soft").cloned().unwrap_or_default();
        Some(start_signer(&section, (data_dir, program), (sources, wrapped.to_bytes()?)).await?)
    } else {
        None
    };
    let id = database.installation().id;
    let store = database.into_store(Arc::clone(&keyset) as _).await?;
    Ok(Installation {
        id,
        store,
        keyset,
        roles,
        breach,
        signer,
        node,
        heads,
        clock,
        random,
    })
}

/// The sealed form of a key in the store.
pub async fn sealed_key(
    installation: &Installation,
    name: &str,
) -> Result<Option<Vec<u8>>, InstallationError> {
    Ok(installation.store.sealed_key(name).await?)
}

/// Keeps the sealed form of a key in the store.
pub async fn keep_key(
    installation: &Installation,
    name: &str,
    sealed: &[u8],
) -> Result<(), InstallationError> {
    Ok(installation.store.put_sealed_key(name, sealed).await?)
}

/// What an installation is marked with when it is made, and what happens to waiting migrations.
fn purpose(mode: Mode) -> (MadeBy, PendingMigrations) {
    match mode {
        Mode::Dev => (MadeBy::Dev, PendingMigrations::Apply),
        Mode::Create => (MadeBy::Serve, PendingMigrations::Apply),
        Mode::Serve => (MadeBy::Serve, PendingMigrations::Refuse),
    }
}

async fn open_database(
    url: &StoreUrl,
    mode: Mode,
    (options, connections_max): (Options, u32),
) -> Result<OpenDatabase, InstallationError> {
    let database = url.open(options, connections_max).await;
    let database = database.map_err(|error| match error {
        OpenError::Pending { found: 0, .. } => InstallationError::Absent(url.to_string()),
        other => other.into(),
    })?;
    match (mode, database.installation().made_by) {
        (Mode::Dev, MadeBy::Dev) | (Mode::Serve | Mode::Create, MadeBy::Serve) => Ok(database),
        (Mode::Dev, MadeBy::Serve) => Err(InstallationError::NotMadeByDev(url.to_string())),
        (Mode::Serve | Mode::Create, MadeBy::Dev) => Err(InstallationError::MadeByDev(url.to_string())),
    }
}

/// The keyset of the store; a new installation gets one, and a key encryption key in a file if there is none. Of
/// several nodes that start at once one makes each, and the others take it.
async fn wrapped_keyset(
    database: &mut OpenDatabase,
    mode: Mode,
    (sources, random): (&KekSources, &dyn Random),
) -> Result<WrappedKeyset, InstallationError> {
    let source = &sources.shared;
    if let Some(bytes) = database.value(KEYSET_VALUE).await? {
        if let KekSource::File(path) = source
            && !path.exists()
        {
            return Err(InstallationError::KekLost(path.display().to_string()));
        }
        return Ok(WrappedKeyset::parse(&bytes)?);
    }
    if mode == Mode::Serve {
        return Err(InstallationError::Absent(match source {
            KekSource::File(path) => path.display().to_string(),
            KekSource::Environment(name) => name.clone(),
        }));
    }
    let mut keks = KekSet::shared(encryption_key(source, random)?);
    for (purpose, source) in &sources.own {
        keks = keks.with(*purpose, encryption_key(source, random)?);
    }
    let wrapped = WrappedKeyset::generate(&keks, random)?;
    if database
        .put_value_if_absent(KEYSET_VALUE, &wrapped.to_bytes()?)
        .await?
    {
        return Ok(wrapped);
    }
    let theirs = database.value(KEYSET_VALUE).await?.unwrap_or_default();
    Ok(WrappedKeyset::parse(&theirs)?)
}

/// The keys of a node's roles. Key encryption keys of other purposes need not be there.
fn open_keyset(
    wrapped: &WrappedKeyset,
    sources: &KekSources,
    roles: Roles,
) -> Result<Arc<Keyset>, InstallationError> {
    let purposes = purposes(roles);
    let needed = sources
        .own
        .iter()
        .filter(|(purpose, _)| purposes.contains(purpose));
    let own = needed.map(|(purpose, source)| (*purpose, source.clone()));
    let keks = KekSet::from_sources(&sources.shared, own)?;
    let keyset = wrapped.open(&keks, &purposes)?;
    let speaks_for_edges = roles.has(Role::Edge) || roles.has(Role::Worker);
    Ok(Arc::new(if speaks_for_edges {
        keyset
    } else {
        keyset.without_voice(Purpose::Edge)
    }))
}

/// The key encryption key of a new installation, made if it is to lie in a file that is not there.
fn encryption_key(source: &KekSource, random: &dyn Random) -> Result<Kek, KeysetError> {
    let path = match Kek::from_source(source) {
        Err(KeysetError::Kek(KekError::File { source: error, path }))
            if error.kind() == std::io::ErrorKind::NotFound =>
        {
            path
        }
        other => return other,
    };
    match Kek::generate_file(Path::new(&path), random) {
        Ok(kek) => {
            info!(
                path,
                "made a key encryption key: keep a copy of it apart from the store"
            );
            Ok(kek)
        }
        // Another node that shares the file was faster.
        Err(KeysetError::Kek(KekError::File { source: error, .. }))
            if error.kind() == std::io::ErrorKind::AlreadyExists =>
        {
            Kek::from_source(source)
        }
        Err(error) => Err(error),
    }
}

async fn start_signer(
    section: &SignerSection,
    (data_dir, program): (&Path, &SignerProgram),
    (mut sources, keyset): (KekSources, Vec<u8>),
) -> Result<SignerProcess, InstallationError> {
    let kek = SignerKek {
        ca: sources.own.remove(&Purpose::Ca),
        shared: sources.shared,
    };
    let journal = section.path(data_dir);
    let command = SignerCommand::new(program.program.clone(), program.args.clone(), kek, journal);
    Ok(SignerProcess::start(command, keyset).await?)
}

/// The id of this node, the same on every start.
fn node(data_dir: &Path, (clock, random): (&dyn Clock, &dyn Random)) -> Result<NodeId, InstallationError> {
    let path = data_dir.join("node");
    let io = |source| InstallationError::File {
        path: path.clone(),
        source,
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| io(std::io::ErrorKind::InvalidData.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = NodeId::new(clock.now(), random);
            replace_file(&path, format!("{id}\n").as_bytes()).map_err(io)?;
            Ok(id)
        }
        Err(error) => Err(io(error)),
    }
}
