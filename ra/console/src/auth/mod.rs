//! Signing in: who is at the other end of a connection from outside.
//!
//! A token or a password in the `Authorization` header, or else the client certificate of the TLS connection. What is
//! wrong with what was shown is logged and not told: every failure looks the same, and takes as long for a name that
//! nobody has. Whoever signs in gets the standing that the verified objects give at this moment.

mod attempts;
mod bearer;
mod certificate;
mod password;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use portreeve_pkix::{Certificate, Secret, sha256};
use portreeve_ra::credentials::{SCOPE_ALL, SCOPE_BOOTSTRAP};
use portreeve_ra::operators::Ways;
use portreeve_ra::{
    Error, InternalError, OperatorName, Origin, Principal, RegistrationAuthority, Right, SecretCheck,
    SecretId, SecretKind, SecretOwner, SecretState, Standing,
};

use crate::signed_in::{Arrival, SignInMethod, SignedIn};
use attempts::{Attempts, Key, Trial};
use bearer::Shown;
use certificate::Owners;

pub use bearer::token_text;
pub use certificate::ManagementTrust;
pub use password::{PasswordError, Passwords};

/// What a request from outside shows.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The client's certificates as sent, its own first; possession of its key is proven.
    pub certificates: &'a [Vec<u8>],
    /// From where.
    pub address: IpAddr,
    /// Its id.
    pub request: [u8; 16],
}

/// Nobody signed in.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// Nothing was shown.
    #[error("nothing to sign in with")]
    Nothing,
    /// What was shown is not good.
    #[error("what was shown does not sign in")]
    Wrong,
    /// Only client certificates are accepted.
    #[error("only client certificates are accepted")]
    CertificateNeeded,
    /// Too many wrong attempts from there.
    #[error("too many wrong attempts")]
    TooMany(Duration),
    /// The RA cannot tell.
    #[error(transparent)]
    Ra(#[from] Error),
}

/// Finds out who asks.
pub struct Authenticator {
    ra: Arc<RegistrationAuthority>,
    trust: ManagementTrust,
    ways: Ways,
    attempts: Attempts,
    owners: Owners,
    passwords: Arc<Passwords>,
}

impl Authenticator {
    /// With the management CA, the ways that are open, and what hashes passwords.
    pub fn new(
        ra: Arc<RegistrationAuthority>,
        (trust, ways): (ManagementTrust, Ways),
        passwords: Arc<Passwords>,
    ) -> Self {
        Self {
            ra,
            trust,
            ways,
            attempts: Attempts::default(),
            owners: Owners::default(),
            passwords,
        }
    }

    /// Who this is. Wrong attempts are counted against the address, wrong passwords against the name as well.
    pub async fn sign_in(&self, presented: &Presented<'_>) -> Result<SignedIn, NotSignedIn> {
        let address = Key::of(presented.address);
        if let Trial::Locked(wait) = self.attempts.trial(&address, self.ra.now()) {
            return Err(NotSignedIn::TooMany(wait));
        }
        let signed_in = self.attempt(presented).await;
        if matches!(signed_in, Err(NotSignedIn::Wrong)) && self.attempts.wrong(address, self.ra.now()) {
            tracing::warn!(address = %presented.address, "too many wrong attempts to sign in");
        }
        signed_in
    }

    async fn attempt(&self, presented: &Presented<'_>) -> Result<SignedIn, NotSignedIn> {
        let shown = bearer::shown(presented.headers);
        let certificate = self.certificate(presented).await?;
        let owner = match &certificate {
            Some(certificate) if self.ways == Ways::CertificatesOnly || matches!(shown, Shown::Nothing) => {
                self.owners.owner(&self.ra, certificate).await?
            }
            _ => None,
        };
        let owner = owner.map(|operator| operator.name.clone());
        let key = certificate.as_ref().map(|own| own.public_key().fingerprint());
        match (shown, self.ways) {
            (Shown::Nothing, _) if presented.certificates.is_empty() => Err(match self.ways {
                Ways::All => NotSignedIn::Nothing,
                Ways::CertificatesOnly => NotSignedIn::CertificateNeeded,
            }),
            (Shown::Nothing, _) => {
                let owner = owner.ok_or_else(|| wrong("the certificate is nobody's"))?;
                let standing = self.standing(&owner).await?;
                Ok(arrived(presented, standing, (SignInMethod::Certificate, key)))
            }
            (Shown::Token(id, secret), Ways::All) => self.token(presented, (id, secret), key).await,
            (Shown::Token(id, secret), Ways::CertificatesOnly) => {
                let owner = owner.ok_or(NotSignedIn::CertificateNeeded)?;
                let signed_in = self.token(presented, (id, secret), key).await?;
                if *signed_in.principal() == Principal::Operator(owner) {
                    return Ok(signed_in);
                }
                Err(wrong("token and certificate belong to different operators"))
            }
            (Shown::Password(name, password), Ways::All) => self.password(presented, (name, password)).await,
            (Shown::Password(..), Ways::CertificatesOnly) => Err(NotSignedIn::CertificateNeeded),
            (Shown::Unusable, _) => Err(wrong("the Authorization header cannot be read")),
        }
    }

    /// The client's certificate, if it shows one that is accepted. Another one is nothing to sign in with, and does not
    /// stand in the way of a token or password.
    async fn certificate(&self, presented: &Presented<'_>) -> Result<Option<Certificate>, NotSignedIn> {
        if presented.certificates.is_empty() {
            return Ok(None);
        }
        let accepted = self.trust.accept(presented.certificates, self.ra.now());
        let accepted = match accepted {
            Ok(own)
                if believed(
                    self.ra
                        .is_key_compromised(&own.public_key().fingerprint())
                        .await
                        .map(Some),
                )?
                .unwrap_or(true) =>
            {
                Err(certificate::NotTrusted::Compromised)
            }
            other => other,
        };
        match accepted {
            Ok(own) => Ok(Some(own)),
            Err(reason) => {
                tracing::info!(address = %presented.address, %reason, "a client certificate is not accepted");
                Ok(None)
            }
        }
    }

    async fn token(
        &self,
        presented: &Presented<'_>,
        (id, secret): (SecretId, Secret),
        key: Option<[u8; 32]>,
    ) -> Result<SignedIn, NotSignedIn> {
        let known = believed(self.ra.secrets().secret(id).await)?;
        let known = known.ok_or_else(|| wrong("there is no such token"))?;
        let known = known.value();
        let token = &known.secret;
        let (SecretKind::Token, SecretOwner::Operator(owner), SecretCheck::Sha256(digest)) =
            (token.kind, &token.owner, &token.check)
        else {
            return Err(wrong("it is no token"));
        };
        if Secret::new(digest.to_vec()) != Secret::new(sha256(secret.expose()).to_vec()) {
            return Err(wrong("the token has another secret"));
        }
        if known.state(self.ra.now()) != SecretState::Live {
            return Err(wrong("the token is over"));
        }
        if token.bound_to.is_some_and(|bound| key != Some(bound)) {
            return Err(wrong("the token is bound to another certificate"));
        }
        let mut standing = self.standing(owner).await?;
        standing.scopes = scopes(&token.scopes, token.bound_to.is_some());
        let method = if token.scopes == [SCOPE_BOOTSTRAP] {
            SignInMethod::Bootstrap(id)
        } else {
            SignInMethod::Token
        };
        Ok(arrived(presented, standing, (method, key)))
    }

    async fn password(
        &self,
        presented: &Presented<'_>,
        (name, password): (String, Secret),
    ) -> Result<SignedIn, NotSignedIn> {
        let counted = Key::Name(name.chars().take(64).collect());
        let locked = self.attempts.trial(&counted, self.ra.now()) != Trial::Open;
        let operator = OperatorName::new(&name).ok();
        let known = match &operator {
            Some(operator) => believed(self.ra.password(operator).await)?,
            None => None,
        };
        let hash = known.and_then(|known| match known.secret.check {
            SecretCheck::Argon2id(hash) => Some(hash),
            SecretCheck::Sha256(_) | SecretCheck::Sealed(_) => None,
        });
        // A locked name is looked at all the same, so that it takes as long, and never let in.
        let right = self.passwords.is_right(hash, password).await;
        let right = right.map_err(|_| Error::Unavailable {
            retry_after: Duration::from_secs(2),
        })?;
        let standing = match operator {
            Some(operator) if right && !locked => self.standing(&operator).await,
            _ => Err(wrong(if locked {
                "the name is locked"
            } else {
                "wrong password"
            })),
        };
        match standing {
            Ok(standing) => {
                self.attempts.right(&counted);
                Ok(arrived(presented, standing, (SignInMethod::Password, None)))
            }
            Err(failure) => {
                if !locked && self.attempts.wrong(counted, self.ra.now()) {
                    let origin = Origin {
                        address: Some(presented.address),
                        request: Some(presented.request),
                        ..Origin::node(self.ra.node())
                    };
                    self.ra.locked(&name, &origin).await;
                }
                Err(failure)
            }
        }
    }

    async fn standing(&self, operator: &OperatorName) -> Result<Standing, NotSignedIn> {
        let principal = Principal::Operator(operator.clone());
        let standing = believed(self.ra.standing(&principal).await)?;
        standing.ok_or_else(|| wrong("the operator is disabled, gone, or not to be believed"))
    }
}

/// What does not verify lets nobody in: it is an incident, and to whoever signs in like what is not there.
fn believed<T>(read: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match read {
        Err(Error::Internal(InternalError::Tampered { .. })) => Ok(None),
        other => other,
    }
}

/// To what a token is limited: its scopes, without those it may have only beside a certificate.
fn scopes(words: &[String], bound: bool) -> Option<BTreeSet<Right>> {
    if words == [SCOPE_ALL] {
        return None;
    }
    let rights = words.iter().filter_map(|word| word.parse::<Right>().ok());
    Some(
        rights
            .filter(|right| bound || !right.needs_certificate())
            .collect(),
    )
}

fn arrived(
    presented: &Presented<'_>,
    standing: Standing,
    (method, key): (SignInMethod, Option<[u8; 32]>),
) -> SignedIn {
    let arrival = Arrival {
        method,
        address: Some(presented.address),
        request: Some(presented.request),
        key,
    };
    SignedIn(standing, arrival)
}

/// What is told does not say why; the log does.
fn wrong(reason: &'static str) -> NotSignedIn {
    tracing::info!(reason, "sign-in refused");
    NotSignedIn::Wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_not_bound_never_has_the_grave_rights() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let all: Vec<&str> = Right::ALL.iter().map(|right| right.as_str()).collect();
        let unbound = scopes(&words(&all), false).unwrap();
        assert!(unbound.iter().all(|right| !right.needs_certificate()));
        assert!(unbound.contains(&Right::RequestRead));
        assert_eq!(scopes(&words(&all), true).unwrap().len(), Right::ALL.len());
        assert_eq!(scopes(&words(&["*"]), false), None);
        for none in [&["bootstrap"] as &[&str], &["*", "request.read2"], &[]] {
            assert_eq!(scopes(&words(none), true), Some(BTreeSet::new()), "{none:?}");
        }
    }
}
