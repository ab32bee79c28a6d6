//! The signer process.
//!
//! One thread reads requests. Certificates pass the journal thread, which makes a whole batch durable with one
//! `fdatasync`, and then one of the signing threads. Revocation lists have a signing thread of their own, so that they
//! are signed on time however many certificates wait. Making and opening keys is the work of a further thread.

mod harden;
mod queue;
mod stages;

use std::collections::HashMap;
use std::io::{BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use portreeve_keyset::{KekSet, KekSource, Keyset, KeysetError, WrappedKeyset};
use portreeve_pkix::Timestamp;
use portreeve_ra::{EnrollmentId, Purpose};

use crate::frame::{self, Assembler, FrameError};
use crate::journal::{Journal, JournalError};
use crate::soft_key::SoftKey;
use crate::structure;
use crate::wire::{Configuration, Content, Failure, KeyName, Reply, Request, path_of};
use queue::Queue;
use stages::{Chore, Job};

/// Certificates waiting for the journal or a signature.
const JOBS_MAX: usize = 4096;
/// Revocation lists waiting; each may be large.
const LISTS_MAX: usize = 4;
const CHORES_MAX: usize = 64;
/// Open keys.
const KEYS_MAX: usize = 256;
const SIGNING_THREADS_MAX: usize = 8;

/// Why the signer process ends, other than because its gateway has.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// Standard input is not the socket that a gateway gives its signer.
    #[error("the signer is started by the gateway, not by hand: {0}")]
    Socket(std::io::Error),
    /// The system refuses the protections of the process.
    #[error("cannot protect the memory of the signer: {0}")]
    Harden(std::io::Error),
    /// The gateway does not keep to the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The gateway sent a message that is none.
    #[error("message does not decode: {0}")]
    Message(std::io::Error),
    /// The keyset does not open.
    #[error(transparent)]
    Keyset(#[from] KeysetError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What all threads share.
struct Shared {
    keyset: Keyset,
    keys: RwLock<HashMap<KeyName, Arc<SoftKey>>>,
    replies: Replies,
    admissions: Queue<Job>,
    certificates: Queue<Job>,
    lists: Queue<Job>,
    chores: Queue<Chore>,
}

/// Runs the signer on the socket that is standard input, until the gateway closes it.
///
/// The process should end when this returns: the threads are not stopped, keys may still be in memory.
pub fn run() -> Result<(), ChildError> {
    harden::harden().map_err(ChildError::Harden)?;
    let socket = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(ChildError::Socket)?;
    let stream = UnixStream::from(socket);
    let replies = Replies(Mutex::new(stream.try_clone().map_err(ChildError::Socket)?));
    let mut requests = Requests {
        stream: BufReader::new(stream),
        assembler: Assembler::default(),
    };
    let Some((id, first)) = requests.next()? else {
        return Ok(());
    };
    let (shared, journal) = match configure(first, replies) {
        Ok(configured) => configured,
        Err((error, replies)) => {
            replies.send(id, &Reply::Failed(Failure::Refused(error.to_string())));
            return Err(error);
        }
    };
    let shared = Arc::new(shared);
    stages::start(&shared, journal).map_err(ChildError::Harden)?;
    shared.replies.send(id, &Reply::Ready);
    while let Some((id, request)) = requests.next()? {
        if let Some(reply) = shared.dispatch(id, request) {
            shared.replies.send(id, &reply);
        }
    }
    Ok(())
}

fn configure(first: Request, replies: Replies) -> Result<(Shared, Journal), (ChildError, Replies)> {
    let opened = match first {
        Request::Configure(configuration) => open(configuration),
        _ => Err(ChildError::Message(std::io::Error::other("not configured"))),
    };
    match opened {
        Ok((keyset, journal)) => Ok((Shared::new(keyset, replies), journal)),
        Err(error) => Err((error, replies)),
    }
}

fn open(configuration: Configuration) -> Result<(Keyset, Journal), ChildError> {
    let own = configuration
        .ca_kek
        .map(|source| (Purpose::Ca, KekSource::from(source)));
    let keks = KekSet::from_sources(&configuration.shared_kek.into(), own)?;
    let keyset = WrappedKeyset::parse(&configuration.keyset)?.open(&keks, &[Purpose::Ca])?;
    let journal = Journal::open(&path_of(configuration.journal), now())?;
    Ok((keyset, journal))
}

impl Shared {
    fn new(keyset: Keyset, replies: Replies) -> Self {
        Self {
            keyset,
            keys: RwLock::default(),
            replies,
            admissions: Queue::new(JOBS_MAX),
            certificates: Queue::new(JOBS_MAX),
            lists: Queue::new(LISTS_MAX),
            chores: Queue::new(CHORES_MAX),
        }
    }

    /// Answers at once, or gives the request to the thread that will.
    fn dispatch(&self, id: u64, request: Request) -> Option<Reply> {
        let queued = match request {
            Request::Ping => return Some(Reply::Pong),
            Request::Configure(_) => return Some(refused("configured already")),
            Request::Load { sealed } => self.chores.push(Chore::Load { id, sealed }).is_ok(),
            Request::Generate { algorithm } => self.chores.push(Chore::Generate { id, algorithm }).is_ok(),
            Request::Sign {
                key,
                patience_millis,
                content,
            } => {
                let patience = Duration::from_millis(u64::from(patience_millis));
                match self.job(id, key, patience, content) {
                    Ok((job, queue)) => queue.push(job).is_ok(),
                    Err(reply) => return Some(reply),
                }
            }
        };
        (!queued).then(|| unavailable("overloaded"))
    }

    fn job(
        &self,
        id: u64,
        key: KeyName,
        patience: Duration,
        content: Content,
    ) -> Result<(Job, &Queue<Job>), Reply> {
        let key = self.key(&key).ok_or_else(|| unavailable("key is not loaded"))?;
        let algorithm = key.signature_algorithm();
        let deadline = Instant::now() + patience;
        let job = |enrollment, tbs| Job {
            id,
            key,
            enrollment,
            tbs,
            deadline,
        };
        match content {
            Content::Certificate { enrollment, tbs } => {
                structure::check_certificate(&tbs, algorithm).map_err(|e| refused(&e.to_string()))?;
                Ok((
                    job(Some(EnrollmentId::from_bytes(enrollment)), tbs),
                    &self.admissions,
                ))
            }
            Content::RevocationList { tbs } => {
                structure::check_list(&tbs, algorithm).map_err(|e| refused(&e.to_string()))?;
                Ok((job(None, tbs), &self.lists))
            }
        }
    }

    fn key(&self, name: &KeyName) -> Option<Arc<SoftKey>> {
        self.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    fn add_key(&self, key: SoftKey) -> Reply {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX {
            return refused("too many keys");
        }
        keys.insert(key.public_key().fingerprint(), Arc::new(key));
        Reply::Loaded
    }
}

/// The writing half of the socket.
struct Replies(Mutex<UnixStream>);

impl Replies {
    /// Sends a reply. If that fails the gateway has gone, and the reading thread will notice.
    fn send(&self, id: u64, reply: &Reply) {
        let Ok(message) = borsh::to_vec(reply) else { return };
        let frame = frame::encode_small(id, &message);
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stream.write_all(&frame);
    }

    /// Ends the process: the gateway starts another one and asks again.
    fn hang_up(&self) {
        let stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
}

struct Requests {
    stream: BufReader<UnixStream>,
    assembler: Assembler,
}

impl Requests {
    /// The next request; nothing when the gateway has closed the socket.
    fn next(&mut self) -> Result<Option<(u64, Request)>, ChildError> {
        loop {
            let mut field = [0; 4];
            match self.stream.read_exact(&mut field) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(ChildError::Socket(error)),
            }
            let mut frame = vec![0; frame::frame_length(field)?];
            self.stream.read_exact(&mut frame).map_err(ChildError::Socket)?;
            if let Some((id, message)) = self.assembler.push(&frame)? {
                let request = borsh::from_slice(&message).map_err(ChildError::Message)?;
                return Ok(Some((id, request)));
            }
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn refused(reason: &str) -> Reply {
    Reply::Failed(Failure::Refused(reason.to_owned()))
}

fn unavailable(reason: &str) -> Reply {
    Reply::Failed(Failure::Unavailable(reason.to_owned()))
}
