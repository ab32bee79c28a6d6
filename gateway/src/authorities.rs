//! The installation's own CAs: their certificates are objects in the store, their keys sealed beside them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use portreeve_ca_local::authority::{
    AuthorityContents, Ceremony, Parent, create_issuing, create_management, create_root,
};
use portreeve_ca_local::{Addresses, OperatorContents, ServerContents, create_operator, create_server};
use portreeve_console::CertifyOperators;
use portreeve_pkix::{Certificate, DistinguishedName, GeneralName, KeyAlgorithm, PublicKey, Timestamp, pem};
use portreeve_ra::objects::{Objects, Publisher};
use portreeve_ra::ports::Signer;
use portreeve_ra::{Actor, ObjectKind, OperatorName, Origin};
use portreeve_signer::{SealedKey, SignerProcess, SoftKeyAlgorithm};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::installation::{Installation, InstallationError, keep_key, sealed_key};
use crate::own_certificate::Identity;

const PEM_LABEL: &str = "CERTIFICATE";

/// The CA that certifies the gateway itself.
pub const MANAGEMENT_CA: &str = "management";

/// How long the certificate of an operator lives.
const OPERATOR_LIFETIME: Duration = Duration::from_secs(365 * 86_400);

/// Why a CA cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// There is no such CA.
    #[error("there is no CA named {0}: make it with `portreeve ca create`")]
    Absent(String),
    /// There is one with this name.
    #[error("there is a CA named {0} already")]
    Present(String),
    /// Its object holds something else.
    #[error("CA {name} cannot be read: {reason}")]
    Object {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// Its key is not in the store.
    #[error("the key of CA {0} is not in the store")]
    NoKey(String),
    /// The store, the keyset or the signer.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The certificate was not made.
    #[error(transparent)]
    Certificate(#[from] portreeve_ca_local::authority::AuthorityError),
    /// This node has no signer.
    #[error("this node opens no keys of CAs: that is for nodes with the role worker or status")]
    NoSigner,
    /// The signer does not open the key.
    #[error("signer: {0}")]
    Sign(#[from] portreeve_ra::ports::SignError),
    /// The RA.
    #[error(transparent)]
    Ra(#[from] portreeve_ra::Error),
    /// No key for TLS.
    #[error("a TLS key could not be made")]
    TlsKey,
}

/// What kind of CA.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Rank {
    /// Self-signed; signs issuing CAs.
    Root,
    /// Signs end entities.
    Issuing,
    /// Self-signed; signs the certificates of the installation itself.
    Management,
}

/// A CA to be made.
#[derive(Clone, Debug)]
pub struct NewAuthority {
    /// Its name in the store.
    pub name: String,
    /// What kind.
    pub rank: Rank,
    /// Its distinguished name.
    pub subject: DistinguishedName,
    /// The kind of its key.
    pub algorithm: SoftKeyAlgorithm,
    /// From notBefore to notAfter.
    pub lifetime: Duration,
    /// The name of the CA that signs it; for an issuing CA only.
    pub parent: String,
}

/// The text of a CA object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaObject {
    /// The name of its key in the store.
    key: String,
    /// Its certificate, PEM.
    certificate: String,
    /// From its issuer up to the root, PEM; empty for a root.
    issuers: String,
}

/// A CA as the store knows it.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Its name in the store.
    pub name: String,
    /// The name of its key in the store.
    pub key: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// From its issuer up to the root.
    pub issuers: Vec<Certificate>,
}

impl Authority {
    /// Reads the object with this name and text.
    pub fn parse(name: &str, body: &str) -> Result<Self, AuthorityError> {
        let fail = |reason: String| AuthorityError::Object {
            name: name.to_owned(),
            reason,
        };
        let object: CaObject = toml::from_str(body).map_err(|error| fail(error.to_string()))?;
        let read = |text: &str| -> Result<Vec<Certificate>, String> {
            let blocks = pem::decode_all(PEM_LABEL, text).map_err(|error| error.to_string())?;
            blocks
                .iter()
                .map(|der| Certificate::from_der(der).map_err(|error| error.to_string()))
                .collect()
        };
        let mut certificates = read(&object.certificate).map_err(fail)?;
        let issuers = if object.issuers.is_empty() {
            Vec::new()
        } else {
            read(&object.issuers).map_err(fail)?
        };
        match (certificates.pop(), certificates.is_empty()) {
            (Some(certificate), true) => Ok(Self {
                name: name.to_owned(),
                key: object.key,
                certificate,
                issuers,
            }),
            _ => Err(fail("certificate must hold exactly one".to_owned())),
        }
    }

    fn to_body(&self) -> Result<String, AuthorityError> {
        let object = CaObject {
            key: self.key.clone(),
            certificate: to_pem([&self.certificate]),
            issuers: to_pem(&self.issuers),
        };
        toml::to_string(&object).map_err(|error| AuthorityError::Object {
            name: self.name.clone(),
            reason: error.to_string(),
        })
    }

    /// Its certificate and those above it, PEM.
    pub fn chain_pem(&self) -> String {
        to_pem(std::iter::once(&self.certificate).chain(&self.issuers))
    }

    /// The certificate at the top, PEM.
    pub fn root_pem(&self) -> String {
        to_pem([self.issuers.last().unwrap_or(&self.certificate)])
    }
}

fn to_pem<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    certificates
        .into_iter()
        .map(|certificate| pem::encode(PEM_LABEL, certificate.der()))
        .collect()
}

/// What is shown of a CA.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuthorityView {
    /// Its name in the store.
    pub name: String,
    /// Its distinguished name.
    pub subject: String,
    /// That of the CA above it.
    pub issuer: String,
    /// The kind of its key.
    pub key: String,
    /// Its certificate's serial number, in hex.
    pub serial: String,
    /// The end of its certificate.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// Its certificate and those above it up to the root, PEM.
    pub chain: String,
}

impl From<&Authority> for AuthorityView {
    fn from(authority: &Authority) -> Self {
        let certificate = &authority.certificate;
        Self {
            name: authority.name.clone(),
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            key: certificate.public_key().algorithm().to_string(),
            serial: certificate.serial().to_hex(),
            not_after: certificate.not_after(),
            chain: authority.chain_pem(),
        }
    }
}

/// The CAs of an installation.
#[derive(Clone, Copy)]
pub struct Authorities<'a> {
    /// Keys and signer.
    pub installation: &'a Installation,
    /// Objects.
    pub objects: &'a Objects,
}

impl Authorities<'_> {
    /// The CA with this name.
    pub async fn find(&self, name: &str) -> Result<Option<Authority>, AuthorityError> {
        let object = self.objects.current(ObjectKind::Ca, name).await?;
        object
            .map(|object| Authority::parse(name, &object.body))
            .transpose()
    }

    /// The CA with this name, which must be there.
    pub async fn get(&self, name: &str) -> Result<Authority, AuthorityError> {
        self.find(name)
            .await?
            .ok_or_else(|| AuthorityError::Absent(name.to_owned()))
    }

    /// Every CA, by name.
    pub async fn list(&self) -> Result<Vec<Authority>, AuthorityError> {
        let objects = self.objects.list_whole(ObjectKind::Ca).await?;
        objects
            .iter()
            .map(|object| Authority::parse(&object.name, &object.body))
            .collect()
    }

    /// The child that holds the keys.
    fn signers(&self) -> Result<&SignerProcess, AuthorityError> {
        self.installation.signer.as_ref().ok_or(AuthorityError::NoSigner)
    }

    /// The key of a CA, opened in the signer.
    pub async fn signer(&self, authority: &Authority) -> Result<Arc<dyn Signer>, AuthorityError> {
        let absent = || AuthorityError::NoKey(authority.name.clone());
        let sealed = sealed_key(self.installation, &authority.key)
            .await?
            .ok_or_else(absent)?;
        let sealed = SealedKey::parse(&sealed).map_err(|error| AuthorityError::Object {
            name: authority.name.clone(),
            reason: error.to_string(),
        })?;
        Ok(Arc::new(self.signers()?.load(sealed).await?))
    }

    /// Makes a CA: its key first, which is kept before anything is signed with it.
    pub async fn create(&self, new: &NewAuthority, actor: Actor) -> Result<Authority, AuthorityError> {
        if self.find(&new.name).await?.is_some() {
            return Err(AuthorityError::Present(new.name.clone()));
        }
        let generated = self.signers()?.generate(new.algorithm).await?;
        // A key of an attempt that did not get as far as its certificate stays unused.
        let key = format!(
            "{}-{}",
            new.name,
            hex::encode(generated.sealed.public_key().fingerprint())
        );
        keep_key(self.installation, &key, &generated.sealed.to_bytes()).await?;
        let signer = self.signers()?.load(generated.sealed).await?;
        let (certificate, issuers) = self.certify(new, &signer).await?;
        let authority = Authority {
            name: new.name.clone(),
            key,
            certificate,
            issuers,
        };
        let origin = Origin::node(self.installation.node);
        let by = Publisher {
            actor,
            origin,
            reason: "CA created".to_owned(),
        };
        // Another node may have made one meanwhile; then that is the CA, and this key stays unused.
        self.objects
            .publish_first(ObjectKind::Ca, &new.name, authority.to_body()?, by)
            .await?
            .map(|_| authority)
            .ok_or_else(|| AuthorityError::Present(new.name.clone()))
    }

    async fn certify(
        &self,
        new: &NewAuthority,
        signer: &dyn Signer,
    ) -> Result<(Certificate, Vec<Certificate>), AuthorityError> {
        let ceremony = ceremony(self.installation);
        let contents = AuthorityContents {
            subject: new.subject.clone(),
            lifetime: new.lifetime,
            path_len: if new.rank == Rank::Root { None } else { Some(0) },
            addresses: Addresses::default(),
        };
        match new.rank {
            Rank::Root => Ok((create_root(signer, &contents, &ceremony).await?, Vec::new())),
            Rank::Management => Ok((create_management(signer, &contents, &ceremony).await?, Vec::new())),
            Rank::Issuing => {
                let parent = self.get(&new.parent).await?;
                let parent_signer = self.signer(&parent).await?;
                let above = Parent {
                    certificate: &parent.certificate,
                    signer: parent_signer.as_ref(),
                };
                let certificate = create_issuing(&above, signer.public_key(), &contents, &ceremony).await?;
                let issuers = std::iter::once(parent.certificate)
                    .chain(parent.issuers)
                    .collect();
                Ok((certificate, issuers))
            }
        }
    }

    /// The CA that certifies the gateway itself.
    pub async fn management(&self) -> Result<ManagementCa, AuthorityError> {
        let authority = self.get(MANAGEMENT_CA).await?;
        let signer = self.signer(&authority).await?;
        Ok(ManagementCa {
            installation: self.installation.clone(),
            authority,
            signer,
        })
    }
}

fn ceremony(installation: &Installation) -> Ceremony<'_> {
    Ceremony {
        clock: installation.clock.as_ref(),
        random: installation.random.as_ref(),
    }
}

/// The CA that certifies the gateway itself.
#[derive(Clone)]
pub struct ManagementCa {
    installation: Installation,
    authority: Authority,
    signer: Arc<dyn Signer>,
}

#[async_trait]
impl CertifyOperators for ManagementCa {
    async fn certify(&self, name: &OperatorName, key: PublicKey) -> Result<Certificate, String> {
        let issued = self.issue_operator(name, key).await;
        issued.map_err(|error| error.to_string())
    }
}

impl ManagementCa {
    /// Its certificate.
    pub const fn certificate(&self) -> &Certificate {
        &self.authority.certificate
    }

    /// Its certificate, PEM.
    pub fn root_pem(&self) -> String {
        self.authority.root_pem()
    }

    /// A certificate with which an operator signs in.
    pub async fn issue_operator(
        &self,
        name: &OperatorName,
        key: PublicKey,
    ) -> Result<Certificate, AuthorityError> {
        let management = Parent {
            certificate: &self.authority.certificate,
            signer: self.signer.as_ref(),
        };
        let contents = OperatorContents {
            key,
            name: name.to_string(),
            lifetime: OPERATOR_LIFETIME,
        };
        Ok(create_operator(&management, &contents, &ceremony(&self.installation)).await?)
    }

    /// A TLS certificate for these names with a new key.
    pub async fn issue_server(
        &self,
        names: &[GeneralName],
        lifetime: Duration,
    ) -> Result<Identity, AuthorityError> {
        let pair =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| AuthorityError::TlsKey)?;
        let private = pair.to_pkcs8v1().map_err(|_| AuthorityError::TlsKey)?;
        let key = PublicKey::from_ec_point(KeyAlgorithm::EcP256, pair.public_key().as_ref())
            .map_err(|_| AuthorityError::TlsKey)?;
        let management = Parent {
            certificate: &self.authority.certificate,
            signer: self.signer.as_ref(),
        };
        let contents = ServerContents {
            key,
            names: names.to_vec(),
            lifetime,
        };
        let certificate = create_server(&management, &contents, &ceremony(&self.installation)).await?;
        Ok(Identity {
            key: private.as_ref().to_vec(),
            chain: vec![certificate.der().to_vec()],
        })
    }
}
