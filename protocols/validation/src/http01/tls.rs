//! TLS to a server that an http-01 redirect led to, **without verifying its certificate**.
//!
//! This is deliberate and confined to this file. http-01 starts over plain HTTP, and what it shows
//! is control over the content at a name's address (RFC 8555 sections 8.3 and 10.1): a redirect to
//! `https` adds nothing that a certificate could vouch for, and the server that asks for a
//! certificate is often the one whose old certificate has expired. Nothing secret is sent, and the
//! body must still be the key authorization.

use std::sync::Arc;

use portreeve_acme::validator::ValidationFailure;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::target::Target;

/// A TLS client that accepts any certificate and remembers no session.
pub(super) fn connector() -> Result<TlsConnector, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Shakes hands, naming the host (SNI); bounded in time by the caller.
pub(super) async fn handshake(
    connector: &TlsConnector,
    stream: TcpStream,
    target: &Target,
) -> Result<TlsStream<TcpStream>, ValidationFailure> {
    let failed = |what: &str| ValidationFailure::Tls(format!("{target}: {what}").into());
    let name = ServerName::try_from(target.host().as_str().to_owned())
        .map_err(|_| failed("its name cannot be used in TLS"))?;
    connector
        .connect(name, stream)
        .await
        .map_err(|_| failed("the TLS handshake failed"))
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
