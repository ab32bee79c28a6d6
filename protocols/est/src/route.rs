//! Which operation of which endpoint a path names.
//!
//! The name of an endpoint is compared with those that are published, octet by octet: nothing in a path is decoded, and no
//! path of a file is ever made from one.

use http::Method;

/// Where operations are found (RFC 7030 section 3.2.2).
pub(crate) const WELL_KNOWN: &str = "/.well-known/est/";

/// The endpoint of paths without a label.
pub(crate) const DEFAULT: &str = "default";

/// An operation of EST.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    /// RFC 7030 section 4.1.
    CaCertificates,
    /// RFC 7030 section 4.2.1.
    SimpleEnroll,
    /// RFC 7030 section 4.2.2.
    SimpleReenroll,
    /// RFC 7030 section 4.5.
    CsrAttributes,
    /// RFC 7030 section 4.4.
    ServerKeyGeneration,
}

/// Every operation path segment that a standard defines: none of them is a label (RFC 7030 section 3.2.2), whether or
/// not it is offered.
const RESERVED: [&str; 7] = [
    "cacerts",
    "simpleenroll",
    "simplereenroll",
    "csrattrs",
    "serverkeygen",
    "fullcmc",
    "crls",
];

impl Operation {
    const ALL: [Self; 5] = [
        Self::CaCertificates,
        Self::SimpleEnroll,
        Self::SimpleReenroll,
        Self::CsrAttributes,
        Self::ServerKeyGeneration,
    ];

    /// The segment of the path, and the word in logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::CaCertificates => "cacerts",
            Self::SimpleEnroll => "simpleenroll",
            Self::SimpleReenroll => "simplereenroll",
            Self::CsrAttributes => "csrattrs",
            Self::ServerKeyGeneration => "serverkeygen",
        }
    }

    /// What it answers to, as `Allow` has it.
    pub(crate) const fn methods(self) -> &'static str {
        match self {
            Self::CaCertificates | Self::CsrAttributes => "GET, HEAD",
            Self::SimpleEnroll | Self::SimpleReenroll | Self::ServerKeyGeneration => "POST",
        }
    }

    /// Whether it answers to this method.
    pub(crate) fn allows(self, method: &Method) -> bool {
        match self {
            Self::CaCertificates | Self::CsrAttributes => method == Method::GET || method == Method::HEAD,
            Self::SimpleEnroll | Self::SimpleReenroll | Self::ServerKeyGeneration => method == Method::POST,
        }
    }

    fn named(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == segment)
    }
}

/// What a path names: the label of an endpoint, which may be unknown, and an operation.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Route<'a> {
    /// The last part of the endpoint's name.
    pub(crate) label: &'a str,
    /// What is asked of it.
    pub(crate) operation: Operation,
}

impl<'a> Route<'a> {
    /// Reads `/.well-known/est/OP`, `/.well-known/est/LABEL/OP` and `/LABEL/.well-known/est/OP`.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let (label, segment) = match path.strip_prefix(WELL_KNOWN) {
            Some(below) => below.split_once('/').unwrap_or((DEFAULT, below)),
            None => {
                let (label, _) = path.strip_prefix('/')?.split_once('/')?;
                let below = path.strip_prefix('/')?.strip_prefix(label)?;
                (label, below.strip_prefix(WELL_KNOWN)?)
            }
        };
        let operation = Operation::named(segment)?;
        (!RESERVED.contains(&label)).then_some(Self { label, operation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_an_endpoint_and_an_operation() {
        let rows = [
            ("/.well-known/est/cacerts", Some("default cacerts")),
            ("/.well-known/est/lab1/cacerts", Some("lab1 cacerts")),
            ("/lab1/.well-known/est/simpleenroll", Some("lab1 simpleenroll")),
            ("/.well-known/est/default/csrattrs", Some("default csrattrs")),
            ("/.well-known/est/lab1/serverkeygen", Some("lab1 serverkeygen")),
            (
                "/.well-known/est/a%00/simplereenroll",
                Some("a%00 simplereenroll"),
            ),
            ("/.well-known/est/..%2fx/cacerts", Some("..%2fx cacerts")),
            // An empty label is the name of no endpoint.
            ("/.well-known/est//cacerts", Some(" cacerts")),
            ("//.well-known/est/cacerts", Some(" cacerts")),
            ("/.well-known/est/cacerts/cacerts", None),
            ("/.well-known/est/simpleenroll/cacerts", None),
            ("/.well-known/est/fullcmc/cacerts", None),
            ("/crls/.well-known/est/cacerts", None),
            ("/.well-known/est/fullcmc", None),
            ("/.well-known/est/cacerts/", None),
            ("/.well-known/est/lab1/cacerts/", None),
            ("/.well-known/est/lab1/lab2/cacerts", None),
            ("/lab1/.well-known/est/lab2/cacerts", None),
            ("/lab1/lab2/.well-known/est/cacerts", None),
            ("/.well-known/est/CACERTS", None),
            ("/.well-known/est/", None),
            ("/.well-known/est", None),
            ("/cacerts", None),
            ("", None),
        ];
        for (path, expected) in rows {
            let route = Route::parse(path);
            let found = route.map(|route| format!("{} {}", route.label, route.operation.as_str()));
            assert_eq!(found.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_offered_is_no_label() {
        for operation in Operation::ALL {
            assert!(RESERVED.contains(&operation.as_str()));
            assert_eq!(operation.allows(&Method::POST), operation.methods() == "POST");
            assert_eq!(operation.allows(&Method::GET), operation.methods() != "POST");
        }
    }
}
