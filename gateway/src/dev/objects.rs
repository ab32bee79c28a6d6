//! The profiles, endpoints, approval policies and roles that `dev` ships.

use std::collections::BTreeMap;

use portreeve_policies::{
    parse_approval_policy, parse_endpoint, shipped, shipped_approval_policies, shipped_roles,
};
use portreeve_ra::ObjectKind;

use super::ISSUING_CA;
use crate::config::Override;

/// An object to publish.
#[derive(Clone, PartialEq, Debug)]
pub struct DevObject {
    /// What kind.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
    /// Its text.
    pub body: String,
    /// What `--set` says of it, each from the key on; the text has these already.
    pub given: Vec<Override>,
}

impl DevObject {
    fn unfit(&self, error: &dyn std::fmt::Display) -> ObjectsError {
        ObjectsError::Laid {
            name: self.name.clone(),
            reason: error.to_string(),
        }
    }

    /// Refuses a text that is none of its kind.
    pub(super) fn readable(&self, text: &str) -> Result<(), ObjectsError> {
        let fail = |error: &dyn std::fmt::Display| self.unfit(error);
        match self.kind {
            ObjectKind::Endpoint => {
                let read = parse_endpoint(&self.name, 1, text);
                read.map(|_| ()).map_err(|error| fail(&error))
            }
            ObjectKind::ApprovalPolicy => {
                let read = parse_approval_policy(&self.name, 1, text);
                read.map(|_| ()).map_err(|error| fail(&error))
            }
            _ => Ok(()),
        }
    }

    /// What `--set` says, laid over another text of this object; `None` when that text says so already.
    pub(super) fn laid_over(&self, text: &str) -> Result<Option<String>, ObjectsError> {
        let fail = |error: &dyn std::fmt::Display| self.unfit(error);
        let before: toml::Table = toml::from_str(text).map_err(|error| fail(&error))?;
        let mut after = before.clone();
        for given in &self.given {
            given.place(&mut after).map_err(|error| fail(&error))?;
        }
        if after == before {
            return Ok(None);
        }
        toml::to_string(&after).map(Some).map_err(|error| fail(&error))
    }
}

/// Why there are no objects.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The key names no endpoint and no approval policy.
    #[error("{0} is neither endpoint.PROTOCOL.NAME.KEY nor approval-policy.NAME.KEY")]
    Key(String),
    /// The approval policy cannot be read.
    #[error("approval policy {name}: {reason}")]
    ApprovalPolicy {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// What `--set` says cannot be laid over the text in force.
    #[error("--set for {name}: {reason}")]
    Laid {
        /// Which object.
        name: String,
        /// Why.
        reason: String,
    },
    /// The endpoint cannot be read.
    #[error("endpoint {name}: {reason}")]
    Endpoint {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
}

/// The endpoints that `dev` ships for each protocol: name, profile, and who must agree.
const ENDPOINTS: [(&str, &str, Option<&str>); 4] = [
    ("default", "dev", None),
    ("approval", "dev", Some("one")),
    ("four-eyes", "dev", Some("four-eyes")),
    ("short", "dev-short", None),
];

/// What is offered to clients that are no accounts: everything, for any name, at any time.
const EST: &str = "names = \"profile\"
renew_window = \"any\"
renew_names = \"changed\"
generated_keys = true
lines = \"by_user_agent\"
";

/// The protocols, and what every endpoint of each says besides.
const PROTOCOLS: [(&str, &str); 2] = [("acme", ""), ("est", EST)];

/// The profiles, approval policies and endpoints of `dev`, with the values given by `--set endpoint.PROTOCOL.NAME.key` and
/// `--set approval-policy.NAME.key` laid over them.
pub fn dev_objects(overrides: &[Override]) -> Result<Vec<DevObject>, ObjectsError> {
    let mut objects: Vec<DevObject> = shipped()
        .iter()
        .map(|(name, body)| object(ObjectKind::Profile, (*name).to_owned(), (*body).to_owned()))
        .collect();
    let roles = shipped_roles().iter();
    objects
        .extend(roles.map(|(name, body)| object(ObjectKind::Role, (*name).to_owned(), (*body).to_owned())));
    let (of_policies, of_endpoints): (Vec<Override>, Vec<Override>) = overrides
        .iter()
        .cloned()
        .partition(|one| one.path().first().is_some_and(|part| part == APPROVAL_POLICY));
    objects.extend(approval_policies(&of_policies)?);
    for (name, table) in endpoints(&of_endpoints)? {
        let fail = |reason: String| ObjectsError::Endpoint {
            name: name.clone(),
            reason,
        };
        let body = toml::to_string(&table).map_err(|error| fail(error.to_string()))?;
        parse_endpoint(&name, 1, &body).map_err(|error| fail(error.to_string()))?;
        let given = given(
            &of_endpoints,
            3,
            |path| matches!(path, [_, a, b, ..] if *name == format!("{a}/{b}")),
        );
        objects.push(DevObject {
            given,
            ..object(ObjectKind::Endpoint, name, body)
        });
    }
    Ok(objects)
}

/// The overrides of one object, each from the key on.
fn given(overrides: &[Override], prefix: usize, is_of: impl Fn(&[String]) -> bool) -> Vec<Override> {
    let of_this = overrides.iter().filter(|given| is_of(given.path()));
    of_this.map(|given| given.without_prefix(prefix)).collect()
}

/// What begins an override of an approval policy.
pub(super) const APPROVAL_POLICY: &str = "approval-policy";

/// The shipped approval policies. For trying out, approvals need not be signed.
fn approval_policies(overrides: &[Override]) -> Result<Vec<DevObject>, ObjectsError> {
    let mut tables = BTreeMap::new();
    for (name, text) in shipped_approval_policies() {
        let mut table: toml::Table = toml::from_str(text).map_err(|error| unreadable(name, &error))?;
        table.insert("evidence".to_owned(), toml::Value::String("accepted".to_owned()));
        tables.insert((*name).to_owned(), table);
    }
    for given in overrides {
        let [_, name, _, ..] = given.path() else {
            return Err(ObjectsError::Key(given.path().join(".")));
        };
        let table = tables.entry(name.clone()).or_default();
        let placed = given.without_prefix(2).place(table);
        placed.map_err(|error| unreadable(name, &error))?;
    }
    let mut objects = Vec::with_capacity(tables.len());
    for (name, table) in tables {
        let body = toml::to_string(&table).map_err(|error| unreadable(&name, &error))?;
        parse_approval_policy(&name, 1, &body).map_err(|error| unreadable(&name, &error))?;
        let given = given(overrides, 2, |path| matches!(path, [_, one, ..] if *one == name));
        objects.push(DevObject {
            given,
            ..object(ObjectKind::ApprovalPolicy, name, body)
        });
    }
    Ok(objects)
}

fn unreadable(name: &str, error: &dyn std::fmt::Display) -> ObjectsError {
    ObjectsError::ApprovalPolicy {
        name: name.to_owned(),
        reason: error.to_string(),
    }
}

fn object(kind: ObjectKind, name: String, body: String) -> DevObject {
    DevObject {
        kind,
        name,
        body,
        given: Vec::new(),
    }
}

fn endpoints(overrides: &[Override]) -> Result<BTreeMap<String, toml::Table>, ObjectsError> {
    let mut tables = BTreeMap::new();
    for (protocol, text) in PROTOCOLS {
        for (name, profile, approval) in ENDPOINTS {
            let name = format!("{protocol}/{name}");
            let mut table: toml::Table = toml::from_str(text).map_err(|error| ObjectsError::Endpoint {
                name: name.clone(),
                reason: error.to_string(),
            })?;
            let profiles = vec![toml::Value::String(profile.to_owned())];
            table.insert("profiles".to_owned(), toml::Value::Array(profiles));
            let approval = approval.map(|policy| toml::Value::String(policy.to_owned()));
            table.extend(approval.map(|policy| ("approval".to_owned(), policy)));
            tables.insert(name, table);
        }
    }
    for given in overrides {
        let [_, protocol, name, _, ..] = given.path() else {
            return Err(ObjectsError::Key(given.path().join(".")));
        };
        let name = format!("{protocol}/{name}");
        let table = tables.entry(name.clone()).or_insert_with(|| {
            toml::Table::from_iter([(
                "profiles".to_owned(),
                toml::Value::Array(vec![toml::Value::String("dev".to_owned())]),
            )])
        });
        given
            .without_prefix(3)
            .place(table)
            .map_err(|error| ObjectsError::Endpoint {
                name,
                reason: error.to_string(),
            })?;
    }
    for table in tables.values_mut() {
        table
            .entry("backend")
            .or_insert_with(|| toml::Value::String(ISSUING_CA.to_owned()));
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_policies::{blocked, examine};
    use portreeve_ra::ObjectVersion;
    use std::time::Duration;

    fn endpoint(overrides: &[&str], name: &str) -> portreeve_ra::Endpoint {
        let overrides: Vec<Override> = overrides.iter().map(|text| text.parse().unwrap()).collect();
        let objects = dev_objects(&overrides).unwrap();
        let found = objects
            .iter()
            .find(|one| one.kind == ObjectKind::Endpoint && one.name == name)
            .unwrap();
        parse_endpoint(name, 1, &found.body).unwrap()
    }

    #[test]
    fn the_shipped_endpoints() {
        let rows = [
            ("acme/default", "dev", None),
            ("acme/approval", "dev", Some("one")),
            ("acme/four-eyes", "dev", Some("four-eyes")),
            ("acme/short", "dev-short", None),
            ("est/default", "dev", None),
            ("est/approval", "dev", Some("one")),
            ("est/four-eyes", "dev", Some("four-eyes")),
            ("est/short", "dev-short", None),
        ];
        for (name, profile, approval) in rows {
            let found = endpoint(&[], name);
            assert_eq!(found.profiles[0].as_str(), profile, "{name}");
            let policy = found.approval.as_ref().map(|name| name.as_str());
            assert_eq!(policy, approval, "{name}");
            assert_eq!(found.backend.as_str(), ISSUING_CA, "{name}");
        }
    }

    #[test]
    fn approvals_need_no_signature_unless_it_is_set() {
        let evidence = |set: &[&str]| {
            let overrides: Vec<Override> = set.iter().map(|text| text.parse().unwrap()).collect();
            let objects = dev_objects(&overrides).unwrap();
            let found = objects
                .iter()
                .find(|one| one.kind == ObjectKind::ApprovalPolicy && one.name == "four-eyes");
            let read = parse_approval_policy("four-eyes", 1, &found.unwrap().body).unwrap();
            read.policy.terms.evidence.as_str()
        };
        assert_eq!(evidence(&[]), "accepted");
        assert_eq!(
            evidence(&["approval-policy.four-eyes.evidence=required"]),
            "required"
        );
    }

    #[test]
    fn settings_change_and_add_endpoints() {
        let found = endpoint(&["endpoint.acme.default.inline_wait=5s"], "acme/default");
        assert_eq!(found.inline_wait, Duration::from_secs(5));
        let added = endpoint(&["endpoint.acme.mine.profiles=[\"tls-server\"]"], "acme/mine");
        assert_eq!(
            (added.profiles[0].as_str(), added.backend.as_str()),
            ("tls-server", ISSUING_CA)
        );
    }

    /// What `dev` publishes would also be published by the API, with names that need no proof as well.
    #[test]
    fn no_lint_blocks_what_dev_publishes() {
        let open = "endpoint.acme.open.names=profile".parse().unwrap();
        let objects = dev_objects(&[open]).unwrap();
        let versions: Vec<ObjectVersion> = objects
            .iter()
            .map(|object| ObjectVersion {
                kind: object.kind,
                name: object.name.clone(),
                version: 1,
                body: object.body.clone(),
            })
            .collect();
        for object in &objects {
            let lints = examine(object.kind, &object.name, &object.body, &versions).unwrap();
            assert_eq!(blocked(&lints), None, "{}", object.name);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in [
            "endpoint.acme=1",
            "endpoint.acme.default=1",
            "endpoint.acme.default.colour=red",
            "approval-policy.four-eyes=1",
            "approval-policy.four-eyes.colour=red",
        ] {
            assert!(dev_objects(&[text.parse().unwrap()]).is_err(), "{text}");
        }
    }
}
