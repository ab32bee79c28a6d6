//! Being asked to end.

use tokio::signal::unix::{SignalKind, signal};

/// Returns when the process is asked to end: SIGTERM or SIGINT.
pub async fn asked_to_end() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
