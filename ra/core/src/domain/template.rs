//! What a request should look like: for clients that ask before they make one (RFC 7030 section 4.5, RFC 9908).

use portreeve_pkix::{Extension, KeyAlgorithm, Oid};

/// An attribute of the subject that a request should have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TemplateAttribute {
    /// Its type.
    pub oid: Oid,
    /// Its value; `None` leaves it to the client.
    pub value: Option<String>,
}

/// A form of name that may be asked for.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TemplateName {
    /// dNSName.
    Dns,
    /// iPAddress.
    Ip,
    /// rfc822Name.
    Email,
    /// uniformResourceIdentifier.
    Uri,
}

/// A kind of key that is certified.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum TemplateKey {
    /// Exactly this.
    One(KeyAlgorithm),
    /// RSA with a modulus of so many bits, both included.
    Rsa {
        /// Fewest.
        bits_min: u32,
        /// Most.
        bits_max: u32,
    },
}

/// What a request should look like, by a profile.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RequestTemplate {
    /// Attributes of the subject, most significant first.
    pub subject: Vec<TemplateAttribute>,
    /// Forms of names; empty when there should be none.
    pub names: Vec<TemplateName>,
    /// Kinds of keys, the preferred first.
    pub keys: Vec<TemplateKey>,
    /// Extensions with their values.
    pub extensions: Vec<Extension>,
}
