//! The step that mints orders cannot be called from outside.

use portreeve_ra::steps::issue::mint;

fn main() {
    let _ = mint;
}
