//! What `dev` adds to a gateway: its CAs, profiles and endpoints, and files for clients.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use portreeve_pkix::DistinguishedName;
use portreeve_ra::{Actor, RegistrationAuthority};
use portreeve_signer::SoftKeyAlgorithm;

use super::StartError;
use crate::authorities::{Authorities, AuthorityError, MANAGEMENT_CA, NewAuthority, Rank};
use crate::backends::crl_url;
use crate::cli::configured_socket;
use crate::config::{Config, Override};
use crate::dev::{
    AcmePart, CaPart, ISSUING_CA, MANAGEMENT, Manifest, PUBLIC, PUBLIC_HTTP, client_files, dev_objects,
    manifest_path, remember_given, replace_file,
};
use crate::installation::Installation;
use crate::wiring::publish;

const ROOT_CA: &str = "root";

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The URLs of a `dev` gateway follow from where it listens, unless they were set.
pub(super) fn fill_addresses(config: &mut Config, addresses: &BTreeMap<String, SocketAddr>) {
    let at = |name: &str| addresses.get(name).copied();
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

/// Host and port of a URL; an address that stands for all is named by the loopback name.
fn authority(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

/// Makes the CAs that are missing and publishes profiles and endpoints that differ from those in force.
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
    Ok(publish(library, objects).await?)
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
    let manifest = Manifest {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        tls_root,
        control_socket: configured_socket(config),
        management: management_url.unwrap_or_default(),
        acme: AcmePart {
            directory: format!("{}/acme/default/directory", server.external_url),
        },
        ca: CaPart {
            name: ISSUING_CA.to_owned(),
            chain,
            root,
            crl: crl_url(&server.status_url, ISSUING_CA),
        },
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
