//! What is said about a text before it is in force: lints, and what its surroundings make of it.

use portreeve_pkix::{Certificate, Timestamp};
use portreeve_ra::{CredentialKind, Endpoint, ObjectKind, ObjectVersion, Remark, TrustAnchorSet};

use crate::anchors::{parse_trust_anchors, shown};
use crate::endpoint::parse_endpoint;
use crate::lints::Lint;
use crate::publication::examine;

/// Everything there is to say; an error, for the operator, when the text cannot be read or names what is not there. The
/// listeners are those of EST that ask for no client certificate.
pub(crate) fn remarks(
    proposed: &ObjectVersion,
    (beside, not_asking): (&[ObjectVersion], &[String]),
    now: Timestamp,
) -> Result<Vec<Remark>, String> {
    let ObjectVersion { kind, name, body, .. } = proposed;
    if *kind == ObjectKind::TrustAnchors {
        return of_anchors((name, body), beside, now);
    }
    let mut found: Vec<Remark> = examine(*kind, name, body, beside)?
        .into_iter()
        .map(remark)
        .collect();
    if *kind == ObjectKind::Endpoint {
        let endpoint = parse_endpoint(name, 1, body).map_err(|error| error.to_string())?;
        found.extend(profiles_absent(&endpoint, beside));
        found.extend(anchors_absent(&endpoint, beside));
        found.extend(certificates_not_asked(&endpoint, not_asking));
    }
    Ok(found)
}

fn remark(lint: Lint) -> Remark {
    Remark {
        blocks: lint.blocks(),
        code: lint.code,
        text: lint.text,
        remedy: lint.remedy,
        reason: lint.reason,
    }
}

fn of_anchors(
    (name, body): (&str, &str),
    beside: &[ObjectVersion],
    now: Timestamp,
) -> Result<Vec<Remark>, String> {
    let set = parse_trust_anchors(name, body).map_err(|error| error.to_string())?;
    let unusable = set.unusable_at(now).map(|certificate| Remark {
        code: "anchor_unusable",
        blocks: true,
        text: format!(
            "{} is valid from {} to {}",
            shown(certificate),
            certificate.not_before(),
            certificate.not_after()
        ),
        remedy: "Take it out",
        reason: None,
    });
    Ok(unusable.chain(anchors_removed(&set, beside)).collect())
}

/// Anchors that endpoints believe now, and will not by this text: their clients are refused from then on.
fn anchors_removed(set: &TrustAnchorSet, beside: &[ObjectVersion]) -> Option<Remark> {
    let of_kind = |kind| beside.iter().filter(move |object| object.kind == kind);
    let before = of_kind(ObjectKind::TrustAnchors)
        .find(|object| object.name == set.name.as_str())
        .and_then(|object| parse_trust_anchors(&object.name, &object.body).ok())?;
    let kept = |one: &Certificate| set.certificates.iter().any(|other| other.der() == one.der());
    let removed = before.certificates.iter().filter(|one| !kept(one));
    let removed: Vec<String> = removed.map(shown).collect();
    let endpoints = of_kind(ObjectKind::Endpoint)
        .filter_map(|object| parse_endpoint(&object.name, object.version, &object.body).ok())
        .filter(|endpoint| {
            let mut named = endpoint.clients.trust.iter().chain(&endpoint.clients.ra_trust);
            named.any(|name| *name == set.name)
        });
    let endpoints: Vec<String> = endpoints.map(|endpoint| endpoint.name.to_string()).collect();
    (!removed.is_empty() && !endpoints.is_empty()).then(|| Remark {
        code: "anchor_removed",
        blocks: false,
        text: format!(
            "{} no longer lets anybody in at {}",
            removed.join(", "),
            endpoints.join(", ")
        ),
        remedy: "Keep it until its last client has a certificate of ours, if it is to be replaced",
        reason: None,
    })
}

fn is_there(beside: &[ObjectVersion], kind: ObjectKind, name: &str) -> bool {
    beside
        .iter()
        .any(|object| object.kind == kind && object.name == name)
}

/// A set of anchors that is not there lets nobody in.
fn anchors_absent(endpoint: &Endpoint, beside: &[ObjectVersion]) -> Vec<Remark> {
    let named = endpoint.clients.trust.iter().chain(&endpoint.clients.ra_trust);
    named
        .filter(|name| !is_there(beside, ObjectKind::TrustAnchors, name.as_str()))
        .map(|name| Remark {
            code: "anchors_absent",
            blocks: false,
            text: format!("trust anchors {name} are not in force: their clients are refused"),
            remedy: "Publish the trust anchors, or take them out",
            reason: None,
        })
        .collect()
}

/// Who is known by a certificate is nobody where none is asked for.
fn certificates_not_asked(endpoint: &Endpoint, not_asking: &[String]) -> Option<Remark> {
    let clients = &endpoint.clients;
    let only_by_certificate = clients.authentication.iter().eq([&CredentialKind::Certificate]);
    let by_certificate = only_by_certificate || !clients.trust.is_empty() || !clients.ra_trust.is_empty();
    let concerned = endpoint.name.as_str().starts_with("est/") && by_certificate && !not_asking.is_empty();
    concerned.then(|| Remark {
        code: "certificates_not_asked",
        blocks: false,
        text: format!(
            "clients are known by certificates, and none is asked for at {}",
            not_asking.join(", ")
        ),
        remedy: "Set client_certs = true there, and start the gateway again",
        reason: None,
    })
}

fn profiles_absent(endpoint: &Endpoint, beside: &[ObjectVersion]) -> Vec<Remark> {
    let absent = endpoint
        .profiles
        .iter()
        .filter(|profile| !is_there(beside, ObjectKind::Profile, profile.as_str()))
        .map(|profile| Remark {
            code: "profile_absent",
            blocks: false,
            text: format!("profile {profile} is not in force: requests for it are refused"),
            remedy: "Publish the profile, or take it out of profiles",
            reason: None,
        });
    absent.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Policies;
    use crate::anchors::tests::{certificate, text};
    use portreeve_ra::ports::Policy;
    use std::time::Duration;

    fn object(kind: ObjectKind, name: &str, body: &str) -> ObjectVersion {
        ObjectVersion {
            kind,
            name: name.to_owned(),
            version: 1,
            body: body.to_owned(),
        }
    }

    #[test]
    fn anchors_are_in_force_only_while_they_are_valid() {
        let year = |year| rcgen::date_time_ymd(year, 1, 1);
        let old = certificate("old", |params| {
            (params.not_before, params.not_after) = (year(2001), year(2002));
        });
        let good = certificate("good", |params| {
            (params.not_before, params.not_after) = (year(2001), year(2090));
        });
        let set = object(ObjectKind::TrustAnchors, "devices", &text(&[&old, &good]));
        let said = |now: i64| {
            let now = Timestamp::from_unix_seconds(now);
            Policies::default().examine(&set, &[], now).unwrap()
        };
        let late = said(1_800_000_000);
        assert_eq!(late.len(), 1);
        assert!(late[0].blocks && late[0].text.contains("CN=old"), "{late:?}");
        let within = Timestamp::from_unix_seconds(978_307_200).saturating_add(Duration::from_secs(86_400));
        assert!(said(within.unix_seconds()).is_empty());
    }

    #[test]
    fn whoever_takes_an_anchor_away_is_told_where_it_is_used() {
        let (one, two) = (certificate("one", |_| {}), certificate("two", |_| {}));
        let set = |certificates: &[&str]| object(ObjectKind::TrustAnchors, "devices", &text(certificates));
        let at = |name: &str, key: &str| {
            let text = format!("profiles = [\"a\"]\nbackend = \"issuing\"\n{key} = [\"devices\"]\n");
            object(ObjectKind::Endpoint, name, &text)
        };
        let (both, alone) = (set(&[&one, &two]), set(&[&two]));
        let used = [
            at("est/a", "client_trust"),
            at("est/b", "ra_trust"),
            object(
                ObjectKind::Endpoint,
                "est/c",
                "profiles = [\"a\"]\nbackend = \"issuing\"\n",
            ),
            both.clone(),
        ];
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let said = remarks(&alone, (&used, &[]), now).unwrap();
        let codes: Vec<(&str, bool)> = said.iter().map(|one| (one.code, one.blocks)).collect();
        assert_eq!(codes, [("anchor_removed", false)]);
        assert!(said[0].text.contains("CN=one") && !said[0].text.contains("CN=two"));
        assert!(said[0].text.ends_with("at est/a, est/b"), "{}", said[0].text);
        assert_eq!(remarks(&both, (&used, &[]), now).unwrap(), [], "the same");
        assert_eq!(
            remarks(&alone, (&[both], &[]), now).unwrap(),
            [],
            "nobody uses it"
        );
    }

    #[test]
    fn an_endpoint_is_told_of_profiles_that_are_not_there() {
        let endpoint = object(
            ObjectKind::Endpoint,
            "acme/a",
            "profiles = [\"there\", \"gone\"]\nbackend = \"issuing\"\n",
        );
        let there = object(ObjectKind::Profile, "there", "unread");
        let said = remarks(&endpoint, (&[there], &[]), Timestamp::from_unix_seconds(0)).unwrap();
        let codes: Vec<(&str, bool)> = said.iter().map(|one| (one.code, one.blocks)).collect();
        assert_eq!(codes, [("profile_absent", false)]);
        assert!(said[0].text.contains("gone"));
    }

    #[test]
    fn an_endpoint_is_told_of_trust_anchors_that_are_not_there() {
        let endpoint = object(
            ObjectKind::Endpoint,
            "est/a",
            "profiles = [\"there\"]\nbackend = \"issuing\"\nclient_trust = [\"there\", \"gone\"]\n",
        );
        let beside = [
            object(ObjectKind::Profile, "there", "unread"),
            object(ObjectKind::TrustAnchors, "there", "unread"),
        ];
        let said = remarks(&endpoint, (&beside, &[]), Timestamp::from_unix_seconds(0)).unwrap();
        let codes: Vec<(&str, bool)> = said.iter().map(|one| (one.code, one.blocks)).collect();
        assert_eq!(codes, [("anchors_absent", false)]);
        assert!(said[0].text.contains("gone"));
    }

    #[test]
    fn an_endpoint_is_told_where_no_certificates_are_asked_for() {
        let policies = Policies::default().not_asking(vec!["server.listeners.public".to_owned()]);
        let rows = [
            ("est/a", "client_trust = [\"there\"]", true),
            ("est/a", "ra_trust = [\"there\"]", true),
            ("est/a", "authentication = [\"certificate\"]", true),
            ("est/a", "authentication = [\"certificate\", \"password\"]", false),
            ("est/a", "", false),
            ("acme/a", "", false),
        ];
        let beside = [
            object(ObjectKind::Profile, "there", "unread"),
            object(ObjectKind::TrustAnchors, "there", "unread"),
        ];
        for (name, text, expected) in rows {
            let text = format!("profiles = [\"there\"]\nbackend = \"issuing\"\n{text}\n");
            let endpoint = object(ObjectKind::Endpoint, name, &text);
            let said = |policies: &Policies| {
                let said = policies.examine(&endpoint, &beside, Timestamp::from_unix_seconds(0));
                said.unwrap()
            };
            let found = said(&policies);
            let told = found.iter().find(|one| one.code == "certificates_not_asked");
            assert_eq!(told.is_some(), expected, "{name} {text}");
            assert!(told.is_none_or(|one| !one.blocks && one.text.contains("public")));
            assert!(said(&Policies::default()).is_empty(), "{name} {text}");
        }
    }
}
