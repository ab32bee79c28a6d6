//! The suite of the store: `Store`, `Tasks`, `Documents` and `Leases` over the same rows.

pub mod claims;
pub mod documents;
pub mod durability;
pub mod erased;
pub mod fixtures;
mod insist;
pub mod lists;
pub mod seals;
pub mod search;
pub mod streams;
pub mod tampering;
pub mod tasks;
pub mod together;
pub mod unique;

use std::sync::Arc;

use async_trait::async_trait;
use portreeve_ra::ports::{AuditLog, Documents, Leases, Sealing, Store, Tasks};

use crate::fakes::HandClock;

/// A store with nothing in it, that can be restarted and tampered with.
#[async_trait]
pub trait StoreUnderTest: Send + Sync {
    /// The clock the store goes by.
    fn clock(&self) -> HandClock;
    /// The store.
    fn store(&self) -> Arc<dyn Store>;
    /// Its tasks.
    fn tasks(&self) -> Arc<dyn Tasks>;
    /// Its documents.
    fn documents(&self) -> Arc<dyn Documents>;
    /// Its leases.
    fn leases(&self) -> Arc<dyn Leases>;
    /// What is sealed of it.
    fn audit_log(&self) -> Arc<dyn AuditLog>;
    /// Seals it.
    fn sealing(&self) -> Arc<dyn Sealing>;
    /// Closes it and opens it again with the same keys.
    async fn restart(&mut self);
    /// Runs SQL past the store, as somebody who can write to the database; says how many rows changed.
    async fn tamper(&self, sql: &str) -> u64;
}

/// One test for each case of the store's suite. Takes the path of an async function that makes a
/// [`StoreUnderTest`] with an empty store.
#[macro_export]
macro_rules! store_suite {
    ($make:path) => {
        $crate::store_suite!(@modules $make;
            streams {
                positions_follow_each_other, one_of_many_writers_appends, a_batch_is_all_or_nothing,
                a_reader_never_sees_half_a_batch, loads_in_the_order_asked, a_read_sees_every_acknowledged_commit,
            }
            claims {
                one_of_many_claimants_wins, a_claim_is_replaced_when_its_time_is_over,
                a_claim_gives_way_to_who_knows_where_it_leads,
                the_same_enrollment_renews_its_claim,
            }
            unique {
                a_value_is_spent_once, one_of_many_spenders_wins, reservations, a_key_moves_in_one_batch,
                the_first_conflict_is_named,
            }
            documents {
                versions, deletion, many_at_once, unique_keys, keys_are_replaced, found_newest_first,
                a_tampered_body_does_not_open, limits,
            }
            tasks {
                a_lease_runs_out, a_task_is_claimed_once, stale_fences_are_refused, retried_later,
                leased_from_the_start, released_after_a_restart, the_oldest_first, duties,
                a_damaged_task_is_told_of, a_duty_held_for_too_long_is_free,
            }
            lists {
                streams_of_a_kind, requests, certificates, revoked, registrations, secrets, foreign_cursors,
                a_list_survives_writing,
            }
            seals {
                every_record_is_sealed_once_in_order, a_record_that_comes_late_is_sealed, a_removed_record_hides_no_later_one, only_the_holder_seals,
                a_sealer_goes_on_where_another_stopped, two_sealers_at_once, checkpoints_are_bounded,
                a_log_that_went_back_is_not_sealed, proofs_of_records,
            }
            erased {
                erased_records, erased_with_a_request,
            }
            tampering {
                whatever_is_changed_is_found_at_its_place, a_tail_that_was_signed_anew, an_export,
            }
            search {
                certificates, requests, pages, hostile_values, a_long_way_is_gone_in_steps, revoked_and_released,
            }
            together {
                many_questions_at_once,
            }
            durability {
                everything_survives_a_restart, sweeping, probing,
            }
        );
    };
    (@modules $make:path; $($module:ident { $($case:ident),* $(,)? })*) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let mut subject = $make().await;
                $crate::store::$module::$case(&mut subject).await;
            })*
        })*
    };
}
