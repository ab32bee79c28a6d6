//! The variables of expressions and their types.

use std::fmt;

use Type::{Bool, Number, Record, Text};

/// What a list holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// True or false.
    Bool,
    /// A whole number.
    Number,
    /// A text.
    Text,
}

/// The type of a part of an expression.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// True or false.
    Bool,
    /// A whole number.
    Number,
    /// A text.
    Text,
    /// A list.
    List(Item),
    /// Fields with names.
    Record(&'static [Field]),
}

/// A name with its type.
pub(super) type Field = (&'static str, Type);

const TEXTS: Type = Type::List(Item::Text);

/// Every variable. One for registrations stands here once they are known to policy: `registration`, a record.
pub(super) const VARIABLES: &[Field] = &[
    ("request", Record(REQUEST)),
    ("certificate", Record(CERTIFICATE)),
    ("validity_days", Number),
    ("requester", Record(REQUESTER)),
    ("endpoint", Record(ENDPOINT)),
    ("profile", Record(PROFILE)),
    ("now", Record(NOW)),
];

const REQUEST: &[Field] = &[
    ("subject", Record(SUBJECT)),
    ("names", Record(NAMES)),
    ("key", Record(KEY)),
];

const CERTIFICATE: &[Field] = &[
    ("subject", Record(SUBJECT)),
    ("names", Record(NAMES)),
    ("key_usage", TEXTS),
    ("extended_key_usage", TEXTS),
];

const SUBJECT: &[Field] = &[
    ("text", Text),
    ("common_names", TEXTS),
    ("organizations", TEXTS),
    ("organizational_units", TEXTS),
    ("countries", TEXTS),
    ("serial_numbers", TEXTS),
];

const NAMES: &[Field] = &[
    ("dns", TEXTS),
    ("ip", TEXTS),
    ("email", TEXTS),
    ("uri", TEXTS),
    ("count", Number),
];

const KEY: &[Field] = &[("algorithm", Text), ("bits", Number)];
const REQUESTER: &[Field] = &[("kind", Text), ("id", Text)];
const ENDPOINT: &[Field] = &[
    ("name", Text),
    ("protocol", Text),
    ("names_proven", Bool),
    ("approved_by_people", Bool),
];
const PROFILE: &[Field] = &[("name", Text)];
const NOW: &[Field] = &[
    ("unix", Number),
    ("date", Text),
    ("hour", Number),
    ("minute", Number),
    ("weekday", Number),
];

impl From<Item> for Type {
    fn from(item: Item) -> Self {
        match item {
            Item::Bool => Bool,
            Item::Number => Number,
            Item::Text => Text,
        }
    }
}

impl Type {
    /// As an item of a list; lists of lists and of records there are none.
    pub(super) const fn item(self) -> Option<Item> {
        match self {
            Bool => Some(Item::Bool),
            Number => Some(Item::Number),
            Text => Some(Item::Text),
            Self::List(_) | Record(_) => None,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bool => f.write_str("true or false"),
            Number => f.write_str("a number"),
            Text => f.write_str("a text"),
            Self::List(Item::Bool) => f.write_str("a list of true or false"),
            Self::List(Item::Number) => f.write_str("a list of numbers"),
            Self::List(Item::Text) => f.write_str("a list of texts"),
            Record(_) => f.write_str("a record"),
        }
    }
}

/// The type of this name among these.
pub(super) fn find(fields: &[Field], name: &str) -> Option<Type> {
    fields
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, kind)| *kind)
}

/// The names of these, for people.
pub(super) fn names(fields: &[Field]) -> String {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// Every variable, records spelled out.
pub(super) fn flat() -> Vec<(String, String)> {
    fn add(prefix: &str, fields: &[Field], into: &mut Vec<(String, String)>) {
        for (name, kind) in fields {
            let path = format!("{prefix}{name}");
            match kind {
                Record(inner) => add(&format!("{path}."), inner, into),
                other => into.push((path, other.to_string())),
            }
        }
    }
    let mut found = Vec::new();
    add("", VARIABLES, &mut found);
    found
}
