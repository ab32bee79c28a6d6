//! The validator over the network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use portreeve_acme::validator::{Attempt, ChallengeKind, Evidence, ValidationFailure, Validator};
use tracing::debug;

use crate::admission::{Admission, Busy};
use crate::config::{ConfigError, ValidationConfig};
use crate::deadline::Deadline;
use crate::dns01::Dns01;
use crate::http01::Http01;
use crate::resolver::NameResolver;

/// The longest token and the longest key authorization taken; RFC 8555 section 8.1 needs about 90.
const TOKEN_LEN_MAX: usize = 128;
const KEY_AUTHORIZATION_LEN_MAX: usize = 256;

/// Validates identifiers by asking the DNS and the names' own servers.
///
/// Cheap to share; holds no state about names, and no connection outlives its attempt.
pub struct NetworkValidator {
    admission: Admission,
    attempt_timeout: Duration,
    http01: Http01,
    dns01: Dns01,
}

/// Why a validator could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The configuration is unusable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The DNS client did not start.
    #[error("the DNS client could not be set up: {0}")]
    Resolver(#[from] hickory_resolver::net::NetError),
    /// The TLS client did not start.
    #[error("the TLS client could not be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl NetworkValidator {
    /// Sets up a validator; opens no connection and asks no server.
    ///
    /// # Errors
    /// When [`ValidationConfig::check`] refuses, or a client library does not start.
    pub fn new(config: ValidationConfig) -> Result<Self, SetupError> {
        config.check()?;
        let resolver = Arc::new(NameResolver::new(&config.dns_resolver, config.dns_timeout)?);
        Ok(Self {
            admission: Admission::new(config.concurrent_max, config.waiting_max),
            attempt_timeout: config.attempt_timeout,
            dns01: Dns01::new(Arc::clone(&resolver)),
            http01: Http01::new(config, resolver)?,
        })
    }

    async fn attempt(&self, attempt: &Attempt) -> Result<Evidence, ValidationFailure> {
        check_shape(attempt)?;
        let _admitted = self.admission.enter(self.attempt_timeout).await.map_err(|Busy| {
            ValidationFailure::Connection("too many validations are under way; try again later".into())
        })?;
        let deadline = Deadline::after(self.attempt_timeout);
        match attempt.kind {
            ChallengeKind::Http01 => self.http01.validate(attempt, deadline).await,
            ChallengeKind::Dns01 => self.dns01.validate(attempt, deadline).await,
        }
    }
}

#[async_trait]
impl Validator for NetworkValidator {
    async fn validate(&self, attempt: &Attempt) -> Result<Evidence, ValidationFailure> {
        let started = Instant::now();
        let outcome = self.attempt(attempt).await;
        debug!(
            challenge = attempt.kind.as_str(),
            identifier = attempt.name.as_str(),
            outcome = outcome.as_ref().map_or_else(ValidationFailure::problem_type, |_| "valid"),
            reason = outcome.as_ref().err().map(ValidationFailure::detail),
            addresses = ?outcome.as_ref().map(|evidence| evidence.addresses.as_slice()).unwrap_or_default(),
            duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "validation attempt"
        );
        outcome
    }
}

/// Refuses what the edge should never ask: the token becomes part of a URL.
fn check_shape(attempt: &Attempt) -> Result<(), ValidationFailure> {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let token_fits = (1..=TOKEN_LEN_MAX).contains(&attempt.token.len());
    if !token_fits || !attempt.token.bytes().all(is_base64url) {
        return Err(ValidationFailure::Malformed(
            "the token is not base64url of a fitting length".into(),
        ));
    }
    if !(1..=KEY_AUTHORIZATION_LEN_MAX).contains(&attempt.key_authorization.len()) {
        return Err(ValidationFailure::Malformed(
            "the key authorization has no fitting length".into(),
        ));
    }
    if attempt.name.is_wildcard() && !attempt.kind.proves_wildcards() {
        return Err(ValidationFailure::Malformed(
            format!("{} cannot prove a wildcard name", attempt.kind).into(),
        ));
    }
    Ok(())
}
