//! Expressions as conditions on a row `c`, never NULL, with every value as a parameter.

use portreeve_pkix::Timestamp;
use portreeve_ra::RevocationReason;
use portreeve_ra::search::{Among, Expression, Field, Operator, Range, Status, Term, Value};

use crate::names::{self, ALTERNATIVE, COMMON};
use crate::search::{Dialect, Parameter};

/// The column of a field that has one of its own.
pub(crate) const fn column(field: Field) -> &'static str {
    match field {
        Field::CommonName => "cn",
        Field::AlternativeName => "sans",
        Field::Serial => "serial",
        Field::Fingerprint => "fingerprint",
        Field::Spki => "key",
        Field::Profile => "profile",
        Field::Endpoint | Field::Protocol => "endpoint",
        Field::Backend => "backend",
        Field::Registration => "registration",
        Field::Team => "team",
        Field::Requester => "requester",
        Field::Key => "key_algorithm",
        Field::Status | Field::Revoked => "revoked_at",
        Field::State => "state",
        Field::Reason => "reason",
        Field::Issued => "issued_at",
        Field::Expires => "not_after",
        Field::Received => "created_at",
        Field::Changed => "updated_at",
    }
}

/// Whether the column may be NULL.
const fn may_be_absent(field: Field) -> bool {
    matches!(
        field,
        Field::Registration | Field::Team | Field::Reason | Field::Revoked
    )
}

/// Conditions that are written, and their parameters.
pub(crate) struct Conditions {
    dialect: Dialect,
    among: Among,
    now: Timestamp,
    parameters: Vec<Parameter>,
}

impl Conditions {
    pub(crate) const fn new(dialect: Dialect, among: Among, now: Timestamp) -> Self {
        Self {
            dialect,
            among,
            now,
            parameters: Vec::new(),
        }
    }

    pub(crate) fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// A further parameter, as it stands in the statement.
    pub(crate) fn bind(&mut self, parameter: Parameter) -> String {
        self.parameters.push(parameter);
        format!("${}", self.parameters.len())
    }

    /// A value as a parameter.
    pub(crate) fn value(&mut self, value: &Value) -> String {
        self.bind(match value {
            Value::Text(text) => Parameter::Text(text.clone()),
            Value::Octets(octets) => Parameter::Octets(octets.clone()),
            Value::Moment(moment) => Parameter::Number(moment.span(self.now).0),
        })
    }

    /// That a time is in a range.
    pub(crate) fn range(&mut self, by: &str, range: Range) -> Vec<String> {
        let limits = [(range.from, ">="), (range.before, "<")];
        let mut parts = Vec::new();
        for (limit, comparison) in limits {
            if let Some(at) = limit {
                let at = self.bind(Parameter::Number(at));
                parts.push(format!("c.{by} {comparison} {at}"));
            }
        }
        parts
    }

    /// An expression.
    pub(crate) fn expression(&mut self, expression: &Expression) -> String {
        match expression {
            Expression::And(several) => self.several(several, " AND "),
            Expression::Or(several) => self.several(several, " OR "),
            Expression::Not(inner) => format!("NOT {}", self.expression(inner)),
            Expression::Term(term) => self.term(term),
        }
    }

    fn several(&mut self, several: &[Expression], word: &str) -> String {
        let parts: Vec<String> = several.iter().map(|one| self.expression(one)).collect();
        format!("({})", parts.join(word))
    }

    fn term(&mut self, term: &Term) -> String {
        let field = term.field();
        let condition = match field {
            Field::CommonName | Field::AlternativeName => self.name(term),
            Field::Protocol => {
                let beginning = |value: &Value| format!("{}/", value.text().unwrap_or_default());
                let texts: Vec<String> = term.values().iter().map(beginning).collect();
                self.any_of(texts, |place, text| format!("{place}(c.endpoint, {text}) = 1"))
            }
            Field::Status => self.status(term),
            Field::Reason => {
                let numbers: Vec<String> = term
                    .values()
                    .iter()
                    .filter_map(|value| RevocationReason::from_name(value.text()?))
                    .map(|reason| self.bind(Parameter::Number(reason.number().into())))
                    .collect();
                format!("c.reason IN ({})", numbers.join(", "))
            }
            Field::Issued | Field::Expires | Field::Revoked | Field::Received | Field::Changed => {
                let range = term.range(self.now).unwrap_or_default();
                let parts = self.range(column(field), range);
                if parts.is_empty() {
                    "TRUE".to_owned()
                } else {
                    parts.join(" AND ")
                }
            }
            _ => self.word(term),
        };
        let condition = if may_be_absent(field) {
            format!("(c.{} IS NOT NULL AND {condition})", column(field))
        } else {
            format!("({condition})")
        };
        if term.operator() == Operator::Unequal {
            format!("NOT {condition}")
        } else {
            condition
        }
    }

    /// A column that is equal to one of the values, or has it as a part without regard to case.
    fn word(&mut self, term: &Term) -> String {
        let by = column(term.field());
        if term.operator() == Operator::Contains {
            let lower = |value: &Value| value.text().unwrap_or_default().to_lowercase();
            let texts: Vec<String> = term.values().iter().map(lower).collect();
            return self.any_of(texts, |place, text| format!("{place}(lower(c.{by}), {text}) > 0"));
        }
        let values: Vec<String> = term.values().iter().map(|value| self.value(value)).collect();
        format!("c.{by} IN ({})", values.join(", "))
    }

    /// A name that is equal to one of the values, or has it as a part. Stored names are in lower case, as values are.
    fn name(&mut self, term: &Term) -> String {
        let by = column(term.field());
        let texts = term.values().iter().filter_map(Value::text).map(str::to_owned);
        let contains = term.operator() == Operator::Contains;
        match self.among {
            _ if contains => self.any_of(texts.collect(), |place, text| {
                format!("{place}(c.{by}, {text}) > 0")
            }),
            Among::Requests => {
                let lines = texts.map(|text| format!("\n{text}\n")).collect();
                self.any_of(lines, |place, text| format!("{place}(c.{by}, {text}) > 0"))
            }
            Among::Certificates => {
                let kind = match term.field() {
                    Field::CommonName => COMMON,
                    _ => ALTERNATIVE,
                };
                let keys: Vec<String> = texts
                    .map(|text| self.bind(Parameter::Text(names::key(&text))))
                    .collect();
                format!(
                    "EXISTS (SELECT 1 FROM certificate_name x WHERE x.enrollment = c.enrollment \
                     AND x.name IN ({}) AND (x.kinds & {kind}) <> 0)",
                    keys.join(", ")
                )
            }
        }
    }

    fn status(&mut self, term: &Term) -> String {
        let hold = RevocationReason::CertificateHold.number();
        let words = term
            .values()
            .iter()
            .filter_map(|value| Status::from_word(value.text()?));
        let mut parts = Vec::new();
        for status in words {
            parts.push(match status {
                Status::Valid | Status::Expired => {
                    let now = self.bind(Parameter::Number(self.now.unix_millis()));
                    let comparison = if status == Status::Valid { ">" } else { "<=" };
                    format!("(c.revoked_at IS NULL AND c.not_after {comparison} {now})")
                }
                Status::Revoked => {
                    format!("(c.revoked_at IS NOT NULL AND c.reason IS NOT NULL AND c.reason <> {hold})")
                }
                Status::Held => {
                    format!("(c.revoked_at IS NOT NULL AND c.reason IS NOT NULL AND c.reason = {hold})")
                }
            });
        }
        parts.join(" OR ")
    }

    fn any_of(&mut self, texts: Vec<String>, condition: impl Fn(&str, &str) -> String) -> String {
        let place = self.dialect.place;
        let parts: Vec<String> = texts
            .into_iter()
            .map(|text| {
                let text = self.bind(Parameter::Text(text));
                condition(place, &text)
            })
            .collect();
        format!("({})", parts.join(" OR "))
    }
}
