//! What a run used and came to.

use std::time::{Duration, Instant};

use crate::measure::Measurements;
use crate::proc::{Usage, usage};
use crate::report::{GatewayUse, Report};
use crate::verify::{Issued, Verification};

/// The state of the machine when the workers start.
pub(crate) struct Before {
    started: Instant,
    pid: Option<u32>,
    gateway: Option<Usage>,
    own: Usage,
}

/// What was used since.
pub(crate) struct Used {
    elapsed: Duration,
    gateway: Option<Usage>,
    own_cpu_seconds: f64,
}

impl Before {
    /// Now.
    pub(crate) fn take(pid: Option<u32>) -> Self {
        let own = usage(std::process::id()).unwrap_or_default();
        Self {
            gateway: pid.and_then(usage),
            own,
            pid,
            started: Instant::now(),
        }
    }

    /// What was used since.
    pub(crate) fn until_now(&self) -> Used {
        let elapsed = self.started.elapsed();
        let now = self.pid.and_then(usage);
        let gateway = self.gateway.zip(now).map(|(then, now)| Usage {
            cpu_seconds: now.cpu_seconds - then.cpu_seconds,
            ..now
        });
        let own = usage(std::process::id()).unwrap_or_default();
        Used {
            elapsed,
            gateway,
            own_cpu_seconds: own.cpu_seconds - self.own.cpu_seconds,
        }
    }
}

/// What a run came to.
#[allow(clippy::cast_precision_loss, reason = "counts of a run stay far below 2^52")]
pub(crate) fn report(
    clients: usize,
    (measured, issued): (Measurements, &[Issued]),
    used: Used,
    verification: Verification,
) -> Report {
    let count = issued.len() as f64;
    let seconds = used.elapsed.as_secs_f64();
    let mib = |kib: u64| kib as f64 / 1_024.0;
    let gateway = used.gateway.map(|gateway| GatewayUse {
        cpu_seconds: gateway.cpu_seconds,
        issuances_per_core_second: count / gateway.cpu_seconds.max(0.01),
        rss_mib: mib(gateway.rss_kib),
        rss_peak_mib: mib(gateway.rss_peak_kib),
    });
    Report {
        clients,
        issued: issued.len() as u64,
        failed: measured.errors.values().sum(),
        seconds,
        rate: count / seconds,
        requests_per_issuance: measured.requests as f64 / count.max(1.0),
        nonces_refused: measured.nonces_refused,
        steps: measured.rows(),
        errors: measured.errors,
        error_examples: measured.examples,
        verified: verification.verified,
        violations: verification.violations,
        gateway,
        client_cpu_seconds: used.own_cpu_seconds,
    }
}
