//! Outlook: what judging a request will most likely ask the store for, read in one message before anything is decided.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use portreeve_pkix::{Certificate, CertificationRequest, sha256};

use super::RegistrationAuthority;
use super::begin::serial_key;
use super::judge::identifiers;
use crate::domain::{
    ClaimHandle, ClaimKey, Credential, EndpointName, EnrollmentRequest, Handle, ObjectKind, ObjectVersion,
    Requester, StreamId, key_report_stream, proof_stream,
};
use crate::error::Error;
use crate::ports::{Space, Wanted};
use crate::reading::Reading;

/// Endpoints whose habits are known, at most.
const ENDPOINTS_MAX: usize = 1_024;

/// Proofs that are read beforehand, at most.
const PROOFS_MAX: usize = 16;

/// A request that has arrived, and what was read for it. It decides nothing: what is not in it, or was foreseen wrongly, is read
/// when it is asked for.
#[derive(Default)]
pub(super) struct Outlook {
    pub(super) reading: Reading,
    /// The client's own certificate, if it showed one that can be read.
    pub(super) own: Option<Certificate>,
    /// The request, if it can be read.
    pub(super) request: Option<CertificationRequest>,
}

/// The objects that the last request at each endpoint was judged by: its profile, its trust anchors, its approval policy.
#[derive(Default)]
pub(super) struct Habits(Mutex<HashMap<EndpointName, Vec<StreamId>>>);

impl Habits {
    fn of(&self, endpoint: &EndpointName) -> Vec<StreamId> {
        self.lock().get(endpoint).cloned().unwrap_or_default()
    }

    /// Remembers what a request that was judged at this endpoint asked for.
    pub(super) fn learn(&self, endpoint: &EndpointName, outlook: &Outlook) {
        let objects = outlook.reading.objects();
        let mut known = self.lock();
        if known.get(endpoint) == Some(&objects) {
            return;
        }
        if known.len() >= ENDPOINTS_MAX {
            known.clear();
        }
        known.insert(endpoint.clone(), objects);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EndpointName, Vec<StreamId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RegistrationAuthority {
    /// Reads what this request will most likely be judged by. Nothing is read for a secret before that was found to be right.
    pub(super) async fn outlook(
        &self,
        request: &EnrollmentRequest,
        digest: &[u8; 32],
    ) -> Result<Outlook, Error> {
        let Some(requester) = requester(&request.credential) else {
            return Ok(Outlook::default());
        };
        let mut wanted = Wanted {
            streams: self.habits.of(&request.endpoint),
            ..Wanted::default()
        };
        let endpoint = ObjectVersion::stream(ObjectKind::Endpoint, request.endpoint.as_str());
        add(&mut wanted.streams, endpoint);
        let own = own_certificate(&request.credential);
        if let Some(own) = &own {
            let serial = serial_key(own.issuer_der(), own.serial().as_bytes());
            wanted.reservations.push((Space::Serial, serial));
            add(
                &mut wanted.streams,
                key_report_stream(&own.public_key().fingerprint()),
            );
        }
        let asked = CertificationRequest::from_der(&request.request).ok();
        if let Some(asked) = &asked {
            add(
                &mut wanted.streams,
                key_report_stream(&asked.public_key().fingerprint()),
            );
        }
        if let Requester::Account(account) = &requester {
            add(&mut wanted.streams, StreamId::account(*account));
        }
        let identifiers = asked.as_ref().map(identifiers).unwrap_or_default();
        for identifier in identifiers.iter().take(PROOFS_MAX) {
            add(&mut wanted.streams, proof_stream(&requester, identifier));
        }
        let handle = match &request.handle {
            Handle::Given(handle) => handle.clone(),
            Handle::SameRequest => ClaimHandle::of_request(&requester, digest),
        };
        wanted
            .claims
            .push(ClaimKey::new(&request.endpoint, request.operation, &handle));
        Ok(Outlook {
            reading: self.ledger.read(wanted).await?,
            own,
            request: asked,
        })
    }
}

fn add(streams: &mut Vec<StreamId>, stream: StreamId) {
    if !streams.contains(&stream) {
        streams.push(stream);
    }
}

/// The certificate that a client shows, when it shows one.
fn own_certificate(credential: &Credential) -> Option<Certificate> {
    match credential {
        Credential::Certificate { chain } => Certificate::from_der(chain.first()?).ok(),
        Credential::Account { .. }
        | Credential::Key(_)
        | Credential::Secret { .. }
        | Credential::Several(_) => None,
    }
}

/// As whom a credential makes its holder known, when it says so by itself.
fn requester(credential: &Credential) -> Option<Requester> {
    match credential {
        Credential::Account { account, .. } => Some(Requester::Account(*account)),
        Credential::Key(key) => Some(Requester::Key(key.fingerprint())),
        Credential::Certificate { chain } => chain.first().map(|own| Requester::Certificate(sha256(own))),
        Credential::Secret { .. } | Credential::Several(_) => None,
    }
}
