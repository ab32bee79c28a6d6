//! Group reads: questions of one kind that come while another is under way go together in the next message.
//!
//! A round trip costs the node more than what it asks for. A question that finds none under way goes at once, by itself.
//! When a message takes long, since the server is far or slow, the next does not wait for its end. Each question has its
//! own rows: what one caller cannot read does not concern the others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portreeve_ra::ports::StoreError;
use sqlx::postgres::PgRow;
use tokio::sync::oneshot;

use super::failure::RETRY_AFTER;
use super::patience::answered;
use super::pool::{Pool, Question};
use crate::row::number;

/// Things in one message, at most; a question for more is asked by itself.
const PLACES_MAX: usize = 64;

/// Questions that may wait; one more is turned away.
const WAITING_MAX: usize = 4_096;

/// Messages under way at a time, at most.
const UNDER_WAY_MAX: usize = 8;

/// A message that is under way for longer keeps no other from being sent.
const PATIENCE: Duration = Duration::from_millis(2);

const UNAVAILABLE: StoreError = StoreError::Unavailable {
    retry_after: RETRY_AFTER,
};

/// What is asked for.
pub(crate) trait Thing: Clone + Send + Sync + 'static {}

impl<T: Clone + Send + Sync + 'static> Thing for T {}

/// The rows that answer a question. Their first column is a place in the message.
pub(crate) struct Answer {
    /// The place of the question's first thing.
    first: usize,
    rows: Vec<PgRow>,
}

impl Answer {
    /// Each row with the place in the question that it answers.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Result<(usize, &PgRow), StoreError>> {
        self.rows
            .iter()
            .map(|row| Ok((number::<usize>(row, 0)?.saturating_sub(self.first), row)))
    }
}

struct Job<T> {
    things: Vec<T>,
    reply: oneshot::Sender<Result<Answer, StoreError>>,
}

struct Waiting<T> {
    jobs: VecDeque<Job<T>>,
    under_way: usize,
    sent_at: Option<Instant>,
}

/// Where questions for things of one kind wait.
pub(crate) struct Gatherer<T> {
    pool: Arc<Pool>,
    question: fn(&[T]) -> Question,
    waiting: Mutex<Waiting<T>>,
}

enum Entered<T: Thing> {
    /// It goes at once.
    Alone(Turn<T>),
    /// It goes with others.
    Waiting(oneshot::Receiver<Result<Answer, StoreError>>),
}

impl<T: Thing> Gatherer<T> {
    /// `question` asks for things; the first column of its rows is the place of a thing, from 1.
    pub(crate) fn new(pool: Arc<Pool>, question: fn(&[T]) -> Question) -> Arc<Self> {
        Arc::new(Self {
            pool,
            question,
            waiting: Mutex::new(Waiting {
                jobs: VecDeque::new(),
                under_way: 0,
                sent_at: None,
            }),
        })
    }

    /// Asks; the answer sees every commit that was acknowledged before.
    pub(crate) async fn ask(self: &Arc<Self>, things: &[T]) -> Result<Answer, StoreError> {
        if things.len() > PLACES_MAX {
            return self.send(things).await;
        }
        match self.enter(things)? {
            Entered::Alone(_turn) => self.send(things).await,
            Entered::Waiting(answer) => {
                let answered = answered(answer, PATIENCE, || self.hurry()).await;
                answered.unwrap_or(Err(UNAVAILABLE))
            }
        }
    }

    /// Somebody has waited long enough, though perhaps for a message that is under way.
    fn hurry(self: &Arc<Self>) {
        let mut waiting = self.waiting();
        if !waiting.jobs.is_empty() && waiting.under_way < UNDER_WAY_MAX {
            waiting.under_way += 1;
            drop(waiting);
            drop(Turn(Arc::clone(self)));
        }
    }

    async fn send(&self, things: &[T]) -> Result<Answer, StoreError> {
        let rows = self.pool.ask(&(self.question)(things)).await?;
        Ok(Answer { first: 1, rows })
    }

    fn enter(self: &Arc<Self>, things: &[T]) -> Result<Entered<T>, StoreError> {
        let mut waiting = self.waiting();
        let is_slow = waiting.sent_at.is_none_or(|at| at.elapsed() > PATIENCE);
        let may_go = waiting.under_way == 0 || (is_slow && waiting.under_way < UNDER_WAY_MAX);
        if may_go {
            waiting.under_way += 1;
            waiting.sent_at = Some(Instant::now());
            if waiting.jobs.is_empty() {
                return Ok(Entered::Alone(Turn(Arc::clone(self))));
            }
        }
        if waiting.jobs.len() >= WAITING_MAX {
            waiting.under_way -= usize::from(may_go);
            return Err(UNAVAILABLE);
        }
        let (reply, answer) = oneshot::channel();
        let things = things.to_vec();
        waiting.jobs.push_back(Job { things, reply });
        drop(waiting);
        if may_go {
            drop(Turn(Arc::clone(self)));
        }
        Ok(Entered::Waiting(answer))
    }

    /// What fits into the next message; none when nothing waits, and then one message less is under way.
    fn next(&self) -> Vec<Job<T>> {
        let mut waiting = self.waiting();
        let (mut jobs, mut places) = (Vec::new(), 0);
        while let Some(job) = waiting.jobs.front()
            && places + job.things.len() <= PLACES_MAX
        {
            places += job.things.len();
            jobs.extend(waiting.jobs.pop_front());
        }
        if jobs.is_empty() {
            waiting.under_way = waiting.under_way.saturating_sub(1);
        } else {
            waiting.sent_at = Some(Instant::now());
        }
        jobs
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have a message under way. Whoever gives it up lets those go who have come meanwhile.
struct Turn<T: Thing>(Arc<Gatherer<T>>);

impl<T: Thing> Drop for Turn<T> {
    fn drop(&mut self) {
        let gatherer = Arc::clone(&self.0);
        let jobs = gatherer.next();
        if jobs.is_empty() {
            return;
        }
        let answering = Answering {
            gatherer,
            is_done: false,
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(answering.run(jobs))),
            // Nobody is left to answer to.
            Err(_) => drop(answering),
        }
    }
}

/// Answers as long as somebody waits.
struct Answering<T: Thing> {
    gatherer: Arc<Gatherer<T>>,
    is_done: bool,
}

impl<T: Thing> Answering<T> {
    async fn run(mut self, mut jobs: Vec<Job<T>>) {
        while !jobs.is_empty() {
            let things: Vec<T> = jobs.iter().flat_map(|job| job.things.iter().cloned()).collect();
            match self.gatherer.send(&things).await {
                Ok(answer) => deliver(jobs, answer.rows),
                Err(error) => {
                    for job in jobs {
                        // Who has left needs no answer.
                        let _ = job.reply.send(Err(error.clone()));
                    }
                }
            }
            jobs = self.gatherer.next();
        }
        self.is_done = true;
    }
}

impl<T: Thing> Drop for Answering<T> {
    /// If answering broke off, those that wait are told, and the next question begins it anew.
    fn drop(&mut self) {
        if !self.is_done {
            let mut waiting = self.gatherer.waiting();
            waiting.jobs.clear();
            waiting.under_way = waiting.under_way.saturating_sub(1);
        }
    }
}

/// Gives every question its rows.
fn deliver<T>(jobs: Vec<Job<T>>, rows: Vec<PgRow>) {
    let mut owners = Vec::with_capacity(PLACES_MAX);
    let mut answers = Vec::with_capacity(jobs.len());
    for (index, job) in jobs.iter().enumerate() {
        answers.push(Answer {
            first: owners.len() + 1,
            rows: Vec::new(),
        });
        owners.extend(job.things.iter().map(|_| index));
    }
    for row in rows {
        let place = number::<usize>(&row, 0)
            .ok()
            .and_then(|place| place.checked_sub(1));
        let owner = place.and_then(|place| owners.get(place)).copied();
        if let Some(answer) = owner.and_then(|owner| answers.get_mut(owner)) {
            answer.rows.push(row);
        }
    }
    for (job, answer) in jobs.into_iter().zip(answers) {
        // Who has left needs no answer.
        let _ = job.reply.send(Ok(answer));
    }
}
