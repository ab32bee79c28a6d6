//! The closed loop: workers that each get one certificate after the other, as long as there is one to get.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::task::JoinSet;

use crate::error::LoadError;
use crate::measure::Measurements;
use crate::options::RunOptions;
use crate::outcome::{Before, report};
use crate::report::Report;
use crate::verify::{Issued, verify};

/// One client.
pub(crate) trait Worker: Send + 'static {
    /// Gets the certificate with this number.
    fn get(&mut self, number: u64) -> impl Future<Output = Result<Issued, LoadError>> + Send;

    /// What it has measured.
    fn measured(&mut self) -> &mut Measurements;
}

/// Lets them work until the count is reached or the time is over, and checks what came of it.
pub(crate) async fn run(workers: Vec<impl Worker>, options: &RunOptions) -> Result<Report, LoadError> {
    let tickets = Arc::new(Tickets::begin(options));
    let before = Before::take(options.pid);
    let mut running = JoinSet::new();
    for worker in workers {
        running.spawn(work(worker, Arc::clone(&tickets)));
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
    let after = before.until_now();
    let verification = verify(&issued, options.ca_root.as_deref())?;
    Ok(report(options.clients, (measured, &issued), after, verification))
}

async fn work(mut worker: impl Worker, tickets: Arc<Tickets>) -> (Measurements, Vec<Issued>) {
    let mut issued = Vec::new();
    while let Some(number) = tickets.next() {
        match worker.get(number).await {
            Ok(certificate) => issued.push(certificate),
            Err(error) => worker.measured().failed(&error),
        }
    }
    (std::mem::take(worker.measured()), issued)
}

/// The numbers of certificates.
struct Tickets {
    next: AtomicU64,
    count: u64,
    deadline: Option<Instant>,
}

impl Tickets {
    fn begin(options: &RunOptions) -> Self {
        Self {
            next: AtomicU64::new(0),
            count: options.count,
            deadline: options.seconds.map(|seconds| Instant::now() + seconds),
        }
    }

    /// The number of the next certificate, as long as there is one to get.
    fn next(&self) -> Option<u64> {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return None;
        }
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        (ticket < self.count).then_some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_were_asked_for_and_none_when_the_time_is_over() {
        let tickets = |count, deadline| Tickets {
            next: AtomicU64::new(0),
            count,
            deadline,
        };
        let two = tickets(2, None);
        assert_eq!([two.next(), two.next(), two.next()], [Some(0), Some(1), None]);
        assert_eq!(tickets(2, Some(Instant::now())).next(), None);
    }
}
