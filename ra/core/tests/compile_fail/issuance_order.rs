// error[E0451]: fields `enrollment`, `intent`, `contents` and `request` of struct `IssuanceOrder` are private: private field, private field, private field, private field
//! An order cannot be made outside `steps::issue`.

use portreeve_ra::steps::IssuanceOrder;
use portreeve_ra::{CertificateContents, EnrollmentId, Intent};

fn forge(enrollment: EnrollmentId, intent: Intent, contents: CertificateContents) -> IssuanceOrder {
    IssuanceOrder { enrollment, intent, contents, request: Vec::new() }
}

fn main() {}
