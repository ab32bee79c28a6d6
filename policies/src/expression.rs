//! Expressions of profiles, in the Common Expression Language: conditions that data cannot say.
//!
//! The crate `cel` parses and evaluates and knows no limit of cost, so every limit is ours and is checked when a
//! profile is read: the length of the source, the nodes and the depth of its tree, what may be called and on what,
//! and a bound of the work in the worst case ([`COST_MAX`]). What is accepted is of type boolean and takes no more
//! than some milliseconds; whatever goes wrong all the same is an error, which the rule of expressions turns into a
//! refusal.

mod check;
mod cost;
mod types;
mod values;

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::IdedExpr;
use cel::extractors::This;
use cel::parser::Parser;
use cel::{Context, Env, ExecutionError, Value};
use regex::Regex;

pub(crate) use values::Variables;

/// Octets of the source, at most.
pub const SOURCE_BYTES_MAX: usize = 4096;
/// Nodes of the tree, at most, with what `all`, `exists`, `exists_one`, `map` and `filter` stand for.
pub const NODES_MAX: usize = 256;
/// Depth of the tree, at most.
pub const DEPTH_MAX: usize = 32;
/// Items of a list, at most, whether written or from a request.
pub const ITEMS_MAX: usize = 100;
/// Octets of one text from a request, at most.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Work in the worst case, in steps of about a tenth of a microsecond.
pub const COST_MAX: usize = 50_000;
/// Regular expressions of one expression, at most.
pub const PATTERNS_MAX: usize = 8;
/// Joins of texts with `+` in one expression, at most: each makes a longer text.
pub const JOINS_MAX: usize = 8;

/// The parser goes down a level with each operator of a chain. 4 KiB of source need less than 8 MiB in a debug
/// build (measured); pages that are not touched cost nothing.
const PARSER_STACK: usize = 32 << 20;
/// Brackets inside each other, at most: a finer limit than the tree's, which the parser keeps.
const BRACKETS_MAX: u16 = 32;
/// Compiled size of one regular expression in bytes.
const PATTERN_SIZE_MAX: usize = 64 * 1024;
/// What a call of `matches` becomes: no source can spell it.
const MATCHES: &str = "@matches";

static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Why a text is not an expression that may be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// The source is empty or too long.
    #[error("must have 1 to {SOURCE_BYTES_MAX} octets")]
    Length,
    /// Not an expression.
    #[error("line {line}, column {column}: {text}")]
    Syntax {
        /// Which line, from 1.
        line: isize,
        /// Which character, from 1.
        column: isize,
        /// What is wrong.
        text: String,
    },
    /// The parser gave up.
    #[error("cannot be parsed")]
    Parser,
    /// Too large.
    #[error("more than {NODES_MAX} parts")]
    Nodes,
    /// Too deep.
    #[error("more than {DEPTH_MAX} levels")]
    Depth,
    /// Evaluation could take too long.
    #[error("could take too long: {0} steps in the worst case, at most {COST_MAX} are allowed")]
    Cost(usize),
    /// No such variable.
    #[error("unknown variable {0}")]
    Variable(String),
    /// A variable of a list has the name of another one.
    #[error("{0} is the name of another variable")]
    Shadow(String),
    /// No such field.
    #[error("unknown field {field}; there is: {known}")]
    Field {
        /// The field.
        field: String,
        /// The fields there are.
        known: String,
    },
    /// No such function, or not on this type.
    #[error("unknown function {0}")]
    Function(String),
    /// An operand of another type than the operator takes.
    #[error("{operator}: is given {found}, takes {expected}")]
    Type {
        /// The operator or function.
        operator: String,
        /// What it takes.
        expected: &'static str,
        /// What it is given.
        found: String,
    },
    /// Something of the language that profiles do not have.
    #[error("{0} cannot be used in a profile")]
    Unsupported(&'static str),
    /// `all`, `exists`, `exists_one`, `map` or `filter` inside of another one.
    #[error("all, exists, exists_one, map and filter cannot be used inside each other")]
    Nested,
    /// A list with too many items, or none.
    #[error("a list must have 1 to {ITEMS_MAX} items")]
    Items,
    /// A regular expression that cannot be compiled, or too many.
    #[error("matches: {0}")]
    Pattern(String),
    /// Too many joins.
    #[error("joins texts more than {JOINS_MAX} times")]
    Joins,
    /// The value is not true or false.
    #[error("is {0}, must be true or false")]
    NotBoolean(String),
}

/// An expression that was checked: true or false of the variables of [`variables`].
#[derive(Clone)]
pub struct Expression {
    source: String,
    tree: Arc<IdedExpr>,
    patterns: Arc<[Regex]>,
    cost: usize,
}

impl Expression {
    /// Reads and checks an expression.
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        if source.trim().is_empty() || source.len() > SOURCE_BYTES_MAX {
            return Err(ExpressionError::Length);
        }
        let (tree, checked) = on_large_stack(source)?;
        Ok(Self {
            source: source.to_owned(),
            tree: Arc::new(tree),
            patterns: checked.patterns.into(),
            cost: checked.cost,
        })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The bound of its work, in steps; at most [`COST_MAX`].
    pub const fn cost(&self) -> usize {
        self.cost
    }

    /// Whether it is true of these values. An error is a text for people and must be taken as false.
    pub(crate) fn holds(&self, variables: &Variables) -> Result<bool, String> {
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        let patterns = Arc::clone(&self.patterns);
        let matches = move |This(text): This<Arc<String>>, index: i64| matches(&patterns, &text, index);
        context
            .add_function(MATCHES, matches)
            .map_err(|error| error.to_string())?;
        for (name, value) in variables.iter() {
            context.add_variable_from_value(name, value.clone());
        }
        match Value::resolve(&self.tree, &context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err("is neither true nor false".to_owned()),
            Err(error) => Err(explained(&error)),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.source)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// Every variable with its type, fields as `record.field`, in the order of the documentation.
pub fn variables() -> Vec<(String, String)> {
    types::flat()
}

/// Parses, checks, and drops what is refused, on a stack of its own: the tree of a hostile source is deep, and an
/// overflow would end the process. A panic of the parser ends this thread only.
fn on_large_stack(source: &str) -> Result<(IdedExpr, check::Checked), ExpressionError> {
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new()
            .stack_size(PARSER_STACK)
            .spawn_scoped(scope, || {
                let mut tree = parse(source)?;
                let checked = check::check(&mut tree)?;
                Ok((tree, checked))
            });
        let Ok(parser) = parser else {
            return Err(ExpressionError::Parser);
        };
        parser.join().unwrap_or(Err(ExpressionError::Parser))
    })
}

fn parse(source: &str) -> Result<IdedExpr, ExpressionError> {
    let parsed = Parser::new().max_recursion_depth(BRACKETS_MAX).parse(source);
    parsed.map_err(|errors| match errors.errors.first() {
        Some(first) => ExpressionError::Syntax {
            line: first.pos.0,
            column: first.pos.1,
            text: crate::shown::text(first.msg.lines().next().unwrap_or_default()),
        },
        None => ExpressionError::Parser,
    })
}

fn matches(patterns: &[Regex], text: &str, index: i64) -> Result<bool, ExecutionError> {
    let pattern = usize::try_from(index).ok().and_then(|index| patterns.get(index));
    match pattern {
        Some(pattern) if text.len() <= TEXT_BYTES_MAX => Ok(pattern.is_match(text)),
        Some(_) => Err(ExecutionError::function_error("matches", "the text is too long")),
        None => Err(ExecutionError::function_error("matches", "no such pattern")),
    }
}

/// What happened, without the values, which may be long.
fn explained(error: &ExecutionError) -> String {
    match error {
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number is too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list has no such item".to_owned(),
        ExecutionError::FunctionError { message, .. } => crate::shown::text(message),
        _ => "it cannot be evaluated".to_owned(),
    }
}

fn pattern(source: &str) -> Result<Regex, ExpressionError> {
    regex::RegexBuilder::new(source)
        .size_limit(PATTERN_SIZE_MAX)
        .dfa_size_limit(PATTERN_SIZE_MAX * 4)
        .build()
        .map_err(|error| {
            let reason = error.to_string();
            ExpressionError::Pattern(crate::shown::text(reason.lines().last().unwrap_or_default()))
        })
}

#[cfg(test)]
mod tests;
