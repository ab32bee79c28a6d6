//! What operators sign in with: passwords, tokens, and the one-time credential made on the host.

use std::collections::BTreeSet;
use std::time::Duration;

use portreeve_pkix::{Timestamp, sha256};

use crate::access::{Acting, Forbidden, Target};
use crate::accounts::{commit_error, may_race};
use crate::authority::{Excluded, Extent, RegistrationAuthority};
use crate::configuration::Outcome;
use crate::domain::{
    AccessEvent, Actor, Alongside, Event, KnownSecret, ObjectKind, ObjectVersion, Operator, OperatorName,
    Principal, ProposalId, Record, Right, RoleName, Secret, SecretCheck, SecretEvent, SecretId, SecretKind,
    SecretOwner, SecretState, StreamId, key_report_stream,
};
use crate::error::{Error, InternalError};
use crate::operators::{ChangeError, Condition, Guarding, PeopleChange};
use crate::ports::{
    Batch, CommitError, Conflict, Cursor, DocumentId, DocumentKey, DocumentWrite, Documents, Page,
};
use crate::secrets::{Besides, Drawn, Waits, issuing};
use crate::steps::{Verified, verify};

/// The scope of a token that may do whatever its owner may. Only `portreeve dev` makes one, for its own trials: no verb
/// here does, and `serve` refuses a store that `dev` made.
pub const SCOPE_ALL: &str = "*";
/// The scope of the one-time credential: it gives no right, and lets its owner set a password or name a certificate once.
pub const SCOPE_BOOTSTRAP: &str = "bootstrap";
/// How long the one-time credential is good.
pub const BOOTSTRAP_LIFETIME: Duration = Duration::from_secs(86_400);
/// How long a token is good, at most.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Characters of a token's label, at most.
pub const LABEL_MAX: usize = 64;

/// Finds tokens: it holds nothing, and what it leads to is verified.
const TOKEN_INDEX: &str = "console.token";

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Whose.
    pub operator: OperatorName,
    /// What it is for, for people.
    pub label: String,
    /// To what it is limited.
    pub scopes: BTreeSet<Right>,
    /// The certificate it is bound to, by the SHA-256 of its SubjectPublicKeyInfo.
    pub bound_to: Option<[u8; 32]>,
    /// How long it is good.
    pub lifetime: Duration,
}

/// A secret that was made just now; it is not kept.
pub struct Made {
    /// Its id.
    pub id: SecretId,
    /// The secret: 256 random bits.
    pub secret: [u8; 32],
    /// Until when it is good.
    pub until: Timestamp,
    /// Where people decide on it, if they must before it is good.
    pub proposal: Option<ProposalId>,
}

/// What came of a call for a one-time credential.
pub enum Bootstrapped {
    /// It was made.
    Made(Made),
    /// The operator does not exist, and does once people have agreed: it can be made then.
    Waits(ProposalId),
}

impl RegistrationAuthority {
    /// The password of this operator, if there is one in force.
    pub async fn password(&self, operator: &OperatorName) -> Result<Option<KnownSecret>, Error> {
        let history = self.ledger.history(StreamId::password(operator)).await?;
        let found = verify::secret(history).map(Verified::into_value);
        Ok(found.filter(|known| {
            known.secret.owner == SecretOwner::Operator(operator.clone())
                && known.secret.kind == SecretKind::Password
                && known.state(self.now()) == SecretState::Live
        }))
    }

    /// Whether this key, by the SHA-256 of its SubjectPublicKeyInfo, was reported as compromised.
    pub async fn is_key_compromised(&self, key: &[u8; 32]) -> Result<bool, Error> {
        let report = self.ledger.history(key_report_stream(key)).await?;
        Ok(verify::is_compromised(&report, key))
    }

    /// Puts this Argon2id hash in the place of an operator's password. Everybody may do so for themselves, others need
    /// `operator.write`, and where a policy guards configuration it is good once people have agreed: this says where. A
    /// one-time credential that is spent for it is spent in the same commit.
    pub async fn set_password(
        &self,
        by: &Acting,
        operator: &OperatorName,
        (hash, spending): (String, Option<SecretId>),
    ) -> Result<Option<ProposalId>, ChangeError> {
        self.may_sign_in_for(by, operator).await?;
        let secret = Secret {
            owner: SecretOwner::Operator(operator.clone()),
            kind: SecretKind::Password,
            reference: operator.to_string(),
            check: SecretCheck::Argon2id(hash),
            uses_max: None,
            scopes: Vec::new(),
            bound_to: None,
            until: None,
        };
        let stream = StreamId::password(operator);
        let mut turn = 0;
        loop {
            let history = self.ledger.history(stream).await?;
            let drawn = Drawn {
                id: SecretId::from_bytes(stream.id),
                secret: secret.clone(),
            };
            let waits = self.asking_for(by, operator, &drawn).await?;
            let proposal = waits.as_ref().map(|waits| waits.proposal);
            let (event, opened) = issuing(drawn.secret, waits);
            let saying = by.publisher().saying();
            let mut records = vec![
                self.ledger
                    .record(history.next(), saying, &[Event::Secret(event)])?,
            ];
            records.extend(opened);
            if let Some(id) = spending {
                records.push(self.spent(by, operator, id).await?);
            }
            let batch = Batch {
                records,
                ..Batch::default()
            };
            match self.parts.store.commit(batch).await {
                Ok(()) => return Ok(proposal),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, stream).into()),
            }
        }
    }

    /// Asks people whether an operator may sign in with a secret that somebody else made: who makes it can act as them.
    async fn asking_for(
        &self,
        by: &Acting,
        operator: &OperatorName,
        drawn: &Drawn,
    ) -> Result<Option<Waits>, Error> {
        let whose = Principal::Operator(operator.clone());
        if *by.principal() == whose {
            return Ok(None);
        }
        let excluded = Excluded::concerned(Some(&whose));
        self.asking(by, drawn, (excluded, Extent::Everywhere)).await
    }

    /// Adds certificates to an operator's own text, with their one-time credential in place of the right. Nothing else in
    /// the text may change. The credential is spent before the text is published.
    pub async fn name_certificate(
        &self,
        by: &Acting,
        change: PeopleChange,
        credential: SecretId,
    ) -> Result<Outcome, ChangeError> {
        let name = OperatorName::new(&change.name).map_err(|_| ChangeError::Unknown)?;
        let text = change.text.as_ref().ok_or(ChangeError::Unknown)?;
        let new = ObjectVersion {
            kind: ObjectKind::Operator,
            name: change.name.clone(),
            version: 1,
            body: text.clone(),
        };
        let read = self.policy().operator(&new);
        let after = read.map_err(|error| ChangeError::Unreadable(error.reason))?;
        let before = self.operator(&name).await?.ok_or(ChangeError::Unknown)?;
        let same = Operator {
            certificates: after.certificates.clone(),
            ..(*before).clone()
        };
        let own = *by.principal() == Principal::Operator(name.clone());
        if !own || same != *after || change.kind != ObjectKind::Operator {
            return Err(Forbidden(Right::OperatorWrite).into());
        }
        self.spend_bootstrap(by, &name, credential).await?;
        // People were asked about the credential, where they had to be.
        self.change_checked(by, &change, Guarding::Done).await
    }

    /// Uses up a one-time credential of this operator, for something that is not a password.
    pub async fn spend_bootstrap(
        &self,
        by: &Acting,
        operator: &OperatorName,
        id: SecretId,
    ) -> Result<(), ChangeError> {
        let batch = Batch {
            records: vec![self.spent(by, operator, id).await?],
            ..Batch::default()
        };
        match self.parts.store.commit(batch).await {
            Ok(()) => Ok(()),
            Err(CommitError::Conflict(Conflict::Stream(_))) => Err(ChangeError::Spent),
            Err(error) => Err(commit_error(error, StreamId::secret(id)).into()),
        }
    }

    async fn spent(&self, by: &Acting, operator: &OperatorName, id: SecretId) -> Result<Record, ChangeError> {
        let known = self.secrets().secret(id).await?.ok_or(ChangeError::Spent)?;
        let value = known.value();
        let good = value.secret.owner == SecretOwner::Operator(operator.clone())
            && value.secret.scopes == [SCOPE_BOOTSTRAP]
            && value.state(self.now()) == SecretState::Live;
        if !good {
            return Err(ChangeError::Spent);
        }
        let n = value.used.saturating_add(1);
        let event = Event::Secret(SecretEvent::Used { n });
        Ok(self
            .ledger
            .record(known.next(), by.publisher().saying(), &[event])?)
    }

    /// Makes a token. Everybody may do so for themselves, others need `operator.write`, and where a policy guards
    /// configuration it is good once people have agreed. What it may do is never more than its owner may at the time it is
    /// used.
    pub async fn issue_token(&self, by: &Acting, new: NewToken) -> Result<Made, ChangeError> {
        self.may_sign_in_for(by, &new.operator).await?;
        let grave = new.scopes.iter().filter(|right| right.needs_certificate());
        let grave: Vec<&str> = grave.map(|right| right.as_str()).collect();
        if new.bound_to.is_none() && !grave.is_empty() {
            return Err(ChangeError::ScopeNeedsCertificate(grave.join(", ")));
        }
        if new.scopes.is_empty() || new.lifetime.is_zero() || new.lifetime > TOKEN_LIFETIME_MAX {
            let reason = "a token has at least one scope and lives for at most 366 days";
            return Err(ChangeError::Unreadable(reason.to_owned()));
        }
        if new.label.chars().count() > LABEL_MAX || new.label.chars().any(char::is_control) {
            let reason = "the label is one line of at most 64 characters";
            return Err(ChangeError::Unreadable(reason.to_owned()));
        }
        let scopes = new.scopes.iter().map(|right| right.as_str().to_owned());
        let limits = (scopes.collect(), new.bound_to, None);
        let made = (limits, new.lifetime);
        self.make_token(by, (&new.operator, &new.label), (made, Guarding::AsPolicySays))
            .await
    }

    /// Makes the token of `portreeve dev`, which may do whatever its owner may.
    pub async fn issue_dev_token(&self, by: &Acting, operator: &OperatorName) -> Result<Made, ChangeError> {
        let limits = (vec![SCOPE_ALL.to_owned()], None, None);
        let made = (limits, TOKEN_LIFETIME_MAX);
        self.make_token(by, (operator, "dev"), (made, Guarding::Done))
            .await
    }

    /// Makes the one-time credential with which an operator sets a password or names a certificate; an operator who does
    /// not exist is made a superadmin. For the host alone. Where a policy guards configuration, people agree to the operator
    /// first, and then to the credential: with it whoever runs the host can act as them. The first operator of all is made
    /// without: there is nobody to ask.
    pub async fn bootstrap(&self, by: &Acting, operator: &OperatorName) -> Result<Bootstrapped, ChangeError> {
        if *by.principal() != Principal::Host {
            return Err(ChangeError::SuperadminOnly);
        }
        let first = PeopleChange {
            kind: ObjectKind::Operator,
            name: operator.to_string(),
            text: Some(format!("roles = [\"{}\"]\n", RoleName::superadmin())),
            condition: Condition::Absent,
        };
        match self.change_people(by, first).await {
            Ok(Outcome::Proposed(_, proposal)) => return Ok(Bootstrapped::Waits(proposal)),
            Ok(_) | Err(ChangeError::Condition) => {}
            Err(error) => return Err(error),
        }
        let event = AccessEvent::Bootstrapped {
            name: operator.to_string(),
        };
        let actor = Actor::Operator(by.principal().clone());
        let batch = Batch {
            records: vec![self.access_record(event, (actor, &by.origin))?],
            ..Batch::default()
        };
        let committed = self.parts.store.commit(batch).await;
        committed.map_err(|error| commit_error(error, StreamId::password(operator)))?;
        let limits = (vec![SCOPE_BOOTSTRAP.to_owned()], None, Some(1));
        let made = (limits, BOOTSTRAP_LIFETIME);
        let made = self.make_token(by, (operator, "bootstrap"), (made, Guarding::AsPolicySays));
        made.await.map(Bootstrapped::Made)
    }

    async fn make_token(
        &self,
        by: &Acting,
        (operator, label): (&OperatorName, &str),
        (((scopes, bound_to, uses_max), lifetime), guarding): ((Limits, Duration), Guarding),
    ) -> Result<Made, ChangeError> {
        let (mut secret, mut tail) = ([0; 32], [0; 6]);
        self.parts.random.fill(&mut secret);
        self.parts.random.fill(&mut tail);
        let until = self.now().saturating_add(lifetime);
        let token = Secret {
            owner: SecretOwner::Operator(operator.clone()),
            kind: SecretKind::Token,
            reference: format!("{operator}:{}:{label}", hex::encode(tail)),
            check: SecretCheck::Sha256(sha256(&secret)),
            uses_max,
            scopes,
            bound_to,
            until: Some(until),
        };
        let id = SecretId::new(self.now(), self.parts.random.as_ref());
        let drawn = Drawn { id, secret: token };
        let waits = match guarding {
            Guarding::AsPolicySays => self.asking_for(by, operator, &drawn).await?,
            Guarding::Done => None,
        };
        let proposal = waits.as_ref().map(|waits| waits.proposal);
        let besides = Besides {
            alongside: Alongside {
                documents: vec![listing(id, operator, until)],
                spends: Vec::new(),
            },
            waits,
        };
        if !self.secrets().record(drawn, &by.publisher(), besides).await? {
            return Err(InternalError::Contended(StreamId::password(operator)).into());
        }
        Ok(Made {
            id,
            secret,
            until,
            proposal,
        })
    }

    /// Tokens of an operator, or all, the newest first, as their verified events tell.
    pub async fn tokens(
        &self,
        documents: &dyn Documents,
        operator: Option<&OperatorName>,
        (after, limit): (Option<&Cursor>, u32),
    ) -> Result<Page<KnownSecret>, Error> {
        let found = documents
            .find(TOKEN_INDEX, &listed_under(operator), after, limit)
            .await?;
        let streams: Vec<StreamId> = found
            .items
            .iter()
            .map(|document| StreamId::secret(SecretId::from_bytes(document.id)))
            .collect();
        let histories = self.ledger.each(&streams).await?;
        let known = histories.into_iter().flatten().filter_map(verify::secret);
        let owned = |known: &KnownSecret| {
            known.secret.kind == SecretKind::Token
                && operator.is_none_or(|name| known.secret.owner == SecretOwner::Operator(name.clone()))
        };
        Ok(Page {
            items: known.map(Verified::into_value).filter(owned).collect(),
            next: found.next,
        })
    }

    /// Refuses a token from now on. Everybody may do so with their own, others need `operator.write`.
    pub async fn revoke_token(&self, by: &Acting, id: SecretId) -> Result<(), ChangeError> {
        let known = self.secrets().secret(id).await?.ok_or(ChangeError::Unknown)?;
        let secret = &known.value().secret;
        let SecretOwner::Operator(owner) = &secret.owner else {
            return Err(ChangeError::Unknown);
        };
        if secret.kind != SecretKind::Token {
            return Err(ChangeError::Unknown);
        }
        if *by.principal() != Principal::Operator(owner.clone()) {
            let needed = (Target::Installation, &by.origin);
            self.authorize(&by.standing, Right::OperatorWrite, needed).await?;
        }
        self.secrets().revoke(id, &by.publisher()).await?;
        Ok(())
    }

    /// Whether this principal may make something that an operator signs in with: their own, or with the right for it.
    async fn may_sign_in_for(&self, by: &Acting, operator: &OperatorName) -> Result<(), ChangeError> {
        let own = *by.principal() == Principal::Operator(operator.clone());
        if !own {
            let needed = (Target::Installation, &by.origin);
            self.authorize(&by.standing, Right::OperatorWrite, needed).await?;
        }
        let known = self.operator(operator).await?.ok_or(ChangeError::Unknown)?;
        let superadmin = RoleName::superadmin();
        if !own && known.roles.contains(&superadmin) && !by.standing.holds(&superadmin) {
            self.refused((by.principal(), &by.origin), Right::OperatorWrite, "a superadmin")
                .await;
            return Err(ChangeError::SuperadminOnly);
        }
        Ok(())
    }
}

/// Scopes, certificate and number of uses of a token.
type Limits = (Vec<String>, Option<[u8; 32]>, Option<u32>);

fn listed_under(operator: Option<&OperatorName>) -> DocumentKey {
    let (index, value) = match operator {
        Some(name) => ("operator", name.as_str().as_bytes()),
        None => ("all", b"*".as_slice()),
    };
    DocumentKey {
        index,
        value: value.to_vec(),
        unique: false,
    }
}

/// The row by which a token is found, kept for as long as it can be used and a month longer.
fn listing(id: SecretId, operator: &OperatorName, until: Timestamp) -> DocumentWrite {
    DocumentWrite {
        id: DocumentId {
            kind: TOKEN_INDEX,
            id: *id.as_bytes(),
        },
        version: 1,
        body: Some(Vec::new()),
        keys: vec![listed_under(Some(operator)), listed_under(None)],
        expires_at: Some(until.saturating_add(Duration::from_secs(30 * 86_400))),
    }
}
