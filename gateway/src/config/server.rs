//! `server`: addresses, listeners, limits.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use portreeve_ra::{Role, Roles};

use super::{ConfigError, Span, invalid};

/// Addresses, listeners and limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSection {
    /// The directory in which everything without a path of its own lies.
    pub data_dir: PathBuf,
    /// The HTTPS address that clients use, written into every URL of the protocols. No path, no trailing slash.
    pub external_url: String,
    /// The HTTP address of CRLs and CA certificates, written into certificates.
    pub status_url: String,
    /// Lets several processes share the addresses (SO_REUSEPORT).
    pub reuse_port: bool,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Further DNS names and IP addresses for the gateway's own TLS certificate, besides the host of `external_url`.
    pub tls_names: Vec<String>,
    /// The Unix socket of the command line; empty: `control.sock` in the data directory.
    pub control_socket: PathBuf,
    /// What listens where.
    pub listeners: BTreeMap<String, ListenerSection>,
    /// Bounds on connections and requests.
    pub limits: LimitsSection,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/portreeve"),
            external_url: String::new(),
            status_url: String::new(),
            reuse_port: false,
            trusted_proxies: Vec::new(),
            tls_names: Vec::new(),
            control_socket: PathBuf::new(),
            listeners: BTreeMap::new(),
            limits: LimitsSection::default(),
        }
    }
}

/// One listening address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerSection {
    /// Address and port; port 0 picks a free one.
    #[schemars(with = "String")]
    pub addr: SocketAddr,
    /// Whether TLS is spoken.
    #[serde(default)]
    pub tls: Transport,
    /// Whether clients may show a certificate. Operators sign in with one; which is accepted is no matter of TLS.
    #[serde(default)]
    pub client_certs: ClientCertificates,
    /// Whether clients that speak TLS 1.2 must offer the extended master secret (RFC 7627). Only then does EST link requests
    /// to connections of TLS 1.2 (RFC 9266); many clients of devices do not offer it.
    #[serde(default)]
    pub require_ems: ExtendedMasterSecret,
    /// What is served there.
    pub mounts: Vec<MountGroup>,
}

/// Whether clients of a listener may show a certificate. Written as a boolean.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    NotAsked,
    /// They are asked and need not have one.
    Asked,
}

impl From<bool> for ClientCertificates {
    fn from(asked: bool) -> Self {
        if asked { Self::Asked } else { Self::NotAsked }
    }
}

impl From<ClientCertificates> for bool {
    fn from(certificates: ClientCertificates) -> Self {
        certificates == ClientCertificates::Asked
    }
}

impl JsonSchema for ClientCertificates {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClientCertificates".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        bool::json_schema(generator)
    }
}

/// Whether clients must offer the extended master secret with TLS 1.2. Written as a boolean.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum ExtendedMasterSecret {
    /// They need not.
    #[default]
    Optional,
    /// They must.
    Required,
}

impl From<bool> for ExtendedMasterSecret {
    fn from(required: bool) -> Self {
        if required { Self::Required } else { Self::Optional }
    }
}

impl From<ExtendedMasterSecret> for bool {
    fn from(secret: ExtendedMasterSecret) -> Self {
        secret == ExtendedMasterSecret::Required
    }
}

impl JsonSchema for ExtendedMasterSecret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ExtendedMasterSecret".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        bool::json_schema(generator)
    }
}

/// Whether a listener speaks TLS. Written as a boolean.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum Transport {
    /// HTTP over TLS.
    #[default]
    Tls,
    /// HTTP.
    Plain,
}

impl From<bool> for Transport {
    fn from(tls: bool) -> Self {
        if tls { Self::Tls } else { Self::Plain }
    }
}

impl From<Transport> for bool {
    fn from(transport: Transport) -> Self {
        transport == Transport::Tls
    }
}

impl JsonSchema for Transport {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Transport".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        bool::json_schema(generator)
    }
}

/// A set of paths that belong together.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MountGroup {
    /// `/acme/…`.
    Acme,
    /// `/.well-known/est/…` and `/NAME/.well-known/est/…`.
    Est,
    /// `/crl/…` and `/ca/…`.
    Status,
    /// `/livez`, `/readyz`, `/metrics`.
    Management,
    /// `/api/…`, for operators.
    Admin,
}

impl MountGroup {
    /// The role of the nodes that serve it; `None` for what every node serves.
    pub const fn role(self) -> Option<Role> {
        match self {
            Self::Acme | Self::Est => Some(Role::Edge),
            Self::Status => Some(Role::Status),
            Self::Management => None,
            Self::Admin => Some(Role::Console),
        }
    }
}

impl ServerSection {
    /// The keys of the listeners that serve EST and ask for no client certificate. Whoever is known by one is nobody there: no
    /// device renews, and none enrols with the certificate of its manufacturer.
    pub fn not_asking(&self) -> Vec<String> {
        let without = |listener: &ListenerSection| {
            listener.mounts.contains(&MountGroup::Est)
                && listener.client_certs == ClientCertificates::NotAsked
        };
        let listeners = self.listeners.iter();
        listeners
            .filter(|(_, listener)| without(listener))
            .map(|(name, _)| format!("server.listeners.{name}"))
            .collect()
    }

    /// What can be served, and may not be what was meant; for people.
    pub fn remarks(&self) -> Vec<String> {
        let remark = |listener| {
            format!(
                "{listener}: serves est and asks for no client certificate, so that no device can renew (simplereenroll) or \
                 enrol with one: set client_certs = true, unless all of them use passwords and tokens"
            )
        };
        self.not_asking().into_iter().map(remark).collect()
    }

    /// Leaves out the listeners on which a node with these roles serves nothing, so that all nodes can have one file. A
    /// listener with ACME or EST is for edges alone, whatever else it mounts: where nodes share an address, a connection that
    /// reached another node would find none of it there.
    pub fn keep_listeners_of(&mut self, roles: Roles) {
        let serves = |group: &MountGroup| group.role().is_none_or(|role| roles.has(role));
        let of_edges = |group: &MountGroup| group.role() == Some(Role::Edge);
        let is_for = |mounts: &[MountGroup]| roles.has(Role::Edge) || !mounts.iter().any(of_edges);
        self.listeners
            .retain(|_, listener| listener.mounts.iter().any(serves) && is_for(&listener.mounts));
    }
}

/// Bounds on connections and requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Connections at once on each listener; further ones wait in the backlog.
    pub connections_max: u32,
    /// Octets of request line and headers together.
    pub header_bytes_max: usize,
    /// Time for a TLS handshake.
    pub handshake_timeout: Span,
    /// Time for request line and headers, from their first octet.
    pub header_timeout: Span,
    /// Time for a request body.
    pub body_timeout: Span,
    /// Time without any octet in either direction after which a connection is closed.
    pub idle_timeout: Span,
    /// Time for the whole end of the process when it is asked to: requests under way, their work, background work and
    /// the store. What hangs is cut off then; a second signal does not wait for it. With 0 nothing is waited for: requests
    /// under way are cut off at once, and what was begun is finished after the next start.
    pub drain_timeout: Span,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            header_bytes_max: 16 * 1024,
            handshake_timeout: Span::seconds(10),
            header_timeout: Span::seconds(10),
            body_timeout: Span::seconds(30),
            idle_timeout: Span::seconds(75),
            drain_timeout: Span::seconds(20),
        }
    }
}

impl ServerSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.data_dir.as_os_str().is_empty() {
            return Err(invalid("server.data_dir", "must name a directory"));
        }
        check_url("server.external_url", &self.external_url, "https")?;
        check_url("server.status_url", &self.status_url, "http")?;
        for (name, listener) in &self.listeners {
            let key = format!("server.listeners.{name}");
            if listener.mounts.is_empty() {
                return Err(invalid(
                    key,
                    "mounts nothing: give at least one of acme, est, status, admin, management",
                ));
            }
            if listener.tls == Transport::Plain && listener.mounts.contains(&MountGroup::Acme) {
                return Err(invalid(key, "acme needs tls = true (RFC 8555 section 6.1)"));
            }
            if listener.tls == Transport::Plain && listener.mounts.contains(&MountGroup::Est) {
                return Err(invalid(key, "est needs tls = true (RFC 7030 section 3.3)"));
            }
            if listener.tls == Transport::Plain && listener.mounts.contains(&MountGroup::Admin) {
                return Err(invalid(
                    key,
                    "admin needs tls = true: passwords and tokens pass there",
                ));
            }
            if listener.tls == Transport::Plain && listener.client_certs == ClientCertificates::Asked {
                return Err(invalid(key, "client_certs needs tls = true"));
            }
            if listener.tls == Transport::Plain && listener.require_ems == ExtendedMasterSecret::Required {
                return Err(invalid(key, "require_ems needs tls = true"));
            }
        }
        self.limits.check()
    }

    /// What nodes with these roles need beyond what can be asked of every configuration: edges the address that clients
    /// use, and those who sign the one of CRLs.
    ///
    /// # Errors
    /// When one is not there, or nothing would listen.
    pub fn check_serving(&self, roles: Roles) -> Result<(), ConfigError> {
        if self.external_url.is_empty() && roles.has(Role::Edge) {
            return Err(invalid(
                "server.external_url",
                "is needed: clients sign it, so it must be the address they use, such as https://pki.example.com",
            ));
        }
        if self.status_url.is_empty() && roles.sign() {
            return Err(invalid(
                "server.status_url",
                "is needed: it is written into certificates, such as http://pki.example.com",
            ));
        }
        if self.listeners.is_empty() {
            return Err(invalid(
                "server.listeners",
                "has none for this node: nothing would listen. One that mounts acme is for nodes with the role edge",
            ));
        }
        Ok(())
    }
}

impl LimitsSection {
    fn check(&self) -> Result<(), ConfigError> {
        let spans = [
            ("handshake_timeout", self.handshake_timeout),
            ("header_timeout", self.header_timeout),
            ("body_timeout", self.body_timeout),
            ("idle_timeout", self.idle_timeout),
        ];
        for (key, span) in spans {
            if span.0.is_zero() || span > Span::seconds(3600) {
                return Err(invalid(
                    format!("server.limits.{key}"),
                    "must lie between 1ms and 1h",
                ));
            }
        }
        if self.drain_timeout > Span::seconds(3600) {
            return Err(invalid("server.limits.drain_timeout", "must be at most 1h"));
        }
        if self.connections_max == 0 {
            return Err(invalid("server.limits.connections_max", "must not be zero"));
        }
        if !(1024..=256 * 1024).contains(&self.header_bytes_max) {
            return Err(invalid(
                "server.limits.header_bytes_max",
                "must lie between 1024 and 262144",
            ));
        }
        Ok(())
    }
}

fn check_url(key: &str, text: &str, scheme: &str) -> Result<(), ConfigError> {
    if text.is_empty() {
        return Ok(());
    }
    let url = Url::parse(text).map_err(|error| invalid(key, format!("{text} is not a URL: {error}")))?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !text.ends_with('/');
    if url.scheme() != scheme || !bare || url.host().is_none() || !url.username().is_empty() {
        return Err(invalid(
            key,
            format!("{text} must be {scheme}://HOST[:PORT] and nothing more"),
        ));
    }
    Ok(())
}
