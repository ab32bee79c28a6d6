//! An account and what it asks for, filed with an RA as an edge does.

use std::time::Duration;

use portreeve_pkix::{DnsName, Identifier, PublicKey};
use portreeve_ra::accounts::{Change, OpenAccount};
use portreeve_ra::authority::ExternalAccount;
use portreeve_ra::proofs::NewProof;
use portreeve_ra::{
    AccountId, Alongside, ClaimHandle, Credential, EndpointName, EnrollmentRequest, Operation, Origin,
    RegistrationAuthority, Requester,
};

use crate::scripted::stray_key;

/// An account with its key.
pub struct TestAccount {
    /// The account.
    pub id: AccountId,
    /// Its key.
    pub key: PublicKey,
}

impl TestAccount {
    /// Opens one with a new key; panics when the RA refuses it.
    pub async fn open(
        ra: &RegistrationAuthority,
        endpoint: &EndpointName,
        external: Option<ExternalAccount>,
    ) -> Self {
        let key = stray_key();
        let (origin, alongside) = (Origin::node(ra.node()), Alongside::default());
        let request = OpenAccount {
            endpoint: endpoint.clone(),
            key: key.clone(),
            contacts: Vec::new(),
            agreed: true,
            change: Change { origin, alongside },
        };
        let (id, ..) = ra.open_account(request, external).await.expect("account");
        Self { id, key }
    }

    /// What it shows to prove who it is.
    pub fn credential(&self) -> Credential {
        Credential::Account {
            account: self.id,
            key: self.key.clone(),
        }
    }

    /// Files that it has shown control of these names for the next hour.
    pub async fn prove(&self, ra: &RegistrationAuthority, names: &[&str]) {
        for name in names {
            let proof = NewProof {
                requester: Requester::Account(self.id),
                identifier: Identifier::Dns(DnsName::parse(name).expect("name")),
                method: "test".to_owned(),
                evidence: String::new(),
                until: ra.now().saturating_add(Duration::from_secs(3600)),
                origin: Origin::node(ra.node()),
                alongside: Alongside::default(),
            };
            ra.proofs().record(proof).await.expect("proof");
        }
    }

    /// Its order with this handle, for what a PKCS#10 request in DER asks for.
    pub fn order(
        &self,
        ra: &RegistrationAuthority,
        endpoint: &EndpointName,
        (handle, request): (&str, Vec<u8>),
    ) -> EnrollmentRequest {
        EnrollmentRequest {
            endpoint: endpoint.clone(),
            operation: Operation::Enroll,
            credential: self.credential(),
            handle: ClaimHandle(handle.as_bytes().to_vec()).into(),
            request,
            channel: None,
            key_maker: None,
            profile_hint: None,
            not_before: None,
            not_after: None,
            origin: Origin::node(ra.node()),
            alongside: Alongside::default(),
        }
    }
}
