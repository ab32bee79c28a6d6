//! Whether a principal may do something; that they may not is an event.

use std::fmt;
use std::time::Duration;

use crate::authority::RegistrationAuthority;
use crate::domain::{
    AccessEvent, Actor, Decision, EnrollmentId, Event, On, Origin, Principal, Purpose, RateLimit, Refusal,
    Right, Standing, StreamId, StreamKind,
};
use crate::error::Error;
use crate::ledger::{Saying, first};
use crate::ports::{Admission, Batch};

/// Refused actions of one principal that are recorded: what goes beyond is only logged, so that nobody fills the store.
const RECORDED: RateLimit = RateLimit {
    requests: 60,
    period: Duration::from_secs(3600),
    burst: 20,
};

/// A principal lacks a right.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this needs the right {0}")]
pub struct Forbidden(pub Right);

/// On what somebody wants to act.
#[derive(Copy, Clone, Debug)]
pub enum Target<'a> {
    /// The installation, or a list whose rows are looked at one by one.
    Installation,
    /// Something that belongs to no team, whoever it is for: a profile, an endpoint.
    Object(On<'a>),
    /// Something that a team may own: a request, a certificate, a registration.
    Owned(On<'a>),
}

impl Target<'_> {
    fn is_open_to(&self, standing: &Standing, right: Right) -> bool {
        match self {
            Self::Installation => standing.may_somewhere(right),
            Self::Object(on) => standing.may_whatever_the_team(right, *on),
            Self::Owned(on) => standing.may(right, *on),
        }
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = match self {
            Self::Installation => return f.write_str("the installation"),
            Self::Object(on) | Self::Owned(on) => on,
        };
        let shown = |name: Option<&str>| name.unwrap_or("any").to_owned();
        write!(
            f,
            "backend {}, profile {}, team {}",
            shown(on.backend.map(|name| name.as_str())),
            shown(on.profile.map(|name| name.as_str())),
            on.team.map_or("none", |name| name.as_str())
        )
    }
}

impl RegistrationAuthority {
    /// Refuses, and records it, when this principal lacks the right on the target.
    pub async fn authorize(
        &self,
        standing: &Standing,
        right: Right,
        (target, origin): (Target<'_>, &Origin),
    ) -> Result<(), Forbidden> {
        if target.is_open_to(standing, right) {
            return Ok(());
        }
        self.refused((&standing.principal, origin), right, &target.to_string())
            .await;
        Err(Forbidden(right))
    }

    /// Records that a right of this principal does not reach so far.
    pub(crate) async fn refused(&self, (by, origin): (&Principal, &Origin), right: Right, on: &str) {
        tracing::warn!(principal = %by, %right, on, address = ?origin.address, "refused");
        let event = AccessEvent::Refused {
            right: right.as_str().to_owned(),
            on: on.to_owned(),
        };
        self.note_refusal(by, event, origin).await;
    }

    /// Records that a decision of this principal does not count.
    pub(crate) async fn turned_away(
        &self,
        (by, origin): (&Principal, &Origin),
        (decision, subject): (Decision, StreamId),
        refusal: &Refusal,
    ) {
        let decision = decision.as_str();
        tracing::warn!(principal = %by, decision, %subject, refusal = refusal.code(), "decision refused");
        let event = AccessEvent::TurnedAway {
            decision: decision.to_owned(),
            subject,
            refusal: refusal.clone(),
        };
        self.note_refusal(by, event, origin).await;
    }

    async fn note_refusal(&self, by: &Principal, event: AccessEvent, origin: &Origin) {
        let key = format!("refused:{by}");
        if self.parts.limiter.admit(&key, RECORDED, 1).await == Admission::Admitted {
            let actor = Actor::Operator(by.clone());
            self.note(event, (actor, origin)).await;
        }
    }

    /// Records that a name is locked for a while. Whoever counts wrong passwords calls it once for each time it locks.
    pub async fn locked(&self, name: &str, origin: &Origin) {
        let name: String = name.chars().take(64).collect();
        tracing::warn!(name, address = ?origin.address, "too many wrong passwords");
        self.note(AccessEvent::Locked { name }, (Actor::Node, origin))
            .await;
    }

    /// Never fails: what cannot be recorded is logged.
    async fn note(&self, event: AccessEvent, (actor, origin): (Actor, &Origin)) {
        if let Err(error) = self.record_access(event, (actor, origin)).await {
            tracing::error!(%error, "an event of access could not be recorded");
        }
    }

    async fn record_access(
        &self,
        event: AccessEvent,
        (actor, origin): (Actor, &Origin),
    ) -> Result<(), Error> {
        let batch = Batch {
            records: vec![self.access_record(event, (actor, origin))?],
            ..Batch::default()
        };
        let subject = StreamId::enrollment(EnrollmentId::from_bytes([0; 16]));
        let committed = self.parts.store.commit(batch).await;
        committed.map_err(|error| crate::accounts::commit_error(error, subject))
    }

    /// The record of such an event, in a stream of its own.
    pub(crate) fn access_record(
        &self,
        event: AccessEvent,
        (actor, origin): (Actor, &Origin),
    ) -> Result<crate::domain::Record, Error> {
        let id = EnrollmentId::new(self.now(), self.parts.random.as_ref());
        let stream = StreamId {
            kind: StreamKind::Access,
            id: *id.as_bytes(),
        };
        let saying = Saying::new(Purpose::Console, actor, origin.clone(), &event.in_words());
        self.ledger.record(first(stream), saying, &[Event::Access(event)])
    }
}

/// Who acts, from where, and why.
#[derive(Clone, Debug)]
pub struct Acting {
    /// Who, and what they may do.
    pub standing: Standing,
    /// From where.
    pub origin: Origin,
    /// Why.
    pub reason: String,
}

impl Acting {
    /// The principal.
    pub const fn principal(&self) -> &Principal {
        &self.standing.principal
    }

    pub(crate) fn publisher(&self) -> crate::objects::Publisher {
        crate::objects::Publisher {
            actor: Actor::Operator(self.standing.principal.clone()),
            origin: self.origin.clone(),
            reason: self.reason.clone(),
        }
    }
}
