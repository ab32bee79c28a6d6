//! Hints of other nodes: one task reads the streams over a connection of its own, since reading blocks it.

use std::sync::Arc;
use std::time::Duration;

use portreeve_ra::NodeId;
use portreeve_ra::ports::Wakeups;
use redis::{Cmd, Value};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::entry::Hint;
use super::error::RedisError;
use super::keys::{Keys, Stream};
use super::link::{Link, Use};
use super::sender::APART;
use super::server::Connection;
use super::statistics::Counters;
use crate::wakeups::LocalWakeups;

/// How long one read waits at the server.
const BLOCK: Duration = Duration::from_millis(500);

/// How much longer an answer may take than the server waits.
const GRACE: Duration = Duration::from_secs(1);

/// Entries of one stream in one read.
const ENTRIES_MAX: usize = 256;

/// Pause before the second attempt to connect, and the longest one.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The newest id of each stream, without touching its entries, which may be of any size. What is there under the name of
/// a stream and is none goes: with it no stream at all could be read.
const NEWEST: &str = include_str!("newest.lua");

/// The end of a stream that has no memory to say where it is; the server takes it for what comes after the question.
const UNKNOWN: &str = "$";

/// Reads what other nodes write.
pub(crate) struct Listener {
    pub(crate) link: Arc<Link>,
    pub(crate) keys: Keys,
    pub(crate) node: NodeId,
    pub(crate) local: LocalWakeups,
    pub(crate) counters: Arc<Counters>,
    /// Whether it hears.
    pub(crate) hears: watch::Sender<bool>,
}

/// How far each stream was read.
type Places = [String; Stream::ALL.len()];

impl Listener {
    /// Works until told to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.listen_forever() => {}
        }
        self.hears.send_replace(false);
    }

    async fn listen_forever(&self) {
        let mut pause = BACKOFF.0;
        loop {
            // Why it cannot listen is what the other connection reports.
            let error = match self.link.server().connect().await {
                Ok(connection) => {
                    let error = self.listen(connection).await;
                    if self.hears.send_replace(false) {
                        pause = BACKOFF.0;
                    }
                    error
                }
                Err(error) => error,
            };
            tracing::debug!(%error, "hints of other nodes are not heard");
            self.link.used(Use::Reading, [&error]);
            // Whoever waits for a hint looks now, and soon again.
            self.local.wake_all();
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF.1);
        }
    }

    /// Reads until that fails, and says why.
    async fn listen(&self, mut connection: Connection) -> RedisError {
        let mut places = match self.newest(&mut connection).await {
            Ok(places) => places,
            Err(error) => return error,
        };
        self.hears.send_replace(true);
        self.link.used(Use::Reading, []);
        // What was written before this was not heard.
        self.local.wake_all();
        loop {
            let begun = Instant::now();
            let heard = match self.read(&mut connection, &places).await {
                Ok(answer) => self.hear(&answer, &mut places),
                Err(RedisError::Refused(_)) => false,
                Err(error) => return error,
            };
            if heard {
                // What was written meanwhile comes with one answer.
                tokio::time::sleep(APART).await;
                continue;
            }
            if begun.elapsed() < BLOCK / 2 {
                tokio::time::sleep(BACKOFF.0).await;
            }
            // Nothing for a while: a stream that began anew has lower ids.
            match self.newest(&mut connection).await {
                Ok(newest) => step_back(&mut places, newest),
                Err(error) => return error,
            }
        }
    }

    async fn newest(&self, connection: &mut Connection) -> Result<Places, RedisError> {
        let mut command = redis::cmd("EVAL");
        command.arg(NEWEST).arg(Stream::ALL.len());
        for stream in Stream::ALL {
            command.arg(self.keys.stream(stream));
        }
        let ids: Vec<String> = within(GRACE, connection.ask(&command)).await?;
        ids.try_into().map_err(|_| RedisError::Answer)
    }

    async fn read(&self, connection: &mut Connection, places: &Places) -> Result<Value, RedisError> {
        let command = self.command(places);
        within(BLOCK + GRACE, connection.ask(&command)).await
    }

    fn command(&self, places: &Places) -> Cmd {
        let mut command = redis::cmd("XREAD");
        let block = u64::try_from(BLOCK.as_millis()).unwrap_or(500);
        command
            .arg("COUNT")
            .arg(ENTRIES_MAX)
            .arg("BLOCK")
            .arg(block)
            .arg("STREAMS");
        for stream in Stream::ALL {
            command.arg(self.keys.stream(stream));
        }
        for place in places {
            command.arg(place);
        }
        command
    }

    /// Passes on what was read; whether there was anything.
    fn hear(&self, answer: &Value, places: &mut Places) -> bool {
        let Value::Array(streams) = answer else {
            return false;
        };
        let mut heard = false;
        for one in streams {
            let Some((name, entries)) = pair(one) else {
                continue;
            };
            let (Some(name), Value::Array(entries)) = (octets(name), entries) else {
                continue;
            };
            let place = Stream::ALL.into_iter().zip(places.iter_mut());
            let found = place
                .into_iter()
                .find(|(stream, _)| self.keys.stream(*stream).as_bytes() == name);
            let Some((stream, place)) = found else { continue };
            for entry in entries {
                if let Some(id) = pair(entry).and_then(|(id, _)| octets(id)) {
                    *place = String::from_utf8_lossy(id).into_owned();
                    heard = true;
                }
                self.pass_on(stream, entry);
            }
        }
        heard
    }

    fn pass_on(&self, stream: Stream, entry: &Value) {
        match hint(stream, entry) {
            None => Counters::add(&self.counters.ignored, 1),
            // Its own waiters were woken when it was written.
            Some((node, _)) if node == self.node => {}
            Some((_, hint)) => {
                Counters::add(&self.counters.received, 1);
                match hint {
                    Hint::Wake(key) => self.local.wake(key),
                    Hint::News(hint) => self.local.announce(hint),
                }
            }
        }
    }
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, RedisError> {
    let answer = tokio::time::timeout(limit, answer).await;
    answer.unwrap_or(Err(RedisError::Late(limit)))
}

/// A stream that now ends before the place it was read to is read from its beginning; one whose end was not known is
/// read from there.
fn step_back(places: &mut Places, newest: Places) {
    for (place, newest) in places.iter_mut().zip(newest) {
        if newest == UNKNOWN {
            continue;
        }
        if place == UNKNOWN {
            *place = newest;
        } else if number(&newest) < number(place) {
            "0-0".clone_into(place);
        }
    }
}

fn hint(stream: Stream, entry: &Value) -> Option<(NodeId, Hint)> {
    let (_, fields) = pair(entry)?;
    let Value::Array(fields) = fields else { return None };
    let pairs = fields.chunks_exact(2).map(|pair| match pair {
        [name, value] => Some((octets(name)?, octets(value)?)),
        _ => None,
    });
    Hint::read(stream, &pairs.collect::<Option<Vec<_>>>()?)
}

fn pair(value: &Value) -> Option<(&Value, &Value)> {
    match value {
        Value::Array(both) => match both.as_slice() {
            [first, second] => Some((first, second)),
            _ => None,
        },
        _ => None,
    }
}

const fn octets(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(octets) => Some(octets.as_slice()),
        _ => None,
    }
}

/// An id of an entry as a number: milliseconds, then a count within them.
fn number(id: &str) -> (u64, u64) {
    let (millis, count) = id.split_once('-').unwrap_or((id, "0"));
    (millis.parse().unwrap_or(0), count.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_compared_as_numbers() {
        assert!(number("9-1") < number("10-0"));
        assert!(number("10-2") < number("10-10"));
        assert_eq!(number("garbage"), (0, 0));
    }

    #[test]
    fn a_stream_that_began_anew_is_read_from_its_beginning() {
        let places = |all: [&str; 3]| all.map(str::to_owned);
        let mut read = places(["10-0", "10-0", "0-0"]);
        step_back(&mut read, places(["9-5", "10-0", "0-0"]));
        assert_eq!(read, places(["0-0", "10-0", "0-0"]));
        step_back(&mut read, places(["$", "$", "$"]));
        assert_eq!(read, places(["0-0", "10-0", "0-0"]));
        let mut unknown = places(["$", "$", "$"]);
        step_back(&mut unknown, places(["7-0", "0-0", "$"]));
        assert_eq!(unknown, places(["7-0", "0-0", "$"]));
    }

    #[test]
    fn entries_of_another_form_are_no_hints() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let rows = [
            ("nothing", Value::Nil),
            ("no fields", Value::Array(vec![text("1-0")])),
            (
                "fields that are none",
                Value::Array(vec![text("1-0"), Value::Int(3)]),
            ),
            (
                "a number as a value",
                Value::Array(vec![text("1-0"), Value::Array(vec![text("node"), Value::Int(1)])]),
            ),
            (
                "half a field",
                Value::Array(vec![text("1-0"), Value::Array(vec![text("node")])]),
            ),
        ];
        for (name, entry) in rows {
            assert_eq!(hint(Stream::Tasks, &entry), None, "{name}");
        }
    }
}
