//! A proven request cannot be made outside `steps::possession`.

use portreeve_pkix::CertificationRequest;
use portreeve_ra::steps::ProvenRequest;

fn forge(request: CertificationRequest) -> ProvenRequest {
    ProvenRequest { request }
}

fn main() {}
