//! Where the server is, how it is trusted and how it trusts this node.

use portreeve_pkix::{Certificate, DecodeError, PathError, Secret};
use portreeve_ra::BackendName;

/// Longest URL of a server.
pub(crate) const URL_LENGTH_MAX: usize = 512;

/// An EST server as a CA.
#[derive(Debug)]
pub struct EstCaConfig {
    /// What the backend is called.
    pub name: BackendName,
    /// Where the operations are: `https://HOST[:PORT]/.well-known/est[/LABEL]`. Nothing is redirected elsewhere.
    pub url: String,
    /// The certificates, in DER, that the server's TLS certificate may come from.
    pub server_roots: Vec<Vec<u8>>,
    /// What this node signs in with by HTTP Basic.
    pub password: Option<Password>,
    /// What it signs in with by TLS. One of both at least is needed.
    pub identity: Option<ClientIdentity>,
    /// Who must have issued what comes back.
    pub issuer: IssuerPin,
    /// What the server makes of a request that it has seen before.
    pub repeats: Repeats,
    /// What is done with a request that carries a challenge password.
    pub challenge_password: ChallengePassword,
}

/// A name and its password.
#[derive(Debug)]
pub struct Password {
    /// The name; no colon.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A certificate for TLS.
pub struct ClientIdentity {
    /// The certificate and its issuers in DER, its own first.
    pub chain: Vec<Vec<u8>>,
    /// Its private key, PEM.
    pub key: Secret,
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientIdentity")
    }
}

/// Who must have issued what comes back. Whatever else `/cacerts` says is not trusted for that.
#[derive(Clone, Debug)]
pub enum IssuerPin {
    /// These: the certificate that issues first, each followed by its own issuer, up to the root.
    Chain(Vec<Certificate>),
    /// The certificate with this SHA-256 digest; it and its own issuers are fetched from `/cacerts`.
    Fingerprint([u8; 32]),
}

/// What the server makes of a request that it has seen before and answered.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Repeats {
    /// It may issue again. A request whose answer was lost is not sent again: an operator ends the doubt.
    #[default]
    MayIssueAgain,
    /// It answers with the same certificate, as Portreeve does: sending again is harmless.
    AreRecognised,
}

/// What is done with a request that carries a challenge password.
///
/// Its meaning ends on the hop it was made for: it binds the client's own TLS channel, or is a secret between the client
/// and this gateway. It stands under the client's signature and cannot be taken out.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum ChallengePassword {
    /// The request is not forwarded.
    #[default]
    Refuse,
    /// It is: the server is known not to look at it when this node enrols for others, as Portreeve does not.
    Forward,
}

/// Why a configuration makes no backend.
#[derive(Debug, thiserror::Error)]
pub enum BadEstCa {
    /// The URL is none of an EST server.
    #[error("url {0:?} is not https://HOST[:PORT]/PATH")]
    Url(String),
    /// The user name has a colon or is not visible ASCII, or the password is not text.
    #[error("user name or password cannot be sent by HTTP Basic")]
    Password,
    /// There is nothing to sign in with.
    #[error("neither a password nor a client certificate is given")]
    NoCredential,
    /// No certificate is trusted for TLS.
    #[error("no certificate that the server's own may come from is given")]
    NoRoots,
    /// The TLS library refuses a certificate or key.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The client certificate does not decode.
    #[error("client certificate: {0}")]
    Identity(#[source] DecodeError),
    /// The private key is not PEM of a key.
    #[error("client key is not a private key in PEM")]
    Key,
    /// The pinned issuers are no chain.
    #[error("pinned issuers: {0}")]
    Chain(#[from] PathError),
}
