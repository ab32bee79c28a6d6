//! How a gateway on the command line ends.

use super::CliError;
use crate::Running;
use crate::signals::EndSignals;

/// Serves until the process is asked to end, or a part that it cannot do without has ended.
pub(super) async fn awaited(running: &mut Running, signals: &mut EndSignals) -> Result<(), CliError> {
    tokio::select! {
        () = signals.asked() => Ok(()),
        failed = running.failed() => {
            tracing::error!(duty = failed.duty, how = %failed.how, "the gateway cannot go on and stops");
            Err(CliError::DutyEnded(failed))
        }
    }
}

/// Stops in order; being asked again ends the process at once.
pub(super) async fn stop(running: Running, signals: &mut EndSignals) -> Result<(), CliError> {
    tokio::select! {
        biased;
        _ = running.stop() => Ok(()),
        () = signals.asked() => Err(CliError::Interrupted),
    }
}
