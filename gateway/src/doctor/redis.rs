//! Redis, and the nodes that can be seen through it. The worst that is found is a warning: nothing depends on it, but for
//! nodes with different keys.

use std::collections::BTreeSet;
use std::time::Duration;

use portreeve_queue::{
    NodeReport, Nodes, REDIS_VERSION_MIN, RedisDetails, RedisExamination, RedisServer, RedisTarget,
};
use portreeve_ra::ports::Clock;

use super::{Finding, Severity};
use crate::config::Config;

/// A clock that is further off than this is worth a warning.
const CLOCK_OFFSET_MAX: Duration = Duration::from_secs(2);

/// Characters of another node's version that are shown.
const VERSION_CHARS_MAX: usize = 40;

/// Nodes, or keys of one, that a finding names.
const NAMED_MAX: usize = 5;

/// A command that takes longer makes hints late.
const LATENCY_MAX: Duration = Duration::from_millis(10);

/// The server of a configuration, when no gateway runs that could be asked.
pub(super) async fn configured(config: &Config, clock: &dyn Clock) -> Vec<Finding> {
    match config.redis.server(config.data_dir()) {
        Ok(Some(server)) => examined(&server, clock).await,
        Ok(None) => Vec::new(),
        Err(error) => vec![Finding::new("redis", Severity::Error, error.to_string())],
    }
}

/// What a server says about itself.
pub(super) async fn examined(server: &RedisServer, clock: &dyn Clock) -> Vec<Finding> {
    let mut findings = match server.examine(clock).await {
        Ok(examination) => judged(&examination),
        Err(error) => vec![Finding::new("redis", Severity::Warning, error.to_string())],
    };
    findings.extend(exposed(server.target()));
    findings
}

fn judged(examination: &RedisExamination) -> Vec<Finding> {
    let (latency, offset) = (examination.latency, examination.clock_offset);
    let mut findings = vec![
        Finding::new(
            "redis",
            warning_if(latency > LATENCY_MAX),
            format!("answers in {} µs", latency.as_micros()),
        ),
        Finding::new(
            "redis clock",
            warning_if(offset > CLOCK_OFFSET_MAX),
            format!("{} ms from the clock of this machine", offset.as_millis()),
        ),
    ];
    match &examination.details {
        Some(details) => findings.extend(about(details)),
        None => findings.push(Finding::new(
            "redis version",
            Severity::Skipped,
            "the user may not INFO, so version, memory and eviction are not known",
        )),
    }
    findings
}

fn about(details: &RedisDetails) -> [Finding; 4] {
    let (major, minor) = REDIS_VERSION_MIN;
    let old = details
        .version_number
        .is_none_or(|number| number < REDIS_VERSION_MIN);
    let evicts = details.eviction_policy != "noeviction";
    let full = details
        .memory_max
        .is_some_and(|max| details.memory_used > max / 10 * 9);
    let mib = |octets: u64| octets / 1024 / 1024;
    let max = details
        .memory_max
        .map_or("no limit".to_owned(), |max| format!("{} MiB allowed", mib(max)));
    let advice = if evicts {
        ": hints and counters may vanish; set maxmemory-policy noeviction"
    } else {
        ""
    };
    let writes = match (details.appends, details.snapshot_ok) {
        (true, _) => "every change is written; nothing kept here needs it",
        (false, true) => "snapshots at most; nothing kept here needs more",
        (false, false) => "the last snapshot failed; nothing kept here needs it",
    };
    [
        Finding::new(
            "redis version",
            warning_if(old),
            format!("{} ({major}.{minor} or newer is needed)", details.version),
        ),
        Finding::new(
            "redis eviction",
            warning_if(evicts),
            format!("{}{advice}", details.eviction_policy),
        ),
        Finding::new(
            "redis memory",
            warning_if(full),
            format!("{} MiB used, {max}", mib(details.memory_used)),
        ),
        Finding::new("redis persistence", Severity::Ok, writes),
    ]
}

fn exposed(target: &RedisTarget) -> Option<Finding> {
    let open = !target.is_encrypted() && !target.is_local();
    let advice = format!("{target} is not encrypted: use rediss:// with redis.ca_file");
    open.then(|| Finding::new("redis encryption", Severity::Warning, advice))
}

/// Whether the nodes that can be seen fit together.
pub(super) async fn nodes(nodes: &dyn Nodes) -> Finding {
    match nodes.list().await {
        Some(all) => compared(&nodes.own(), &all),
        None => Finding::new("nodes", Severity::Warning, "cannot be seen without Redis"),
    }
}

fn compared(own: &NodeReport, all: &[NodeReport]) -> Finding {
    let others = all.iter().filter(|other| other.node != own.node);
    let strangers = others.clone().filter(|other| other.keyset != own.keyset);
    let strangers: Vec<String> = strangers.map(|other| other.node.to_string()).collect();
    if !strangers.is_empty() {
        let detail = format!(
            "{}; another keyset than this node has: {}. Give all the same database and key encryption key",
            all.len(),
            several(strangers)
        );
        return Finding::new("nodes", Severity::Error, detail);
    }
    let unlike: Vec<String> = others.filter_map(|other| differences(own, other)).collect();
    if unlike.is_empty() {
        let detail = format!("{} of version {}", all.len(), own.version);
        return Finding::new("nodes", Severity::Ok, detail);
    }
    let detail = format!(
        "{}; unlike this node ({}) are {}",
        all.len(),
        own.node,
        several(unlike)
    );
    Finding::new("nodes", Severity::Warning, detail)
}

/// In what another node differs, with its id.
fn differences(own: &NodeReport, other: &NodeReport) -> Option<String> {
    let (ours, theirs) = (&own.configuration, &other.configuration);
    let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differs = keys.into_iter().filter(|key| ours.get(*key) != theirs.get(*key));
    // What another program wrote may hold anything.
    let is_key = |key: &&String| ours.contains_key(*key) || key.bytes().all(is_of_key);
    let mut words: Vec<String> = differs.filter(is_key).cloned().collect();
    if other.version != own.version {
        let shown = other.version.chars().take(VERSION_CHARS_MAX);
        let shown: String = shown.flat_map(char::escape_debug).collect();
        words.insert(0, format!("version {shown}"));
    }
    (!words.is_empty()).then(|| format!("{} in {}", other.node, several(words)))
}

fn is_of_key(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'.' | b'-')
}

/// The first few of a list, and how many more there are.
fn several(mut words: Vec<String>) -> String {
    let more = words.len().saturating_sub(NAMED_MAX);
    words.truncate(NAMED_MAX);
    let named = words.join(", ");
    match more {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

const fn warning_if(bad: bool) -> Severity {
    if bad { Severity::Warning } else { Severity::Ok }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ra::NodeId;

    fn fine() -> RedisDetails {
        RedisDetails {
            version: "7.0.15".to_owned(),
            version_number: Some((7, 0)),
            eviction_policy: "noeviction".to_owned(),
            memory_used: 10,
            memory_max: None,
            appends: false,
            snapshot_ok: true,
        }
    }

    #[test]
    fn what_a_server_says_is_judged() {
        let rows = [
            ("fine", fine(), None),
            (
                "old",
                RedisDetails {
                    version_number: Some((6, 0)),
                    ..fine()
                },
                Some("redis version"),
            ),
            (
                "no Redis",
                RedisDetails {
                    version_number: None,
                    ..fine()
                },
                Some("redis version"),
            ),
            (
                "evicts",
                RedisDetails {
                    eviction_policy: "allkeys-lru".to_owned(),
                    ..fine()
                },
                Some("redis eviction"),
            ),
            (
                "full",
                RedisDetails {
                    memory_max: Some(11),
                    ..fine()
                },
                Some("redis memory"),
            ),
            (
                "keeps everything",
                RedisDetails {
                    appends: true,
                    ..fine()
                },
                None,
            ),
        ];
        for (name, details, warned) in rows {
            let findings = about(&details);
            let found: Vec<&str> = findings
                .iter()
                .filter(|finding| finding.severity != Severity::Ok)
                .map(|finding| finding.check.as_str())
                .collect();
            assert_eq!(found, warned.into_iter().collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn nodes_are_compared_and_what_differs_is_named() {
        let node = |number: u8, (version, lifetime, keyset): (&str, &str, &str)| NodeReport {
            node: NodeId::from_bytes([number; 16]),
            version: version.to_owned(),
            roles: Vec::new(),
            configuration: [
                ("acme.order_lifetime".to_owned(), lifetime.to_owned()),
                ("server.external_url".to_owned(), "u".to_owned()),
            ]
            .into(),
            keyset: keyset.to_owned(),
            started_at: 0,
            at: 0,
        };
        let own = node(1, ("1", "c", "k"));
        let other = NodeId::from_bytes([2; 16]).to_string();
        let rows: [(&str, _, Severity, &[&str]); 4] = [
            ("equal", ("1", "c", "k"), Severity::Ok, &["2 of version 1"]),
            (
                "another version",
                ("2", "c", "k"),
                Severity::Warning,
                &[&other, "version 2"],
            ),
            (
                "another key",
                ("1", "d", "k"),
                Severity::Warning,
                &[&other, "acme.order_lifetime"],
            ),
            (
                "another keyset",
                ("2", "d", "l"),
                Severity::Error,
                &[&other, "keyset"],
            ),
        ];
        for (name, differing, severity, words) in rows {
            let found = compared(&own, &[own.clone(), node(2, differing)]);
            assert_eq!(found.severity, severity, "{name}");
            for word in words {
                assert!(found.detail.contains(word), "{name}: {}", found.detail);
            }
            assert!(!found.detail.contains("external_url"), "{name}: {}", found.detail);
        }
        let many: Vec<NodeReport> = (1..=9).map(|number| node(number, ("1", "d", "k"))).collect();
        let found = compared(&own, &many);
        assert!(found.detail.contains("and 3 more"), "{}", found.detail);
        let mut strange = node(2, ("1\u{1b}[2J", "c", "k"));
        strange
            .configuration
            .insert("\u{1b}[2J".to_owned(), String::new());
        let found = compared(&own, &[own.clone(), strange]);
        assert!(!found.detail.contains('\u{1b}'), "{:?}", found.detail);
    }

    #[test]
    fn an_open_connection_to_another_machine_is_warned_of() {
        let rows = [
            ("redis://127.0.0.1", false),
            ("redis://redis.example.com", true),
            ("rediss://redis.example.com", false),
        ];
        for (url, warned) in rows {
            assert_eq!(
                exposed(&RedisTarget::parse(url).unwrap()).is_some(),
                warned,
                "{url}"
            );
        }
    }
}
