//! pkilint's `lint_pkix_cert`: what RFC 5280 and its updates ask of a certificate.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::tools;
use crate::error::HarnessError;
use crate::process::attempt;

const LIMIT: Duration = Duration::from_secs(60);

/// The findings at warning level or above, as `code: message`.
///
/// One finding is left out: pkilint has names with a wildcard or of a single label as syntax errors, which they are
/// not in a private PKI (RFC 6125 section 6.4.3 and RFC 1034 section 3.5).
///
/// # Errors
/// When pkilint cannot be run or prints no report.
pub fn lint(certificate: &Path) -> Result<Vec<String>, HarnessError> {
    let mut command = Command::new(tools().join("python/bin/lint_pkix_cert"));
    command
        .args(["lint", "-s", "WARNING", "-f", "JSON"])
        .arg(certificate);
    let finished = attempt(&mut command, LIMIT)?;
    let document = || format!("lint_pkix_cert: {}", finished.text());
    let report: Value = serde_json::from_str(&finished.stdout).map_err(|source| HarnessError::Json {
        document: document(),
        source,
    })?;
    let results = report.get("results").and_then(Value::as_array);
    let results = results.ok_or_else(|| HarnessError::Absent {
        document: document(),
        part: "results".into(),
    })?;
    let all = results
        .iter()
        .filter_map(|result| result.get("finding_descriptions")?.as_array())
        .flatten();
    Ok(all.map(finding).filter(|finding| !is_excepted(finding)).collect())
}

fn finding(description: &Value) -> String {
    let part = |name: &str| description.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}: {}", part("code"), part("message"))
}

fn is_excepted(finding: &str) -> bool {
    let name = finding.strip_prefix("pkix.invalid_domain_name_syntax: Invalid domain name syntax: \"");
    name.and_then(|rest| rest.strip_suffix('"'))
        .is_some_and(|name| name.starts_with("*.") || !name.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wildcards_and_single_labels_are_excepted() {
        let syntax = "pkix.invalid_domain_name_syntax: Invalid domain name syntax: ";
        let rows = [
            (format!("{syntax}\"*.w.test\""), true),
            (format!("{syntax}\"single\""), true),
            (format!("{syntax}\"a..test\""), false),
            ("pkix.ca_certificate_no_ku_extension: ".to_owned(), false),
        ];
        for (finding, expected) in rows {
            assert_eq!(is_excepted(&finding), expected, "{finding}");
        }
    }
}
