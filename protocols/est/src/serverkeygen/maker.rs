//! Makes the key of one request.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use portreeve_pkix::{CertificationRequest, KeyPair, PossessionError, RequestAttribute};
use portreeve_ra::Refusal;
use portreeve_ra::ports::KeyMaker;

use crate::service::KeyPairs;

/// Makes the key of one request, and keeps it for the answer.
pub(super) struct Maker {
    key_pairs: Arc<dyn KeyPairs>,
    made: Mutex<Option<KeyPair>>,
}

impl Maker {
    pub(super) fn new(key_pairs: Arc<dyn KeyPairs>) -> Self {
        Self {
            key_pairs,
            made: Mutex::default(),
        }
    }

    /// The key that was made, once.
    pub(super) fn take(&self) -> Option<KeyPair> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[async_trait]
impl KeyMaker for Maker {
    /// The kind of key is that of the request's own. That one must have signed: whoever sends a request of somebody else
    /// would be given a key in their name.
    async fn make(&self, received: &CertificationRequest) -> Result<Vec<u8>, Refusal> {
        match received.verify_possession() {
            Ok(()) => {}
            Err(PossessionError::WeakAlgorithm) => return Err(Refusal::PossessionWeak),
            Err(PossessionError::BadSignature) => return Err(Refusal::PossessionNotProven),
        }
        let pair = self.key_pairs.generate(received.public_key().algorithm()).await?;
        let extensions = received.extensions();
        let attributes = match extensions.is_empty() {
            true => Vec::new(),
            false => vec![RequestAttribute::Extensions(extensions.to_vec())],
        };
        let request = CertificationRequest::sign(received.subject(), &attributes, &pair);
        let request = request.map_err(|error| Refusal::Malformed(error.to_string()))?;
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(pair);
        Ok(request.der().to_vec())
    }
}

impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Maker")
    }
}
