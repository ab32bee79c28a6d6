// error[E0451]: field `request` of struct `ProvenRequest` is private: private field
//! A proven request cannot be made outside `steps::possession`.

use portreeve_ra::steps::ProvenRequest;

fn forge() -> ProvenRequest {
    ProvenRequest { request: panic!() }
}

fn main() {}
