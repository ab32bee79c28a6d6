//! A connection that fails when the other side says more than was allowed for.
//!
//! Redis may hold anything, and its answers are read into memory whole. Each question allows a number of octets for
//! its answer; a longer one ends the connection instead.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What can carry a conversation.
pub(crate) trait Octets: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Octets for T {}

/// How many octets may still be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    /// Allows this many from now on, whatever was left.
    pub(crate) fn refill(&self, octets: usize) {
        self.0.store(octets, Ordering::Relaxed);
    }

    /// Uses up so many; whether they were allowed.
    fn spend(&self, octets: usize) -> bool {
        let spend = |left: usize| left.checked_sub(octets);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend)
            .is_ok()
    }
}

/// A connection with an allowance.
pub(crate) struct Metered {
    inner: Box<dyn Octets>,
    allowance: Allowance,
}

impl Metered {
    /// This connection; nothing may be read from it yet.
    pub(crate) fn new(inner: Box<dyn Octets>) -> (Self, Allowance) {
        let allowance = Allowance::default();
        let metered = Self {
            inner,
            allowance: allowance.clone(),
        };
        (metered, allowance)
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        if self.allowance.spend(read) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "an answer is longer than anything that was written here",
            )))
        }
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_was_not_allowed_for_ends_the_connection() {
        let (near, mut far) = tokio::io::duplex(64);
        let (mut metered, allowance) = Metered::new(Box::new(near));
        allowance.refill(4);
        far.write_all(b"1234").await.unwrap();
        let mut answer = [0; 4];
        metered.read_exact(&mut answer).await.unwrap();
        allowance.refill(3);
        far.write_all(b"5678").await.unwrap();
        let error = metered.read_exact(&mut answer).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
