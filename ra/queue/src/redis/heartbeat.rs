//! Heartbeats: each node says every 5 s that it lives, and what it runs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use portreeve_ra::NodeId;
use portreeve_ra::ports::Clock;
use redis::{Pipeline, Value};
use tokio_util::sync::CancellationToken;

use super::keys::Keys;
use super::link::{Link, Use};
use crate::nodes::{NodeReport, Nodes};

/// How often a node says that it lives.
const EVERY: Duration = Duration::from_secs(5);

/// How long it counts as living after that.
const LIVES: Duration = Duration::from_secs(20);

/// How long one command may take.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Nodes listed, at most.
const NODES_MAX: usize = 256;

/// Octets of what a node says, at most.
const REPORT_BYTES_MAX: usize = 8_192;

/// How long the set of nodes is kept after the last one has gone.
const SET_LIVES: Duration = Duration::from_secs(86_400);

/// The nodes of an installation, as they say in Redis.
#[derive(Clone)]
pub struct RedisNodes {
    pub(crate) link: Arc<Link>,
    pub(crate) keys: Keys,
    pub(crate) own: NodeReport,
    pub(crate) clock: Arc<dyn Clock>,
}

impl RedisNodes {
    /// Says every 5 s and after each reconnection that this node lives, until told to stop; then that it has gone.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut states = self.link.states();
        loop {
            if self.link.is_up() {
                self.say().await;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(EVERY) => {}
                _ = states.changed() => {}
            }
        }
    }

    async fn say(&self) {
        let own = self.own();
        let (id, Ok(text)) = (own.node.to_string(), serde_json::to_string(&own)) else {
            return;
        };
        let mut commands = Pipeline::new();
        commands
            .cmd("SET")
            .arg(self.keys.node(&id))
            .arg(text)
            .arg("PX")
            .arg(millis(LIVES));
        commands.cmd("SADD").arg(self.keys.nodes()).arg(&id);
        commands
            .cmd("PEXPIRE")
            .arg(self.keys.nodes())
            .arg(millis(SET_LIVES));
        let answers = self.link.ask_all(&commands, TIMEOUT).await.unwrap_or_default();
        self.link.used(
            Use::Heartbeats,
            answers.iter().filter_map(|answer| answer.as_ref().err()),
        );
        if answers.get(1).is_some_and(Result::is_err) {
            // Somebody else's value under the name of the set.
            let mut command = redis::cmd("UNLINK");
            command.arg(self.keys.nodes());
            let _: Result<Value, _> = self.link.ask(&command, TIMEOUT).await;
        }
    }

    /// Says that this node has gone.
    pub(crate) async fn leave(&self) {
        let id = self.own.node.to_string();
        let mut commands = Pipeline::new();
        commands.cmd("UNLINK").arg(self.keys.node(&id));
        commands.cmd("SREM").arg(self.keys.nodes()).arg(&id);
        let _ = self.link.ask_all(&commands, TIMEOUT).await;
    }

    async fn others(&self) -> Option<Vec<NodeReport>> {
        let mut command = redis::cmd("SRANDMEMBER");
        command.arg(self.keys.nodes()).arg(NODES_MAX);
        let members: Vec<Value> = self.link.ask(&command, TIMEOUT).await.ok()?;
        let own = self.own.node.to_string();
        let (ids, mut gone): (Vec<_>, Vec<_>) = members.into_iter().map(id).partition(Result::is_ok);
        let mut ids: Vec<String> = ids.into_iter().filter_map(Result::ok).collect();
        ids.retain(|id| *id != own);
        let mut reports = Vec::with_capacity(ids.len());
        if !ids.is_empty() {
            let mut command = redis::cmd("MGET");
            for id in &ids {
                command.arg(self.keys.node(id));
            }
            let found: Vec<Value> = self.link.ask(&command, TIMEOUT).await.ok()?;
            for (id, value) in ids.into_iter().zip(&found) {
                match report(&id, value) {
                    Some(report) => reports.push(report),
                    None => gone.push(Err(id.into_bytes())),
                }
            }
        }
        self.forget(gone.into_iter().filter_map(Result::err).collect())
            .await;
        Some(reports)
    }

    /// Takes members off the set that have gone, or never were nodes.
    async fn forget(&self, members: Vec<Vec<u8>>) {
        if !members.is_empty() {
            let mut command = redis::cmd("SREM");
            command.arg(self.keys.nodes()).arg(members);
            let _: Result<Value, _> = self.link.ask(&command, TIMEOUT).await;
        }
    }
}

#[async_trait]
impl Nodes for RedisNodes {
    fn own(&self) -> NodeReport {
        NodeReport {
            at: self.clock.now().unix_millis(),
            ..self.own.clone()
        }
    }

    async fn list(&self) -> Option<Vec<NodeReport>> {
        let mut all = self.others().await?;
        all.push(self.own());
        all.sort_by_key(|report| (report.started_at, report.node));
        Some(all)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A member of the set: the id of a node, or whatever else somebody put there.
fn id(member: Value) -> Result<String, Vec<u8>> {
    let Value::BulkString(octets) = member else {
        return Err(Vec::new());
    };
    let node = std::str::from_utf8(&octets)
        .ok()
        .and_then(|text| text.parse::<NodeId>().ok());
    node.map(|node| node.to_string()).ok_or(octets)
}

/// What the node with this id says, if it is a node that does.
fn report(id: &str, value: &Value) -> Option<NodeReport> {
    let Value::BulkString(octets) = value else {
        return None;
    };
    if octets.len() > REPORT_BYTES_MAX {
        return None;
    }
    let report: NodeReport = serde_json::from_slice(octets).ok()?;
    (report.node.to_string() == id).then_some(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_when_its_node_wrote_it() {
        let own = NodeReport {
            node: NodeId::from_bytes([1; 16]),
            version: "0.1.0".to_owned(),
            roles: vec!["edge".to_owned()],
            configuration: (0..100)
                .map(|key| (format!("section.key{key}"), "00".repeat(4)))
                .collect(),
            keyset: "11".repeat(32),
            started_at: 1,
            at: 2,
        };
        let text = serde_json::to_vec(&own).unwrap();
        assert!(text.len() < REPORT_BYTES_MAX / 2, "{}", text.len());
        let of = |id: [u8; 16]| NodeId::from_bytes(id).to_string();
        let long = [text.clone(), vec![b' '; REPORT_BYTES_MAX]].concat();
        let rows = [
            ("its own", of([1; 16]), text.clone(), true),
            ("another's", of([2; 16]), text, false),
            ("too long", of([1; 16]), long, false),
            ("garbage", of([1; 16]), b"\xff{}".to_vec(), false),
        ];
        for (name, id, octets, read) in rows {
            let found = report(&id, &Value::BulkString(octets));
            assert_eq!(found.is_some(), read, "{name}");
        }
        assert_eq!(report(&of([1; 16]), &Value::Nil), None);
    }
}
