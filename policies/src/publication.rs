//! What is checked before a profile or an endpoint is published.

use portreeve_ra::{Endpoint, ObjectKind, ObjectVersion, ProfileName};

use crate::approval::parse_approval_policy;
use crate::endpoint::parse_endpoint_with_overrides;
use crate::lints::{Lint, Overrides, lint};
use crate::operators::{parse_operator, parse_role, parse_team};
use crate::profile::Profile;

/// Reads a text and lints it, together with the objects of the other kind that are in force: the endpoints that offer
/// this profile, or the profiles that this endpoint offers and the approval policy it names, which must be there. Errors are texts for the operator.
///
/// A text with a lint that [blocks](Lint::blocks) must not be published; see [`blocked`]. Objects in force that cannot
/// be read are left out of account: they give nobody anything.
pub fn examine(
    kind: ObjectKind,
    name: &str,
    body: &str,
    others: &[ObjectVersion],
) -> Result<Vec<Lint>, String> {
    match kind {
        ObjectKind::Profile => profile(name, body, others),
        ObjectKind::Endpoint => endpoint(name, body, others),
        ObjectKind::Role => read(parse_role(name, body)),
        ObjectKind::Team => read(parse_team(name, body)),
        ObjectKind::Operator => read(parse_operator(name, body)),
        ObjectKind::ApprovalPolicy => read(parse_approval_policy(name, 1, body)),
        ObjectKind::Ca | ObjectKind::TrustAnchors => Err(format!(
            "a {} is not published as a text of policy",
            kind.as_str()
        )),
    }
}

/// A text that has no lints.
fn read<T, E: std::fmt::Display>(parsed: Result<T, E>) -> Result<Vec<Lint>, String> {
    parsed.map(|_| Vec::new()).map_err(|error| error.to_string())
}

/// Why these lints block, for the operator; `None` when they do not.
pub fn blocked(lints: &[Lint]) -> Option<String> {
    let blocking: Vec<String> = lints
        .iter()
        .filter(|lint| lint.blocks())
        .map(ToString::to_string)
        .collect();
    if blocking.is_empty() {
        return None;
    }
    Some(format!(
        "{}. Or write the reason why it is right here into the text: [lint.override]",
        blocking.join("; ")
    ))
}

fn profile(name: &str, body: &str, others: &[ObjectVersion]) -> Result<Vec<Lint>, String> {
    let name = ProfileName::new(name).map_err(|error| error.to_string())?;
    let profile = Profile::parse(body).map_err(|error| error.to_string())?;
    let mut found = lint(&profile, None);
    for (endpoint, overrides) in endpoints(others) {
        if endpoint.profiles.contains(&name) {
            found.extend(lint(&profile, Some((&endpoint, &overrides))));
        }
    }
    Ok(found)
}

fn endpoint(name: &str, body: &str, others: &[ObjectVersion]) -> Result<Vec<Lint>, String> {
    let (endpoint, overrides) =
        parse_endpoint_with_overrides(name, 1, body).map_err(|error| error.to_string())?;
    if let Some(policy) = &endpoint.approval
        && !others
            .iter()
            .any(|one| one.kind == ObjectKind::ApprovalPolicy && one.name == policy.as_str())
    {
        return Err(format!("approval: there is no approval policy {policy} in force"));
    }
    let mut found = Vec::new();
    for (name, profile) in profiles(others) {
        if endpoint.profiles.iter().any(|offered| offered.as_str() == name) {
            let of_profile = lint(&profile, Some((&endpoint, &overrides)));
            found.extend(of_profile.into_iter().map(|lint| Lint {
                text: format!("profile {name}: {}", lint.text),
                ..lint
            }));
        }
    }
    Ok(found)
}

fn endpoints(objects: &[ObjectVersion]) -> impl Iterator<Item = (Endpoint, Overrides)> {
    objects
        .iter()
        .filter(|object| object.kind == ObjectKind::Endpoint)
        .filter_map(|object| parse_endpoint_with_overrides(&object.name, object.version, &object.body).ok())
}

fn profiles(objects: &[ObjectVersion]) -> impl Iterator<Item = (&str, Profile)> {
    objects
        .iter()
        .filter(|object| object.kind == ObjectKind::Profile)
        .filter_map(|object| Some((object.name.as_str(), Profile::parse(&object.body).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shipped::shipped;

    fn object(kind: ObjectKind, name: &str, body: &str) -> ObjectVersion {
        ObjectVersion {
            kind,
            name: name.to_owned(),
            version: 1,
            body: body.to_owned(),
        }
    }

    fn tls_client() -> &'static str {
        shipped()
            .iter()
            .find(|(name, _)| *name == "tls-client")
            .map(|(_, body)| *body)
            .expect("shipped")
    }

    #[test]
    fn an_endpoint_names_an_approval_policy_that_is_there() {
        let text = "profiles = [\"tls-client\"]\nbackend = \"issuing\"\napproval = \"one\"\n";
        let client = object(ObjectKind::Profile, "tls-client", tls_client());
        let missing = examine(
            ObjectKind::Endpoint,
            "est/asked",
            text,
            std::slice::from_ref(&client),
        );
        assert!(missing.unwrap_err().contains("no approval policy one"));
        let policy = object(ObjectKind::ApprovalPolicy, "one", "");
        examine(ObjectKind::Endpoint, "est/asked", text, &[client, policy]).unwrap();
        let steps = "age_max = \"1d\"\n[[step]]\nanyone = true\n";
        examine(ObjectKind::ApprovalPolicy, "one", steps, &[]).unwrap();
        examine(ObjectKind::ApprovalPolicy, "one", "age_max = \"1d\"", &[]).unwrap_err();
    }

    const OPEN: &str = "profiles = [\"tls-client\"]\nbackend = \"issuing\"\nnames = \"profile\"\n";
    const REASONS: &str = "[lint.override]\nclient_names = \"an address filter lets only the RA through\"\nnames_unproven = \"an address filter lets only the RA through\"\n";

    /// The same offer is examined whichever of its two halves comes last.
    #[test]
    fn profiles_and_endpoints_are_examined_together() {
        let open = object(ObjectKind::Endpoint, "est/open", OPEN);
        let answered = object(ObjectKind::Endpoint, "est/open", &format!("{OPEN}{REASONS}"));
        let other = object(
            ObjectKind::Endpoint,
            "est/open",
            &OPEN.replace("tls-client", "device"),
        );
        let unreadable = object(ObjectKind::Endpoint, "est/open", "nonsense");
        let client = object(ObjectKind::Profile, "tls-client", tls_client());
        let server = object(ObjectKind::Profile, "tls-server", tls_client());
        let rows = [
            ("profile alone", &client, vec![], false),
            ("profile at an open endpoint", &client, vec![open.clone()], true),
            (
                "profile at an endpoint with reasons",
                &client,
                vec![answered.clone()],
                false,
            ),
            ("profile that is not offered", &client, vec![other], false),
            ("endpoint that cannot be read", &client, vec![unreadable], false),
            ("endpoint alone", &open, vec![], false),
            ("endpoint with an open profile", &open, vec![client.clone()], true),
            ("endpoint with reasons", &answered, vec![client.clone()], false),
            ("endpoint that does not offer it", &open, vec![server], false),
        ];
        for (name, published, others, expected) in rows {
            let found = examine(published.kind, &published.name, &published.body, &others).expect(name);
            let text = blocked(&found);
            assert_eq!(text.is_some(), expected, "{name}: {text:?}");
            assert!(
                text.is_none_or(
                    |text| text.contains("client_names (error)") && text.contains("lint.override")
                )
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_published() {
        let rows = [
            ("profile", ObjectKind::Profile, "a", "nonsense"),
            ("name of a profile", ObjectKind::Profile, "a/b", tls_client()),
            ("endpoint", ObjectKind::Endpoint, "acme/a", "nonsense"),
            ("name of an endpoint", ObjectKind::Endpoint, "a", OPEN),
            ("CA", ObjectKind::Ca, "a", ""),
        ];
        for (name, kind, object, body) in rows {
            assert!(examine(kind, object, body, &[]).is_err(), "{name}");
        }
    }
}
