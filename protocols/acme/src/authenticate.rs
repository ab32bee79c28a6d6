//! From a POST to a request that somebody is known to have signed (RFC 8555 section 6.2 to 6.5).
//!
//! The order of checks is by cost: headers, the limit on the address, size, form, URL and the nonce's MAC come before the store is asked for
//! the account, and that before the signature is verified. The nonce is used up only by a request that is authentic.

use bytes::Bytes;
use futures_util::future::join;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use portreeve_edge::Call;
use portreeve_pkix::PublicKey;
use portreeve_ra::ports::{DocumentWrite, Spend};
use portreeve_ra::{Account, AccountId, AccountStatus, Alongside, Credential, KeyRejection, Origin, Refusal};
use portreeve_wire::jose::{Jws, ProtectedHeader, strict_json};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::document::{Document, Stored};
use crate::error::AcmeError;
use crate::nonce::Nonce;
use crate::service::Service;
use crate::site::Site;

/// The longest request body: 100 names, or a CSR for them.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// A request with a signature that was verified, and its nonce used up.
#[derive(Debug)]
pub(crate) struct SignedRequest {
    pub(crate) payload: Vec<u8>,
    /// The URL it was made for: that of this request.
    pub(crate) url: String,
    pub(crate) origin: Origin,
    spend: Spend,
}

/// A request signed by the key of a valid account of this directory.
#[derive(Debug)]
pub(crate) struct AccountRequest {
    pub(crate) id: AccountId,
    pub(crate) account: Account,
    pub(crate) request: SignedRequest,
}

/// A request signed by a key that it brings along.
#[derive(Debug)]
pub(crate) struct KeyRequest {
    pub(crate) key: PublicKey,
    pub(crate) request: SignedRequest,
}

/// A request signed in either way.
#[derive(Debug)]
pub(crate) enum EitherRequest {
    Account(Box<AccountRequest>),
    Key(KeyRequest),
}

impl SignedRequest {
    /// What goes into the transaction of a change: these documents, and the nonce as spent for good.
    pub(crate) fn alongside(&self, documents: Vec<DocumentWrite>) -> Alongside {
        Alongside {
            documents,
            spends: vec![self.spend.clone()],
        }
    }

    /// Whether it only asks to read (RFC 8555 section 6.3).
    pub(crate) const fn is_read(&self) -> bool {
        self.payload.is_empty()
    }

    /// Refuses anything but a POST-as-GET.
    pub(crate) fn only_reads(&self) -> Result<(), AcmeError> {
        if self.is_read() {
            Ok(())
        } else {
            Err(AcmeError::Malformed(
                "this resource is only read: the payload must be empty",
            ))
        }
    }

    /// The payload as an object of this form. Members it does not have are ignored.
    pub(crate) fn object<T: DeserializeOwned>(&self) -> Result<T, AcmeError> {
        object(&self.payload)
    }
}

/// A payload as an object of this form.
pub(crate) fn object<T: DeserializeOwned>(payload: &[u8]) -> Result<T, AcmeError> {
    let members = strict_json::parse_object(payload)?;
    serde_json::from_value(Value::Object(members)).map_err(|error| AcmeError::Payload(error.to_string()))
}

impl AccountRequest {
    /// The account, for the RA.
    pub(crate) fn credential(&self) -> Credential {
        Credential::Account {
            account: self.id,
            key: self.account.key.clone(),
        }
    }
}

impl Service {
    /// A request by an account: `kid`, never `jwk`.
    pub(crate) async fn by_account(&self, site: &Site, call: Call) -> Result<AccountRequest, AcmeError> {
        let unverified = self.read(site, call).await?;
        self.verify_account(site, unverified).await
    }

    /// A request by an account, and what else is needed to answer it: read together with the account, and given out
    /// only when the request is authentic.
    pub(crate) async fn by_account_with<T>(
        &self,
        site: &Site,
        call: Call,
        needed: impl Future<Output = T>,
    ) -> Result<(AccountRequest, T), AcmeError> {
        let unverified = self.read(site, call).await?;
        let (by, needed) = join(self.verify_account(site, unverified), needed).await;
        Ok((by?, needed))
    }

    /// A request by an account about a document.
    pub(crate) async fn about<T: Document>(
        &self,
        site: &Site,
        call: Call,
        id: [u8; 16],
    ) -> Result<(AccountRequest, Option<Stored<T>>), AcmeError> {
        let (by, document) = self.by_account_with(site, call, self.document(id)).await?;
        Ok((by, document?))
    }

    /// A request by a key: `jwk`, never `kid`.
    pub(crate) async fn by_key(&self, site: &Site, call: Call) -> Result<KeyRequest, AcmeError> {
        let unverified = self.read(site, call).await?;
        self.verify_key(unverified)
    }

    /// A request by an account or by a key.
    pub(crate) async fn by_either(&self, site: &Site, call: Call) -> Result<EitherRequest, AcmeError> {
        let unverified = self.read(site, call).await?;
        match unverified.jws.header().jwk {
            Some(_) => Ok(EitherRequest::Key(self.verify_key(unverified)?)),
            None => Ok(EitherRequest::Account(Box::new(
                self.verify_account(site, unverified).await?,
            ))),
        }
    }

    /// Everything that needs no store and no signature.
    async fn read(&self, site: &Site, mut call: Call) -> Result<Unverified, AcmeError> {
        check_headers(&call.headers)?;
        if let Some(limit) = site.face.address_limit {
            let address = call.peer.address;
            self.ra.count_arrival(&site.endpoint, address, limit).await?;
        }
        let body: Bytes = call.body(BODY_BYTES_MAX).await?;
        let jws = Jws::parse(&body)?;
        let url = self.check_url(site, &call, jws.header())?;
        let text = jws.header().nonce.as_deref().ok_or(AcmeError::NonceMissing)?;
        let nonce = self.nonces.check(text)?;
        let origin = Origin {
            node: self.ra.node(),
            address: Some(call.peer.address),
            request: Some(call.request_id),
        };
        Ok(Unverified {
            jws,
            url,
            nonce,
            origin,
        })
    }

    /// RFC 8555 section 6.4: the URL is compared as text, with the public URL that was configured.
    fn check_url(&self, site: &Site, call: &Call, header: &ProtectedHeader) -> Result<String, AcmeError> {
        let url = header
            .url
            .as_deref()
            .ok_or(AcmeError::Malformed("the protected header has no url"))?;
        let below = call.path.strip_prefix(&site.prefix).ok_or(AcmeError::NotFound)?;
        let mut expected = site.url(below);
        if let Some(query) = &call.query {
            expected.push('?');
            expected.push_str(query);
        }
        if url == expected {
            Ok(expected)
        } else {
            Err(AcmeError::UrlMismatch)
        }
    }

    async fn verify_account(&self, site: &Site, unverified: Unverified) -> Result<AccountRequest, AcmeError> {
        let missing = AcmeError::Malformed("the protected header must have a kid and no jwk");
        let kid = unverified.jws.header().kid.as_deref().ok_or(missing)?;
        let foreign = AcmeError::Malformed("the kid is not an account URL of this directory");
        let id = site.account_of(kid).ok_or(foreign)?;
        let account = self.ra.accounts().by_id(id).await?;
        let account = account.filter(|account| account.endpoint == site.endpoint);
        let account = account.ok_or(AcmeError::AccountUnknown)?;
        unverified.jws.verify(&account.key)?;
        if account.status == AccountStatus::Deactivated {
            return Err(AcmeError::AccountDeactivated);
        }
        Ok(AccountRequest {
            id,
            account,
            request: self.accept(unverified)?,
        })
    }

    fn verify_key(&self, unverified: Unverified) -> Result<KeyRequest, AcmeError> {
        let missing = AcmeError::Malformed("the protected header must have a jwk and no kid");
        let key = unverified
            .jws
            .header()
            .jwk
            .as_ref()
            .ok_or(missing)?
            .public_key()?;
        check_cost(&key)?;
        unverified.jws.verify(&key)?;
        Ok(KeyRequest {
            key,
            request: self.accept(unverified)?,
        })
    }

    fn accept(&self, unverified: Unverified) -> Result<SignedRequest, AcmeError> {
        let spend = self.nonces.spend(&unverified.nonce)?;
        Ok(SignedRequest {
            payload: unverified.jws.payload().to_vec(),
            url: unverified.url,
            origin: unverified.origin,
            spend,
        })
    }

    /// Refuses keys that must not be account keys. Never called before possession was shown.
    pub(crate) fn check_account_key(&self, key: &PublicKey) -> Result<(), AcmeError> {
        (self.key_check)(key).map_err(AcmeError::PublicKey)
    }
}

/// A request that was read and not verified.
struct Unverified {
    jws: Jws,
    url: String,
    nonce: Nonce,
    origin: Origin,
}

fn check_headers(headers: &HeaderMap) -> Result<(), AcmeError> {
    if headers.contains_key("replay-nonce") {
        return Err(AcmeError::ReplayNonceHeader);
    }
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/jose+json") {
        Ok(())
    } else {
        Err(AcmeError::ContentType)
    }
}

/// Verification with a key that a stranger chose must cost little: an RSA exponent may be as long as the modulus.
pub(crate) fn check_cost(key: &PublicKey) -> Result<(), AcmeError> {
    match key.rsa_components() {
        Some((_, exponent)) if exponent != [1, 0, 1] => Err(AcmeError::PublicKey(KeyRejection::RsaExponent)),
        _ => Ok(()),
    }
}

/// An account key that the RA knows as compromised is a bad account key, not a bad CSR.
pub(crate) fn as_account_key(error: portreeve_ra::Error) -> AcmeError {
    match error {
        portreeve_ra::Error::Refused(Refusal::Key(rejection)) => AcmeError::PublicKey(rejection),
        other => AcmeError::Ra(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: Option<&'static str>) -> HeaderMap {
        content_type
            .map(|value| (CONTENT_TYPE, value.parse().unwrap()))
            .into_iter()
            .collect()
    }

    #[test]
    fn content_types() {
        let rows = [
            ("as RFC 8555 has it", Some("application/jose+json"), true),
            ("upper case", Some("Application/JOSE+json"), true),
            (
                "with a parameter",
                Some("application/jose+json; charset=utf-8"),
                true,
            ),
            ("plain JSON", Some("application/json"), false),
            ("compact form", Some("application/jose"), false),
            ("something longer", Some("application/jose+jsonx"), false),
            ("absent", None, false),
        ];
        for (name, value, accepted) in rows {
            assert_eq!(check_headers(&headers(value)).is_ok(), accepted, "{name}");
        }
    }

    #[test]
    fn a_request_brings_no_replay_nonce_header() {
        let mut headers = headers(Some("application/jose+json"));
        headers.insert("Replay-Nonce", "abc".parse().unwrap());
        assert!(matches!(
            check_headers(&headers),
            Err(AcmeError::ReplayNonceHeader)
        ));
    }

    #[test]
    fn costly_exponents_are_refused_unverified() {
        let modulus = [&[0xc1][..], &[0x55; 255]].concat();
        let rows = [
            ("65537", vec![1, 0, 1], true),
            ("3", vec![3], false),
            ("long", vec![0xff; 8], false),
        ];
        for (name, exponent, accepted) in rows {
            let key = PublicKey::from_rsa(&modulus, &exponent).unwrap();
            assert_eq!(check_cost(&key).is_ok(), accepted, "{name}");
        }
    }
}
