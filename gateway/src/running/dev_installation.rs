//! What `dev` adds to a gateway: its CAs, profiles and endpoints, and files for clients.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portreeve_pkix::{DistinguishedName, Secret};
use portreeve_ra::operators::ChangeError;
use portreeve_ra::ports::Sealer;
use portreeve_ra::{
    Actor, AllowedNames, Error, InternalError, Purpose, Registration, RegistrationAuthority, SecretKind,
};
use portreeve_signer::SoftKeyAlgorithm;

use super::{StartError, dev_operator};
use crate::authorities::{Authorities, AuthorityError, MANAGEMENT_CA, NewAuthority, Rank};
use crate::backends::crl_url;
use crate::cli::configured_socket;
use crate::config::{Config, Override};
use crate::dev::{
    ADMIN, AcmePart, AdminPart, CaPart, EabPart, EstPart, ISSUING_CA, MANAGEMENT, Manifest, PUBLIC,
    PUBLIC_HTTP, client_files, dev_objects, manifest_path, remember_given, replace_file, ship,
};
use crate::installation::Installation;

const ROOT_CA: &str = "root";

/// The registration of `dev`, and what its secrets are named by.
const DEV_REGISTRATION: &str = "dev";

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Where a `dev` gateway listens, or another node of its installation does.
pub(super) struct Known {
    /// The addresses it was given, those of listeners that are other nodes' among them.
    pub(super) given: BTreeMap<String, SocketAddr>,
    /// Where it listens.
    pub(super) bound: BTreeMap<String, SocketAddr>,
}

impl Known {
    /// What this configuration names, before listeners are left out.
    pub(super) fn given(config: &Config) -> BTreeMap<String, SocketAddr> {
        let listeners = config.server.listeners.iter();
        listeners
            .map(|(name, listener)| (name.clone(), listener.addr))
            .collect()
    }

    /// Where a listener is, here or at another node: nodes are given the same addresses. A port that another node chose
    /// for itself is not known.
    fn at(&self, name: &str) -> Option<SocketAddr> {
        let given = || self.given.get(name).filter(|address| address.port() != 0);
        self.bound.get(name).or_else(given).copied()
    }
}

/// The URLs of a `dev` gateway follow from where it listens, unless they were set.
pub(super) fn fill_addresses(config: &mut Config, known: &Known) {
    let at = |name: &str| known.at(name);
    if config.server.external_url.is_empty()
        && let Some(address) = at(PUBLIC)
    {
        config.server.external_url = format!("https://{}", authority(address));
    }
    if config.server.status_url.is_empty()
        && let Some(address) = at(PUBLIC_HTTP)
    {
        config.server.status_url = format!("http://{}", authority(address));
    }
}

/// A URL below another; empty where that is not known.
fn below(url: &str, whole: impl FnOnce(&str) -> String) -> String {
    if url.is_empty() { String::new() } else { whole(url) }
}

/// Host and port of a URL; an address that stands for all is named by the loopback name.
fn authority(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

/// Makes the CAs that are missing, and ships profiles, endpoints, approval policies and roles.
pub(super) async fn prepare(
    installation: &Installation,
    library: &RegistrationAuthority,
    endpoints: &[Override],
) -> Result<(), StartError> {
    let objects = dev_objects(endpoints)?;
    let authorities = Authorities {
        installation,
        objects: library.objects(),
    };
    let wanted = [
        (ROOT_CA, Rank::Root, "Portreeve Root CA DEV ONLY", YEAR * 20),
        (
            ISSUING_CA,
            Rank::Issuing,
            "Portreeve Issuing CA DEV ONLY",
            YEAR * 10,
        ),
        (
            MANAGEMENT_CA,
            Rank::Management,
            "Portreeve Management CA DEV ONLY",
            YEAR * 10,
        ),
    ];
    for (name, rank, common_name, lifetime) in wanted {
        if authorities.find(name).await?.is_some() {
            continue;
        }
        let new = NewAuthority {
            name: name.to_owned(),
            rank,
            subject: DistinguishedName::common_name(common_name),
            algorithm: SoftKeyAlgorithm::EcP256,
            lifetime,
            parent: ROOT_CA.to_owned(),
        };
        match authorities.create(&new, Actor::Node).await {
            // Another node that starts at the same time was faster.
            Ok(_) | Err(AuthorityError::Present(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for object in &objects {
        let what = format!("{} {}", object.kind.as_str(), object.name);
        go_on(&what, ship(library, object).await)?;
    }
    let secrets = [
        (SecretKind::AcmeEab, eab_key(installation)),
        (SecretKind::EstPassword, est_password(installation)),
    ];
    for (kind, secret) in secrets {
        let Some(secret) = secret else {
            continue;
        };
        let registration = Registration {
            names: AllowedNames::Any,
            ..Registration::named(DEV_REGISTRATION)
        };
        let secret = (DEV_REGISTRATION.to_owned(), secret);
        library.ship_secret(registration, kind, secret).await?;
    }
    go_on("operator", dev_operator::prepare(installation, library).await)
}

/// What does not verify is an incident, and shipped no more: it is out of force, and everything else goes on.
fn go_on(what: &str, done: Result<(), StartError>) -> Result<(), StartError> {
    match done {
        Err(error) if is_of_tampering(&error) => {
            tracing::error!(what, %error, "left as it is");
            Ok(())
        }
        other => other,
    }
}

fn is_of_tampering(error: &StartError) -> bool {
    let (StartError::Ra(error) | StartError::Operator(ChangeError::Ra(error))) = error else {
        return false;
    };
    matches!(error, Error::Internal(InternalError::Tampered { .. }))
}

/// The external account key of `dev`: the same on every node and at every start, since it follows from the keyset. A node
/// that has no part in edges does not know it.
fn eab_key(installation: &Installation) -> Option<Secret> {
    let key = installation
        .keyset
        .mac(Purpose::Edge, "dev eab key", &installation.id);
    key.ok().map(|mut key| {
        // As of every key of this kind: what is written of it never begins with `-`.
        let [first, ..] = &mut key;
        *first &= 0x7f;
        Secret::new(key.to_vec())
    })
}

/// The password of the user `dev`, which follows from the keyset as well.
fn est_password(installation: &Installation) -> Option<Secret> {
    let key = installation
        .keyset
        .mac(Purpose::Edge, "dev est password", &installation.id);
    let text = key.ok().map(|key| URL_SAFE_NO_PAD.encode(key));
    text.map(|text| Secret::new(text.into_bytes()))
}

/// What clients of EST are told.
fn est_part(installation: &Installation, external_url: &str) -> Option<EstPart> {
    let password = est_password(installation)?;
    Some(EstPart {
        url: below(external_url, |url| format!("{url}/.well-known/est")),
        username: DEV_REGISTRATION.to_owned(),
        password: std::str::from_utf8(password.expose()).ok()?.to_owned(),
    })
}

/// Writes certificates and `dev.json`; the latter last, since its presence says that the gateway listens.
pub(super) async fn write_files(
    config: &Config,
    authorities: Authorities<'_>,
    addresses: &BTreeMap<String, SocketAddr>,
) -> Result<Manifest, StartError> {
    let data_dir = config.data_dir();
    let [tls_root, chain, root] = client_files(data_dir);
    let issuing = authorities.get(ISSUING_CA).await?;
    let management = authorities.get(MANAGEMENT_CA).await?;
    let files = [
        (&tls_root, management.root_pem()),
        (&chain, issuing.chain_pem()),
        (&root, issuing.root_pem()),
    ];
    for (path, text) in files {
        if std::fs::read_to_string(path).is_ok_and(|found| found == text) {
            continue;
        }
        replace_file(path, text.as_bytes()).map_err(|source| StartError::File {
            path: path.clone(),
            source,
        })?;
    }
    let server = &config.server;
    let management_url = addresses
        .get(MANAGEMENT)
        .map(|address| format!("http://{}", authority(*address)));
    let admin = match addresses.get(ADMIN) {
        Some(address) => dev_operator::credentials(authorities.installation)
            .await?
            .map(|credentials| admin_part(&credentials, (data_dir, *address)))
            .transpose()?,
        None => None,
    };
    let manifest = Manifest {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        tls_root,
        control_socket: configured_socket(config),
        management: management_url.unwrap_or_default(),
        acme: AcmePart {
            directory: below(&server.external_url, |url| {
                format!("{url}/acme/default/directory")
            }),
            eab: eab_key(authorities.installation).map(|key| EabPart {
                kid: DEV_REGISTRATION.to_owned(),
                hmac_key: URL_SAFE_NO_PAD.encode(key.expose()),
            }),
        },
        est: est_part(authorities.installation, &server.external_url),
        ca: CaPart {
            name: ISSUING_CA.to_owned(),
            chain,
            root,
            crl: below(&server.status_url, |url| crl_url(url, ISSUING_CA)),
        },
        admin,
    };
    remember_given(data_dir, config).map_err(|source| StartError::File {
        path: data_dir.to_owned(),
        source,
    })?;
    let path = manifest_path(data_dir);
    manifest
        .write(&path)
        .map_err(|source| StartError::File { path, source })?;
    Ok(manifest)
}

/// Writes what the operator signs in with.
fn admin_part(
    credentials: &dev_operator::DevCredentials,
    (data_dir, address): (&Path, SocketAddr),
) -> Result<AdminPart, StartError> {
    let files = credentials.write(data_dir)?;
    Ok(AdminPart {
        url: format!("https://{}", authority(address)),
        username: dev_operator::NAME.to_owned(),
        password_file: files.password,
        token_file: files.token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Override;
    use crate::dev::{DevAddresses, configuration};
    use portreeve_ra::{Role, Roles};

    /// The URLs of a node with these roles that was given these ports, and whether it can do with them.
    fn urls(roles: &[Role], ports: [u16; 2]) -> (String, String, bool) {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let addresses = DevAddresses {
            public: at(ports[0]),
            http: at(ports[1]),
            admin: at(0),
            management: at(0),
        };
        let folder = tempfile::tempdir().unwrap();
        let mut config = configuration(folder.path(), addresses, &[] as &[Override]).unwrap();
        let roles: Roles = roles.iter().copied().collect();
        let given = Known::given(&config);
        config.server.keep_listeners_of(roles);
        // As the system does for port 0.
        let bind = |address: SocketAddr| match address.port() {
            0 => at(4711),
            _ => address,
        };
        let listeners = config.server.listeners.iter();
        let bound = listeners
            .map(|(name, listener)| (name.clone(), bind(listener.addr)))
            .collect();
        fill_addresses(&mut config, &Known { given, bound });
        let can = config.server.check_serving(roles).is_ok();
        (config.server.external_url, config.server.status_url, can)
    }

    /// Name, roles, ports it was given, both URLs, and whether it can do with them.
    type UrlRow = (&'static str, &'static [Role], [u16; 2], [&'static str; 2], bool);

    #[test]
    fn a_node_with_one_role_knows_the_addresses_of_the_others() {
        const ALL: &[Role] = &[Role::Edge, Role::Worker, Role::Status, Role::Console];
        let (public, http) = ("https://127.0.0.1:8443", "http://127.0.0.1:8080");
        let rows: [UrlRow; 8] = [
            ("all", ALL, [8443, 8080], [public, http], true),
            ("edge", &[Role::Edge], [8443, 8080], [public, http], true),
            ("worker", &[Role::Worker], [8443, 8080], [public, http], true),
            ("status", &[Role::Status], [8443, 8080], [public, http], true),
            (
                "an edge, and nobody knows where the status node is",
                &[Role::Edge],
                [0, 0],
                ["https://127.0.0.1:4711", ""],
                true,
            ),
            (
                "a status node, and nobody knows where the edge is",
                &[Role::Status],
                [0, 0],
                ["", "http://127.0.0.1:4711"],
                true,
            ),
            (
                "a worker that cannot name CRLs",
                &[Role::Worker],
                [8443, 0],
                [public, ""],
                false,
            ),
            (
                "a console needs neither",
                &[Role::Console],
                [0, 0],
                ["", ""],
                true,
            ),
        ];
        for (name, roles, ports, [external, status], can) in rows {
            let found = urls(roles, ports);
            assert_eq!(found, (external.to_owned(), status.to_owned(), can), "{name}");
        }
    }
}
