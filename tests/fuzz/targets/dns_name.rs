//! A DNS name as a client writes it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portreeve_pkix::DnsName;

fuzz_target!(|text: &str| {
    let Ok(name) = DnsName::parse(text) else { return };
    assert!(name.as_str().len() <= 253 && name.as_str().is_ascii());
    assert_eq!(
        DnsName::parse(name.as_str()).as_ref(),
        Ok(&name),
        "the canonical form is its own"
    );
    assert!(name.labels_count() > 0);
    let base = name.base();
    assert!(!base.is_wildcard(), "{name} without its wildcard is {base}");
    assert_eq!(name.is_wildcard(), base != name);
    let _ = name.is_under(&base);
});
