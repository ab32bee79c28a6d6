//! Hints on their way to Redis: a bounded queue, emptied in pipelines by one task.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use portreeve_ra::NodeId;
use redis::Pipeline;
use tokio::sync::mpsc;

use super::entry::Hint;
use super::error::RedisError;
use super::keys::{Keys, Stream};
use super::link::{Link, Use};
use super::statistics::Counters;

/// Hints that wait to be written; further ones are dropped.
const QUEUE_MAX: usize = 4_096;

/// Hints of one pipeline.
const PIPELINE_MAX: usize = 512;

/// From the end of one pipeline to the next, at least: the first hint goes at once, and those that follow it closely
/// go together.
pub(crate) const APART: Duration = Duration::from_millis(6);

/// How long a pipeline may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where hints are left; never blocks.
#[derive(Clone)]
pub(crate) struct Outbox {
    queue: mpsc::Sender<Hint>,
    counters: Arc<Counters>,
}

/// Writes what is left in the outbox.
pub(crate) struct Sender {
    pub(crate) link: Arc<Link>,
    pub(crate) keys: Keys,
    pub(crate) node: NodeId,
    pub(crate) counters: Arc<Counters>,
}

impl Outbox {
    pub(crate) fn new(counters: Arc<Counters>) -> (Self, mpsc::Receiver<Hint>) {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        (Self { queue, counters }, waiting)
    }

    pub(crate) fn leave(&self, hint: Hint) {
        if hint.stream().is_some() && self.queue.try_send(hint).is_err() {
            Counters::add(&self.counters.dropped, 1);
        }
    }
}

impl Sender {
    /// Works until nobody can leave anything any more.
    pub(crate) async fn run(self, mut waiting: mpsc::Receiver<Hint>) {
        let mut hints = Vec::with_capacity(PIPELINE_MAX);
        while waiting.recv_many(&mut hints, PIPELINE_MAX).await > 0 {
            let once = coalesced(&hints);
            let written = self.write(&once).await;
            Counters::add(&self.counters.sent, written);
            Counters::add(&self.counters.dropped, once.len().saturating_sub(written));
            hints.clear();
            tokio::time::sleep(APART).await;
        }
    }

    /// Writes these; how many arrived.
    async fn write(&self, hints: &[Hint]) -> usize {
        if !self.link.is_up() {
            return 0;
        }
        let Ok(answers) = self.link.ask_all(&self.entries(hints), WRITE_TIMEOUT).await else {
            return 0;
        };
        // A damaged stream is mended below.
        let lasting = |error: &&RedisError| !is_damage(error);
        self.link.used(
            Use::Writing,
            answers
                .iter()
                .filter_map(|answer| answer.as_ref().err())
                .filter(lasting),
        );
        let mut written = 0;
        let mut refused = Vec::new();
        for (hint, answer) in hints.iter().zip(answers) {
            match answer {
                Ok(_) => written += 1,
                Err(error) if is_damage(&error) => refused.push(*hint),
                Err(_) => {}
            }
        }
        written + self.write_anew(&refused).await
    }

    /// A stream that takes no entry any more was made by somebody else: another type, or the last of all ids. It holds
    /// nothing that may not be lost.
    async fn write_anew(&self, hints: &[Hint]) -> usize {
        if hints.is_empty() {
            return 0;
        }
        let damaged: HashSet<Stream> = hints.iter().filter_map(|hint| hint.stream()).collect();
        let mut commands = Pipeline::new();
        for stream in &damaged {
            commands.cmd("UNLINK").arg(self.keys.stream(*stream));
        }
        let entries = self.entries(hints);
        for entry in entries.cmd_iter() {
            commands.add_command(entry.clone());
        }
        tracing::warn!(streams = ?damaged, "streams in Redis were damaged by somebody else and are begun anew");
        let answers = self
            .link
            .ask_all(&commands, WRITE_TIMEOUT)
            .await
            .unwrap_or_default();
        answers
            .iter()
            .skip(damaged.len())
            .filter(|answer| answer.is_ok())
            .count()
    }

    fn entries(&self, hints: &[Hint]) -> Pipeline {
        let mut commands = Pipeline::with_capacity(hints.len());
        for hint in hints {
            let Some(stream) = hint.stream() else { continue };
            let command = commands
                .cmd("XADD")
                .arg(self.keys.stream(stream))
                .arg("MAXLEN")
                .arg("~")
                .arg(stream.entries_max())
                .arg("*");
            for (name, value) in hint.fields(self.node) {
                command.arg(name).arg(value);
            }
        }
        commands
    }
}

/// Each hint once: the second says no more than the first.
fn coalesced(hints: &[Hint]) -> Vec<Hint> {
    let mut seen = HashSet::with_capacity(hints.len());
    hints.iter().copied().filter(|hint| seen.insert(*hint)).collect()
}

/// Whether the stream itself is at fault.
fn is_damage(error: &RedisError) -> bool {
    let damage = ["WRONGTYPE ", "ERR "];
    matches!(error, RedisError::Refused(reason) if damage.iter().any(|code| reason.starts_with(code)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ra::EnrollmentId;
    use portreeve_ra::ports::WakeKey;

    #[test]
    fn a_hint_is_written_once_and_order_is_kept() {
        let enrollment = |number| Hint::Wake(WakeKey::Enrollment(EnrollmentId::from_bytes([number; 16])));
        let tasks = Hint::Wake(WakeKey::Tasks);
        let hints = [enrollment(2), tasks, enrollment(1), tasks, enrollment(2)];
        assert_eq!(coalesced(&hints), [enrollment(2), tasks, enrollment(1)]);
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_counts() {
        let counters = Arc::new(Counters::default());
        let (outbox, mut waiting) = Outbox::new(Arc::clone(&counters));
        for _ in 0..QUEUE_MAX + 3 {
            outbox.leave(Hint::Wake(WakeKey::Tasks));
        }
        outbox.leave(Hint::Wake(WakeKey::Approvals));
        assert_eq!(counters.read(false).hints_dropped, 3);
        let mut hints = Vec::new();
        assert_eq!(waiting.recv_many(&mut hints, 10_000).await, QUEUE_MAX);
    }

    #[test]
    fn only_a_damaged_stream_is_begun_anew() {
        let rows = [
            ("ERR The stream has exhausted the last possible ID", true),
            ("WRONGTYPE Operation against a key", true),
            ("OOM command not allowed", false),
            ("READONLY You can't write", false),
            ("LOADING Redis is loading", false),
        ];
        for (reason, damage) in rows {
            assert_eq!(
                is_damage(&RedisError::Refused(reason.to_owned())),
                damage,
                "{reason}"
            );
        }
        assert!(!is_damage(&RedisError::Denied("x".to_owned())));
    }
}
