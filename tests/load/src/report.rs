//! The result of a run, as a page of text or as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::measure::Row;

/// A finished run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Workers, each with a connection and an account of its own.
    pub(crate) clients: usize,
    /// Certificates received.
    pub(crate) issued: u64,
    /// Issuances that failed.
    pub(crate) failed: u64,
    /// From the first newOrder to the last certificate.
    pub(crate) seconds: f64,
    /// Certificates per second.
    pub(crate) rate: f64,
    /// Requests per certificate.
    pub(crate) requests_per_issuance: f64,
    /// Requests sent again because the nonce was refused.
    pub(crate) nonces_refused: u64,
    /// Times per step in milliseconds.
    pub(crate) steps: Vec<Row>,
    /// Failed issuances by class.
    pub(crate) errors: BTreeMap<String, u64>,
    /// The first error of each class.
    pub(crate) error_examples: BTreeMap<String, String>,
    /// Certificates that were checked after the run.
    pub(crate) verified: u64,
    /// What must never happen and did.
    pub(crate) violations: Vec<String>,
    /// The gateway's use of the machine, when its process id was given.
    pub(crate) gateway: Option<GatewayUse>,
    /// Processor seconds of this tool.
    pub(crate) client_cpu_seconds: f64,
}

/// What the gateway used for the run.
#[derive(Debug, Serialize)]
pub(crate) struct GatewayUse {
    /// Processor seconds, children included.
    pub(crate) cpu_seconds: f64,
    /// Certificates per second of one core.
    pub(crate) issuances_per_core_second: f64,
    /// Resident memory at the end, in MiB, children included.
    pub(crate) rss_mib: f64,
    /// The most resident memory so far, in MiB, children included.
    pub(crate) rss_peak_mib: f64,
}

impl Report {
    /// Whether nothing happened that must never happen.
    pub(crate) fn is_safe(&self) -> bool {
        self.violations.is_empty() && self.verified == self.issued
    }

    /// As JSON.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// As text.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{} certificates in {:.2} s: {:.1}/s with {} clients; {} failed, {} verified, {} safety violations\n",
            self.issued,
            self.seconds,
            self.rate,
            self.clients,
            self.failed,
            self.verified,
            self.violations.len()
        );
        let _ = writeln!(
            text,
            "{:<15}{:>9}{:>10}{:>10}{:>10}{:>10}   ms",
            "step", "count", "p50", "p90", "p99", "max"
        );
        for row in &self.steps {
            let _ = writeln!(
                text,
                "{:<15}{:>9}{:>10.2}{:>10.2}{:>10.2}{:>10.2}",
                row.step, row.count, row.p50, row.p90, row.p99, row.max
            );
        }
        let _ = writeln!(
            text,
            "\n{:.2} requests per certificate, {} sent again after badNonce; this tool used {:.2} CPU seconds",
            self.requests_per_issuance, self.nonces_refused, self.client_cpu_seconds
        );
        if let Some(gateway) = &self.gateway {
            let _ = writeln!(
                text,
                "gateway: {:.2} CPU seconds, {:.1} issuances per core-second, RSS {:.1} MiB (peak {:.1} MiB)",
                gateway.cpu_seconds, gateway.issuances_per_core_second, gateway.rss_mib, gateway.rss_peak_mib
            );
        }
        for (class, count) in &self.errors {
            let example = self
                .error_examples
                .get(class)
                .map(String::as_str)
                .unwrap_or_default();
            let _ = writeln!(text, "error: {count} x {class} ({example})");
        }
        for violation in &self.violations {
            let _ = writeln!(text, "VIOLATION: {violation}");
        }
        text.truncate(text.trim_end().len());
        text
    }
}
