//! What the nodes of an installation must have in common, as fingerprints that other nodes can compare.

use std::collections::BTreeMap;

use portreeve_pkix::sha256;

use super::Config;

/// Keys with a fingerprint of their own, at most.
const KEYS_MAX: usize = 100;

/// Octets of a key that is compared by itself, at most; names of backends are part of keys.
const KEY_BYTES_MAX: usize = 48;

/// Octets of a fingerprint: enough to see that two values differ.
const OCTETS: usize = 4;

pub(super) fn of(config: &Config) -> BTreeMap<String, String> {
    let shared = shared(config);
    let mut found = BTreeMap::new();
    leaves(&shared, "", &mut found);
    let fits = found.len() <= KEYS_MAX && found.keys().all(|key| key.len() <= KEY_BYTES_MAX);
    if fits {
        return found;
    }
    let sections = shared
        .iter()
        .map(|(key, value)| (key.clone(), fingerprint(value)));
    sections.collect()
}

/// What is shared, as it would be written. Addresses, limits and secrets are each node's own.
fn shared(config: &Config) -> toml::Table {
    let mut whole = toml::Table::try_from(config).unwrap_or_default();
    let mut server = whole.remove("server").unwrap_or(toml::Value::Boolean(false));
    if let Some(server) = server.as_table_mut() {
        server.retain(|key, _| matches!(key, "external_url" | "status_url"));
    }
    whole.retain(|key, _| matches!(key, "backend" | "acme" | "est" | "status"));
    whole.insert("server".to_owned(), server);
    whole
}

fn leaves(table: &toml::Table, above: &str, found: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let path = match above {
            "" => key.clone(),
            above => format!("{above}.{key}"),
        };
        match value {
            toml::Value::Table(below) => leaves(below, &path, found),
            value => drop(found.insert(path, fingerprint(value))),
        }
    }
}

fn fingerprint(value: &toml::Value) -> String {
    let digest = sha256(value.to_string().as_bytes());
    hex::encode(digest.get(..OCTETS).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprints(text: &str) -> BTreeMap<String, String> {
        Config::from_toml(text, "test", &[]).unwrap().fingerprints()
    }

    /// The keys in which two configurations differ.
    fn differing(one: &str, other: &str) -> Vec<String> {
        let (one, other) = (fingerprints(one), fingerprints(other));
        let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        let differs = |key: &&String| one.get(*key) != other.get(*key);
        keys.into_iter().filter(differs).cloned().collect()
    }

    #[test]
    fn the_key_that_differs_is_found() {
        let rows = [
            ("nothing", "", vec![]),
            (
                "an address",
                "[server]\nexternal_url = \"https://a.test\"",
                vec!["server.external_url"],
            ),
            (
                "what is a node's own",
                "[server]\ndata_dir = \"/d\"\n[database]\nconnections_max = 3",
                vec![],
            ),
            (
                "a time",
                "[acme]\norder_lifetime = \"6d\"",
                vec!["acme.order_lifetime"],
            ),
            (
                "below",
                "[acme.validation]\nhttp_port = 81",
                vec!["acme.validation.http_port"],
            ),
            ("lists", "[status]\ngather = \"1s\"", vec!["status.gather"]),
        ];
        for (name, text, expected) in rows {
            assert_eq!(differing("", text), expected, "{name}");
        }
    }

    #[test]
    fn there_are_not_more_than_fit_into_a_heartbeat() {
        assert!(
            (20..=KEYS_MAX).contains(&fingerprints("").len()),
            "{:?}",
            fingerprints("")
        );
        let backends: String = (0..200).map(|number| format!("[backend.b{number}]\n")).collect();
        let text = format!("[signer.soft]\n{backends}");
        let many = fingerprints(&text);
        let sections: Vec<&str> = many.keys().map(String::as_str).collect();
        assert_eq!(sections, ["acme", "backend", "est", "server", "status"]);
        let fewer = text.replace("[backend.b7]\n", "");
        assert_eq!(differing(&text, &fewer), ["backend"]);
    }
}
