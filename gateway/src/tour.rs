//! `portreeve dev --tour`: enrols one certificate with a real client, so that a newcomer sees all of it work.

mod est;
mod responder;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, OrderStatus, RetryPolicy,
};
use portreeve_pkix::{Certificate, pem};

use crate::dev::Manifest;

pub use est::EstTourError;

use responder::Responder;

/// The name the tour gets a certificate for.
const NAME: &str = "tour.localhost";

/// No step of the tour takes longer.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// One certificate that the tour enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// By which protocol.
    pub protocol: &'static str,
    /// By which operation.
    pub operation: &'static str,
    /// Its serial number, in hex.
    pub serial: String,
    /// How long it took.
    pub took: Duration,
}

/// Why the tour ended early.
#[derive(Debug, thiserror::Error)]
pub enum TourError {
    /// The port on which validation looks is taken.
    #[error(
        "the tour cannot answer http-01 on {address}: {source}; try --set acme.validation.http_port=PORT"
    )]
    Responder {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The client failed.
    #[error("ACME: {0}")]
    Acme(#[from] instant_acme::Error),
    /// EST.
    #[error("EST: {0}")]
    Est(#[from] EstTourError),
    /// The order did not become ready.
    #[error("ACME: the order is {0:?}")]
    Order(OrderStatus),
    /// No http-01 challenge was offered.
    #[error("ACME: no http-01 challenge was offered")]
    NoChallenge,
    /// What came back is no certificate.
    #[error("what came back is no certificate: {0}")]
    Certificate(#[from] portreeve_pkix::DecodeError),
}

/// Enrols one certificate through each protocol that is built.
pub async fn take(manifest: &Manifest, http_01_port: u16) -> Result<Vec<Enrolled>, TourError> {
    let mut enrolled = vec![acme(&manifest.acme.directory, &manifest.tls_root, http_01_port).await?];
    if let Some(part) = &manifest.est {
        enrolled.push(est::enrol(part, &manifest.tls_root).await?);
    }
    Ok(enrolled)
}

async fn acme(directory: &str, tls_root: &Path, http_01_port: u16) -> Result<Enrolled, TourError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, http_01_port));
    let responder = Responder::start(address).map_err(|source| TourError::Responder { address, source })?;
    let started = Instant::now();
    let new_account = NewAccount {
        contact: &[],
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, _) = Account::builder_with_root(tls_root)?
        .create(&new_account, directory.to_owned(), None)
        .await?;
    let identifiers = [Identifier::Dns(NAME.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization
            .challenge(ChallengeType::Http01)
            .ok_or(TourError::NoChallenge)?;
        responder.answer(&challenge.token, challenge.key_authorization().as_str());
        challenge.set_ready().await?;
    }
    let patience = RetryPolicy::new()
        .initial_delay(Duration::from_millis(20))
        .timeout(STEP_TIMEOUT);
    let status = order.poll_ready(&patience).await?;
    if status != OrderStatus::Ready {
        return Err(TourError::Order(status));
    }
    order.finalize().await?;
    let chain = order.poll_certificate(&patience).await?;
    let took = started.elapsed();
    let leaf = pem::decode_all("CERTIFICATE", &chain)?
        .into_iter()
        .next()
        .unwrap_or_default();
    let serial = Certificate::from_der(&leaf)?.serial().to_hex();
    Ok(Enrolled {
        protocol: "ACME",
        operation: "new order, http-01",
        serial,
        took,
    })
}

/// The endpoints with a command line for each that can be copied.
pub fn commands(manifest: &Manifest, http_01_port: u16) -> String {
    let root = manifest.tls_root.display();
    let acme = &manifest.acme.directory;
    let waiting = acme.replace("/acme/default/", "/acme/approval/");
    let data_dir = manifest
        .tls_root
        .parent()
        .unwrap_or_else(|| Path::new("."))
        .display();
    format!(
        "\
ACME  {acme}
  REQUESTS_CA_BUNDLE={root} certbot certonly --server {acme} \\
    --config-dir cb/c --work-dir cb/w --logs-dir cb/l --non-interactive --agree-tos -m a@example.com \\
    --standalone --http-01-port {http_01_port} --http-01-address 127.0.0.1 -d www.localhost
  LEGO_CA_CERTIFICATES={root} lego --server {acme} --path lego --accept-tos -m a@example.com \\
    -d lego.localhost --http --http.port 127.0.0.1:{http_01_port} run

ACME  {waiting}   (each request waits for one approval)
  portreeve request list --data-dir {data_dir} --state awaiting_approval
  portreeve request approve --data-dir {data_dir} ID

{est}
CRL   {crl}
  curl -s {crl} | openssl crl -inform der -noout -text
",
        crl = manifest.ca.crl,
        est = est_commands(manifest),
    )
}

fn est_commands(manifest: &Manifest) -> String {
    let Some(part) = &manifest.est else {
        return String::new();
    };
    let (root, url, user, password) = (
        manifest.tls_root.display(),
        &part.url,
        &part.username,
        &part.password,
    );
    let base = url.trim_end_matches("/.well-known/est");
    format!(
        "\
EST   {url}
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout est.key -subj /CN=est.localhost \\
    -outform DER | openssl base64 -A > est.b64
  curl -s --cacert {root} -u {user}:{password} -H 'Content-Type: application/pkcs10' --data-binary @est.b64 \\
    {url}/simpleenroll | openssl base64 -d -A | openssl pkcs7 -inform DER -print_certs -out est.pem
  openssl base64 -d -A -in est.b64 | openssl req -inform DER -out est.csr
  pki --est --url {base} --in est.csr --cacert {root} --cert est.pem --key est.key --outform pem
",
    )
}
