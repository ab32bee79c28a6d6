//! Redis and the nodes that can be seen through it. Neither is needed: without them the gateway is degraded, and ready.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use portreeve_queue::{LinkState, NodeReport, Nodes, RedisQueue};
use tracing::{info, warn};

use super::{Finding, Health};

/// How long a node that starts waits for Redis to answer or not, and how often it looks.
const ANSWERS_WITHIN: (Duration, Duration) = (Duration::from_secs(3), Duration::from_millis(20));

/// How often a node that could not compare itself with others at its start, or has other keys, tries again.
const TRY_EVERY: Duration = Duration::from_secs(2);

/// What a node knows of the others.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// Whether it has once found itself in agreement with all that came before it. From then on nobody who writes to
    /// Redis can make it unready.
    joined: AtomicBool,
}

/// Whether Redis answers.
pub(super) fn redis(redis: &RedisQueue) -> Finding {
    let detail = match (redis.state(), redis.refusal()) {
        (LinkState::Up, Some(refusal)) => refusal.to_string(),
        (LinkState::Up, None) if redis.is_connected() => {
            return found(
                "redis",
                Ok(format!("answers in {} µs", redis.ping_time().as_micros())),
            );
        }
        (LinkState::Up, None) => "answers, and hints of other nodes are not heard".to_owned(),
        (LinkState::Connecting, _) => "is being connected to".to_owned(),
        (LinkState::Down(error), _) => error.to_string(),
    };
    found(
        "redis",
        Err(format!(
            "{detail}; nodes look into the database more often instead"
        )),
    )
}

impl Health {
    /// Compares this node with the others at its start, before it says that it is ready; what is wrong, if it must not be.
    /// Waits for an answer of Redis, not for Redis.
    pub async fn join(&self) -> Result<(), String> {
        let Some(redis) = self.queue.redis() else {
            return Ok(());
        };
        let (at_most, pause) = ANSWERS_WITHIN;
        let begun = Instant::now();
        while redis.state() == LinkState::Connecting && begun.elapsed() < at_most {
            tokio::time::sleep(pause).await;
        }
        let found = self.neighbours.check(self.queue.nodes.as_ref()).await;
        if found.ok { Ok(()) } else { Err(found.detail) }
    }

    /// Goes on comparing until this node has once found itself in agreement with all that came before it. Never returns.
    pub async fn join_later(&self) {
        let mut is_refused = false;
        while !self.neighbours.has_joined() {
            let found = self.neighbours.check(self.queue.nodes.as_ref()).await;
            match (found.ok, is_refused) {
                (false, false) => warn!(reason = found.detail, "not ready"),
                (true, true) => info!("ready: no older node has other keys any more"),
                _ => {}
            }
            is_refused = !found.ok;
            tokio::time::sleep(TRY_EVERY).await;
        }
        std::future::pending().await
    }
}

impl Neighbours {
    fn has_joined(&self) -> bool {
        self.joined.load(Ordering::Relaxed)
    }

    /// Compares this node with the others. One that joins and has other keys than a node that was there before it is
    /// not ready: they could not read each other's secrets.
    pub(super) async fn check(&self, nodes: &dyn Nodes) -> Finding {
        let Some(all) = nodes.list().await else {
            return found("nodes", Err("cannot be seen without Redis".to_owned()));
        };
        let own = nodes.own();
        let strangers = || all.iter().filter(|other| other.keyset != own.keyset);
        let elder = strangers().find(|other| came_before(other, &own));
        match (elder, strangers().next()) {
            (Some(elder), _) if !self.has_joined() => Finding {
                ok: false,
                ..found("nodes", Err(mismatch(elder)))
            },
            (Some(stranger), _) | (None, Some(stranger)) => {
                self.joined.store(true, Ordering::Relaxed);
                found("nodes", Err(mismatch(stranger)))
            }
            (None, None) => {
                self.joined.store(true, Ordering::Relaxed);
                found("nodes", Ok(format!("{} with the same keyset", all.len())))
            }
        }
    }
}

fn came_before(other: &NodeReport, own: &NodeReport) -> bool {
    (other.started_at, other.node) < (own.started_at, own.node)
}

fn mismatch(other: &NodeReport) -> String {
    format!(
        "node {} of this installation has another keyset: give both the same database and key encryption key, \
         or a copy of an installation a Redis database of its own",
        other.node
    )
}

/// What works, or works less well than it should.
fn found(check: &str, state: Result<String, String>) -> Finding {
    Finding {
        check: check.to_owned(),
        ok: true,
        degraded: state.is_err(),
        detail: state.unwrap_or_else(|reason| reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use portreeve_ra::NodeId;
    use std::sync::Mutex;

    struct Seen(Mutex<Option<Vec<NodeReport>>>);

    #[async_trait]
    impl Nodes for Seen {
        fn own(&self) -> NodeReport {
            report(5, "own")
        }

        async fn list(&self) -> Option<Vec<NodeReport>> {
            self.0.lock().unwrap().clone()
        }
    }

    fn report(number: u8, keyset: &str) -> NodeReport {
        NodeReport {
            node: NodeId::from_bytes([number; 16]),
            version: String::new(),
            roles: Vec::new(),
            configuration: std::collections::BTreeMap::new(),
            keyset: keyset.to_owned(),
            started_at: i64::from(number),
            at: 0,
        }
    }

    /// Nodes by when they started and their keysets.
    type Others = Option<&'static [(u8, &'static str)]>;

    async fn judged(neighbours: &Neighbours, others: Others) -> (bool, bool) {
        let all = others.map(|others| {
            let others = others.iter().map(|(number, keyset)| report(*number, keyset));
            others.chain([report(5, "own")]).collect()
        });
        let finding = neighbours.check(&Seen(Mutex::new(all))).await;
        (finding.ok, finding.degraded)
    }

    #[tokio::test]
    async fn who_joins_with_other_keys_is_not_ready() {
        let (fine, degraded, unready) = ((true, false), (true, true), (false, true));
        let rows = [
            ("alone", Some(&[] as &[_]), fine),
            ("among equals", Some(&[(1, "own"), (9, "own")]), fine),
            ("nobody can be seen", None, degraded),
            (
                "other keys came before",
                Some(&[(1, "other"), (2, "own")]),
                unready,
            ),
            ("other keys came later", Some(&[(9, "other")]), degraded),
        ];
        for (name, others, expected) in rows {
            assert_eq!(judged(&Neighbours::default(), others).await, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn who_has_joined_stays_ready() {
        let neighbours = Neighbours::default();
        assert_eq!(judged(&neighbours, None).await, (true, true));
        assert_eq!(
            judged(&neighbours, Some(&[(1, "other")])).await,
            (false, true),
            "not joined yet"
        );
        assert_eq!(judged(&neighbours, Some(&[])).await, (true, false));
        assert_eq!(judged(&neighbours, Some(&[(1, "other")])).await, (true, true));
    }
}
