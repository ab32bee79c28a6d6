//! Edits that are to take a certificate off the list of revoked ones.

use instant_acme::RevocationRequest;
use portreeve_faults::client::Client;
use portreeve_faults::os::eventually;
use portreeve_faults::site::Site;
use portreeve_pkix::Certificate;
use rustls::pki_types::CertificateDer;

use super::{LIMIT, incidents, incidents_shown, start};

/// Obtains a certificate and revokes it; returns the octets of its serial number once the CRL has them.
async fn revoked(site: &Site, client: &Client, name: &str) -> Vec<u8> {
    let der = client.obtain(name, LIMIT).await.unwrap();
    let certificate = CertificateDer::from(der.clone());
    let wish = RevocationRequest {
        certificate: &certificate,
        reason: None,
    };
    client.account().revoke(&wish).await.unwrap();
    let serial = Certificate::from_der(&der).unwrap().serial().as_bytes().to_vec();
    let listed = || async { Ok(is_listed(site, &serial).await.then_some(())) };
    eventually("the revocation on the CRL", LIMIT, listed)
        .await
        .unwrap();
    serial
}

async fn is_listed(site: &Site, serial: &[u8]) -> bool {
    let url = site.gateway.dev_text("/ca/crl").unwrap();
    let list = site.wire.get(url).await.unwrap().body;
    list.windows(serial.len()).any(|octets| octets == serial)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_row_takes_nothing_off_the_list() {
    let mut site = start().await;
    let client = site.client("default").await.unwrap();
    let first = revoked(&site, &client, "first.localhost").await;
    for restart in [false, true] {
        let removed = site
            .database()
            .await
            .unwrap()
            .execute("DELETE FROM revoked")
            .await;
        assert!(removed.unwrap() > 0, "there was a row");
        if restart {
            site.restart().unwrap();
        }
        let next = revoked(
            &site,
            &client,
            if restart {
                "third.localhost"
            } else {
                "second.localhost"
            },
        )
        .await;
        assert!(is_listed(&site, &first).await && is_listed(&site, &next).await);
    }
    let found = incidents(&site).await;
    assert_eq!(found.len(), 2, "each row that was removed: {found:?}");
    assert!(
        found.iter().all(|(what, _)| *what == "revocation_vanished"),
        "{found:?}"
    );
    assert_eq!(incidents_shown(&site), 2);
}
