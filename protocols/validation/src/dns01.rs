//! dns-01 (RFC 8555 section 8.4): a TXT record at `_acme-challenge` holds the digest of the key
//! authorization.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portreeve_acme::validator::{Attempt, Evidence, ValidationFailure};

use crate::abridged::Abridged;
use crate::deadline::{Deadline, TimedOut};
use crate::resolver::{LookupError, NameResolver};

/// Looks for the TXT record.
pub(crate) struct Dns01 {
    resolver: Arc<NameResolver>,
}

impl Dns01 {
    /// Asks `resolver`.
    pub(crate) fn new(resolver: Arc<NameResolver>) -> Self {
        Self { resolver }
    }

    /// Passes if any one of the TXT records, through CNAMEs, is the digest.
    pub(crate) async fn validate(
        &self,
        attempt: &Attempt,
        deadline: Deadline,
    ) -> Result<Evidence, ValidationFailure> {
        let owner = format!("_acme-challenge.{}", attempt.name.base());
        let shown = Abridged(&owner);
        let found = match deadline.run(self.resolver.txt(&owner)).await {
            Ok(Ok(found)) => found,
            Ok(Err(failure @ LookupError::NoSuchName)) => {
                return Err(ValidationFailure::Unauthorized(
                    format!("no TXT record at {shown}: {failure}").into(),
                ));
            }
            Ok(Err(failure)) => {
                return Err(ValidationFailure::Dns(
                    format!("TXT of {shown}: {failure}").into(),
                ));
            }
            Err(TimedOut) => {
                return Err(ValidationFailure::Dns(
                    format!("TXT of {shown}: no DNS answer in time").into(),
                ));
            }
        };
        let expected = digest_text(&attempt.key_authorization);
        if found.values.iter().any(|value| value == expected.as_bytes()) {
            return Ok(Evidence {
                addresses: Vec::new(),
                detail: place(&owner, &found.owner).into(),
            });
        }
        Err(ValidationFailure::Unauthorized(
            none_matches(&owner, found.values.len()).into(),
        ))
    }
}

/// The value the TXT record must have: base64url(SHA-256(key authorization)).
fn digest_text(key_authorization: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, key_authorization.as_bytes()))
}

fn place(owner: &str, holder: &str) -> String {
    if holder.eq_ignore_ascii_case(owner) {
        format!("TXT {}", Abridged(owner))
    } else {
        format!("TXT {}, an alias of {}", Abridged(owner), Abridged(holder))
    }
}

fn none_matches(owner: &str, seen: usize) -> String {
    let owner = Abridged(owner);
    match seen {
        0 => format!("no TXT record at {owner}"),
        1 => format!("the TXT record at {owner} is not the digest of the key authorization"),
        _ => format!("none of the {seen} TXT records at {owner} is the digest of the key authorization"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_base64url_of_sha256() {
        // Known from FIPS 180-4's example for "abc".
        assert_eq!(digest_text("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    }
}
