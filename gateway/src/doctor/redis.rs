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
        Some(all) => compared(&all),
        None => Finding::new("nodes", Severity::Warning, "cannot be seen without Redis"),
    }
}

fn compared(all: &[NodeReport]) -> Finding {
    let each = |of: fn(&NodeReport) -> &str| all.iter().map(of).collect::<BTreeSet<&str>>();
    let (keysets, versions) = (each(|node| &node.keyset), each(|node| &node.version));
    let configurations = each(|node| &node.configuration);
    let list = |words: &BTreeSet<&str>| words.iter().copied().collect::<Vec<_>>().join(", ");
    let (severity, detail) = if keysets.len() > 1 {
        let advice = "with different keysets: give all the same database and key encryption key";
        (Severity::Error, advice.to_owned())
    } else if versions.len() > 1 {
        (
            Severity::Warning,
            format!("with different versions: {}", list(&versions)),
        )
    } else if configurations.len() > 1 {
        let advice = "differ in server.external_url, server.status_url, acme, status or backend";
        (Severity::Warning, advice.to_owned())
    } else {
        (Severity::Ok, format!("of version {}", list(&versions)))
    };
    Finding::new("nodes", severity, format!("{} {detail}", all.len()))
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
    fn nodes_are_compared() {
        let node = |version: &str, configuration: &str, keyset: &str| NodeReport {
            node: NodeId::from_bytes([1; 16]),
            version: version.to_owned(),
            roles: Vec::new(),
            configuration: configuration.to_owned(),
            keyset: keyset.to_owned(),
            started_at: 0,
            at: 0,
        };
        let own = node("1", "c", "k");
        let rows = [
            ("equal", node("1", "c", "k"), Severity::Ok),
            ("another version", node("2", "c", "k"), Severity::Warning),
            ("another configuration", node("1", "d", "k"), Severity::Warning),
            ("another keyset", node("2", "d", "l"), Severity::Error),
        ];
        for (name, other, severity) in rows {
            assert_eq!(compared(&[own.clone(), other]).severity, severity, "{name}");
        }
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
