//! What is asked for, proven: possession of the key, the channel it came through, and what a certificate limits it to.

use portreeve_pkix::{CertificationRequest, Timestamp};
use std::sync::Arc;

use super::RegistrationAuthority;
use super::holder::Holder;
use super::outlook::Outlook;
use crate::domain::{Endpoint, EnrollmentRequest, Operation, ProfileName, Refusal, Shown, Submission};
use crate::error::Error;
use crate::ports::{CaBackend, KeyMaker};
use crate::steps::admit::Admitted;
use crate::steps::{ProvenRequest, possession, renewal};

/// What is asked for, by whoever was admitted.
pub(super) struct Wish<'a> {
    pub(super) operation: Operation,
    request: &'a [u8],
    /// The same, if it was read before.
    read: Option<CertificationRequest>,
    pub(super) profile_hint: Option<&'a ProfileName>,
    pub(super) not_before: Option<Timestamp>,
    pub(super) not_after: Option<Timestamp>,
    /// Who makes the key, or the request for the key that was made.
    key: Key<'a>,
    /// What it came with.
    pub(super) shown: Shown,
}

/// Whose key is certified.
enum Key<'a> {
    /// The client's.
    Own,
    /// One that is to be made here.
    ToBeMade(&'a dyn KeyMaker),
    /// One that was made here for what was received.
    Made(&'a [u8]),
    /// One that nobody can make.
    NotOffered,
}

impl<'a> From<&'a EnrollmentRequest> for Wish<'a> {
    fn from(request: &'a EnrollmentRequest) -> Self {
        Self {
            operation: request.operation,
            request: &request.request,
            read: None,
            profile_hint: request.profile_hint.as_ref(),
            not_before: request.not_before,
            not_after: request.not_after,
            key: match (request.operation, &request.key_maker) {
                (Operation::Enroll | Operation::Renew, _) => Key::Own,
                (Operation::GenerateKey, Some(maker)) => Key::ToBeMade(maker.as_ref()),
                (Operation::GenerateKey, None) => Key::NotOffered,
            },
            shown: Shown {
                channel: request.channel,
                ..Shown::default()
            },
        }
    }
}

impl<'a> From<&'a Submission> for Wish<'a> {
    fn from(submission: &'a Submission) -> Self {
        Self {
            operation: submission.operation,
            request: submission
                .shown
                .received
                .as_deref()
                .unwrap_or(&submission.request),
            read: None,
            profile_hint: submission.profile_hint.as_ref(),
            not_before: submission.not_before,
            not_after: submission.not_after,
            key: match submission.operation {
                Operation::Enroll | Operation::Renew => Key::Own,
                Operation::GenerateKey => Key::Made(&submission.request),
            },
            shown: submission.shown.clone(),
        }
    }
}

impl RegistrationAuthority {
    /// Whoever showed certificates before, as they are known now.
    pub(super) async fn holder_again(&self, shown: &Shown) -> Result<Option<Holder>, Error> {
        if shown.chain.is_empty() {
            return Ok(None);
        }
        self.holder(&shown.chain, &Outlook::default()).await.map(Some)
    }

    /// The request to be judged by the profile, and what is kept of how it came. Where a key is made here, its own key is only
    /// what it was signed with.
    pub(super) fn asked(
        &self,
        admitted: &Admitted,
        endpoint: &Endpoint,
        wish: &Wish<'_>,
    ) -> Result<(ProvenRequest, Shown), Refusal> {
        if wish.operation == Operation::GenerateKey && !self.delivers_keys(endpoint) {
            return Err(Refusal::NotOffered);
        }
        let received = match &wish.read {
            Some(read) => possession::proven(read.clone())?,
            None => possession::prove(wish.request)?,
        };
        let for_others = admitted.for_others();
        // Whoever asks for others passes on what was bound to a channel that ends there.
        if !for_others {
            possession::linked(&received, wish.shown.channel.as_ref(), endpoint.clients.linking)
                .map_err(Refusal::ChannelBinding)?;
        }
        let mut shown = Shown {
            window: endpoint.renewal.window,
            ..wish.shown.clone()
        };
        let renewed = admitted.client().and_then(|client| client.renewed.as_ref());
        let received = match renewed {
            Some((of, renewed)) if !for_others || renewed.is_for(received.request()) => {
                shown.renewal = Some(*of);
                shown.for_others = renewed.for_another;
                let asked = (received, wish.operation);
                renewal::judge(renewed, asked, &endpoint.renewal, self.now())?
            }
            Some(_) | None => {
                shown.for_others = for_others;
                received
            }
        };
        shown.received = match wish.key {
            Key::Own => None,
            Key::NotOffered => return Err(Refusal::NotOffered),
            Key::Made(_) | Key::ToBeMade(_) => Some(wish.request.to_vec()),
        };
        Ok((received, shown))
    }

    /// Whether a key that is made here reaches whoever asks: it is kept until the answer is written, so that its CA must not
    /// answer later. What the CA of an endpoint does, only nodes that have it know.
    fn delivers_keys(&self, endpoint: &Endpoint) -> bool {
        let at_once = |backend: &Arc<dyn CaBackend>| !backend.capabilities().defers;
        endpoint.offer.generated_keys && self.backend(&endpoint.backend).is_none_or(at_once)
    }
}

impl<'a> Wish<'a> {
    /// With the request that was read of the octets received.
    pub(super) fn read_as(self, request: Option<&CertificationRequest>) -> Self {
        let read = request.filter(|read| read.der() == self.request).cloned();
        Self { read, ..self }
    }

    /// Whether its key is yet to be made here, which costs something.
    pub(super) const fn needs_a_key(&self) -> bool {
        matches!(self.key, Key::ToBeMade(_))
    }

    /// The request for the key that is certified, which is made now if it is to be.
    pub(super) async fn keyed(&self, asked: ProvenRequest) -> Result<ProvenRequest, Refusal> {
        match self.key {
            Key::Own => Ok(asked),
            Key::NotOffered => Err(Refusal::NotOffered),
            Key::Made(made) => possession::made_for(&asked, made),
            Key::ToBeMade(maker) => {
                let made = maker.make(asked.request()).await?;
                possession::made_for(&asked, &made)
            }
        }
    }
}
