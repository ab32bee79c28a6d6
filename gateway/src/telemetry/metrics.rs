//! Metrics in the OpenMetrics text format. Labels are few and come from configuration, never from a client.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portreeve_queue::RedisStatistics;
use portreeve_ra::Refusal;
use portreeve_ra::ports::Metrics;
use portreeve_store::Statistics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::process::ProcessUsage;

/// Bounds of the histograms' buckets, in seconds.
const BUCKETS: [f64; 12] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    mount: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MountLabels {
    mount: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct IssuedLabels {
    endpoint: String,
    backend: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RefusedLabels {
    endpoint: String,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LimitLabels {
    endpoint: String,
    limit: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct WhatLabels {
    what: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// Nothing to tell apart; shown only once it was set.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct NoLabels {}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FateLabels {
    fate: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CountedLabels {
    counted: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CaLabels {
    ca: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ProcessLabels {
    process: &'static str,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything the gateway counts.
pub struct GatewayMetrics {
    scraping: Mutex<()>,
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Histograms<MountLabels>,
    issued: Family<IssuedLabels, Counter>,
    issue_seconds: Histograms<IssuedLabels>,
    refused: Family<RefusedLabels, Counter>,
    revoked: Counter,
    limited: Family<LimitLabels, Counter>,
    incidents: Family<WhatLabels, Counter>,
    commits: Family<OutcomeLabels, Counter>,
    store_groups: Counter,
    signer_restarts: Counter,
    redis_connected: Family<NoLabels, Gauge>,
    redis_hints: Family<FateLabels, Counter>,
    rate_limits: Family<CountedLabels, Counter>,
    task_delay: Gauge<f64, std::sync::atomic::AtomicU64>,
    crl_left: Family<CaLabels, Gauge<f64, std::sync::atomic::AtomicU64>>,
    audit_sealed: Family<NoLabels, Gauge>,
    audit_unsealed: Family<NoLabels, Gauge<f64, std::sync::atomic::AtomicU64>>,
    cpu_seconds: Family<ProcessLabels, Gauge<f64, std::sync::atomic::AtomicU64>>,
    resident_bytes: Family<ProcessLabels, Gauge>,
}

/// What is measured at the moment somebody asks.
#[derive(Copy, Clone, Debug, Default)]
pub struct Scrape {
    /// How late the oldest due task is.
    pub task_delay: Duration,
    /// The signer child's process id.
    pub signer: Option<u32>,
    /// How often the signer was restarted.
    pub signer_restarts: u64,
    /// What the store's writer has done.
    pub store: Statistics,
    /// What was done with Redis, where it is configured.
    pub redis: Option<RedisStatistics>,
}

impl Default for GatewayMetrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let mut made = Self {
            scraping: Mutex::default(),
            registry: Registry::with_prefix("portreeve"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram),
            issued: Family::default(),
            issue_seconds: Family::new_with_constructor(histogram),
            refused: Family::default(),
            revoked: Counter::default(),
            limited: Family::default(),
            incidents: Family::default(),
            commits: Family::default(),
            store_groups: Counter::default(),
            signer_restarts: Counter::default(),
            redis_connected: Family::default(),
            redis_hints: Family::default(),
            rate_limits: Family::default(),
            task_delay: Gauge::default(),
            crl_left: Family::default(),
            audit_sealed: Family::default(),
            audit_unsealed: Family::default(),
            cpu_seconds: Family::default(),
            resident_bytes: Family::default(),
        };
        made.register();
        made
    }
}

impl GatewayMetrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "http_requests",
            "Requests by mount and status",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "http_request",
            "Time to answer a request",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        registry.register("certificates_issued", "Certificates issued", self.issued.clone());
        registry.register_with_unit(
            "issue",
            "Time from the request to the certificate",
            Unit::Seconds,
            self.issue_seconds.clone(),
        );
        registry.register(
            "requests_refused",
            "Requests refused, by reason",
            self.refused.clone(),
        );
        registry.register(
            "certificates_revoked",
            "Certificates revoked",
            self.revoked.clone(),
        );
        registry.register(
            "rate_limited",
            "Requests turned away by a rate limit of an endpoint, by which one",
            self.limited.clone(),
        );
        registry.register("incidents", "Incidents raised", self.incidents.clone());
        registry.register(
            "store_commits",
            "Commits to the store, by outcome",
            self.commits.clone(),
        );
        registry.register(
            "store_transactions",
            "Transactions that carried commits, each made durable once",
            self.store_groups.clone(),
        );
        registry.register(
            "signer_restarts",
            "Restarts of the signer process",
            self.signer_restarts.clone(),
        );
        registry.register(
            "redis_connected",
            "Whether hints go to other nodes and come from them (1), or nodes look into the database instead (0)",
            self.redis_connected.clone(),
        );
        registry.register(
            "redis_hints",
            "Hints to and from other nodes, by what became of them",
            self.redis_hints.clone(),
        );
        registry.register(
            "rate_limits_counted",
            "Requests counted against a limit by all nodes together, or by this one alone because Redis was late",
            self.rate_limits.clone(),
        );
        registry.register_with_unit(
            "task_delay",
            "How late the oldest due background task is",
            Unit::Seconds,
            self.task_delay.clone(),
        );
        registry.register_with_unit(
            "crl_left",
            "Time until the CRL's nextUpdate: 0 when there is none, negative when it is overdue",
            Unit::Seconds,
            self.crl_left.clone(),
        );
        registry.register(
            "audit_sealed_records",
            "Records sealed in the audit log, by all nodes",
            self.audit_sealed.clone(),
        );
        registry.register_with_unit(
            "audit_unsealed",
            "For how long the oldest record that is not sealed has waited; more than 10 is an alarm",
            Unit::Seconds,
            self.audit_unsealed.clone(),
        );
        registry.register_with_unit(
            "process_cpu",
            "CPU time used, user and system",
            Unit::Seconds,
            self.cpu_seconds.clone(),
        );
        registry.register_with_unit(
            "process_resident",
            "Resident memory",
            Unit::Bytes,
            self.resident_bytes.clone(),
        );
    }

    /// A request was answered.
    pub fn request(&self, mount: &'static str, status: u16, took: Duration) {
        self.requests
            .get_or_create(&RequestLabels { mount, status })
            .inc();
        self.request_seconds
            .get_or_create(&MountLabels { mount })
            .observe(took.as_secs_f64());
    }

    /// How much of the life of a CA's CRL is left, in seconds: negative when it is overdue, 0 when there is none.
    pub fn crl_left(&self, ca: &str, seconds: f64) {
        let labels = CaLabels { ca: ca.to_owned() };
        self.crl_left.get_or_create(&labels).set(seconds);
    }

    /// How many records are sealed, and for how long the oldest other one has waited.
    pub fn sealing(&self, sealed: u64, lag: Duration) {
        let sealed = i64::try_from(sealed).unwrap_or(i64::MAX);
        self.audit_sealed.get_or_create(&NoLabels {}).set(sealed);
        let lag = lag.as_secs_f64();
        self.audit_unsealed.get_or_create(&NoLabels {}).set(lag);
    }

    /// Everything in the OpenMetrics text format.
    pub fn encode(&self, scrape: Scrape) -> Result<String, std::fmt::Error> {
        // One at a time, or a count that is brought up from elsewhere would be added twice.
        let _alone = self.scraping.lock().unwrap_or_else(PoisonError::into_inner);
        self.task_delay.set(scrape.task_delay.as_secs_f64());
        raise(&self.signer_restarts, scrape.signer_restarts);
        raise(&self.store_groups, scrape.store.groups);
        let commits = [
            ("ok", scrape.store.batches),
            ("conflict", scrape.store.conflicts),
            ("failed", scrape.store.failures),
            ("turned_away", scrape.store.turned_away),
            ("retried", scrape.store.retries),
        ];
        for (outcome, count) in commits {
            raise(&self.commits.get_or_create(&OutcomeLabels { outcome }), count);
        }
        if let Some(redis) = scrape.redis {
            self.redis(redis);
        }
        self.usage("gateway", ProcessUsage::own());
        self.usage("signer", scrape.signer.and_then(ProcessUsage::of));
        let mut text = String::with_capacity(4096);
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn redis(&self, redis: RedisStatistics) {
        self.redis_connected
            .get_or_create(&NoLabels {})
            .set(i64::from(redis.connected));
        let hints = [
            ("sent", redis.hints_sent),
            ("dropped", redis.hints_dropped),
            ("received", redis.hints_received),
            ("ignored", redis.hints_ignored),
        ];
        for (fate, count) in hints {
            raise(&self.redis_hints.get_or_create(&FateLabels { fate }), count);
        }
        for (counted, count) in [("together", redis.limits_shared), ("alone", redis.limits_alone)] {
            raise(&self.rate_limits.get_or_create(&CountedLabels { counted }), count);
        }
    }

    fn usage(&self, process: &'static str, usage: Option<ProcessUsage>) {
        let Some(usage) = usage else { return };
        let labels = ProcessLabels { process };
        self.cpu_seconds.get_or_create(&labels).set(usage.cpu_seconds);
        let resident = i64::try_from(usage.resident_bytes).unwrap_or(i64::MAX);
        self.resident_bytes.get_or_create(&labels).set(resident);
    }
}

/// Brings a counter to a count that was kept elsewhere.
fn raise(counter: &Counter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

impl Metrics for GatewayMetrics {
    fn issued(&self, endpoint: &str, backend: &str, took: Duration) {
        let labels = IssuedLabels {
            endpoint: endpoint.to_owned(),
            backend: backend.to_owned(),
        };
        self.issued.get_or_create(&labels).inc();
        self.issue_seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    fn refused(&self, endpoint: &str, refusal: &Refusal) {
        // A client chooses the name of an endpoint that does not exist; it must not choose a label.
        let endpoint = if *refusal == Refusal::UnknownEndpoint {
            ""
        } else {
            endpoint
        };
        let labels = RefusedLabels {
            endpoint: endpoint.to_owned(),
            code: refusal.code(),
        };
        self.refused.get_or_create(&labels).inc();
    }

    fn limited(&self, endpoint: &str, limit: &'static str) {
        let endpoint = endpoint.to_owned();
        self.limited.get_or_create(&LimitLabels { endpoint, limit }).inc();
    }

    fn revoked(&self) {
        self.revoked.inc();
    }

    fn incident(&self, what: &'static str) {
        self.incidents.get_or_create(&WhatLabels { what }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_counted_is_shown() {
        let metrics = GatewayMetrics::default();
        metrics.request("acme", 201, Duration::from_millis(3));
        metrics.issued("acme/default", "issuing", Duration::from_millis(7));
        metrics.refused("acme/default", &Refusal::NotAuthorized);
        metrics.refused("acme/made-up", &Refusal::UnknownEndpoint);
        metrics.revoked();
        metrics.limited("acme/default", "address");
        metrics.incident("tampered");
        metrics.crl_left("issuing", -3.0);
        metrics.sealing(12, Duration::from_secs(4));
        let store = Statistics {
            batches: 5,
            groups: 2,
            conflicts: 1,
            retries: 4,
            ..Statistics::default()
        };
        let scrape = Scrape {
            task_delay: Duration::from_secs(2),
            signer: None,
            signer_restarts: 3,
            store,
            redis: Some(RedisStatistics {
                connected: true,
                hints_sent: 4,
                limits_alone: 6,
                ..RedisStatistics::default()
            }),
        };
        metrics.encode(scrape).unwrap();
        let text = metrics.encode(scrape).unwrap();
        let lines = [
            "portreeve_http_requests_total{mount=\"acme\",status=\"201\"} 1",
            "portreeve_http_request_seconds_count{mount=\"acme\"} 1",
            "portreeve_certificates_issued_total{endpoint=\"acme/default\",backend=\"issuing\"} 1",
            "portreeve_requests_refused_total{endpoint=\"acme/default\",code=\"not_authorized\"} 1",
            "portreeve_requests_refused_total{endpoint=\"\",code=\"unknown_endpoint\"} 1",
            "portreeve_certificates_revoked_total 1",
            "portreeve_rate_limited_total{endpoint=\"acme/default\",limit=\"address\"} 1",
            "portreeve_incidents_total{what=\"tampered\"} 1",
            "portreeve_store_commits_total{outcome=\"ok\"} 5",
            "portreeve_store_commits_total{outcome=\"conflict\"} 1",
            "portreeve_store_commits_total{outcome=\"retried\"} 4",
            "portreeve_store_transactions_total 2",
            "portreeve_signer_restarts_total 3",
            "portreeve_redis_connected{} 1",
            "portreeve_redis_hints_total{fate=\"sent\"} 4",
            "portreeve_rate_limits_counted_total{counted=\"alone\"} 6",
            "portreeve_task_delay_seconds 2.0",
            "portreeve_crl_left_seconds{ca=\"issuing\"} -3.0",
            "portreeve_audit_sealed_records{} 12",
            "portreeve_audit_unsealed_seconds{} 4.0",
            "portreeve_process_resident_bytes{process=\"gateway\"}",
        ];
        for line in lines {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("made-up"));
    }
}
