//! Being asked to end.

use tokio::signal::unix::{SignalKind, signal};

/// Listens from now on; the future returns when the process is asked to end: SIGTERM or SIGINT. One that comes before
/// the future is awaited is not lost.
pub fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
