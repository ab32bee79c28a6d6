//! Private keys on their way to their owner: AsymmetricKeyPackage (RFC 5958).

use portreeve_pkix::der::{self, Reader, tag};
use portreeve_pkix::{Flaw, Secret};

use super::{CmsError, LIMITS};

/// Most keys of one package.
const KEYS_MAX: usize = 8;

/// A package of one key in PKCS #8.
pub fn encode(pkcs8: &Secret) -> Secret {
    Secret::new(der::sequence(&[pkcs8.expose()]))
}

/// The keys of a package, each in PKCS #8: at least one, at most eight.
pub fn decode(package: &Secret) -> Result<Vec<Secret>, CmsError> {
    der::prescan(package.expose(), LIMITS)?;
    let mut outer = Reader::new(package.expose());
    let mut list = outer.sequence("key package")?;
    let mut keys = Vec::new();
    loop {
        if keys.len() >= KEYS_MAX {
            return Err(portreeve_pkix::DecodeError::new(Flaw::TooMany("keys"), list.offset()).into());
        }
        let key = list.expect(tag::SEQUENCE, "private key")?;
        keys.push(Secret::new(key.whole.to_vec()));
        if list.is_empty() {
            return Ok(keys);
        }
    }
}
