//! Reading a query.

use super::expression::{Expression, Operator, Term};
use super::field::{Among, Field, Kind};
use super::token::{Token, tokens};
use super::value::{Moment, Value};
use super::{DEPTH_MAX, SOURCE_MAX, VALUES_MAX};

/// Why a query cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("query, at character {}: expected {expected}, found {found}", .position + 1)]
pub struct QueryError {
    /// Characters before the place.
    pub position: usize,
    /// What could have stood there.
    pub expected: String,
    /// What does.
    pub found: String,
}

/// Reads a query; blank text asks for everything.
pub fn parse(source: &str, among: Among) -> Result<Option<Expression>, QueryError> {
    if source.len() > SOURCE_MAX {
        return Err(QueryError {
            position: 0,
            expected: format!("at most {SOURCE_MAX} octets"),
            found: format!("{}", source.len()),
        });
    }
    let read = tokens(source).map_err(|error| QueryError {
        position: characters(source, error.at),
        expected: error.expected.to_owned(),
        found: source
            .get(error.at..)
            .and_then(|rest| rest.chars().next())
            .map_or_else(|| "the end".to_owned(), |c| c.escape_default().to_string()),
    })?;
    if read.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader {
        source,
        among,
        tokens: read,
        next: 0,
        values: 0,
    };
    let expression = reader.either(0)?;
    match reader.peek() {
        None => Ok(Some(expression)),
        Some(_) => Err(reader.expected("and, or, or the end")),
    }
}

fn characters(source: &str, octet: usize) -> usize {
    source.get(..octet).map_or(0, |before| before.chars().count())
}

struct Reader<'a> {
    source: &'a str,
    among: Among,
    tokens: Vec<(usize, Token)>,
    next: usize,
    values: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    /// The error that something else stands at the next token.
    fn expected(&self, expected: impl Into<String>) -> QueryError {
        self.expected_at(self.next, expected)
    }

    fn expected_at(&self, place: usize, expected: impl Into<String>) -> QueryError {
        let token = self.tokens.get(place);
        let octet = token.map_or(self.source.len(), |(at, _)| *at);
        QueryError {
            position: characters(self.source, octet),
            expected: expected.into(),
            found: token.map_or_else(|| "the end".to_owned(), |(_, token)| token.shown()),
        }
    }

    /// Takes the next token if it is this word.
    fn word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(next)) if next.eq_ignore_ascii_case(word));
        self.next += usize::from(is);
        is
    }

    fn take(&mut self, wanted: &Token, expected: &str) -> Result<(), QueryError> {
        if self.peek() != Some(wanted) {
            return Err(self.expected(expected));
        }
        self.next += 1;
        Ok(())
    }

    fn either(&mut self, depth: usize) -> Result<Expression, QueryError> {
        let first = self.both(depth)?;
        let mut several = vec![first];
        while self.word("or") {
            several.push(self.both(depth)?);
        }
        Ok(joined(several, Expression::Or))
    }

    fn both(&mut self, depth: usize) -> Result<Expression, QueryError> {
        let first = self.one(depth)?;
        let mut several = vec![first];
        while self.word("and") {
            several.push(self.one(depth)?);
        }
        Ok(joined(several, Expression::And))
    }

    fn one(&mut self, depth: usize) -> Result<Expression, QueryError> {
        if depth >= DEPTH_MAX {
            return Err(self.expected(format!("at most {DEPTH_MAX} levels of not and parentheses")));
        }
        if self.word("not") {
            return Ok(Expression::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.peek() == Some(&Token::Open) {
            self.next += 1;
            let inner = self.either(depth + 1)?;
            self.take(&Token::Close, "and, or, or a closing parenthesis")?;
            return Ok(inner);
        }
        self.term().map(Expression::Term)
    }

    fn term(&mut self) -> Result<Term, QueryError> {
        let Some(Token::Word(word)) = self.peek() else {
            return Err(self.expected("a field, not, or an opening parenthesis"));
        };
        let field = Field::from_word(word).filter(|field| field.is_of(self.among));
        let field = field.ok_or_else(|| self.expected(format!("a field: {}", Field::words(self.among))))?;
        self.next += 1;
        let operator = self.operator(field)?;
        let mut values = Vec::new();
        if operator == Operator::In {
            self.take(&Token::Open, "an opening parenthesis")?;
            values.push(self.value(field, operator)?);
            while self.peek() == Some(&Token::Comma) {
                self.next += 1;
                values.push(self.value(field, operator)?);
            }
            self.take(&Token::Close, "a comma or a closing parenthesis")?;
        } else {
            values.push(self.value(field, operator)?);
        }
        Ok(Term::new(field, operator, values))
    }

    fn operator(&mut self, field: Field) -> Result<Operator, QueryError> {
        let known = field.kind().operators();
        let operator = match self.peek() {
            Some(Token::Operator(operator)) => Some(*operator),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("in") => Some(Operator::In),
            _ => None,
        };
        match operator.filter(|operator| known.contains(operator)) {
            Some(operator) => {
                self.next += 1;
                Ok(operator)
            }
            None => {
                let words: Vec<&str> = known.iter().map(|operator| operator.as_str()).collect();
                Err(self.expected(format!("one of {} after {}", words.join(" "), field.as_str())))
            }
        }
    }

    fn value(&mut self, field: Field, operator: Operator) -> Result<Value, QueryError> {
        let place = self.next;
        let text = match self.peek() {
            Some(Token::Word(text) | Token::Quoted(text)) => text.clone(),
            _ => return Err(self.expected("a value")),
        };
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(self.expected(format!("at most {VALUES_MAX} values")));
        }
        let value = Value::read(field, &text).map_err(|expected| self.expected_at(place, expected))?;
        let is_point = matches!(value, Value::Moment(Moment::FromNow(_)));
        if field.kind() == Kind::Time && is_point && matches!(operator, Operator::Equal | Operator::Unequal) {
            return Err(self.expected_at(place, "a day or a date and time after = and !="));
        }
        self.next += 1;
        Ok(value)
    }
}

fn joined(mut several: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match (several.len(), several.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            several.extend(last);
            join(several)
        }
    }
}
