//! Gives up on a peer that keeps a connection waiting.
//!
//! [`ObservedIo`] notes what happens on the stream, [`Overseer`] ends when something takes too long. Both live in the
//! task of the connection, so the overseer sees every change when the connection has been polled.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What the connection is doing.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Request line and headers are arriving, or awaited on a new connection.
    Head,
    /// A request is being answered; its own time limits apply.
    Request,
    /// Between two requests.
    Idle,
    /// The last request was answered, and the peer may still send one more.
    Return,
}

const PHASE_BITS: u32 = 0b011;
const WRITE_BLOCKED: u32 = 0b100;
const COMES_BACK: u32 = 0b1000;
/// Added with every change, so that a state that was left and entered again is told from one that lasts.
const CHANGE: u32 = 0b1_0000;

/// What happens on a connection, shared by stream, service and overseer.
#[derive(Debug, Default)]
pub(super) struct Observed(AtomicU32);

impl Observed {
    /// Another phase begins.
    pub(super) fn enter(&self, phase: Phase) {
        self.change(PHASE_BITS, phase as u32);
    }

    pub(super) fn phase(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) & PHASE_BITS {
            0 => Phase::Head,
            1 => Phase::Request,
            2 => Phase::Idle,
            _ => Phase::Return,
        }
    }

    /// Notes whether the peer is expected to send another request after this answer, whatever it said.
    pub(super) fn comes_back(&self, expected: bool) {
        self.change(COMES_BACK, if expected { COMES_BACK } else { 0 });
    }

    /// What was noted with the last answer.
    pub(super) fn is_expected_back(&self) -> bool {
        self.0.load(Ordering::Relaxed) & COMES_BACK != 0
    }

    fn write_blocked(&self, blocked: bool) {
        let was = self.0.load(Ordering::Relaxed) & WRITE_BLOCKED != 0;
        if was != blocked {
            self.change(WRITE_BLOCKED, if blocked { WRITE_BLOCKED } else { 0 });
        }
    }

    /// Only the task of the connection changes it, so nothing comes between reading and writing.
    fn change(&self, mask: u32, bits: u32) {
        let old = self.0.load(Ordering::Relaxed);
        self.0
            .store(((old & !mask) | bits).wrapping_add(CHANGE), Ordering::Relaxed);
    }
}

/// How long a peer may take.
#[derive(Copy, Clone, Debug)]
pub(super) struct Patience {
    /// From the first octet of a head (or the start of the connection) to its end.
    pub(super) header: Duration,
    /// Between two requests, or without taking any octet of an answer.
    pub(super) idle: Duration,
}

/// Ends when the peer has taken too long. To be polled after the connection.
pub(super) struct Overseer {
    observed: Arc<Observed>,
    patience: Patience,
    seen: Option<u32>,
    until: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl Overseer {
    pub(super) fn new(observed: Arc<Observed>, patience: Patience) -> Self {
        let timer = Box::pin(tokio::time::sleep(patience.header));
        Self {
            observed,
            patience,
            seen: None,
            until: None,
            timer,
        }
    }

    fn allowed(&self) -> Option<Duration> {
        let blocked = self.observed.0.load(Ordering::Relaxed) & WRITE_BLOCKED != 0;
        match self.observed.phase() {
            _ if blocked => Some(self.patience.idle),
            Phase::Head => Some(self.patience.header),
            Phase::Request => None,
            Phase::Idle => Some(self.patience.idle),
            Phase::Return => Some(self.patience.header),
        }
    }
}

impl Future for Overseer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.observed.0.load(Ordering::Relaxed);
        if self.seen != Some(state) {
            self.seen = Some(state);
            self.until = self.allowed().map(|allowed| Instant::now() + allowed);
        }
        let Some(until) = self.until else {
            return Poll::Pending;
        };
        // The timer is moved only when it lies too late or fired too early: most changes cost nothing.
        if self.timer.deadline() > until {
            self.timer.as_mut().reset(until);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}

/// A stream that notes when a head begins and when the peer takes no more octets.
pub(super) struct ObservedIo<S> {
    inner: S,
    /// What was read before and not made use of; it is read again first.
    ahead: Bytes,
    observed: Arc<Observed>,
}

impl<S> ObservedIo<S> {
    pub(super) const fn new(inner: S, observed: Arc<Observed>) -> Self {
        Self {
            inner,
            ahead: Bytes::new(),
            observed,
        }
    }

    /// The same stream, on which these octets are read once more.
    pub(super) fn with_ahead(self, ahead: Bytes) -> Self {
        Self { ahead, ..self }
    }

    fn noting<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.observed.write_blocked(polled.is_pending());
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ObservedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(count));
            self.observed.enter(Phase::Head);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before && matches!(self.observed.phase(), Phase::Idle | Phase::Return) {
            self.observed.enter(Phase::Head);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ObservedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, octets);
        self.noting(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.noting(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.noting(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, parts);
        self.noting(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
