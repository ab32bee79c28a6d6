//! TLS 1.2 and 1.3 with a certificate that can be replaced while running.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use portreeve_edge::{TlsPeer, TlsVersion};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig, ServerConnection};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ProtocolVersion, SignatureScheme};
use tokio_rustls::TlsAcceptor;

use crate::config::{ClientCertificates, ExtendedMasterSecret, ListenerSection, MountGroup};

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Key and certificate do not fit, or the library does not start.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

/// The certificate shown to clients. Replacing it affects new connections only.
#[derive(Debug, Default)]
pub struct CurrentCertificate(ArcSwapOption<CertifiedKey>);

impl CurrentCertificate {
    /// Shows this certificate from now on.
    pub fn replace(&self, chain: Vec<Vec<u8>>, private_key: &[u8]) -> Result<(), TlsError> {
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let key = PrivateKeyDer::try_from(private_key.to_vec())
            .map_err(|reason| rustls::Error::General(reason.to_owned()))?;
        let certified = CertifiedKey::from_der(chain, key, &provider())?;
        self.0.store(Some(Arc::new(certified)));
        Ok(())
    }
}

impl CurrentCertificate {
    /// The certificate and those above it, in DER; nothing before there is one.
    pub fn chain(&self) -> Vec<Vec<u8>> {
        let shown = self.0.load_full();
        let chain = shown.iter().flat_map(|shown| &shown.cert);
        chain.map(|certificate| certificate.to_vec()).collect()
    }

    /// A signature of its key, which is on P-256, with SHA-256; DER. `None` before there is one.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let shown = self.0.load_full()?;
        let signer = shown
            .key
            .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])?;
        signer.sign(message).ok()
    }
}

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

/// The label of RFC 9266 section 4.2.
const CHANNEL_BINDING: &[u8] = b"EXPORTER-Channel-Binding";

/// Of which connections the keying material of RFC 9266 is exported.
///
/// With TLS 1.2 it binds only where the extended master secret was agreed on (RFC 9266 section 4.2). The library does not
/// show whether it was, so it counts where it was required.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ChannelBinding {
    /// Of none: nothing that is served makes use of it.
    Unused,
    /// Of those that speak TLS 1.3.
    Tls13,
    /// Of all.
    All,
}

impl ChannelBinding {
    /// What a listener exports.
    pub fn of(listener: &ListenerSection) -> Self {
        match (listener.mounts.contains(&MountGroup::Est), listener.require_ems) {
            (false, _) => Self::Unused,
            (true, ExtendedMasterSecret::Optional) => Self::Tls13,
            (true, ExtendedMasterSecret::Required) => Self::All,
        }
    }
}

/// What a connection whose handshake is over tells about the other side.
pub(super) fn peer(connection: &ServerConnection, binding: ChannelBinding) -> Option<TlsPeer> {
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_3 => TlsVersion::Tls13,
        ProtocolVersion::TLSv1_2 => TlsVersion::Tls12,
        _ => return None,
    };
    let certificates = connection.peer_certificates().unwrap_or_default();
    let exporter = match (binding, version) {
        (ChannelBinding::All, _) | (ChannelBinding::Tls13, TlsVersion::Tls13) => connection
            .export_keying_material([0; 32], CHANNEL_BINDING, Some(&[]))
            .ok(),
        (ChannelBinding::Unused, _) | (ChannelBinding::Tls13, TlsVersion::Tls12) => None,
    };
    Some(TlsPeer {
        certificates: certificates.iter().map(|one| one.to_vec()).collect(),
        sni: connection.server_name().map(str::to_owned),
        exporter,
        version,
    })
}

/// Makes the one crypto provider the default of the process. Harmless when done twice.
pub fn install_provider() {
    let _ = aws_lc_rs::default_provider().install_default();
}

fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

/// The server side of TLS: 1.2 and 1.3, X25519MLKEM768 preferred, HTTP/1.1 only, no early data: whoever recorded it could
/// send it again.
pub fn acceptor(
    certificate: Arc<CurrentCertificate>,
    (clients, master_secret): (ClientCertificates, ExtendedMasterSecret),
) -> Result<TlsAcceptor, TlsError> {
    let builder = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let mut config = match clients {
        ClientCertificates::NotAsked => builder.with_no_client_auth(),
        ClientCertificates::Asked => builder.with_client_cert_verifier(Arc::new(AnyClient::new())),
    }
    .with_cert_resolver(certificate);
    config.max_early_data_size = 0;
    config.require_ems = master_secret == ExtendedMasterSecret::Required;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Accepts any client certificate whose key the client holds, and names no CA. Whether it is trusted is decided where it
/// is used: with each request, by what is in force then.
#[derive(Debug)]
struct AnyClient(WebPkiSupportedAlgorithms);

impl AnyClient {
    fn new() -> Self {
        Self(provider().signature_verification_algorithms)
    }
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
