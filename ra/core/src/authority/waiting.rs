//! Waiting for an enrollment that somebody brings forward: this node or another one.
//!
//! A wake-up is only a hint. Whoever waits registers first, then looks, then waits, and looks again whenever the wait
//! returns, be it for nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::RegistrationAuthority;
use super::deadline::within;
use super::drive::Drove;
use crate::domain::{Enrollment, EnrollmentId, EnrollmentState, Refusal};
use crate::error::Error;
use crate::ports::WakeKey;
use crate::steps::Verified;

/// A wait that has begun.
type Wait = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// Whether somebody works on it, so that waiting a moment is worth it. A CA that has given a handle takes its time.
pub(super) fn is_moving(enrollment: &Enrollment) -> bool {
    use EnrollmentState as S;
    let works = matches!(
        enrollment.state(),
        Some(S::Submitted | S::Received | S::Approved | S::Issuing)
    );
    works && enrollment.handle().is_none()
}

impl RegistrationAuthority {
    /// Begins a wait for any change of an enrollment.
    pub(super) fn wait_for(&self, id: EnrollmentId, at_most: Duration) -> Wait {
        self.parts.wakeups.wait(WakeKey::Enrollment(id), at_most)
    }

    /// What work that was spawned here came to, if it comes in time.
    pub(super) async fn drove<'a>(
        &self,
        (id, at_most): (EnrollmentId, Duration),
        mut woken: Wait,
        work: &'a Arc<OnceLock<Drove>>,
    ) -> Option<&'a Drove> {
        let ended = async {
            loop {
                woken.await;
                woken = self.wait_for(id, at_most);
                if let Some(drove) = work.get() {
                    return drove;
                }
            }
        };
        within(self.parts.clock.as_ref(), at_most, ended).await
    }

    /// The enrollment when nobody works on it any more, or as it stands after `at_most`. For work of other nodes too.
    pub(super) async fn settled(
        &self,
        id: EnrollmentId,
        at_most: Duration,
    ) -> Result<Verified<Enrollment>, Error> {
        let settled = async {
            loop {
                let woken = self.wait_for(id, at_most);
                let enrollment = self.present(id).await?;
                if !is_moving(enrollment.value()) {
                    return Ok(enrollment);
                }
                woken.await;
            }
        };
        match within(self.parts.clock.as_ref(), at_most, settled).await {
            Some(settled) => settled,
            None => self.present(id).await,
        }
    }

    async fn present(&self, id: EnrollmentId) -> Result<Verified<Enrollment>, Error> {
        Ok(self.load_enrollment(id).await?.ok_or(Refusal::UnknownRequest)?)
    }
}
