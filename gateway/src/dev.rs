//! `portreeve dev`: a whole gateway on this machine, for development and trials.

mod given;
mod manifest;
mod objects;
mod ports;
mod shipping;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::config::{
    BackendSection, ClientCertificates, Config, ConfigError, ExtendedMasterSecret, ListenerSection,
    LogFormat, MountGroup, Override, SignerSection, Transport,
};
use crate::control::socket_for;

pub use given::remember as remember_given;
pub use manifest::{AcmePart, AdminPart, CaPart, EabPart, EstPart, Manifest, manifest_path, replace_file};
pub use objects::{DevObject, ObjectsError, dev_objects};
pub use ports::remembered;
pub use shipping::ship;

/// What begins a setting of an object of the store, not of the configuration.
const OBJECTS: [&str; 2] = ["endpoint", objects::APPROVAL_POLICY];

/// The CA that signs what `dev` issues.
pub const ISSUING_CA: &str = "issuing";

/// The listeners of `dev`, by name.
pub const PUBLIC: &str = "public";
/// Plain HTTP.
pub const PUBLIC_HTTP: &str = "http";
/// The operator API over HTTPS.
pub const ADMIN: &str = "admin";
/// Probes and metrics.
pub const MANAGEMENT: &str = "management";

/// Where http-01 is asked in `dev`.
pub const HTTP_01_PORT: u16 = 5002;
/// Where tls-alpn-01 is asked in `dev`.
pub const TLS_ALPN_01_PORT: u16 = 5001;

/// Where `dev` listens.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct DevAddresses {
    /// Public HTTPS.
    pub public: SocketAddr,
    /// Public HTTP.
    pub http: SocketAddr,
    /// The operator API over HTTPS.
    pub admin: SocketAddr,
    /// Probes and metrics.
    pub management: SocketAddr,
}

impl Default for DevAddresses {
    fn default() -> Self {
        let at = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            public: at(8443),
            http: at(8080),
            admin: at(8444),
            management: at(9090),
        }
    }
}

impl DevAddresses {
    /// Those of the last run, or any free ones.
    pub fn remembered() -> Self {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            public: any,
            http: any,
            admin: any,
            management: any,
        }
    }
}

/// Addresses of this configuration that are not loopback.
pub fn exposed(config: &Config) -> impl Iterator<Item = SocketAddr> {
    let addresses = config.server.listeners.values().map(|listener| listener.addr);
    addresses.filter(|address| !address.ip().is_loopback())
}

/// The values given with `--set`, sorted by what they are for.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Keys of the configuration.
    pub config: Vec<Override>,
    /// Keys of endpoints: `endpoint.PROTOCOL.NAME.key`.
    pub endpoints: Vec<Override>,
}

impl Settings {
    /// Sorts what was given.
    pub fn sort(given: Vec<Override>) -> Self {
        let (endpoints, config) = given.into_iter().partition(|one| {
            one.path()
                .first()
                .is_some_and(|part| OBJECTS.contains(&part.as_str()))
        });
        Self { config, endpoints }
    }
}

/// The configuration of the gateway that `dev` runs on a data directory, given with its full path. Ports that are 0
/// become those of the last run.
pub fn configuration(
    data_dir: &Path,
    addresses: DevAddresses,
    overrides: &[Override],
) -> Result<Config, ConfigError> {
    let mut base = configuration_of(data_dir);
    let listeners = &mut base.server.listeners;
    let listener = |addr, tls, mounts: &[MountGroup]| ListenerSection {
        addr,
        tls,
        client_certs: ClientCertificates::from(
            mounts.contains(&MountGroup::Admin) || mounts.contains(&MountGroup::Est),
        ),
        require_ems: ExtendedMasterSecret::Optional,
        mounts: mounts.to_vec(),
    };
    let known = remembered(data_dir);
    let at = |wanted, name| ports::again(wanted, known.get(name).copied());
    listeners.insert(
        PUBLIC.to_owned(),
        listener(
            at(addresses.public, PUBLIC),
            Transport::Tls,
            &[MountGroup::Acme, MountGroup::Est, MountGroup::Status],
        ),
    );
    listeners.insert(
        PUBLIC_HTTP.to_owned(),
        listener(
            at(addresses.http, PUBLIC_HTTP),
            Transport::Plain,
            &[MountGroup::Status],
        ),
    );
    listeners.insert(
        ADMIN.to_owned(),
        listener(at(addresses.admin, ADMIN), Transport::Tls, &[MountGroup::Admin]),
    );
    listeners.insert(
        MANAGEMENT.to_owned(),
        listener(
            at(addresses.management, MANAGEMENT),
            Transport::Plain,
            &[MountGroup::Management],
        ),
    );
    let mut table = toml::Table::try_from(&base).map_err(|error| ConfigError::Parse {
        origin: "dev".to_owned(),
        reason: error.to_string(),
    })?;
    given::lay_over(data_dir, &mut table)?;
    Config::from_table(table, overrides)
}

/// The configuration of what `dev` has made in a data directory, without addresses.
pub fn configuration_of(data_dir: &Path) -> Config {
    let mut config = Config::default();
    config.server.data_dir = data_dir.to_owned();
    config.server.control_socket = socket_for(data_dir);
    config.server.tls_names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    config.signer.insert("soft".to_owned(), SignerSection::default());
    config
        .backend
        .insert(ISSUING_CA.to_owned(), BackendSection::default());
    config.telemetry.log_format = LogFormat::Pretty;
    config.acme.edge.accounts_per_address_max = 0;
    let validation = &mut config.acme.validation;
    validation.http_port = HTTP_01_PORT;
    validation.tls_alpn_port = TLS_ALPN_01_PORT;
    let local = [
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    ];
    validation.allow_networks = local.iter().filter_map(|network| network.parse().ok()).collect();
    config
}

/// The files that `dev` writes for clients.
pub fn client_files(data_dir: &Path) -> [PathBuf; 3] {
    ["tls-root.pem", "ca-chain.pem", "ca-root.pem"].map(|name| data_dir.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_laid_over_the_configuration_of_dev() {
        let directory = tempfile::tempdir().unwrap();
        let given = [
            "acme.validation.http_port=5999",
            "endpoint.acme.default.inline_wait=5s",
            "telemetry.log_format=json",
        ];
        let settings = Settings::sort(given.iter().map(|text| text.parse().unwrap()).collect());
        assert_eq!((settings.config.len(), settings.endpoints.len()), (2, 1));
        let config = configuration(directory.path(), DevAddresses::default(), &settings.config).unwrap();
        assert_eq!(config.acme.validation.http_port, 5999);
        assert_eq!(config.acme.validation.tls_alpn_port, TLS_ALPN_01_PORT);
        assert_eq!(
            config.acme.edge.accounts_per_address_max, 0,
            "whoever tries things out"
        );
        assert_eq!(config.telemetry.log_format, LogFormat::Json);
        assert_eq!(config.server.data_dir, directory.path());
        assert_eq!(
            config.server.listeners[PUBLIC].addr,
            DevAddresses::default().public
        );
    }

    #[test]
    fn unknown_keys_are_refused() {
        let overrides = ["acme.validation.http_prot=1".parse().unwrap()];
        let error = configuration(Path::new("/nowhere"), DevAddresses::default(), &overrides).unwrap_err();
        assert!(error.to_string().contains("http_prot"), "{error}");
    }

    #[test]
    fn exposed_addresses_are_found_wherever_they_were_given() {
        let directory = tempfile::tempdir().unwrap();
        let with = |text: &[&str]| {
            let overrides = text.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
            let config = configuration(directory.path(), DevAddresses::default(), &overrides).unwrap();
            exposed(&config).collect::<Vec<_>>()
        };
        assert!(with(&[]).is_empty());
        let moved = with(&["server.listeners.public.addr=0.0.0.0:8443"]);
        assert_eq!(moved, ["0.0.0.0:8443".parse().unwrap()]);
        let added = with(&["server.listeners.x={addr=\"[::]:9443\", tls=true, mounts=[\"acme\"]}"]);
        assert_eq!(added, ["[::]:9443".parse().unwrap()]);
    }
}
