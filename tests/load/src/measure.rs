//! Times per step and errors per class; every worker has its own and they are added up at the end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::error::LoadError;

const MICROSECONDS_MAX: u64 = 60_000_000;
const DIGITS: u8 = 3;

/// What is timed: one request each, and the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// From before newOrder to the last byte of the certificate.
    Issuance,
    /// Opening a connection, with a client certificate.
    Connect,
    /// Asking for a certificate and getting it.
    Enroll,
    /// newOrder.
    NewOrder,
    /// Reading the authorization.
    Authorization,
    /// Asking for the validation.
    Challenge,
    /// From the challenge's answer until the authorization is valid, all polls together.
    Validation,
    /// finalize.
    Finalize,
    /// From finalize's answer until the order is valid, all polls together.
    Issue,
    /// Downloading the chain.
    Certificate,
}

impl Step {
    /// The name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Issuance => "issuance",
            Self::Connect => "connect",
            Self::Enroll => "simpleenroll",
            Self::NewOrder => "new-order",
            Self::Authorization => "authorization",
            Self::Challenge => "challenge",
            Self::Validation => "validation",
            Self::Finalize => "finalize",
            Self::Issue => "issue",
            Self::Certificate => "certificate",
        }
    }
}

/// The measurements of one worker, or of all.
#[derive(Debug, Default)]
pub(crate) struct Measurements {
    steps: BTreeMap<Step, Histogram<u64>>,
    /// Issuances that failed, by class.
    pub(crate) errors: BTreeMap<String, u64>,
    /// The first error of each class in full.
    pub(crate) examples: BTreeMap<String, String>,
    /// Requests sent again because the nonce was refused.
    pub(crate) nonces_refused: u64,
    /// Requests sent.
    pub(crate) requests: u64,
}

/// One row of the table, in milliseconds.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Row {
    /// The step.
    pub(crate) step: &'static str,
    /// How often.
    pub(crate) count: u64,
    /// The median.
    pub(crate) p50: f64,
    /// Nine of ten are at most this.
    pub(crate) p90: f64,
    /// 99 of 100 are at most this.
    pub(crate) p99: f64,
    /// The slowest.
    pub(crate) max: f64,
}

impl Measurements {
    /// Notes how long a step took.
    pub(crate) fn took(&mut self, step: Step, elapsed: Duration) {
        let microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
        if let Some(histogram) = self.histogram(step) {
            histogram.saturating_record(microseconds);
        }
    }

    /// Notes a failed issuance.
    pub(crate) fn failed(&mut self, error: &LoadError) {
        let class = error.class();
        self.examples
            .entry(class.clone())
            .or_insert_with(|| error.to_string());
        *self.errors.entry(class).or_default() += 1;
    }

    /// Adds what another worker measured.
    pub(crate) fn add(&mut self, other: Self) {
        for (step, histogram) in other.steps {
            if let Some(own) = self.histogram(step) {
                // Both have the same bounds, so nothing can fall outside.
                let _ = own.add(histogram);
            }
        }
        for (class, count) in other.errors {
            *self.errors.entry(class).or_default() += count;
        }
        for (class, example) in other.examples {
            self.examples.entry(class).or_insert(example);
        }
        self.nonces_refused += other.nonces_refused;
        self.requests += other.requests;
    }

    /// The table.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.steps
            .iter()
            .map(|(step, histogram)| row(*step, histogram))
            .collect()
    }

    fn histogram(&mut self, step: Step) -> Option<&mut Histogram<u64>> {
        if let Entry::Vacant(vacant) = self.steps.entry(step) {
            vacant.insert(Histogram::new_with_bounds(1, MICROSECONDS_MAX, DIGITS).ok()?);
        }
        self.steps.get_mut(&step)
    }
}

fn row(step: Step, histogram: &Histogram<u64>) -> Row {
    #[allow(clippy::cast_precision_loss, reason = "at most 60,000,000")]
    let milliseconds = |microseconds: u64| microseconds as f64 / 1_000.0;
    Row {
        step: step.name(),
        count: histogram.len(),
        p50: milliseconds(histogram.value_at_quantile(0.5)),
        p90: milliseconds(histogram.value_at_quantile(0.9)),
        p99: milliseconds(histogram.value_at_quantile(0.99)),
        max: milliseconds(histogram.max()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_added_up() {
        let mut all = Measurements::default();
        for worker in 0..2 {
            let mut one = Measurements::default();
            for milliseconds in 1..=50 {
                one.took(Step::Issuance, Duration::from_millis(milliseconds + worker * 50));
            }
            one.failed(&LoadError::Timeout);
            all.add(one);
        }
        let rows = all.rows();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].count, 100);
        assert!((rows[0].p50 - 50.0).abs() < 0.1, "{rows:?}");
        assert!((rows[0].max - 100.0).abs() < 0.2, "{rows:?}");
        assert_eq!(all.errors.get("timeout"), Some(&2));
    }

    #[test]
    fn what_takes_longer_than_the_scale_counts_as_its_end() {
        let mut all = Measurements::default();
        all.took(Step::Finalize, Duration::from_secs(600));
        assert!(all.rows()[0].max >= 59_000.0);
    }
}
