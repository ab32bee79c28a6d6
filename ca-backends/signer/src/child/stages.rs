//! The threads that work.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use portreeve_pkix::sha256;
use portreeve_ra::EnrollmentId;

use super::{SIGNING_THREADS_MAX, Shared, now, refused, unavailable};
use crate::journal::{BATCH_MAX, Journal, Refusal};
use crate::soft_key::{SealedKey, SoftKey, SoftKeyAlgorithm};
use crate::wire::{Failure, Reply};

/// One signature to be made.
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) key: Arc<SoftKey>,
    /// For certificates.
    pub(super) enrollment: Option<EnrollmentId>,
    pub(super) tbs: Vec<u8>,
    pub(super) deadline: Instant,
}

/// Work on keys.
pub(super) enum Chore {
    Load { id: u64, sealed: Vec<u8> },
    Generate { id: u64, algorithm: SoftKeyAlgorithm },
}

/// Starts every thread. They end with the process.
pub(super) fn start(shared: &Arc<Shared>, journal: Journal) -> std::io::Result<()> {
    let admission = Arc::clone(shared);
    spawn("journal", move || admit_certificates(&admission, journal))?;
    let signers = thread::available_parallelism()
        .map_or(2, usize::from)
        .min(SIGNING_THREADS_MAX);
    for _ in 0..signers {
        let signing = Arc::clone(shared);
        spawn("sign", move || {
            loop {
                signing.sign(signing.certificates.pop());
            }
        })?;
    }
    let lists = Arc::clone(shared);
    spawn("sign-lists", move || {
        loop {
            lists.sign(lists.lists.pop());
        }
    })?;
    let chores = Arc::clone(shared);
    spawn("keys", move || {
        loop {
            chores.do_chore(chores.chores.pop());
        }
    })
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Passes on the certificates that the journal admits, after their entries are durable; signs them at once where that takes less
/// than waking another thread.
fn admit_certificates(shared: &Shared, mut journal: Journal) {
    let _guard = HangUp(shared);
    loop {
        let mut admitted = Vec::new();
        for job in shared.admissions.pop_batch(BATCH_MAX) {
            match admit(&mut journal, &job) {
                Ok(()) => admitted.push(job),
                Err(reply) => shared.replies.send(job.id, &reply),
            }
        }
        if let Err(error) = journal.commit() {
            // What is on disk is unknown now: only reading it again can tell. The same requests will come again.
            for job in admitted {
                shared.replies.send(job.id, &unavailable(&error.to_string()));
            }
            return;
        }
        for job in admitted {
            if job.key.is_quick() {
                shared.sign(job);
            } else if let Err(job) = shared.certificates.push(job) {
                shared.replies.send(job.id, &unavailable("overloaded"));
            }
        }
    }
}

/// Without the thread of the journal nothing can be signed: whoever waits is told so when it ends.
struct HangUp<'a>(&'a Shared);

impl Drop for HangUp<'_> {
    fn drop(&mut self) {
        self.0.replies.hang_up();
    }
}

fn admit(journal: &mut Journal, job: &Job) -> Result<(), Reply> {
    if job.is_late() {
        return Err(unavailable("waited too long for the journal"));
    }
    let enrollment = job
        .enrollment
        .ok_or_else(|| refused("certificate without an enrollment"))?;
    journal
        .stage(enrollment, sha256(&job.tbs), now())
        .map_err(|refusal| match refusal {
            Refusal::SecondContent => Reply::Failed(Failure::SecondContent),
            Refusal::TooOld => refused("enrollment is older than the journal remembers"),
            Refusal::FromTheFuture => refused("enrollment was made in the future"),
            Refusal::Full => unavailable("journal is full"),
        })
}

impl Job {
    fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

impl Shared {
    fn sign(&self, job: Job) {
        let reply = if job.is_late() {
            unavailable("waited too long for its turn")
        } else {
            match job.key.sign(&job.tbs) {
                Ok(signature) => Reply::Signature(signature),
                Err(_) => unavailable("cryptographic library failed"),
            }
        };
        self.replies.send(job.id, &reply);
    }

    fn do_chore(&self, chore: Chore) {
        let (id, reply) = match chore {
            Chore::Load { id, sealed } => (id, self.load(&sealed)),
            Chore::Generate { id, algorithm } => (id, self.generate(algorithm)),
        };
        self.replies.send(id, &reply);
    }

    fn load(&self, sealed: &[u8]) -> Reply {
        let opened = SealedKey::parse(sealed).map_err(Into::into);
        match opened.and_then(|sealed| SoftKey::open(&sealed, &self.keyset)) {
            Ok(key) => self.add_key(key),
            Err(error) => refused(&error.to_string()),
        }
    }

    fn generate(&self, algorithm: SoftKeyAlgorithm) -> Reply {
        match SoftKey::generate(algorithm, &self.keyset) {
            Ok(sealed) => Reply::Generated {
                sealed: sealed.to_bytes(),
            },
            Err(error) => unavailable(&error.to_string()),
        }
    }
}
