//! What may not happen yet must not compile yet.

#[test]
fn steps_cannot_be_skipped() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
