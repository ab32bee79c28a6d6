//! A gateway from start to stop.

mod dev_installation;
mod dev_operator;
mod duties;
mod stopping;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portreeve_acme::validator::Validator;
use portreeve_console::CertifyOperators;
use portreeve_console::auth::{Authenticator, ManagementTrust, Passwords};
use portreeve_ra::{RegistrationAuthority, Role, Roles};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::admin::AdminApi;
use crate::authorities::{Authorities, AuthorityError, MANAGEMENT_CA};
use crate::backends::{BackendError, Backends, backends};
use crate::config::{Config, ConfigError, Override, Transport};
use crate::control::{ControlError, ControlSocket};
use crate::dev::{Manifest, ObjectsError};
use crate::installation::{self, Installation, InstallationError, Mode, SignerProgram};
use crate::listener::{BindError, Bounds, Drain, Listener, Sharing, bind, tls};
use crate::operator_api::{Means, operator_api};
use crate::own_certificate::{self, OwnCertificate, OwnCertificateError, OwnCertificateParts};
use crate::queue::Queue;
use crate::router::{Router, RouterParts};
use crate::wiring::{Node, Shared, WiringError};
use crate::worker::{Sweeper, run_tasks, watch_endpoints};
use dev_installation::Known;
use duties::Duties;
use stopping::Stopping;

pub use duties::{DutyEnded, EarlyEnd};

/// How to start a gateway.
#[derive(Default)]
pub struct StartOptions {
    /// The configuration.
    pub config: Config,
    /// For `dev` or in earnest.
    pub mode: Mode,
    /// What the node does.
    pub roles: Roles,
    /// Keys of the endpoints of `dev`: `endpoint.PROTOCOL.NAME.key`.
    pub endpoints: Vec<Override>,
    /// The `portreeve` program, run as the signer child; `None` is this process's own program.
    pub program: Option<PathBuf>,
    /// What stands in for parts of a gateway, in tests.
    pub substitutes: Substitutes,
}

/// What stands in for parts of a gateway, in tests.
#[derive(Default)]
pub struct Substitutes {
    /// Backends besides those of the configuration; one of the same name wins.
    pub backends: Backends,
    /// Looks at names in place of the network.
    pub validator: Option<Arc<dyn Validator>>,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The endpoints given.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// An address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The installation.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// A CA.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A backend.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The RA.
    #[error(transparent)]
    Ra(#[from] portreeve_ra::Error),
    /// The parts do not fit.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// The gateway's own TLS certificate.
    #[error(transparent)]
    Certificate(#[from] OwnCertificateError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// A node that has no part in TLS certificates was to speak TLS.
    #[error(
        "a listener with tls needs the role edge, worker or console: set tls = false for it, or leave it out"
    )]
    NoTls,
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The operator of `dev`.
    #[error("operator: {0}")]
    Operator(#[from] portreeve_ra::operators::ChangeError),
    /// A file for clients.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// How a gateway stopped.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum DrainOutcome {
    /// Everything under way was finished.
    Clean,
    /// Time ran out.
    Cut,
}

/// A gateway that accepts requests.
pub struct Running {
    addresses: BTreeMap<String, SocketAddr>,
    external_url: String,
    control_socket: PathBuf,
    manifest: Option<Manifest>,
    node: Node,
    drain: Drain,
    background: CancellationToken,
    duties: Duties,
    drain_timeout: Duration,
}

/// Starts a gateway; when this returns it accepts requests.
pub async fn start(options: StartOptions) -> Result<Running, StartError> {
    tls::install_provider();
    let mut config = options.config;
    let roles = options.roles;
    let given = Known::given(&config);
    // Endpoints are published at consoles as well, which listen for no client.
    let not_asking = config.server.not_asking();
    config.server.keep_listeners_of(roles);
    if options.mode == Mode::Dev && !own_certificate::shown_by(roles) {
        // What `dev` serves over HTTPS as well is there over HTTP.
        let listeners = &mut config.server.listeners;
        listeners.retain(|_, listener| listener.tls == Transport::Plain);
    }
    let sockets = bind_all(&config)?;
    let addresses = addresses(&sockets);
    if options.mode == Mode::Dev {
        let bound = addresses.clone();
        dev_installation::fill_addresses(&mut config, &Known { given, bound });
        config.check()?;
    }
    // One file is for all nodes of an installation in earnest, so it names what any of them needs.
    let needing = match options.mode {
        Mode::Dev => roles,
        Mode::Serve | Mode::Create => Roles::ALL,
    };
    config.server.check_serving(needing)?;
    let remarks = config.server.remarks();
    remarks.iter().for_each(|remark| warn!("{remark}"));
    let program = match options.program {
        Some(program) => SignerProgram {
            program,
            args: vec!["signer".into()],
        },
        None => SignerProgram::own()?,
    };
    let installation = installation::open(&config, (options.mode, roles), &program).await?;
    let queue = Queue::of(&installation, &config)?;
    let shared = Shared::with(installation.clone(), queue)
        .not_asking(not_asking)
        .signing_in(config.auth.ways());
    let library = shared.authority(Backends::new());
    if options.mode == Mode::Dev && roles.has(Role::Worker) && roles.has(Role::Console) {
        dev_installation::prepare(&installation, &library, &options.endpoints).await?;
    }
    let authorities = Authorities {
        installation: &installation,
        objects: library.objects(),
    };
    let mut wired = if roles.sign() {
        backends(&config, authorities).await?
    } else {
        Backends::new()
    };
    wired.extend(options.substitutes.backends);
    let certificate = own_certificate(&config, authorities, &shared).await?;
    let shown = certificate
        .as_ref()
        .map(OwnCertificate::current)
        .unwrap_or_default();
    let own = (options.substitutes.validator, shown);
    let mut node = Node::new(shared, &config, wired, own).await?;
    let api = admin(&mut node, &config, authorities).await?;
    if roles.has(Role::Worker) {
        recover(&installation).await?;
    }
    if let Some(publisher) = &node.publisher {
        // The first CRL is there before the first certificate names its address.
        publisher.once().await;
    }
    let control = ControlSocket::bind(&crate::cli::configured_socket(&config))?;
    let manifest = match options.mode {
        Mode::Dev => Some(dev_installation::write_files(&config, authorities, &addresses).await?),
        Mode::Serve | Mode::Create => None,
    };
    let parts = Parts {
        config: &config,
        sockets,
        certificate,
        control,
        joined: node.health.join().await,
        api,
    };
    let mut running = assemble(parts, node, addresses)?;
    running.manifest = manifest;
    Ok(running)
}

/// What a node needs to begin.
struct Parts<'a> {
    config: &'a Config,
    sockets: BTreeMap<String, TcpListener>,
    certificate: Option<OwnCertificate>,
    control: ControlSocket,
    /// Whether it fits to the nodes that were there before.
    joined: Result<(), String>,
    api: axum::Router,
}

/// The operator API, and for those who come from outside the edge that lets them in.
async fn admin(
    node: &mut Node,
    config: &Config,
    authorities: Authorities<'_>,
) -> Result<axum::Router, StartError> {
    let passwords = Arc::new(Passwords::default());
    let roles = node.shared.installation.roles;
    let certifier: Option<Arc<dyn CertifyOperators>> =
        match roles.has(Role::Worker) && roles.has(Role::Console) {
            true => Some(Arc::new(authorities.management().await?)),
            false => None,
        };
    let means = Means {
        data_dir: config.data_dir().to_owned(),
        certifier,
        passwords: Arc::clone(&passwords),
    };
    let api = operator_api(node, means);
    if node.shared.installation.roles.has(Role::Console) {
        let management = authorities.find(MANAGEMENT_CA).await?;
        let trust = management.map(|authority| authority.certificate).into_iter();
        let ways = config.auth.ways();
        let trust = ManagementTrust::new(trust.collect());
        let authenticator = Authenticator::new(Arc::clone(&node.ra), (trust, ways), passwords);
        node.edges.admin = Some(Arc::new(AdminApi::new(api.clone(), authenticator)));
    }
    Ok(api)
}

/// Starts listeners and background work.
fn assemble(
    parts: Parts<'_>,
    node: Node,
    addresses: BTreeMap<String, SocketAddr>,
) -> Result<Running, StartError> {
    let (config, drain) = (parts.config, Drain::default());
    let background = CancellationToken::new();
    let mut duties = Duties::default();
    for listener in listeners(config, parts.sockets, (&node, parts.certificate.as_ref()))? {
        duties.begin(format!("listener {}", listener.name), listener.run(drain.clone()));
    }
    let control_socket = parts.control.path().to_owned();
    let bounds = Bounds::of(&config.server.limits);
    let control = parts.control.run(parts.api, bounds, drain.clone());
    duties.begin("control socket", control);
    if let Some(certificate) = parts.certificate {
        duties.begin("TLS certificate", certificate.run(background.clone()));
    }
    begin_work(&mut duties, &node, &background);
    let (version, external_url) = (env!("CARGO_PKG_VERSION"), &config.server.external_url);
    match &parts.joined {
        Ok(()) => info!(version, external_url, "ready"),
        Err(reason) => error!(version, external_url, reason, "running, and not ready"),
    }
    Ok(Running {
        addresses,
        external_url: config.server.external_url.clone(),
        control_socket,
        manifest: None,
        node,
        drain,
        background,
        duties,
        drain_timeout: config.server.limits.drain_timeout.0,
    })
}

/// Begins what a node does besides answering, and watches over what its store and signer do by themselves.
fn begin_work(duties: &mut Duties, node: &Node, background: &CancellationToken) {
    let shared = &node.shared;
    if shared.installation.roles.has(Role::Worker) {
        let tasks = run_tasks(
            Arc::clone(&node.ra),
            Arc::clone(&shared.wakeups),
            background.clone(),
        );
        duties.begin("worker", tasks);
        let sweeper = Sweeper {
            store: Arc::clone(&shared.store),
            leases: Arc::clone(&shared.intake) as _,
            node: shared.installation.node,
        };
        duties.begin("sweeper", sweeper.run(background.clone()));
    }
    if shared.queue.redis().is_some() {
        let health = Arc::clone(&node.health);
        duties.begin_until(background, "neighbours", async move { health.join_later().await });
    }
    if let Some(publisher) = node.publisher.clone() {
        duties.begin_until(background, "CRL publisher", async move { publisher.run().await });
    }
    if let Some(sealer) = node.sealer.clone() {
        duties.begin_until(background, "audit sealer", async move { sealer.run().await });
    }
    let published = node.edges.published();
    if !published.is_empty() {
        let watch = watch_endpoints(published, Arc::clone(&shared.wakeups), background.clone());
        duties.begin("endpoints", watch);
    }
    let store = shared.installation.store.clone();
    duties.begin_until(background, "store writer", async move { store.ended().await });
    if let Some(signer) = shared.installation.signer.clone() {
        let supervised = async move { signer.ended().await };
        duties.begin_until(background, "signer supervisor", supervised);
    }
}

impl Running {
    /// Where it listens, by listener.
    pub const fn addresses(&self) -> &BTreeMap<String, SocketAddr> {
        &self.addresses
    }

    /// The HTTPS address that clients use.
    pub fn external_url(&self) -> &str {
        &self.external_url
    }

    /// The socket of the command line.
    pub fn control_socket(&self) -> &Path {
        &self.control_socket
    }

    /// What `dev` has written for clients.
    pub const fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Its Registration Authority.
    pub const fn ra(&self) -> &Arc<RegistrationAuthority> {
        &self.node.ra
    }

    /// Store, keys and signer.
    pub const fn installation(&self) -> &Installation {
        &self.node.shared.installation
    }

    /// Returns when something that must go on has ended, of which the gateway cannot recover: stop it then.
    pub async fn failed(&mut self) -> DutyEnded {
        self.duties.ended().await
    }

    /// Stops: no request is begun, those under way and their work are finished, then the store is closed. All of it
    /// takes at most `server.limits.drain_timeout`; what hangs is cut off.
    pub async fn stop(self) -> DrainOutcome {
        let stopping = Stopping {
            drain: self.drain,
            background: self.background,
            spawn: self.node.shared.spawn.clone(),
            duties: self.duties,
            at_most: self.drain_timeout,
        };
        let shared = &self.node.shared;
        let close = async {
            shared.queue.stop().await;
            shared.installation.store.close().await;
        };
        stopping.finish(close).await
    }
}

fn bind_all(config: &Config) -> Result<BTreeMap<String, TcpListener>, BindError> {
    let sharing = if config.server.reuse_port {
        Sharing::ReusePort
    } else {
        Sharing::Exclusive
    };
    let listeners = config.server.listeners.iter();
    listeners
        .map(|(name, section)| Ok((name.clone(), bind(section.addr, sharing)?)))
        .collect()
}

fn addresses(sockets: &BTreeMap<String, TcpListener>) -> BTreeMap<String, SocketAddr> {
    let bound = sockets
        .iter()
        .filter_map(|(name, socket)| Some((name.clone(), socket.local_addr().ok()?)));
    bound.collect()
}

async fn own_certificate(
    config: &Config,
    authorities: Authorities<'_>,
    shared: &Shared,
) -> Result<Option<OwnCertificate>, StartError> {
    let roles = shared.installation.roles;
    let mut listeners = config.server.listeners.values();
    let shows = listeners.any(|listener| listener.tls == Transport::Tls);
    // A console that answers on the host's socket alone waits for no worker.
    if !own_certificate::shown_by(roles) || !(shows || roles.has(Role::Worker)) {
        return Ok(None);
    }
    let parts = OwnCertificateParts {
        store: Arc::clone(&shared.store),
        documents: Arc::clone(&shared.installation.store.documents),
        clock: Arc::clone(&shared.installation.clock),
        issuer: authorities.get(MANAGEMENT_CA).await?.certificate,
        management: if roles.has(Role::Worker) {
            Some(authorities.management().await?)
        } else {
            None
        },
    };
    let certificate = OwnCertificate::new(parts, own_certificate::names(config)?);
    certificate.begin().await?;
    Ok(Some(certificate))
}

/// Voids what this node held when it ended last, so that its work goes on at once.
async fn recover(installation: &Installation) -> Result<(), StartError> {
    let released = installation.store.tasks.release_of(installation.node).await;
    let released = released.map_err(portreeve_ra::Error::from)?;
    if released > 0 {
        info!(tasks = released, "going on with work that the last run left");
    }
    Ok(())
}

fn listeners(
    config: &Config,
    sockets: BTreeMap<String, TcpListener>,
    (node, certificate): (&Node, Option<&OwnCertificate>),
) -> Result<Vec<Listener>, StartError> {
    let parts = RouterParts {
        metrics: Arc::clone(&node.shared.metrics),
        clock: Arc::clone(&node.shared.installation.clock),
        trusted_proxies: config.server.trusted_proxies.clone(),
        body_timeout: config.server.limits.body_timeout.0,
    };
    let mut made = Vec::with_capacity(sockets.len());
    for (name, socket) in sockets {
        let Some(section) = config.server.listeners.get(&name) else {
            continue;
        };
        let router = Router::new(&node.edges.of(section), section.tls, parts.clone());
        let tls = match section.tls {
            Transport::Tls => {
                let certificate = certificate.ok_or(StartError::NoTls)?;
                let asked = (section.client_certs, section.require_ems);
                Some(tls::acceptor(certificate.current(), asked)?)
            }
            Transport::Plain => None,
        };
        made.push(Listener {
            name,
            socket,
            tls,
            binding: tls::ChannelBinding::of(section),
            router: Arc::new(router),
            limits: config.server.limits.clone(),
        });
    }
    Ok(made)
}
