//! The cases of `cases/*.toml`: a profile, a request, what is known about them, and what must come of it.

mod request;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use portreeve_pkix::{CertificationRequest, GeneralName, Identifier, KeyUsage, Timestamp};
use portreeve_ra::{
    Actor, Agreement, AllowedNames, CertificateContents, Endpoint, Facts, Finding, KnownRegistration,
    NameAuthority, Outcome, Refusal, Registration, RegistrationEvent, RegistrationId, Requester, Verdict,
};
use serde::Deserialize;

use crate::approval::ReadApproval;
use crate::engine::{Question, Rule, judge};
use crate::hygiene::Blocklist;
use crate::profile::{Profile, Purpose};
use crate::rules::RULES;
use crate::shipped::shipped_profile;
use portreeve_pkix::duration;

const NOW: i64 = 1_800_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    profiles: BTreeMap<String, String>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// A shipped profile or one of the file.
    profile: String,
    #[serde(default)]
    request: request::Described,
    #[serde(default)]
    facts: Known,
    expect: Expected,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Known {
    /// Names need no proof.
    unproven_names: bool,
    /// What is proven; absent: the alternative names of the request.
    proven: Option<Vec<String>>,
    key_blocked: bool,
    /// Relative to now: `-1h`, `+90d`.
    not_before: Option<String>,
    not_after: Option<String>,
    approvals: u8,
    /// When nobody is asked all the same.
    automatic: Option<String>,
    /// The time of judgement, RFC 3339; absent: 2027-01-15T08:00:00Z, a Friday.
    now: Option<String>,
    /// On whose behalf it is asked.
    registration: Option<KnownBehalf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownBehalf {
    /// Absent: any.
    names: Option<Vec<String>>,
    #[serde(default)]
    wildcards: bool,
    #[serde(default)]
    vouched: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// `permit`, `refer` or the code of a refusal.
    verdict: String,
    /// Part of the text of the refusal.
    reason: Option<String>,
    /// The names of the rejections, in order.
    rejected: Option<Vec<String>>,
    subject: Option<String>,
    names: Option<Vec<String>>,
    lifetime: Option<String>,
    backdate: Option<String>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Option<Vec<Purpose>>,
    policies: Option<Vec<String>>,
    basic_constraints: Option<bool>,
    publication: Option<[bool; 3]>,
    approvals: Option<usize>,
    #[serde(default)]
    findings: Vec<ExpectedFinding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedFinding {
    rule: String,
    outcome: String,
    #[serde(default)]
    text: String,
}

/// Every request of the cases with what is known about it.
pub(crate) fn requests() -> Vec<(CertificationRequest, Facts)> {
    all().into_iter().map(|case| (case.request, case.facts)).collect()
}

/// A case with everything built.
struct Ready {
    name: String,
    profile_name: String,
    profile: Profile,
    request: CertificationRequest,
    facts: Facts,
    approval: Option<ReadApproval>,
    expect: Expected,
}

fn all() -> Vec<Ready> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().flat_map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vec<Ready> {
    let shown = path.display();
    let file: File = toml::from_str(&std::fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    let profile_of = |case: &Case| match file.profiles.get(&case.profile) {
        Some(text) => Profile::parse(text).unwrap_or_else(|error| panic!("{}: {error}", case.name)),
        None => shipped_profile(&case.profile)
            .unwrap_or_else(|| panic!("{}: no profile", case.name))
            .unwrap(),
    };
    let profiles: Vec<_> = file.case.iter().map(profile_of).collect();
    file.case
        .into_iter()
        .zip(profiles)
        .map(|(case, profile)| ready(case, profile))
        .collect()
}

fn ready(case: Case, profile: Profile) -> Ready {
    let request = case.request.build();
    let facts = facts(&case.facts, &request);
    Ready {
        name: case.name,
        profile_name: case.profile,
        profile,
        request,
        approval: approval(&case.facts),
        facts,
        expect: case.expect,
    }
}

fn facts(known: &Known, request: &CertificationRequest) -> Facts {
    let endpoint = Endpoint {
        approval: approval(known).map(|read| read.policy.terms.policy.clone()),
        names: if known.unproven_names {
            NameAuthority::Profile
        } else {
            NameAuthority::Proven
        },
        ..crate::parse_endpoint("acme/case", 1, "profiles = [\"case\"]\nbackend = \"ca\"").unwrap()
    };
    let of_request = || {
        request
            .names()
            .iter()
            .filter_map(GeneralName::identifier)
            .collect()
    };
    let listed = |names: &Vec<String>| -> Vec<Identifier> {
        names
            .iter()
            .map(|name| request::general_name(name).identifier().unwrap())
            .collect()
    };
    Facts {
        now: known
            .now
            .as_deref()
            .map_or(Timestamp::from_unix_seconds(NOW), |now| now.parse().unwrap()),
        endpoint: Arc::new(endpoint),
        approval: Agreement::NotAsked,
        requester: Requester::Key(request.public_key().fingerprint()),
        validated: known.proven.as_ref().map_or_else(of_request, listed),
        key_blocked: known.key_blocked,
        key_to_be_made: false,
        not_after_asked: known.not_after.as_deref().map(relative),
        not_before_asked: known.not_before.as_deref().map(relative),
        registration: known.registration.as_ref().map(registration),
        secret: None,
    }
}

fn registration(behalf: &KnownBehalf) -> Arc<KnownRegistration> {
    let names = behalf
        .names
        .as_ref()
        .map(|names| names.iter().map(|name| name.parse().unwrap()).collect());
    let defined = Registration {
        names: names.map_or(AllowedNames::Any, AllowedNames::Only),
        wildcards: behalf.wildcards,
        vouched: behalf.vouched,
        ..Registration::named("web")
    };
    let mut known = None;
    let id = RegistrationId::from_bytes([1; 16]);
    KnownRegistration::apply(&mut known, id, &RegistrationEvent::Defined(defined), &Actor::Node);
    Arc::new(known.unwrap())
}

fn approval(known: &Known) -> Option<ReadApproval> {
    let mut text = format!(
        "age_max = \"7d\"\n[[step]]\nanyone = true\nmin = {}\n",
        known.approvals
    );
    if let Some(expression) = &known.automatic {
        let rule =
            format!("[[automatic]]\nname = \"case\"\nexpression = \"{expression}\"\nreason = \"harmless\"\n");
        text.push_str(&rule);
    }
    (known.approvals > 0).then(|| crate::parse_approval_policy("case", 1, &text).unwrap())
}

fn relative(text: &str) -> Timestamp {
    let now = Timestamp::from_unix_seconds(NOW);
    let (sign, rest) = text.split_at(1);
    let distance = duration::parse(rest).unwrap();
    if sign == "-" {
        now.saturating_sub(distance)
    } else {
        now.saturating_add(distance)
    }
}

fn run(case: &Ready, rules: impl IntoIterator<Item = &'static Rule>) -> Result<(), String> {
    let blocklist = Blocklist::embedded();
    let question = Question {
        name: &case.profile_name,
        profile: &case.profile,
        facts: &case.facts,
        approval: case.approval.as_ref(),
        request: &case.request,
        blocklist: &blocklist,
    };
    compare(&judge(&question, rules), &case.expect)
}

fn compare(verdict: &Verdict, expect: &Expected) -> Result<(), String> {
    let (word, findings) = match verdict {
        Verdict::Permit { findings, .. } => ("permit", findings),
        Verdict::Refer { findings, .. } => ("refer", findings),
        Verdict::Refuse { refusal, findings } => (refusal.code(), findings),
    };
    same("verdict", &word, &expect.verdict.as_str()).map_err(|text| format!("{text}\n{findings:#?}"))?;
    match verdict {
        Verdict::Refuse { refusal, .. } => compare_refusal(refusal, expect)?,
        Verdict::Permit { contents, .. } => compare_contents(contents, expect)?,
        Verdict::Refer {
            contents, approval, ..
        } => {
            let people = approval.terms.people();
            same("approvals", &(people > 0), &true)?;
            optional("approvals", &people, expect.approvals.as_ref())?;
            compare_contents(contents, expect)?;
        }
    }
    expect
        .findings
        .iter()
        .try_for_each(|expected| find(findings, expected))
}

fn compare_refusal(refusal: &Refusal, expect: &Expected) -> Result<(), String> {
    let rejections = match refusal {
        Refusal::Names(list) | Refusal::NamesUnproven(list) => list.as_slice(),
        _ => &[],
    };
    let names: Vec<String> = rejections
        .iter()
        .map(|rejection| rejection.name.clone())
        .collect();
    let reasons: Vec<&str> = rejections
        .iter()
        .map(|rejection| rejection.reason.as_str())
        .collect();
    optional("rejected", &names, expect.rejected.as_ref())?;
    let text = format!("{refusal}; {}", reasons.join("; "));
    match &expect.reason {
        Some(reason) if !text.contains(reason) => Err(format!("{reason:?} is not in {text:?}")),
        _ => Ok(()),
    }
}

fn compare_contents(contents: &CertificateContents, expect: &Expected) -> Result<(), String> {
    let texts = |list: Vec<String>| list;
    let period = |text: &String| duration::parse(text).unwrap();
    let publication = contents.publication;
    let publication = [publication.crl, publication.ca_issuers, publication.ocsp];
    let purposes: Vec<Purpose> = contents.extended_key_usage.iter().cloned().map(Purpose).collect();
    optional("subject", &contents.subject.to_string(), expect.subject.as_ref())?;
    optional(
        "names",
        &texts(contents.names.iter().map(ToString::to_string).collect()),
        expect.names.as_ref(),
    )?;
    optional(
        "lifetime",
        &contents.validity.lifetime,
        expect.lifetime.as_ref().map(period).as_ref(),
    )?;
    optional(
        "backdate",
        &contents.validity.backdate,
        expect.backdate.as_ref().map(period).as_ref(),
    )?;
    optional("key usage", &contents.key_usage, expect.key_usage.as_ref())?;
    optional(
        "extended key usage",
        &purposes,
        expect.extended_key_usage.as_ref(),
    )?;
    optional(
        "policies",
        &contents.policies.iter().map(ToString::to_string).collect(),
        expect.policies.as_ref(),
    )?;
    optional(
        "basic constraints",
        &contents.basic_constraints,
        expect.basic_constraints.as_ref(),
    )?;
    optional("publication", &publication, expect.publication.as_ref())
}

fn find(findings: &[Finding], expected: &ExpectedFinding) -> Result<(), String> {
    let outcome = |finding: &Finding| match finding.outcome {
        Outcome::Held => "held",
        Outcome::Applied => "applied",
        Outcome::Dropped => "dropped",
        Outcome::Referred => "referred",
        Outcome::Refused => "refused",
    };
    let found = findings.iter().any(|finding| {
        finding.rule == expected.rule
            && outcome(finding) == expected.outcome
            && finding.text.contains(&expected.text)
    });
    if found {
        return Ok(());
    }
    Err(format!(
        "no finding {} {} {:?} in {findings:#?}",
        expected.rule, expected.outcome, expected.text
    ))
}

fn optional<T: PartialEq + std::fmt::Debug>(
    what: &str,
    actual: &T,
    expected: Option<&T>,
) -> Result<(), String> {
    expected.map_or(Ok(()), |expected| same(what, actual, expected))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, actual: &T, expected: &T) -> Result<(), String> {
    if actual == expected {
        Ok(())
    } else {
        Err(format!("{what}: is {actual:?}, expected {expected:?}"))
    }
}

#[test]
fn every_case_comes_out_as_written() {
    let cases = all();
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            run(case, RULES)
                .err()
                .map(|error| format!("{}: {error}", case.name))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
}

#[test]
fn names_of_cases_are_unique() {
    let mut names: Vec<String> = all().into_iter().map(|case| case.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// A rule that could be deleted without a case failing would not be tested.
#[test]
fn every_rule_has_a_case_that_fails_without_it() {
    let cases = all();
    let untested: Vec<&str> = RULES
        .iter()
        .filter(|deleted| {
            let others = || RULES.iter().filter(|rule| rule.name != deleted.name);
            cases.iter().all(|case| run(case, others()).is_ok())
        })
        .map(|rule| rule.name)
        .collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[test]
fn rules_have_names_and_meanings() {
    let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    let meanings: Vec<(&str, &str)> = crate::rules::rules().collect();
    assert_eq!(names, meanings.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert!(
        meanings
            .iter()
            .all(|(_, meaning)| meaning.ends_with('.') && meaning.len() > 10)
    );
}

#[test]
fn the_readme_lists_every_rule() {
    let listed: Vec<&str> = include_str!("../README.md")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    for (name, meaning) in crate::rules::rules() {
        assert!(
            listed.contains(&format!("| `{name}` | {meaning} |").as_str()),
            "{name}"
        );
    }
}
