//! Whether somebody's decision on a proposal counts.

use portreeve_pkix::Timestamp;

use super::{Decision, Proposal, ProposalState, ProposalSubject};
use crate::domain::approval::{DecisionRejection, EvidenceRule, Exclusion};
use crate::domain::evidence::{Evidence, Statement};
use crate::domain::grant::GrantTerms;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::right::{On, Standing};

/// What somebody decides, and with what.
#[derive(Copy, Clone, Debug)]
pub struct Ballot<'a> {
    /// Who, and what they may do now.
    pub standing: &'a Standing,
    /// What.
    pub decision: Decision,
    /// The digest of what they looked at.
    pub digest: Option<[u8; 32]>,
    /// Why.
    pub comment: &'a str,
    /// Their signature over the decision.
    pub evidence: Option<&'a Evidence>,
    /// What they grant besides.
    pub grant: Option<GrantTerms>,
}

/// Who may decide, besides what the terms of the proposal say.
#[derive(Copy, Clone, Debug)]
pub struct Electorate<'a> {
    /// On what the right to decide is needed: on all of this.
    pub on: &'a [On<'a>],
    /// Whether it is needed on everything there is and will be: where it is about what people may do.
    pub everywhere: bool,
    /// Who counts as one of those who ask.
    pub excluded: &'a [(Principal, Exclusion)],
    /// The keys of whoever decides, each by the SHA-256 of its SubjectPublicKeyInfo.
    pub keys: &'a [[u8; 32]],
}

impl Electorate<'_> {
    /// Why this principal counts as one of those who ask.
    pub fn exclusion(&self, by: &Principal) -> Option<&Exclusion> {
        self.excluded
            .iter()
            .find(|(excluded, _)| excluded == by)
            .map(|(_, why)| why)
    }
}

impl Proposal {
    /// The step in which a decision counts, from 0, or why it does not count.
    pub fn admit(
        &self,
        ballot: &Ballot<'_>,
        electorate: &Electorate<'_>,
        now: Timestamp,
    ) -> Result<u8, Refusal> {
        let by = &ballot.standing.principal;
        self.entitled(ballot.standing, electorate)?;
        if ballot.digest.is_some_and(|digest| digest != self.digest) {
            return Err(Refusal::DigestMismatch);
        }
        match self.state(now) {
            ProposalState::Expired => return Err(Refusal::Expired),
            ProposalState::Approved | ProposalState::Rejected => return Err(Refusal::AlreadyDecided),
            ProposalState::Open => {}
        }
        if self.ruling_of(by).is_some() {
            return Err(DecisionRejection::Twice.into());
        }
        let step = match ballot.decision {
            Decision::Approve => self.step_to_approve(ballot.standing)?,
            Decision::Reject => self.step_to_reject(ballot.standing)?,
        };
        self.accept_grant(ballot)?;
        self.accept_evidence(ballot, electorate.keys)?;
        Ok(u8::try_from(step).unwrap_or(u8::MAX))
    }

    /// Whether somebody has the right to decide and does not count as one of those who ask.
    pub fn entitled(
        &self,
        standing: &Standing,
        electorate: &Electorate<'_>,
    ) -> Result<(), DecisionRejection> {
        let right = self.subject.right();
        // What is configured belongs to no team.
        let may_on = |on: &On<'_>| match self.subject {
            ProposalSubject::Object { .. } => standing.may_whatever_the_team(right, *on),
            _ => standing.may(right, *on),
        };
        let may = !electorate.on.is_empty()
            && electorate.on.iter().all(may_on)
            && (!electorate.everywhere || standing.may_everywhere(right));
        if !may {
            return Err(DecisionRejection::lacks(right));
        }
        if self.opened_by.principal() == Some(&standing.principal) {
            return Err(DecisionRejection::Excluded(Exclusion::Asks));
        }
        match electorate.exclusion(&standing.principal) {
            Some(why) => Err(DecisionRejection::Excluded(why.clone())),
            None => Ok(()),
        }
    }

    fn step_to_approve(&self, standing: &Standing) -> Result<usize, DecisionRejection> {
        let open = self.open_step().ok_or(DecisionRejection::NoStep)?;
        let steps = &self.terms.steps;
        let theirs = |(_, step): &(usize, &crate::domain::approval::Step)| step.who.include(standing);
        match steps.iter().enumerate().skip(open).find(theirs) {
            Some((index, _)) if index == open => Ok(open),
            Some(_) => {
                let missing = steps
                    .get(open)
                    .map_or_else(String::new, |step| step.who.to_string());
                Err(DecisionRejection::StepLater(missing))
            }
            None => Err(DecisionRejection::NoStep),
        }
    }

    /// Whoever may approve in some step may end it with a no, now.
    fn step_to_reject(&self, standing: &Standing) -> Result<usize, DecisionRejection> {
        let mut steps = self.terms.steps.iter();
        steps
            .position(|step| step.who.include(standing))
            .ok_or(DecisionRejection::NoStep)
    }

    fn accept_grant(&self, ballot: &Ballot<'_>) -> Result<(), DecisionRejection> {
        let refuse = |why: &str| Err(DecisionRejection::Grant(why.to_owned()));
        let Some(grant) = ballot.grant else {
            return Ok(());
        };
        if ballot.decision == Decision::Reject {
            return refuse("a denial grants nothing");
        }
        if GrantTerms::new(grant.uses, grant.days).is_none() {
            return refuse("it is for 1 to 100 uses within 1 to 7 days");
        }
        if self.grantable.is_none() {
            return refuse("whoever asks could not be told from another one");
        }
        Ok(())
    }

    fn accept_evidence(&self, ballot: &Ballot<'_>, keys: &[[u8; 32]]) -> Result<(), DecisionRejection> {
        if ballot.decision == Decision::Reject && ballot.comment.trim().is_empty() {
            return Err(DecisionRejection::CommentMissing);
        }
        let Some(evidence) = ballot.evidence else {
            return match (self.terms.evidence, ballot.decision) {
                (EvidenceRule::Required, Decision::Approve) => Err(DecisionRejection::EvidenceMissing),
                (EvidenceRule::Required, Decision::Reject) | (EvidenceRule::Accepted, _) => Ok(()),
            };
        };
        let statement = Statement {
            proposal: self.id,
            digest: &self.digest,
            by: &ballot.standing.principal,
            decision: ballot.decision,
            grant: ballot.grant,
            comment: ballot.comment,
        };
        match evidence.holds(&statement, keys) {
            true => Ok(()),
            false => Err(DecisionRejection::EvidenceInvalid),
        }
    }

    /// Whether an approval that was given still counts for whoever gave it as they stand now, or why it does not.
    pub fn still_counts(
        &self,
        by: &Principal,
        standing: Option<&Standing>,
        electorate: &Electorate<'_>,
    ) -> Result<(), DecisionRejection> {
        let right = || DecisionRejection::lacks(self.subject.right());
        let ruling = self.ruling_of(by).ok_or_else(right)?;
        let standing = standing
            .filter(|standing| standing.principal == *by)
            .ok_or_else(right)?;
        self.entitled(standing, electorate)?;
        let step = self.terms.steps.get(usize::from(ruling.step));
        if !step.is_some_and(|step| step.who.include(standing)) {
            return Err(DecisionRejection::NoStep);
        }
        let ballot = Ballot {
            standing,
            decision: ruling.decision,
            digest: Some(self.digest),
            comment: &ruling.comment,
            evidence: ruling.evidence.as_ref(),
            grant: ruling.grant,
        };
        self.accept_evidence(&ballot, electorate.keys)
    }
}
