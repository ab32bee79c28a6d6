//! The ACME flow: a closed loop of workers, each with a connection and an account of its own.

mod flow;
pub(crate) mod options;
mod session;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use self::flow::Worker;
use self::options::AcmeOptions;
use crate::connection::Target;
use crate::error::LoadError;
use crate::measure::Measurements;
use crate::outcome::{Before, report};
use crate::prepare::Requests;
use crate::report::Report;
use crate::responder::Answers;
use crate::verify::{Issued, verify};
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
        requests: Requests::prepare(&options.name, options.prepared)?,
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
    let verification = verify(&issued, options.ca_root.as_deref())?;
    Ok(report(options.clients, (measured, &issued), after, verification))
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
