//! The database server, seen from this machine.

use portreeve_queue::SystemClock;
use portreeve_ra::ports::Clock;
use portreeve_store::{ServerFacts, StoreUrl, Verdict};

use super::{Finding, Severity};

/// Every check of the server; none when the store is a directory. A server that cannot be reached has been found so
/// already, with the schema.
pub(super) async fn checks(store: &StoreUrl) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(Ok(facts)) = store.server(|| SystemClock.now()).await {
        findings.extend(of(&facts));
        findings.push(identity(&store.unverified_hosts()));
    }
    findings
}

fn of(facts: &ServerFacts) -> [Finding; 4] {
    [
        ("database server", facts.answer()),
        ("database clock", facts.clock()),
        ("database durability", facts.durability()),
        ("database rights", facts.rights()),
    ]
    .map(|(check, (verdict, words))| Finding::new(check, severity(verdict), words))
}

const fn severity(verdict: Verdict) -> Severity {
    match verdict {
        Verdict::Fine => Severity::Ok,
        Verdict::Doubtful => Severity::Warning,
        Verdict::Wrong => Severity::Error,
    }
}

fn identity(unverified: &[String]) -> Finding {
    let check = "database identity";
    if unverified.is_empty() {
        return Finding::new(check, Severity::Ok, "verified, or on this machine");
    }
    let advice = format!(
        "{} may be anybody: use sslmode=verify-full",
        unverified.join(", ")
    );
    Finding::new(check, Severity::Warning, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_may_be_anybody_are_named() {
        assert_eq!(identity(&[]).severity, Severity::Ok);
        let found = identity(&["db:5432".to_owned()]);
        assert_eq!(found.severity, Severity::Warning);
        assert!(found.detail.contains("db:5432"), "{}", found.detail);
    }
}
