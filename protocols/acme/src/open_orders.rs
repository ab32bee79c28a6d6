//! How many open orders an account has: read from the store on first sight, then counted from above in memory, and read
//! again only when the limit is near.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use portreeve_ra::AccountId;
use portreeve_ra::ports::Documents;

use crate::document::{Document, Order, Progress, Stored, open_by_account};
use crate::error::AcmeError;
use crate::service::Service;

/// Accounts that are remembered, at most; after that each is read again.
const ACCOUNTS_MAX: usize = 1 << 16;

/// Counts orders that were made since the store was last asked.
pub(crate) struct OpenOrders {
    max: u32,
    made: Mutex<HashMap<AccountId, u32>>,
}

/// What the count says about one more order.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Count {
    /// It was counted and is below the limit.
    Below,
    /// Nothing is known of the account: it was not seen since the start.
    Unknown,
    /// The count from above has reached the limit and must be made exact.
    Reached,
}

impl OpenOrders {
    pub(crate) fn new(max: u32) -> Self {
        Self {
            max,
            made: Mutex::default(),
        }
    }

    /// Knows that an account has just been opened and has no order: it needs no reading.
    pub(crate) fn opened(&self, account: AccountId) {
        let mut made = self.made();
        make_room(&mut made);
        made.entry(account).or_insert(0);
    }

    /// Counts one more order, if that is possible without asking the store.
    fn count(&self, account: AccountId) -> Count {
        match self.made().get_mut(&account) {
            None => Count::Unknown,
            Some(count) if *count >= self.max => Count::Reached,
            Some(count) => {
                *count = count.saturating_add(1);
                Count::Below
            }
        }
    }

    /// Takes what the store has said. On first sight orders that were counted meanwhile are kept.
    fn set(&self, account: AccountId, open: u32, why: Count) {
        let mut made = self.made();
        make_room(&mut made);
        let count = made.entry(account).or_insert(open);
        if why == Count::Reached {
            *count = open;
        }
    }

    fn made(&self) -> MutexGuard<'_, HashMap<AccountId, u32>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(made: &mut HashMap<AccountId, u32>) {
    if made.len() >= ACCOUNTS_MAX {
        made.clear();
    }
}

/// Refuses an order of an account that has too many open ones. The store is read on first sight of an account, and when
/// the orders made here since the last reading reach the limit, so an account that finishes what it begins costs nothing.
pub(crate) async fn admit(service: &Service, account: AccountId) -> Result<(), AcmeError> {
    let first = service.open_orders.count(account);
    if first == Count::Below {
        return Ok(());
    }
    let open = open_now(service, service.documents.as_ref(), account).await?;
    service.open_orders.set(account, open, first);
    if service.open_orders.count(account) == Count::Below {
        return Ok(());
    }
    Err(AcmeError::TooManyOrders {
        retry_after: service.config.retry_after.order * 20,
    })
}

async fn open_now(
    service: &Service,
    documents: &dyn Documents,
    account: AccountId,
) -> Result<u32, AcmeError> {
    let max = service.open_orders.max;
    let page = documents
        .find(Order::KIND, &open_by_account(account), None, max)
        .await?;
    let mut open = 0;
    for document in &page.items {
        let order = Stored::<Order>::read(document)?.value;
        if order.progress == Progress::Open && service.now() < order.expires_at {
            open += 1;
        }
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_up_to_the_limit() {
        let open = OpenOrders::new(2);
        let (one, other) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
        assert_eq!(open.count(one), Count::Unknown, "on first sight");
        open.set(one, 0, Count::Unknown);
        let counted: Vec<Count> = (0..3).map(|_| open.count(one)).collect();
        assert_eq!(counted, [Count::Below, Count::Below, Count::Reached]);
        open.opened(other);
        assert_eq!(open.count(other), Count::Below, "another account");
        open.set(one, 1, Count::Reached);
        let counted: Vec<Count> = (0..2).map(|_| open.count(one)).collect();
        assert_eq!(
            counted,
            [Count::Below, Count::Reached],
            "after the store was asked"
        );
    }

    #[test]
    fn what_was_counted_while_the_store_was_asked_is_kept() {
        let open = OpenOrders::new(9);
        let account = AccountId::from_bytes([1; 16]);
        open.set(account, 8, Count::Unknown);
        assert_eq!(open.count(account), Count::Below);
        open.set(account, 8, Count::Unknown);
        assert_eq!(open.count(account), Count::Reached);
    }

    #[test]
    fn memory_is_bounded() {
        let open = OpenOrders::new(2);
        for number in 0..=ACCOUNTS_MAX as u128 {
            open.opened(AccountId::from_bytes(number.to_be_bytes()));
        }
        assert!(open.made().len() <= ACCOUNTS_MAX);
    }
}
