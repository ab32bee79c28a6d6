//! What `/csrattrs` says, templates included.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portreeve_wire::est::{CsrAttributes, RequestTemplate};

fuzz_target!(|input: &[u8]| {
    if let Ok(template) = RequestTemplate::from_der(input) {
        let again = RequestTemplate::from_der(&template.to_der()).expect("written, and read");
        assert_eq!(again.key, template.key);
        assert_eq!(again.extensions, template.extensions);
    }
    let Ok(attributes) = CsrAttributes::from_der(input) else {
        return;
    };
    let again = CsrAttributes::from_der(&attributes.to_der()).expect("written, and read");
    assert_eq!(again.items.len(), attributes.items.len());
    let _ = attributes.template();
});
