//! What the policy engine says of texts, for the operator API: the same code as the command line's.

use portreeve_console::{DiffEntry, FindingView, Trial, TrialView, Workbench};
use portreeve_policies::{
    Assumptions, Change, Explanation, compare, compare_registrations, explain, parse_approval_policy,
    parse_endpoint,
};
use portreeve_ra::{ObjectVersion, Registration, Verdict};

/// The policy engine, asked by people.
pub struct PolicyWorkbench;

impl Workbench for PolicyWorkbench {
    fn compare(&self, old: &ObjectVersion, new: &ObjectVersion) -> Result<Vec<DiffEntry>, String> {
        let changes = compare(new.kind, &old.body, &new.body).map_err(|error| error.to_string())?;
        Ok(changes.into_iter().map(entry).collect())
    }

    fn compare_registrations(&self, old: &Registration, new: &Registration) -> Vec<DiffEntry> {
        compare_registrations(old, new).into_iter().map(entry).collect()
    }

    fn test(&self, trial: &Trial<'_>) -> Result<TrialView, String> {
        let mut assumptions = Assumptions {
            profile: trial.profile.name.clone(),
            ..Assumptions::at(trial.now)
        };
        if let Some(object) = trial.endpoint {
            let endpoint = parse_endpoint(&object.name, object.version, &object.body)
                .map_err(|error| format!("endpoint {}: {error}", object.name))?;
            assumptions.names = endpoint.names;
        }
        if let Some(object) = trial.approval {
            let policy = parse_approval_policy(&object.name, object.version, &object.body)
                .map_err(|error| format!("approval policy {}: {error}", object.name))?;
            assumptions.approval = Some(policy);
        }
        explain(&trial.profile.body, trial.request.as_bytes(), &assumptions)
            .map(|explained| tried(&explained))
            .map_err(|error| error.to_string())
    }
}

/// One difference, as it is shown.
pub fn entry(change: Change) -> DiffEntry {
    DiffEntry {
        path: change.path,
        old: change.old,
        new: change.new,
        direction: change.direction.as_str().to_owned(),
    }
}

/// What a profile makes of a request, as it is shown.
pub fn tried(explained: &Explanation) -> TrialView {
    let verdict = match explained.verdict {
        Verdict::Permit { .. } => "permit",
        Verdict::Refer { .. } => "refer",
        Verdict::Refuse { .. } => "refuse",
    };
    let findings = explained.findings().iter().map(|finding| FindingView {
        rule: finding.rule.to_owned(),
        outcome: format!("{:?}", finding.outcome).to_lowercase(),
        text: finding.text.clone(),
    });
    TrialView {
        verdict: verdict.to_owned(),
        refusal_code: explained.refusal().map(|refusal| refusal.code().to_owned()),
        refusal: explained.refusal().map(ToString::to_string),
        subject: explained.subject.to_string(),
        names: explained.names.iter().map(ToString::to_string).collect(),
        key: explained.key.to_string(),
        findings: findings.collect(),
        remarks: Vec::new(),
    }
}
