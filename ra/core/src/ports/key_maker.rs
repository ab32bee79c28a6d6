//! Keys made for clients that do not make their own.

use std::fmt;

use async_trait::async_trait;
use portreeve_pkix::CertificationRequest;

use crate::domain::Refusal;

/// Makes the key of one request. The private key stays with whoever implements this, for the answer to this one request;
/// the RA never sees it, stores nothing of it, and asks only once the requester was admitted and the profile has nothing against
/// the rest of the request.
#[async_trait]
pub trait KeyMaker: Send + Sync + fmt::Debug {
    /// Makes a key, forgets one made before, and returns a PKCS#10 request in DER that is signed by it and has the subject,
    /// the alternative names and the other extensions of `received`. Names are those of `subject()` and `names()`: a renewal may
    /// ask for others than its extension says. Work that takes long is not done on the thread that polls.
    async fn make(&self, received: &CertificationRequest) -> Result<Vec<u8>, Refusal>;
}
