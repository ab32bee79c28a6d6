//! The ACME flow: a closed loop of workers, each with a connection and an account of its own.

mod connection;
mod flow;
pub(crate) mod options;
mod prepare;
mod session;
mod verify;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use self::connection::Target;
use self::flow::{Issued, Worker};
use self::options::AcmeOptions;
use self::prepare::Requests;
use self::verify::Verification;
use crate::error::LoadError;
use crate::measure::Measurements;
use crate::proc::{Usage, usage};
use crate::report::{GatewayUse, Report};
use crate::responder::Answers;
use crate::{dns, responder};

/// What the workers share.
pub(crate) struct Run {
    target: Target,
    answers: Answers,
    requests: Requests,
    next: AtomicU64,
    count: u64,
    seconds: Option<Duration>,
    poll_first: Duration,
}

/// Runs the whole load and checks what came of it.
pub(crate) async fn run(options: AcmeOptions) -> Result<Report, LoadError> {
    let answers = Answers::default();
    let http = responder::serve(options.http_port, answers.clone()).await?;
    let dns = dns::serve(options.dns_port).await?;
    say(&format!(
        "the gateway must have been started with:\n  \
         --set acme.validation.http_port={} --set 'acme.validation.dns_resolver=\"{dns}\"'",
        http.port()
    ));
    let run = Arc::new(Run {
        target: Target::new(&options.directory, &options.tls_root)?,
        answers,
        requests: Requests::prepare(&options)?,
        next: AtomicU64::new(0),
        count: options.count,
        seconds: options.seconds,
        poll_first: options.poll_first,
    });
    let mut workers = Vec::with_capacity(options.clients);
    for _ in 0..options.clients {
        workers.push(Worker::register(Arc::clone(&run)).await?);
    }
    let before = Before::take(options.pid);
    let (measured, issued) = work(workers).await;
    let after = before.until_now();
    let verification = verify::verify(&issued, options.ca_root.as_deref())?;
    Ok(report(&options, (measured, &issued), after, verification))
}

/// The state of the machine when the workers start.
struct Before {
    started: Instant,
    pid: Option<u32>,
    gateway: Option<Usage>,
    own: Usage,
}

/// What was used since.
struct Used {
    elapsed: Duration,
    gateway: Option<Usage>,
    own_cpu_seconds: f64,
}

impl Before {
    fn take(pid: Option<u32>) -> Self {
        let own = usage(std::process::id()).unwrap_or_default();
        Self {
            gateway: pid.and_then(usage),
            own,
            pid,
            started: Instant::now(),
        }
    }

    fn until_now(&self) -> Used {
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

async fn work(workers: Vec<Worker>) -> (Measurements, Vec<Issued>) {
    let deadline = workers
        .first()
        .and_then(|worker| worker.run().seconds)
        .map(|seconds| Instant::now() + seconds);
    let mut running = JoinSet::new();
    for worker in workers {
        running.spawn(worker.work(deadline));
    }
    let (mut measured, mut issued) = (Measurements::default(), Vec::new());
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok((measurements, certificates)) => {
                measured.add(measurements);
                issued.extend(certificates);
            }
            Err(error) => measured.failed(&LoadError::Key(format!("a worker ended: {error}"))),
        }
    }
    (measured, issued)
}

#[allow(clippy::cast_precision_loss, reason = "counts of a run stay far below 2^52")]
fn report(
    options: &AcmeOptions,
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
        clients: options.clients,
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

impl Run {
    /// The number of the next certificate, as long as there is one to get.
    fn ticket(&self, deadline: Option<Instant>) -> Option<u64> {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return None;
        }
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        (ticket < self.count).then_some(ticket)
    }
}

/// Says something to the person who watches, beside the report.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
