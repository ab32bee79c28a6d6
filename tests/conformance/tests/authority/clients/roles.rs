//! What clients show reaches the worker that judges, through an edge that does not.

use portreeve_queue::LocalWakeups;
use portreeve_ra::ports::Wakeups;
use portreeve_ra::{
    CertificateRejection as Rejection, EnrollmentRequest, RegistrationAuthority, Role, Roles,
};

use super::generated::{Maker, OFFERED};
use super::*;

fn node(fleet: &Fleet, role: Role, number: u8) -> Arc<RegistrationAuthority> {
    let backend: Option<Arc<dyn CaBackend>> = match role {
        Role::Worker => Some(Arc::clone(&fleet.backend) as _),
        _ => None,
    };
    let wakeups: Arc<dyn Wakeups> = Arc::new(LocalWakeups::among_nodes());
    fleet
        .authority
        .node_with(Roles::NONE.with(role), backend, wakeups, number)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_judges_what_clients_showed_an_edge() {
    let fleet = Fleet::start(OFFERED).await;
    let device = fleet.device("press").await;
    let (edge, worker) = (node(&fleet, Role::Edge, 2), node(&fleet, Role::Worker, 3));
    let working = tokio::spawn(async move {
        loop {
            worker.work().await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let renewal = |request: Vec<u8>| EnrollmentRequest {
        operation: Operation::Renew,
        ..fleet.request(device.credential(), &request)
    };
    let renewed = certified(edge.enroll(renewal(device.request.clone())).await);
    let application = fleet.application(renewed.enrollment).await;
    let of = application.shown.renewal.map(|renewal| renewal.of);
    assert_eq!(of, Some(device.issuance.enrollment));
    let again = certified(edge.enroll(renewal(device.request.clone())).await);
    assert_eq!(renewed.certificate, again.certificate, "the poll");
    let answer = edge.enroll(renewal(Csr::of("lathe").anew())).await;
    refused("said by the edge", answer, &Refusal::NotItsNames);

    let maker = Arc::new(Maker::default());
    let made = EnrollmentRequest {
        operation: Operation::GenerateKey,
        key_maker: Some(Arc::clone(&maker) as _),
        ..fleet.request(certificate(&renewed), &device.request)
    };
    let made = certified(edge.enroll(made).await);
    assert!(maker.last_is_of(&made));

    // The edge cannot read which of a lineage was used; the worker can.
    let answer = edge.enroll(renewal(Csr::of("press").anew())).await;
    let not_newest = Refusal::ClientCertificate(Rejection::NotNewest);
    let said = matches!(&answer, Ok(Disposition::Refused(refusal)) if *refusal == not_newest);
    assert!(said, "{answer:?}");
    working.abort();
}
