//! Expressions: what a query says, checked.

use portreeve_pkix::Timestamp;
use std::fmt;

use super::field::Field;
use super::value::{Range, Value};

macro_rules! operators {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// A comparison.
        #[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
        pub enum Operator { $($(#[$doc])* $name),* }

        impl Operator {
            /// As it is written.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $text),* } }
        }
    };
}

operators! {
    /// Is it.
    Equal = "=";
    /// Is not.
    Unequal = "!=";
    /// Has it as a part.
    Contains = "~";
    /// Comes before.
    Less = "<";
    /// Comes before or is it.
    AtMost = "<=";
    /// Comes after.
    More = ">";
    /// Comes after or is it.
    AtLeast = ">=";
    /// Is one of several.
    In = "in";
}

/// A field, a comparison, and what to compare with. Only the reader makes one, and what limits a search to rights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    field: Field,
    operator: Operator,
    /// One, or several with [`Operator::In`].
    values: Vec<Value>,
}

impl Term {
    pub(super) const fn new(field: Field, operator: Operator, values: Vec<Value>) -> Self {
        Self {
            field,
            operator,
            values,
        }
    }

    /// That a field is one of these words.
    pub(crate) fn one_of(field: Field, words: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<Value> = words.into_iter().map(Value::Text).collect();
        let operator = if values.len() == 1 {
            Operator::Equal
        } else {
            Operator::In
        };
        Self::new(field, operator, values)
    }

    /// That a field of octets is this.
    pub(crate) fn octets(field: Field, octets: Vec<u8>) -> Self {
        Self::new(field, Operator::Equal, vec![Value::Octets(octets)])
    }

    /// The field.
    pub const fn field(&self) -> Field {
        self.field
    }

    /// The comparison.
    pub const fn operator(&self) -> Operator {
        self.operator
    }

    /// What it is compared with: one value, or several with [`Operator::In`].
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The only value it must be equal to, if it must be equal to one.
    pub fn only(&self) -> Option<&Value> {
        match (self.operator, self.values.as_slice()) {
            (Operator::Equal, [only]) => Some(only),
            _ => None,
        }
    }

    /// The time in which a moment must lie; for `!=` that in which it must not.
    pub fn range(&self, now: Timestamp) -> Option<Range> {
        let (from, after) = self.values.first()?.moment()?.span(now);
        let range = |from, before| Some(Range { from, before });
        match self.operator {
            Operator::Less => range(None, Some(from)),
            Operator::AtMost => range(None, Some(after)),
            Operator::More => range(Some(after), None),
            Operator::AtLeast => range(Some(from), None),
            Operator::Equal | Operator::Unequal => range(Some(from), Some(after)),
            Operator::Contains | Operator::In => None,
        }
    }
}

/// A query, if there is one, and that a field of words is this one.
pub fn with_word(query: Option<Expression>, field: Field, word: String) -> Expression {
    let term = Expression::Term(Term::one_of(field, [word]));
    match query {
        Some(query) => Expression::And(vec![query, term]),
        None => term,
    }
}

/// What a query says. Its text reads as the same again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expression {
    /// All of these; two at least.
    And(Vec<Expression>),
    /// One of these; two at least.
    Or(Vec<Expression>),
    /// Not this.
    Not(Box<Expression>),
    /// One comparison.
    Term(Term),
}

impl Expression {
    /// All of these, of which there is at least one.
    pub(crate) fn all(mut several: Vec<Self>) -> Option<Self> {
        match several.len() {
            0 | 1 => several.pop(),
            _ => Some(Self::And(several)),
        }
    }

    /// One of these, of which there is at least one.
    pub(crate) fn any(mut several: Vec<Self>) -> Option<Self> {
        match several.len() {
            0 | 1 => several.pop(),
            _ => Some(Self::Or(several)),
        }
    }

    /// The terms that must all be true.
    pub fn required(&self) -> Vec<&Term> {
        match self {
            Self::And(several) => several.iter().flat_map(Self::required).collect(),
            Self::Term(term) => vec![term],
            Self::Or(_) | Self::Not(_) => Vec::new(),
        }
    }

    fn write_inside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(_) | Self::Or(_) => write!(f, "({self})"),
            Self::Not(_) | Self::Term(_) => write!(f, "{self}"),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (several, word) = match self {
            Self::And(several) => (several, " and "),
            Self::Or(several) => (several, " or "),
            Self::Not(inner) => {
                f.write_str("not ")?;
                return inner.write_inside(f);
            }
            Self::Term(term) => return term.fmt(f),
        };
        for (place, one) in several.iter().enumerate() {
            if place > 0 {
                f.write_str(word)?;
            }
            one.write_inside(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.field.as_str();
        if self.operator == Operator::In {
            let values: Vec<String> = self.values.iter().map(Value::to_string).collect();
            return write!(f, "{word} in ({})", values.join(", "));
        }
        write!(f, "{word}{}", self.operator.as_str())?;
        self.values.iter().try_for_each(|value| value.fmt(f))
    }
}
