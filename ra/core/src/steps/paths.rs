//! Paths from the certificate of a client to a trust anchor of somebody else's CA.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portreeve_pkix::{Certificate, Timestamp, sha256};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error as PathError, KeyUsage, anchor_from_trusted_cert};

use crate::domain::{CertificateRejection as Rejection, Digest, TrustAnchorSet};

/// The purpose of a TLS client.
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// The purpose of those who ask for others (RFC 6402 section 2.10).
const CMC_RA: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 28];

/// Paths remembered, at most twice this many; about 100 octets each.
const KNOWN_MAX: usize = 8_192;

/// What a certificate of somebody else's CA is believed for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// Being known as its holder.
    Client = 1,
    /// Asking for others.
    Others = 2,
}

/// Since when, and until when, a path is known to hold: the first end belongs to it, the other does not.
type Span = (Timestamp, Timestamp);

/// Paths that were found to hold, so that who shows the same certificates again costs hashes and no signature checks. A path is
/// remembered by everything that decides on it; how late it is decides anew each time.
#[derive(Debug, Default)]
pub(crate) struct KnownPaths {
    /// The younger ones, and those that are forgotten next.
    known: Mutex<(HashMap<Digest, Span>, HashMap<Digest, Span>)>,
}

impl KnownPaths {
    /// Whether the first of these certificates leads to one of the anchors (RFC 5280 section 6), is valid now and is for this
    /// purpose. Names of CAs, which others may have as well, decide nothing.
    pub(crate) fn trusted(
        &self,
        chain: &[Certificate],
        anchors: &[&TrustAnchorSet],
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let Some((own, issuers)) = chain.split_first() else {
            return Err(Rejection::Malformed);
        };
        if own.is_ca() {
            return Err(Rejection::Purpose);
        }
        let usable: Vec<&Certificate> = anchors
            .iter()
            .flat_map(|set| &set.certificates)
            .filter(|anchor| anchor.is_valid_at(now))
            .collect();
        let path = digest(chain, &usable, purpose);
        if self.holds(&path, now) {
            return Ok(());
        }
        check((own, issuers), &usable, purpose, now)?;
        // Whichever of the others led to the anchor: none of them has expired before the first of all does.
        if let Some(until) = chain.iter().map(Certificate::not_after).min() {
            self.remember(path, (now, until));
        }
        Ok(())
    }

    fn holds(&self, path: &Digest, now: Timestamp) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let span = known.0.get(path).or_else(|| known.1.get(path));
        span.is_some_and(|(since, until)| *since <= now && now < *until)
    }

    fn remember(&self, path: Digest, span: Span) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0.len() >= KNOWN_MAX {
            known.1 = std::mem::take(&mut known.0);
        }
        known.0.insert(path, span);
    }
}

/// What decides on a path, but for the time.
fn digest(chain: &[Certificate], anchors: &[&Certificate], purpose: Purpose) -> Digest {
    let mut all = vec![purpose as u8];
    all.extend_from_slice(&chain.len().to_be_bytes());
    for certificate in chain.iter().chain(anchors.iter().copied()) {
        all.extend_from_slice(&certificate.fingerprint());
    }
    sha256(&all)
}

fn check(
    (own, issuers): (&Certificate, &[Certificate]),
    anchors: &[&Certificate],
    purpose: Purpose,
    now: Timestamp,
) -> Result<(), Rejection> {
    fn der(certificate: &Certificate) -> CertificateDer<'_> {
        CertificateDer::from(certificate.der())
    }
    let anchors: Vec<_> = anchors.iter().map(|anchor| der(anchor)).collect();
    let trust: Vec<_> = anchors
        .iter()
        .filter_map(|anchor| anchor_from_trusted_cert(anchor).ok())
        .collect();
    if trust.is_empty() {
        return Err(Rejection::Untrusted);
    }
    let issuers: Vec<_> = issuers.iter().map(der).collect();
    let own = der(own);
    let end_entity = EndEntityCert::try_from(&own).map_err(|_| Rejection::Malformed)?;
    let usage = match purpose {
        Purpose::Client => KeyUsage::required_if_present(CLIENT_AUTH),
        Purpose::Others => KeyUsage::required(CMC_RA),
    };
    let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    end_entity
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &trust,
            &issuers,
            time,
            usage,
            None,
            None,
        )
        .map(|_| ())
        .map_err(|error| rejection(&error))
}

fn rejection(error: &PathError) -> Rejection {
    match error {
        PathError::CertExpired { .. } => Rejection::Expired,
        PathError::CertNotValidYet { .. } => Rejection::NotYetValid,
        PathError::RequiredEkuNotFoundContext(_) => Rejection::Purpose,
        _ => Rejection::Untrusted,
    }
}

#[cfg(test)]
mod tests;
