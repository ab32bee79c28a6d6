// error[E0451]: fields `value` and `next` of struct `Verified` are private: private field, private field
//! A verified value cannot be made outside `steps::verify`.

use portreeve_ra::steps::Verified;
use portreeve_ra::{Enrollment, EnrollmentId, Place, StreamId};

fn forge(id: EnrollmentId) -> Verified<Enrollment> {
    let next = Place { stream: StreamId::enrollment(id), position: 1, previous: [0; 32] };
    Verified { value: Enrollment::new(id), next }
}

fn main() {}
