//! Where a CA publishes.

/// Longest address.
const LENGTH_MAX: usize = 512;

/// The addresses that a CA writes into certificates, if their contents ask for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Of its revocation list (RFC 5280 section 4.2.1.13).
    pub crl: Vec<String>,
    /// Of its certificate (caIssuers, RFC 5280 section 4.2.2.1).
    pub ca_issuers: Vec<String>,
    /// Of its OCSP responder (RFC 5280 section 4.2.2.1).
    pub ocsp: Vec<String>,
}

/// An address that relying parties could not use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an http:// address; over https a relying party would need what it is asking for")]
pub struct BadAddress(pub String);

impl Addresses {
    pub(crate) fn check(&self) -> Result<(), BadAddress> {
        let all = self.crl.iter().chain(&self.ca_issuers).chain(&self.ocsp);
        all.map(String::as_str).try_for_each(check_address)
    }
}

/// Plain HTTP with a host and visible ASCII only.
pub(crate) fn check_address(address: &str) -> Result<(), BadAddress> {
    let rest = address.strip_prefix("http://").unwrap_or_default();
    let has_host = rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
    if has_host && address.len() <= LENGTH_MAX && address.bytes().all(|octet| octet.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(BadAddress(address.to_owned()))
    }
}
