//! Group reads: questions that wait while others are answered are asked in one message.
//!
//! Going to a connection's thread and back costs more than a look into an index, so what waits goes together. A
//! question that finds nobody before it goes at once. What it asks of one kind is one statement and sees one state of the store.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portreeve_ra::ports::{DocumentId, StoreError, Wanted};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteRow;
use tokio::sync::oneshot;

use super::failure::RETRY_AFTER;
use super::read::{self, Statement};
use super::readers::{Question, Readers};
use crate::row::number;
use crate::statistics::Counters;

/// Things of one kind in one message, at most; a question for more is asked by itself.
pub(crate) const PLACES_MAX: usize = 64;

/// Each kind counts its places from a multiple of this.
const PLACES_APART: usize = 4_096;

/// Questions that may wait; one more is turned away.
const WAITING_MAX: usize = 4_096;

/// What one question asks for.
pub(crate) enum Things {
    /// Records, claims and reservations.
    Wanted(Wanted),
    /// Documents.
    Documents(Vec<DocumentId>),
}

impl Things {
    fn places(&self, statement: Statement) -> usize {
        match (self, statement) {
            (Self::Wanted(wanted), Statement::Streams) => wanted.streams.len(),
            (Self::Wanted(wanted), Statement::Claims) => wanted.claims.len(),
            (Self::Wanted(wanted), Statement::Reserved) => wanted.reservations.len(),
            (Self::Documents(documents), Statement::Documents) => documents.len(),
            (Self::Wanted(_), Statement::Documents) | (Self::Documents(_), _) => 0,
        }
    }

    fn bind<'q>(&self, statement: Statement, mut question: Question<'q>) -> Question<'q> {
        match (self, statement) {
            (Self::Wanted(wanted), Statement::Streams) => {
                for stream in &wanted.streams {
                    let kind = i64::from(stream.kind.number());
                    question = question.bind(kind).bind(stream.id.to_vec());
                }
            }
            (Self::Wanted(wanted), Statement::Claims) => {
                for key in &wanted.claims {
                    question = question.bind(None::<i64>).bind(key.0.to_vec());
                }
            }
            (Self::Wanted(wanted), Statement::Reserved) => {
                for (space, key) in &wanted.reservations {
                    question = question.bind(i64::from(space.number())).bind(key.to_vec());
                }
            }
            (Self::Documents(documents), Statement::Documents) => {
                for id in documents {
                    question = question.bind(id.kind).bind(id.id.to_vec());
                }
            }
            (Self::Wanted(_), Statement::Documents) | (Self::Documents(_), _) => {}
        }
        question
    }
}

/// The rows that answer a question.
pub(crate) struct Answer {
    /// The first place of each statement.
    first: Places,
    rows: Vec<SqliteRow>,
}

impl Answer {
    /// Each row of one statement with the place in the question that it answers. The place is the row's first column.
    pub(crate) fn rows(
        &self,
        statement: Statement,
    ) -> impl Iterator<Item = Result<(usize, &SqliteRow), StoreError>> {
        let first = self.first.of(statement);
        let rows = self.rows.iter().map(|row| Ok((number::<usize>(row, 0)?, row)));
        rows.filter(move |row| {
            row.as_ref()
                .map_or(true, |(place, _)| place / PLACES_APART == statement as usize)
        })
        .map(move |row| row.map(|(place, row)| (place.saturating_sub(first), row)))
    }
}

struct Job {
    things: Things,
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
    counters: Arc<Counters>,
    waiting: Mutex<Waiting>,
}

impl Gatherer {
    pub(crate) fn new(readers: Arc<Readers>, counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self {
            readers,
            counters,
            waiting: Mutex::default(),
        })
    }

    /// Asks; the answer sees every commit that was acknowledged before.
    pub(crate) async fn ask(self: &Arc<Self>, things: Things) -> Result<Answer, StoreError> {
        let alone = Group::alone(&things);
        if alone.0.any_above(PLACES_MAX) {
            let rows = self.rows(alone.question(std::iter::once(&things))).await?;
            let first = Places::default().first();
            return Ok(Answer { first, rows });
        }
        let (reply, answer) = oneshot::channel();
        self.submit(Job { things, reply })?;
        answer.await.unwrap_or(Err(UNAVAILABLE))
    }

    async fn rows(&self, question: Question<'_>) -> Result<Vec<SqliteRow>, StoreError> {
        self.counters.questions.add(1);
        self.readers.rows(question).await
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
            && group.admit(&job.things)
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
            let question = group.question(jobs.iter().map(|job| &job.things));
            match self.0.rows(question).await {
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

/// A number of places of each statement.
#[derive(Copy, Clone, Default)]
struct Places([usize; Statement::ALL.len()]);

impl Places {
    fn of(&self, statement: Statement) -> usize {
        let [streams, documents, claims, reserved] = self.0;
        match statement {
            Statement::Streams => streams,
            Statement::Documents => documents,
            Statement::Claims => claims,
            Statement::Reserved => reserved,
        }
    }

    fn and(&self, things: &Things) -> Self {
        let mut sums = Statement::ALL.map(|statement| things.places(statement));
        sums.iter_mut()
            .zip(self.0)
            .for_each(|(sum, before)| *sum += before);
        Self(sums)
    }

    /// The place that follows, of each statement.
    fn first(&self) -> Self {
        let mut places = Statement::ALL.map(first_place);
        places
            .iter_mut()
            .zip(self.0)
            .for_each(|(place, before)| *place += before);
        Self(places)
    }

    fn any_above(&self, most: usize) -> bool {
        self.0.iter().any(|places| *places > most)
    }
}

/// How many places of each statement one message has.
#[derive(Default)]
struct Group(Places);

impl Group {
    fn alone(things: &Things) -> Self {
        Self(Places::default().and(things))
    }

    /// Takes the question in if there is room.
    fn admit(&mut self, things: &Things) -> bool {
        let together = self.0.and(things);
        let fits = !together.any_above(PLACES_MAX);
        if fits {
            self.0 = together;
        }
        fits
    }

    /// All questions as one message, by statement.
    fn question<'q, 'w>(&self, things: impl Iterator<Item = &'w Things> + Clone) -> Question<'q> {
        let asked = || {
            Statement::ALL
                .into_iter()
                .map(|statement| (statement, self.0.of(statement)))
                .filter(|(_, places)| *places > 0)
        };
        let kept = !self.0.any_above(PLACES_MAX);
        let mut sql = String::new();
        for (statement, places) in asked() {
            sql.push_str(&statement.sql(first_place(statement), read::rounded(places)));
            sql.push(';');
        }
        let mut question = sqlx::query(AssertSqlSafe(sql)).persistent(kept);
        for (statement, places) in asked() {
            for things in things.clone() {
                question = things.bind(statement, question);
            }
            for _ in places..read::rounded(places) {
                question = statement.bind_nothing(question);
            }
        }
        question
    }

    /// Gives every question its rows.
    fn deliver(&self, jobs: Vec<Job>, rows: Vec<SqliteRow>) {
        let mut owners = Statement::ALL.map(|statement| Vec::with_capacity(self.0.of(statement)));
        let mut answers: Vec<Answer> = Vec::with_capacity(jobs.len());
        let mut next = Places::default();
        for (index, job) in jobs.iter().enumerate() {
            for (statement, owners) in Statement::ALL.into_iter().zip(&mut owners) {
                owners.resize(owners.len() + job.things.places(statement), index);
            }
            answers.push(Answer {
                first: next.first(),
                rows: Vec::new(),
            });
            next = next.and(&job.things);
        }
        for row in rows {
            let Ok(place) = number::<usize>(&row, 0) else {
                continue;
            };
            let owner = owners
                .get(place / PLACES_APART)
                .and_then(|owners| owners.get(place % PLACES_APART));
            if let Some(answer) = owner.and_then(|owner| answers.get_mut(*owner)) {
                answer.rows.push(row);
            }
        }
        for (job, answer) in jobs.into_iter().zip(answers) {
            // Who has left needs no answer.
            let _ = job.reply.send(Ok(answer));
        }
    }
}

const fn first_place(statement: Statement) -> usize {
    PLACES_APART * statement as usize
}
