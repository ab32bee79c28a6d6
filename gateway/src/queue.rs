//! What carries hints, counts limits and knows the other nodes: Redis where it is configured, else this process.

use std::sync::Arc;

use portreeve_queue::{
    LocalRateLimiter, LocalWakeups, NodeReport, Nodes, OnlyNode, RedisQueue, RedisServer, RedisStatistics,
};
use portreeve_ra::ports::{RateLimiter, Wakeups};

use crate::config::{Config, ConfigError};
use crate::installation::Installation;

/// What carries hints, counts limits and knows the other nodes.
#[derive(Clone)]
pub struct Queue {
    /// Hints.
    pub wakeups: Arc<dyn Wakeups>,
    /// Limits.
    pub limiter: Arc<dyn RateLimiter>,
    /// The nodes of the installation.
    pub nodes: Arc<dyn Nodes>,
    redis: Option<Arc<RedisQueue>>,
}

impl Queue {
    /// For a command that ends soon, beside or without a gateway.
    pub fn alone(installation: &Installation) -> Self {
        let own = report(installation, &Config::default());
        Self::local(installation, LocalWakeups::new(), own)
    }

    /// For a node of an installation with this configuration. Begins to use Redis, whether or not it can be reached.
    ///
    /// # Errors
    /// When the section `redis` does not describe a server, or a file of it cannot be read.
    pub fn of(installation: &Installation, config: &Config) -> Result<Self, ConfigError> {
        let own = report(installation, config);
        if let Some(server) = config.redis.server(config.data_dir())? {
            return Ok(Self::by_redis(installation, server, own));
        }
        // An embedded database has one node; with any other there may be nodes that cannot be heard.
        let wakeups = if config.database.store(config.data_dir())?.directory().is_some() {
            LocalWakeups::new()
        } else {
            LocalWakeups::among_nodes()
        };
        Ok(Self::local(installation, wakeups, own))
    }

    fn local(installation: &Installation, wakeups: LocalWakeups, own: NodeReport) -> Self {
        Self {
            wakeups: Arc::new(wakeups),
            limiter: Arc::new(LocalRateLimiter::new(Arc::clone(&installation.clock))),
            nodes: Arc::new(OnlyNode::new(own)),
            redis: None,
        }
    }

    fn by_redis(installation: &Installation, server: RedisServer, own: NodeReport) -> Self {
        let clock = Arc::clone(&installation.clock);
        let redis = RedisQueue::start(server, &installation.id, own, clock);
        Self {
            wakeups: Arc::new(redis.wakeups()),
            limiter: Arc::new(redis.limiter()),
            nodes: Arc::new(redis.nodes()),
            redis: Some(Arc::new(redis)),
        }
    }

    /// Redis, where it is configured.
    pub fn redis(&self) -> Option<&RedisQueue> {
        self.redis.as_deref()
    }

    /// What was done with Redis, where it is configured.
    pub fn statistics(&self) -> Option<RedisStatistics> {
        self.redis().map(RedisQueue::statistics)
    }

    /// Says that this node has gone, and ends what runs in the background.
    pub async fn stop(&self) {
        if let Some(redis) = self.redis() {
            redis.stop().await;
        }
    }
}

fn report(installation: &Installation, config: &Config) -> NodeReport {
    let now = installation.clock.now().unix_millis();
    NodeReport {
        node: installation.node,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        roles: installation.roles.iter().map(|role| role.to_string()).collect(),
        configuration: config.fingerprints(),
        keyset: hex::encode(installation.keyset.fingerprint()),
        started_at: now,
        at: now,
    }
}
