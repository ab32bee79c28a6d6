// error[E0603]: module `issue` is private: private module
//! The step that mints orders cannot be called from outside.

use portreeve_ra::steps::issue::mint;

fn main() {
    let _ = mint;
}
