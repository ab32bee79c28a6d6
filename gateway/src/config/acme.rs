//! `acme`: the ACME edge.

use portreeve_acme::AcmeConfig;
use portreeve_validation::ValidationConfig;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::{ConfigError, invalid, schema};

/// The ACME edge: its own knobs, and how control of names is checked below `validation`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AcmeSection {
    /// The knobs of the edge.
    #[serde(flatten)]
    pub edge: AcmeConfig,
    /// How control of names is checked.
    pub validation: ValidationConfig,
}

impl<'de> Deserialize<'de> for AcmeSection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Both halves refuse unknown keys themselves, which serde cannot combine with flattening.
        let mut table = toml::Table::deserialize(deserializer)?;
        let validation = match table.remove("validation") {
            Some(value) => value
                .try_into()
                .map_err(|error| D::Error::custom(format_args!("acme.validation: {error}")))?,
            None => ValidationConfig::default(),
        };
        let edge = table
            .try_into()
            .map_err(|error| D::Error::custom(format_args!("acme: {error}")))?;
        Ok(Self { edge, validation })
    }
}

impl JsonSchema for AcmeSection {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AcmeSection".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schema::AcmeKeys::json_schema(generator)
    }
}

impl AcmeSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.edge.identifiers_max == 0 || self.edge.identifiers_max > 1000 {
            return Err(invalid("acme.identifiers_max", "must lie between 1 and 1000"));
        }
        if self.edge.accounts_per_address_max > 0 && self.edge.accounts_period.is_zero() {
            return Err(invalid("acme.accounts_period", "must not be zero"));
        }
        self.validation
            .check()
            .map_err(|error| invalid("acme.validation", error.to_string()))
    }
}
