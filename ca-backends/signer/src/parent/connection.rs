//! One connection to one child: requests out, replies back, many at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::frame::{self, Assembler, LARGE_MESSAGES_MAX, PART_LENGTH_MAX};
use crate::wire::{Reply, Request};

/// Requests waiting to be written.
const OUTGOING_MAX: usize = 1024;

/// A request in its encoded form; it can be sent again.
#[derive(Clone)]
pub(super) struct Message(Arc<Vec<u8>>);

impl Message {
    pub(super) fn of(request: &Request) -> std::io::Result<Self> {
        borsh::to_vec(request).map(|octets| Self(Arc::new(octets)))
    }
}

/// Why there is no reply.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum NoReply {
    /// The child is gone.
    Lost,
    /// The child did not answer in time.
    TimedOut,
}

pub(super) struct Connection {
    outgoing: mpsc::Sender<(u64, Message)>,
    pending: Arc<Pending>,
    next_id: AtomicU64,
    large: Semaphore,
    broken: watch::Sender<bool>,
}

impl Connection {
    /// Starts to talk over the socket.
    pub(super) fn over(stream: UnixStream) -> Arc<Self> {
        let (read, write) = stream.into_split();
        let (outgoing, messages) = mpsc::channel(OUTGOING_MAX);
        let pending = Arc::new(Pending(Mutex::new(Some(HashMap::new()))));
        let broken = watch::Sender::new(false);
        tokio::spawn(read_replies(read, Arc::clone(&pending), broken.clone()));
        tokio::spawn(write_requests(write, messages, broken.clone()));
        let large = Semaphore::new(LARGE_MESSAGES_MAX);
        Arc::new(Self {
            outgoing,
            pending,
            next_id: AtomicU64::new(1),
            large,
            broken,
        })
    }

    /// Sends a request and waits for its reply, at most this long.
    pub(super) async fn call(&self, message: Message, at_most: Duration) -> Result<Reply, NoReply> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let exchange = async {
            let _turn = if message.0.len() > PART_LENGTH_MAX {
                Some(self.large.acquire().await.map_err(|_| NoReply::Lost)?)
            } else {
                None
            };
            let reply = self.pending.expect(id).ok_or(NoReply::Lost)?;
            self.outgoing
                .send((id, message))
                .await
                .map_err(|_| NoReply::Lost)?;
            reply.await.map_err(|_| NoReply::Lost)
        };
        let forget = Forget {
            pending: &self.pending,
            id,
        };
        let answered = tokio::time::timeout(at_most, exchange)
            .await
            .unwrap_or(Err(NoReply::TimedOut));
        drop(forget);
        answered
    }

    /// Declares the child useless.
    pub(super) fn break_off(&self) {
        self.broken.send_replace(true);
        self.pending.close();
    }

    /// Whether the child is gone or was declared useless.
    pub(super) fn is_broken(&self) -> bool {
        *self.broken.borrow()
    }

    /// Returns when the child is gone or was declared useless.
    pub(super) async fn ended(&self) {
        let _ = self.broken.subscribe().wait_for(|broken| *broken).await;
    }
}

/// Who waits for which reply; nothing when no reply will come any more.
struct Pending(Mutex<Option<HashMap<u64, oneshot::Sender<Reply>>>>);

impl Pending {
    fn expect(&self, id: u64) -> Option<oneshot::Receiver<Reply>> {
        let (sender, receiver) = oneshot::channel();
        self.lock().as_mut()?.insert(id, sender);
        Some(receiver)
    }

    fn deliver(&self, id: u64, reply: Reply) {
        let waiting = self.lock().as_mut().and_then(|pending| pending.remove(&id));
        if let Some(waiting) = waiting {
            // Whoever waited may have given up.
            let _ = waiting.send(reply);
        }
    }

    fn forget(&self, id: u64) {
        if let Some(pending) = self.lock().as_mut() {
            pending.remove(&id);
        }
    }

    /// Wakes everybody with the news that the child is gone.
    fn close(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Reply>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the entry of a call that ends, also when its future is dropped.
struct Forget<'a> {
    pending: &'a Pending,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.pending.forget(self.id);
    }
}

async fn read_replies(read: OwnedReadHalf, pending: Arc<Pending>, broken: watch::Sender<bool>) {
    let mut read = BufReader::new(read);
    let mut assembler = Assembler::default();
    let mut abandoned = broken.subscribe();
    loop {
        let next = tokio::select! {
            next = read_reply(&mut read, &mut assembler) => next,
            _ = abandoned.wait_for(|broken| *broken) => None,
        };
        match next {
            Some(Some((id, reply))) => pending.deliver(id, reply),
            Some(None) => {}
            None => break,
        }
    }
    pending.close();
    broken.send_replace(true);
}

/// Reads one frame; nothing at the end of the connection, and nothing inside for a part of a reply.
async fn read_reply(
    read: &mut BufReader<OwnedReadHalf>,
    assembler: &mut Assembler,
) -> Option<Option<(u64, Reply)>> {
    let mut field = [0; 4];
    read.read_exact(&mut field).await.ok()?;
    let mut frame = vec![0; frame::frame_length(field).ok()?];
    read.read_exact(&mut frame).await.ok()?;
    match assembler.push(&frame).ok()? {
        Some((id, message)) => Some(Some((id, borsh::from_slice(&message).ok()?))),
        None => Some(None),
    }
}

/// Writes messages frame by frame in turn, so that a large one does not hold up the small ones.
async fn write_requests(
    mut write: OwnedWriteHalf,
    mut messages: mpsc::Receiver<(u64, Message)>,
    broken: watch::Sender<bool>,
) {
    let mut abandoned = broken.subscribe();
    let writing = async {
        let mut unfinished: VecDeque<(u64, Message, usize)> = VecDeque::new();
        loop {
            if unfinished.is_empty() {
                let Some((id, message)) = messages.recv().await else {
                    return;
                };
                unfinished.push_back((id, message, 0));
            }
            let mut frames = Vec::new();
            while frames.len() < PART_LENGTH_MAX {
                while let Ok((id, message)) = messages.try_recv() {
                    unfinished.push_back((id, message, 0));
                }
                let Some((id, message, at)) = unfinished.pop_front() else {
                    break;
                };
                let end = at.saturating_add(PART_LENGTH_MAX).min(message.0.len());
                let last = end == message.0.len();
                frames.extend(frame::encode(
                    id,
                    last,
                    message.0.get(at..end).unwrap_or_default(),
                ));
                if !last {
                    unfinished.push_back((id, message, end));
                }
            }
            if write.write_all(&frames).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = writing => {}
        _ = abandoned.wait_for(|broken| *broken) => {}
    }
    broken.send_replace(true);
}
