//! JSON without ambiguity: members that occur twice, deep nesting and very many values are refused.
//!
//! `serde_json` alone keeps the last of two equal members, where another parser may keep the first.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::error::JoseError;

/// Deepest accepted nesting; ACME needs four levels.
pub const DEPTH_MAX: usize = 16;

/// Most values of one text: an order for a thousand names has three thousand. A value of two bytes takes thirty-two and
/// more once it is read, so a text is bounded by the number of its values as well as by its length.
pub const VALUES_MAX: usize = 4096;

/// Reads one JSON value without trailing bytes.
pub fn parse(bytes: &[u8]) -> Result<Value, JoseError> {
    parse_within(bytes, VALUES_MAX)
}

/// Reads one JSON object without trailing bytes.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, JoseError> {
    parse_object_within(bytes, VALUES_MAX)
}

/// Reads one JSON object of at most so many values without trailing bytes.
pub fn parse_object_within(bytes: &[u8], values_max: usize) -> Result<Map<String, Value>, JoseError> {
    match parse_within(bytes, values_max)? {
        Value::Object(members) => Ok(members),
        _ => Err(JoseError::Malformed("not a JSON object")),
    }
}

fn parse_within(bytes: &[u8], values_max: usize) -> Result<Value, JoseError> {
    let malformed = |_| {
        JoseError::Malformed("invalid JSON, nested too deeply, too many values, or a member occurs twice")
    };
    let left = Cell::new(values_max);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict {
        depth: 0,
        left: &left,
    }
    .deserialize(&mut deserializer)
    .map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    Ok(value)
}

#[derive(Copy, Clone)]
struct Strict<'a> {
    depth: usize,
    left: &'a Cell<usize>,
}

impl Strict<'_> {
    fn below<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > DEPTH_MAX {
            Err(E::custom("nested too deeply"))
        } else {
            Ok(Self { depth, ..self })
        }
    }

    fn count<E: Error>(self) -> Result<(), E> {
        let left = self
            .left
            .get()
            .checked_sub(1)
            .ok_or_else(|| E::custom("too many values"))?;
        self.left.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(below)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(below)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member occurs twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn verdicts() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let rows = [
            (
                "object",
                r#"{"a":[1,-2,3.5,true,null,"x"],"b":{"a":1}}"#.to_owned(),
                true,
            ),
            ("same name on two levels", r#"{"a":{"a":1}}"#.to_owned(), true),
            ("deepest", nested(DEPTH_MAX), true),
            ("too deep", nested(DEPTH_MAX + 1), false),
            ("very deep", nested(100_000), false),
            ("twice", r#"{"a":1,"a":1}"#.to_owned(), false),
            ("twice, once escaped", r#"{"a":1,"\u0061":2}"#.to_owned(), false),
            ("twice below", r#"{"x":[{"a":1,"a":2}]}"#.to_owned(), false),
            ("trailing value", "{} {}".to_owned(), false),
            ("trailing comma", r#"{"a":1,}"#.to_owned(), false),
            ("nothing", String::new(), false),
            ("comment", "/**/{}".to_owned(), false),
            ("lone surrogate", r#""\ud800""#.to_owned(), false),
        ];
        for (name, text, accepted) in rows {
            assert_eq!(parse(text.as_bytes()).is_ok(), accepted, "{name}");
        }
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse_object(b"[]").is_err());
    }

    #[test]
    fn values_are_counted() {
        let rows = [
            ("members", r#"{"a":1,"b":2}"#, 3),
            ("items", "{\"a\":[1,2,3]}", 5),
            ("objects below", r#"{"a":[{},{}]}"#, 4),
            ("nothing but itself", "{}", 1),
        ];
        for (name, text, values) in rows {
            assert!(parse_object_within(text.as_bytes(), values).is_ok(), "{name}");
            assert!(
                parse_object_within(text.as_bytes(), values - 1).is_err(),
                "{name}"
            );
        }
        let many = |count: usize| format!("[{}0]", "0,".repeat(count - 2));
        assert!(parse(many(VALUES_MAX).as_bytes()).is_ok());
        assert!(parse(many(VALUES_MAX + 1).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_means_the_same_to_serde_json(text in r#"[\[\]{}":,a-c0-9 .eE+-]{0,40}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(Some(value), serde_json::from_str(&text).ok());
            }
        }
    }
}
