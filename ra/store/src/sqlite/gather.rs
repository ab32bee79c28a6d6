//! Group reads: questions that wait while others are answered are asked in one message.
//!
//! Going to a connection's thread and back costs more than a look into an index, so what waits goes together. A
//! question that finds nobody before it goes at once. Each question is one statement and sees one state of the store.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portreeve_ra::ports::{DocumentId, Space, StoreError};
use portreeve_ra::{ClaimKey, StreamId};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteRow;
use tokio::sync::oneshot;

use super::failure::RETRY_AFTER;
use super::read::{self, Statement};
use super::readers::{Question, Readers};
use crate::row::number;

/// Things of one kind in one message, at most; a question for more is asked by itself.
pub(crate) const PLACES_MAX: usize = 64;

/// Each kind counts its places from a multiple of this.
const PLACES_APART: usize = 4_096;

/// Questions that may wait; one more is turned away.
const WAITING_MAX: usize = 4_096;

/// What is asked for.
pub(crate) enum Wanted {
    /// The records of streams.
    Streams(Vec<StreamId>),
    /// Documents.
    Documents(Vec<DocumentId>),
    /// A claim.
    Claim(ClaimKey),
    /// Where a reservation leads.
    Reserved(Space, [u8; 32]),
}

impl Wanted {
    const fn statement(&self) -> Statement {
        match self {
            Self::Streams(_) => Statement::Streams,
            Self::Documents(_) => Statement::Documents,
            Self::Claim(_) => Statement::Claims,
            Self::Reserved(..) => Statement::Reserved,
        }
    }

    const fn places(&self) -> usize {
        match self {
            Self::Streams(streams) => streams.len(),
            Self::Documents(documents) => documents.len(),
            Self::Claim(_) | Self::Reserved(..) => 1,
        }
    }

    fn bind<'q>(&self, mut question: Question<'q>) -> Question<'q> {
        match self {
            Self::Streams(streams) => {
                for stream in streams {
                    question = question
                        .bind(i64::from(stream.kind.number()))
                        .bind(stream.id.to_vec());
                }
                question
            }
            Self::Documents(documents) => {
                for id in documents {
                    question = question.bind(id.kind).bind(id.id.to_vec());
                }
                question
            }
            Self::Claim(key) => question.bind(None::<i64>).bind(key.0.to_vec()),
            Self::Reserved(space, key) => question.bind(i64::from(space.number())).bind(key.to_vec()),
        }
    }
}

/// The rows that answer a question.
pub(crate) struct Answer {
    first: usize,
    rows: Vec<SqliteRow>,
}

impl Answer {
    /// Each row with the place in the question that it answers. The place is the row's first column.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Result<(usize, &SqliteRow), StoreError>> {
        self.rows
            .iter()
            .map(|row| Ok((number::<usize>(row, 0)?.saturating_sub(self.first), row)))
    }
}

struct Job {
    wanted: Wanted,
    reply: oneshot::Sender<Result<Answer, StoreError>>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    answering: bool,
}

/// Where questions wait.
pub(crate) struct Gatherer {
    readers: Arc<Readers>,
    waiting: Mutex<Waiting>,
}

impl Gatherer {
    pub(crate) fn new(readers: Arc<Readers>) -> Arc<Self> {
        Arc::new(Self {
            readers,
            waiting: Mutex::default(),
        })
    }

    /// Asks; the answer sees every commit that was acknowledged before.
    pub(crate) async fn ask(self: &Arc<Self>, wanted: Wanted) -> Result<Answer, StoreError> {
        if wanted.places() > PLACES_MAX {
            let group = Group::alone(&wanted);
            let rows = self
                .readers
                .rows(group.question(std::iter::once(&wanted)))
                .await?;
            return Ok(Answer {
                first: group.first(&wanted),
                rows,
            });
        }
        let (reply, answer) = oneshot::channel();
        self.submit(Job { wanted, reply })?;
        answer.await.unwrap_or(Err(UNAVAILABLE))
    }

    fn submit(self: &Arc<Self>, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.waiting();
        if waiting.jobs.len() >= WAITING_MAX {
            return Err(UNAVAILABLE);
        }
        waiting.jobs.push_back(job);
        if !std::mem::replace(&mut waiting.answering, true) {
            drop(waiting);
            tokio::spawn(Answering(Arc::clone(self)).run());
        }
        Ok(())
    }

    /// What fits into the next message; `None` when nothing waits, and then nobody answers any more.
    fn next(&self) -> Option<(Vec<Job>, Group)> {
        let mut waiting = self.waiting();
        let (mut jobs, mut group) = (Vec::new(), Group::default());
        while let Some(job) = waiting.jobs.front()
            && group.admit(&job.wanted)
        {
            jobs.extend(waiting.jobs.pop_front());
        }
        if jobs.is_empty() {
            waiting.answering = false;
            return None;
        }
        Some((jobs, group))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const UNAVAILABLE: StoreError = StoreError::Unavailable {
    retry_after: RETRY_AFTER,
};

/// Answers as long as somebody waits.
struct Answering(Arc<Gatherer>);

impl Answering {
    async fn run(self) {
        while let Some((jobs, group)) = self.0.next() {
            let question = group.question(jobs.iter().map(|job| &job.wanted));
            match self.0.readers.rows(question).await {
                Ok(rows) => group.deliver(jobs, rows),
                Err(error) => {
                    for job in jobs {
                        // Who has left needs no answer.
                        let _ = job.reply.send(Err(error.clone()));
                    }
                }
            }
        }
    }
}

impl Drop for Answering {
    /// If answering broke off, the next question begins it anew and those that wait are told.
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        if std::thread::panicking() {
            waiting.jobs.clear();
            waiting.answering = false;
        }
    }
}

/// How many places of each statement one message has.
#[derive(Default)]
struct Group {
    places: [usize; Statement::ALL.len()],
}

impl Group {
    fn alone(wanted: &Wanted) -> Self {
        let mut group = Self::default();
        *group.of(wanted.statement()) = wanted.places();
        group
    }

    fn of(&mut self, statement: Statement) -> &mut usize {
        let [streams, documents, claims, reserved] = &mut self.places;
        match statement {
            Statement::Streams => streams,
            Statement::Documents => documents,
            Statement::Claims => claims,
            Statement::Reserved => reserved,
        }
    }

    /// Takes the question in if there is room.
    fn admit(&mut self, wanted: &Wanted) -> bool {
        let taken = self.of(wanted.statement());
        let together = *taken + wanted.places();
        let fits = together <= PLACES_MAX;
        if fits {
            *taken = together;
        }
        fits
    }

    fn first(&self, wanted: &Wanted) -> usize {
        first_place(wanted.statement())
    }

    /// All questions as one message, by statement.
    fn question<'q, 'w>(&self, wanted: impl Iterator<Item = &'w Wanted> + Clone) -> Question<'q> {
        let asked = || {
            Statement::ALL
                .into_iter()
                .zip(self.places)
                .filter(|(_, places)| *places > 0)
        };
        let kept = self.places.iter().all(|places| *places <= PLACES_MAX);
        let mut sql = String::new();
        for (statement, places) in asked() {
            sql.push_str(&statement.sql(first_place(statement), read::rounded(places)));
            sql.push(';');
        }
        let mut question = sqlx::query(AssertSqlSafe(sql)).persistent(kept);
        for (statement, places) in asked() {
            for wanted in wanted.clone().filter(|wanted| wanted.statement() == statement) {
                question = wanted.bind(question);
            }
            for _ in places..read::rounded(places) {
                question = statement.bind_nothing(question);
            }
        }
        question
    }

    /// Gives every question its rows.
    fn deliver(&self, jobs: Vec<Job>, rows: Vec<SqliteRow>) {
        let mut answers: Vec<(Answer, usize)> = Vec::with_capacity(jobs.len());
        let mut next = Self::default();
        for job in &jobs {
            let statement = job.wanted.statement();
            let taken = next.of(statement);
            let first = first_place(statement) + *taken;
            *taken += job.wanted.places();
            answers.push((
                Answer {
                    first,
                    rows: Vec::new(),
                },
                first + job.wanted.places(),
            ));
        }
        for row in rows {
            let Ok(place) = number::<usize>(&row, 0) else {
                continue;
            };
            let owner = answers
                .iter_mut()
                .find(|(answer, end)| (answer.first..*end).contains(&place));
            if let Some((answer, _)) = owner {
                answer.rows.push(row);
            }
        }
        for (job, (answer, _)) in jobs.into_iter().zip(answers) {
            // Who has left needs no answer.
            let _ = job.reply.send(Ok(answer));
        }
    }
}

const fn first_place(statement: Statement) -> usize {
    PLACES_APART * statement as usize
}
