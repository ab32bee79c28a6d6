//! How many open orders an account has: counted from above in memory, and exactly only when the limit is near.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use portreeve_ra::AccountId;
use portreeve_ra::ports::Documents;

use crate::document::{Document, Order, Progress, Stored, open_by_account};
use crate::error::AcmeError;
use crate::service::Service;

/// Accounts that are remembered, at most; after that counting begins anew.
const ACCOUNTS_MAX: usize = 1 << 16;

/// Counts orders that were made since the store was last asked.
pub(crate) struct OpenOrders {
    max: u32,
    made: Mutex<HashMap<AccountId, u32>>,
}

impl OpenOrders {
    pub(crate) fn new(max: u32) -> Self {
        Self {
            max,
            made: Mutex::default(),
        }
    }

    /// Counts one more order. `false` when the count from above has reached the limit and must be made exact.
    fn count(&self, account: AccountId) -> bool {
        let mut made = self.made();
        if made.len() >= ACCOUNTS_MAX && !made.contains_key(&account) {
            made.clear();
        }
        let count = made.entry(account).or_default();
        if *count >= self.max {
            return false;
        }
        *count = count.saturating_add(1);
        true
    }

    fn set(&self, account: AccountId, count: u32) {
        self.made().insert(account, count);
    }

    fn made(&self) -> MutexGuard<'_, HashMap<AccountId, u32>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses an order of an account that has too many open ones. The store is read only when the orders made here since
/// the last reading reach the limit, so an account that finishes what it begins costs nothing.
pub(crate) async fn admit(service: &Service, account: AccountId) -> Result<(), AcmeError> {
    if service.open_orders.count(account) {
        return Ok(());
    }
    let open = open_now(service, service.documents.as_ref(), account).await?;
    service.open_orders.set(account, open);
    if service.open_orders.count(account) {
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
        assert!(open.count(one) && open.count(one));
        assert!(!open.count(one), "the third");
        assert!(open.count(other), "another account");
        open.set(one, 1);
        assert!(open.count(one) && !open.count(one), "after the store was asked");
    }

    #[test]
    fn memory_is_bounded() {
        let open = OpenOrders::new(2);
        for number in 0..=ACCOUNTS_MAX as u128 {
            open.count(AccountId::from_bytes(number.to_be_bytes()));
        }
        assert!(open.made().len() <= ACCOUNTS_MAX);
    }
}
