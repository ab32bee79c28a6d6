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

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use portreeve_pkix::{
        ChangeSubjectName, DistinguishedName, Extension, GeneralName, KeyAlgorithm, Oid, encode,
    };

    use super::*;

    #[derive(Debug)]
    struct AtOnce;

    #[async_trait]
    impl KeyPairs for AtOnce {
        async fn generate(&self, algorithm: KeyAlgorithm) -> Result<KeyPair, Refusal> {
            KeyPair::generate(algorithm).map_err(|_| Refusal::NotIssued)
        }
    }

    #[test]
    fn a_key_is_made_for_the_names_that_are_asked_for_in_place_of_others() {
        let names = |name: &str| vec![GeneralName::Dns(name.parse().unwrap())];
        let san = encode::subject_alt_name(&names("a.example"));
        let change = ChangeSubjectName {
            subject: Some(DistinguishedName::common_name("b.example")),
            names: Some(names("b.example")),
        };
        let attributes = [
            RequestAttribute::Extensions(vec![Extension::non_critical(Oid::SUBJECT_ALT_NAME, san)]),
            RequestAttribute::ChangeSubjectName(change),
        ];
        let pair = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        let subject = DistinguishedName::common_name("a.example");
        let received = CertificationRequest::sign(&subject, &attributes, &pair).unwrap();
        let (maker, renamed) = (Maker::new(Arc::new(AtOnce)), received.renamed());
        let mut making = maker.make(&renamed);
        let Poll::Ready(made) = making.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("nothing is waited for");
        };
        let made = CertificationRequest::from_der(&made.unwrap()).unwrap();
        assert_eq!(made.names(), names("b.example"));
        assert_eq!(made.subject(), &DistinguishedName::common_name("b.example"));
    }
}
