//! Asking the running gateway.

use portreeve_ra::Roles;

use super::{Finding, Severity};
use crate::control::ControlClient;
use crate::health::Report;

/// What the gateway does; `None` when it does not say.
pub(super) async fn roles(client: &ControlClient) -> Option<Roles> {
    let report = client.read::<Report>("/api/v1/health").await.ok()?;
    let roles: Roles = report.roles.iter().filter_map(|word| word.parse().ok()).collect();
    (roles != Roles::NONE).then_some(roles)
}

/// What the gateway says about itself.
pub(super) async fn checks(client: &ControlClient) -> Vec<Finding> {
    let mut findings = Vec::new();
    match client.read::<Report>("/api/v1/health").await {
        Ok(report) => findings.extend(report.checks.into_iter().map(|check| {
            let severity = match (check.ok, check.degraded) {
                (true, false) => Severity::Ok,
                (true, true) => Severity::Warning,
                (false, _) => Severity::Error,
            };
            Finding::new(format!("live: {}", check.check), severity, check.detail)
        })),
        Err(error) => findings.push(Finding::new("live", Severity::Error, error.to_string())),
    }
    match client.read::<Vec<Finding>>("/api/v1/doctor").await {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(Finding::new("inside", Severity::Error, error.to_string())),
    }
    findings
}
