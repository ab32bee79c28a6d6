//! The profiles and endpoints that `dev` publishes at every start.

use std::collections::BTreeMap;

use portreeve_policies::{parse_endpoint, shipped, shipped_roles};
use portreeve_ra::ObjectKind;

use super::ISSUING_CA;
use crate::config::Override;

/// An object to publish.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DevObject {
    /// What kind.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
    /// Its text.
    pub body: String,
}

/// Why there are no objects.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The key names no endpoint.
    #[error("{0} is not endpoint.PROTOCOL.NAME.KEY")]
    Key(String),
    /// The endpoint cannot be read.
    #[error("endpoint {name}: {reason}")]
    Endpoint {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
}

/// The text of each endpoint that `dev` ships, by name.
const ENDPOINTS: [(&str, &str); 4] = [
    ("acme/default", "profiles = [\"dev\"]\n"),
    (
        "acme/approval",
        "profiles = [\"dev\"]\napproval = { approvals = 1, age_max = \"7d\" }\n",
    ),
    (
        "acme/four-eyes",
        "profiles = [\"dev\"]\napproval = { approvals = 2, age_max = \"7d\" }\n",
    ),
    ("acme/short", "profiles = [\"dev-short\"]\n"),
];

/// The profiles and endpoints of `dev`, with the values given by `--set endpoint.PROTOCOL.NAME.key` laid over them.
pub fn dev_objects(overrides: &[Override]) -> Result<Vec<DevObject>, ObjectsError> {
    let mut objects: Vec<DevObject> = shipped()
        .iter()
        .map(|(name, body)| object(ObjectKind::Profile, (*name).to_owned(), (*body).to_owned()))
        .collect();
    let roles = shipped_roles().iter();
    objects
        .extend(roles.map(|(name, body)| object(ObjectKind::Role, (*name).to_owned(), (*body).to_owned())));
    for (name, table) in endpoints(overrides)? {
        let fail = |reason: String| ObjectsError::Endpoint {
            name: name.clone(),
            reason,
        };
        let body = toml::to_string(&table).map_err(|error| fail(error.to_string()))?;
        parse_endpoint(&name, 1, &body).map_err(|error| fail(error.to_string()))?;
        objects.push(object(ObjectKind::Endpoint, name, body));
    }
    Ok(objects)
}

fn object(kind: ObjectKind, name: String, body: String) -> DevObject {
    DevObject { kind, name, body }
}

fn endpoints(overrides: &[Override]) -> Result<BTreeMap<String, toml::Table>, ObjectsError> {
    let mut tables = BTreeMap::new();
    for (name, text) in ENDPOINTS {
        let table = toml::from_str(text).map_err(|error| ObjectsError::Endpoint {
            name: name.to_owned(),
            reason: error.to_string(),
        })?;
        tables.insert(name.to_owned(), table);
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
            ("acme/approval", "dev", Some(1)),
            ("acme/four-eyes", "dev", Some(2)),
            ("acme/short", "dev-short", None),
        ];
        for (name, profile, approvals) in rows {
            let found = endpoint(&[], name);
            assert_eq!(found.profiles[0].as_str(), profile, "{name}");
            assert_eq!(found.approval.map(|policy| policy.approvals), approvals, "{name}");
            assert_eq!(found.backend.as_str(), ISSUING_CA, "{name}");
        }
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
        ] {
            assert!(dev_objects(&[text.parse().unwrap()]).is_err(), "{text}");
        }
    }
}
