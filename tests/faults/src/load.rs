//! Clients that are under way while something fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::FaultError;
use crate::client::Client;

/// Clients that order one name after the other until they are told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Result<(), FaultError>>,
}

impl Load {
    /// Opens so many of them, and lets them go. Each certificate must be there within the limit.
    pub async fn start(
        count: usize,
        limit: Duration,
        mut open: impl AsyncFnMut() -> Result<Client, FaultError>,
    ) -> Result<Self, FaultError> {
        let (stop, mut clients) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for number in 0..count {
            let (client, stop) = (open().await?, Arc::clone(&stop));
            clients.spawn(async move {
                let mut turn = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    turn += 1;
                    let name = format!("{turn}.client{number}.localhost");
                    client.obtain(&name, limit).await?;
                }
                Ok(())
            });
        }
        Ok(Self { stop, clients })
    }

    /// Ends it; every order that was begun has its certificate then.
    ///
    /// # Errors
    /// What one of the clients met that it could not pass.
    pub async fn end(self) -> Result<(), FaultError> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.join_all().await.into_iter().collect()
    }
}
