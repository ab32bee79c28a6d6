//! What the fuzz targets reach of this crate; compiled for them alone.

use portreeve_pkix::{PublicKey, Timestamp};

use crate::account::Update;
use crate::authenticate::object;
use crate::finalize::Finalize;
use crate::new_account::NewAccount;
use crate::new_order::NewOrder;
use crate::revoke::Revocation;
use crate::{contact, external_account, finalize, identifiers, new_order, revoke};

const COUNT_MAX: usize = 100;

/// Reads a payload as every operation would read it.
///
/// Panics when the names of an order are not sorted, or more than are allowed.
pub fn payload(bytes: &[u8]) {
    if let Ok(account) = object::<NewAccount>(bytes) {
        let _ = contact::check(&account.contact, COUNT_MAX);
        if let (Some(binding), Ok(key)) = (
            &account.external_account_binding,
            PublicKey::from_ed25519(&[9; 32]),
        ) {
            let _ = external_account::read(binding, ("https://ra.example/acme/default/new-account", &key));
        }
    }
    if let Ok(update) = object::<Update>(bytes) {
        let _ = contact::check(&update.contact.unwrap_or_default(), COUNT_MAX);
    }
    if let Ok(order) = object::<NewOrder>(bytes) {
        let now = Timestamp::from_unix_seconds(0);
        let _ = new_order::times(now, order.not_before.as_deref(), order.not_after.as_deref());
        if let Ok(names) = identifiers::read(&order.identifiers, COUNT_MAX) {
            assert!(names.is_sorted() && names.len() <= COUNT_MAX);
        }
    }
    if let Ok(finalized) = object::<Finalize>(bytes)
        && let Ok(request) = finalize::read(&finalized.csr)
    {
        let _ = finalize::check_names(&request, &[]);
    }
    if let Ok(revocation) = object::<Revocation>(bytes) {
        let _ = revoke::certificate(&revocation.certificate);
        let _ = revoke::reason(revocation.reason);
    }
}
