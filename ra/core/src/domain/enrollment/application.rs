//! What an enrollment is about, fixed when it is received.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::sha256;

use super::Shown;
use crate::domain::actor::Requester;
use crate::domain::claim::ClaimKey;
use crate::domain::contents::CertificateContents;
use crate::domain::ids::{BackendName, EndpointName, ProfileName, RegistrationId, SecretId};
use crate::domain::request::Operation;

/// What was asked, by whom, and what policy made of it: fixed when the enrollment is received.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Application {
    /// Where it arrived.
    pub endpoint: EndpointName,
    /// The version of the endpoint it was judged by.
    pub endpoint_version: u32,
    /// What is asked for.
    pub operation: Operation,
    /// Who asks.
    pub requester: Requester,
    /// The claim that leads here.
    pub claim: ClaimKey,
    /// The request as received.
    pub request: Vec<u8>,
    /// The profile it was judged by.
    pub profile: ProfileName,
    /// The version of the profile.
    pub profile_version: u32,
    /// The CA backend.
    pub backend: BackendName,
    /// What will be certified.
    pub contents: CertificateContents,
    /// What each rule said, as `rule: text`.
    pub findings: Vec<String>,
    /// The registration on whose behalf it is asked, if it is on one's.
    pub registration: Option<RegistrationId>,
    /// The secret of that registration that let the requester in, or the one whose certificate is renewed: whoever issued it
    /// counts as requester.
    pub secret: Option<SecretId>,
    /// What it came with besides.
    pub shown: Shown,
}

impl Application {
    /// What people agree to: SHA-256 over who asks where, by which versions it was judged, who would sign, and exactly what
    /// would be certified.
    pub fn digest(&self) -> [u8; 32] {
        let asked = (
            &self.requester,
            (&self.endpoint, self.endpoint_version, self.operation),
            (&self.profile, self.profile_version),
            &self.backend,
        );
        let bytes = borsh::to_vec(&(b"portreeve/request/1\0", asked, &self.contents));
        bytes.map_or([0; 32], |bytes| sha256(&bytes))
    }
}
