//! The type and the cost of an expression.

use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr};
use regex::Regex;

use super::types::{self, Type, VARIABLES};
use super::{
    COST_MAX, DEPTH_MAX, ExpressionError, ITEMS_MAX, JOINS_MAX, MATCHES, NODES_MAX, PATTERNS_MAX, cost,
    pattern,
};

/// The accumulator of the macros; no source can spell it.
const ACCUMULATOR: &str = "@result";

/// What checking found besides that all is well.
pub(super) struct Checked {
    pub(super) patterns: Vec<Regex>,
    pub(super) cost: usize,
}

/// Checks an expression and makes its calls of `matches` refer to patterns compiled here.
pub(super) fn check(tree: &mut IdedExpr) -> Result<Checked, ExpressionError> {
    let mut checker = Checker {
        nodes: 0,
        joins: 0,
        patterns: Vec::new(),
        bound: None,
    };
    let part = checker.part(tree, 1)?;
    if part.kind != Type::Bool {
        return Err(ExpressionError::NotBoolean(part.kind.to_string()));
    }
    if part.cost > COST_MAX {
        return Err(ExpressionError::Cost(part.cost));
    }
    Ok(Checked {
        patterns: checker.patterns,
        cost: part.cost,
    })
}

struct Part {
    kind: Type,
    cost: usize,
}

struct Checker {
    nodes: usize,
    joins: usize,
    patterns: Vec<Regex>,
    /// The variable of the comprehension around, with its type.
    bound: Option<(String, Type)>,
}

type Found = Result<Part, ExpressionError>;

impl Checker {
    fn part(&mut self, tree: &mut IdedExpr, depth: usize) -> Found {
        self.count(1)?;
        if depth > DEPTH_MAX {
            return Err(ExpressionError::Depth);
        }
        let below = depth + 1;
        let part = match &mut tree.expr {
            Expr::Literal(literal) => Part {
                kind: literal_type(literal)?,
                cost: 0,
            },
            Expr::Ident(name) => Part {
                kind: self.variable(name)?,
                cost: 0,
            },
            Expr::Select(select) => self.field(select, below)?,
            Expr::List(list) if list.optional_indices.is_empty() => self.list(&mut list.elements, below)?,
            Expr::List(_) => return Err(ExpressionError::Unsupported("an optional item")),
            Expr::Call(call) => self.call(call, below)?,
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, below)?,
            Expr::Map(_) => return Err(ExpressionError::Unsupported("a map")),
            Expr::Struct(_) => return Err(ExpressionError::Unsupported("a message")),
            Expr::Unspecified => return Err(ExpressionError::Parser),
        };
        Ok(Part {
            kind: part.kind,
            cost: part.cost.saturating_add(cost::NODE),
        })
    }

    fn count(&mut self, nodes: usize) -> Result<(), ExpressionError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES_MAX {
            return Err(ExpressionError::Nodes);
        }
        Ok(())
    }

    fn variable(&self, name: &str) -> Result<Type, ExpressionError> {
        let bound = self.bound.as_ref().filter(|(bound, _)| bound == name);
        bound
            .map(|(_, kind)| *kind)
            .or_else(|| types::find(VARIABLES, name))
            .ok_or_else(|| ExpressionError::Variable(crate::shown::text(name)))
    }

    fn field(&mut self, select: &mut SelectExpr, depth: usize) -> Found {
        if select.test {
            return Err(ExpressionError::Unsupported("has()"));
        }
        let record = self.part(&mut select.operand, depth)?;
        let Type::Record(fields) = record.kind else {
            return Err(mismatch(".", "a record", record.kind));
        };
        let kind = types::find(fields, &select.field).ok_or_else(|| ExpressionError::Field {
            field: crate::shown::text(&select.field),
            known: types::names(fields),
        })?;
        Ok(Part { kind, ..record })
    }

    fn list(&mut self, elements: &mut [IdedExpr], depth: usize) -> Found {
        if !(1..=ITEMS_MAX).contains(&elements.len()) {
            return Err(ExpressionError::Items);
        }
        let mut first: Option<Type> = None;
        let mut cost = 0_usize;
        for element in elements {
            let part = self.part(element, depth)?;
            cost = cost.saturating_add(part.cost);
            let fits = first.is_none_or(|first| first == part.kind);
            if !fits || part.kind.item().is_none() {
                return Err(mismatch(
                    "[]",
                    "items of one kind, not lists or records",
                    part.kind,
                ));
            }
            first = Some(part.kind);
        }
        let item = first.and_then(Type::item).ok_or(ExpressionError::Items)?;
        Ok(Part {
            kind: Type::List(item),
            cost,
        })
    }

    fn call(&mut self, call: &mut CallExpr, depth: usize) -> Found {
        if call.func_name == "matches" {
            return self.matches(call, depth);
        }
        let mut kinds = Vec::with_capacity(3);
        let mut cost = 0_usize;
        let target = call.target.as_deref_mut();
        let member = target.is_some();
        for operand in target.into_iter().chain(&mut call.args) {
            let part = self.part(operand, depth)?;
            cost = cost.saturating_add(part.cost);
            kinds.push(part.kind);
        }
        let (kind, own) = if member {
            method(&call.func_name, &kinds)?
        } else {
            operator(&call.func_name, &kinds)?
        };
        if call.func_name == op::ADD && kind == Type::Text {
            self.joins += 1;
            if self.joins > JOINS_MAX {
                return Err(ExpressionError::Joins);
            }
        }
        Ok(Part {
            kind,
            cost: cost.saturating_add(own),
        })
    }

    /// `text.matches("pattern")`: the pattern is compiled now, and its number takes its place.
    fn matches(&mut self, call: &mut CallExpr, depth: usize) -> Found {
        let Some(target) = call.target.as_deref_mut() else {
            return Err(ExpressionError::Pattern(
                "write text.matches(\"pattern\")".to_owned(),
            ));
        };
        let text = self.part(target, depth)?;
        if text.kind != Type::Text {
            return Err(mismatch("matches", "a text", text.kind));
        }
        self.count(1)?;
        let [argument] = call.args.as_mut_slice() else {
            return Err(ExpressionError::Pattern("takes one pattern".to_owned()));
        };
        let Expr::Literal(LiteralValue::String(source)) = &argument.expr else {
            return Err(ExpressionError::Pattern(
                "the pattern must be written out".to_owned(),
            ));
        };
        if self.patterns.len() == PATTERNS_MAX {
            return Err(ExpressionError::Pattern(format!(
                "more than {PATTERNS_MAX} patterns"
            )));
        }
        let compiled = pattern(source.inner())?;
        let number = i64::try_from(self.patterns.len()).map_err(|_| ExpressionError::Parser)?;
        self.patterns.push(compiled);
        argument.expr = Expr::Literal(LiteralValue::Int(number.into()));
        MATCHES.clone_into(&mut call.func_name);
        Ok(Part {
            kind: Type::Bool,
            cost: text.cost.saturating_add(cost::PATTERN),
        })
    }

    fn comprehension(&mut self, loops: &mut ComprehensionExpr, depth: usize) -> Found {
        if self.bound.is_some() {
            return Err(ExpressionError::Nested);
        }
        if loops.iter_var2.is_some() || loops.accu_var != ACCUMULATOR {
            return Err(ExpressionError::Unsupported("a comprehension of this form"));
        }
        if types::find(VARIABLES, &loops.iter_var).is_some() {
            return Err(ExpressionError::Shadow(loops.iter_var.clone()));
        }
        let range = self.part(&mut loops.iter_range, depth)?;
        let Type::List(item) = range.kind else {
            return Err(mismatch("all, exists, map, filter", "a list", range.kind));
        };
        // What the macro added: start, condition, step and result.
        self.count(6)?;
        self.bound = Some((loops.iter_var.clone(), item.into()));
        let body = self.body(loops, depth);
        self.bound = None;
        let body = body?;
        Ok(Part {
            kind: body.kind,
            cost: range.cost.saturating_add(cost::comprehension(body.cost)),
        })
    }

    /// The type of the whole, and the cost of one turn.
    fn body(&mut self, loops: &mut ComprehensionExpr, depth: usize) -> Found {
        let odd = ExpressionError::Unsupported("a comprehension of this form");
        let Expr::Call(step) = &mut loops.loop_step.expr else {
            return Err(odd);
        };
        match (step.func_name.as_str(), step.args.as_mut_slice()) {
            // all, exists
            (op::LOGICAL_AND | op::LOGICAL_OR, [_, condition]) => self.condition(condition, depth),
            // map
            (op::ADD, [_, added]) => self.added(added, depth),
            // exists_one, filter, map with a condition
            (op::CONDITIONAL, [condition, then, _]) => {
                let condition = self.condition(condition, depth)?;
                let Expr::Call(then) = &mut then.expr else {
                    return Err(odd);
                };
                let Some(added) = then.args.get_mut(1) else {
                    return Err(odd);
                };
                if !matches!(added.expr, Expr::List(_)) {
                    return Ok(condition);
                }
                let added = self.added(added, depth)?;
                Ok(Part {
                    cost: added.cost.saturating_add(condition.cost),
                    ..added
                })
            }
            _ => Err(odd),
        }
    }

    fn condition(&mut self, condition: &mut IdedExpr, depth: usize) -> Found {
        let part = self.part(condition, depth)?;
        if part.kind == Type::Bool {
            Ok(part)
        } else {
            Err(mismatch("all, exists, filter", "true or false", part.kind))
        }
    }

    /// The list of one item that a turn adds.
    fn added(&mut self, added: &mut IdedExpr, depth: usize) -> Found {
        match &mut added.expr {
            Expr::List(list) => self.list(&mut list.elements, depth),
            _ => Err(ExpressionError::Unsupported("a comprehension of this form")),
        }
    }
}

fn literal_type(literal: &LiteralValue) -> Result<Type, ExpressionError> {
    match literal {
        LiteralValue::Boolean(_) => Ok(Type::Bool),
        LiteralValue::Int(_) => Ok(Type::Number),
        LiteralValue::String(text) if text.inner().len() <= super::TEXT_BYTES_MAX => Ok(Type::Text),
        LiteralValue::String(_) => Err(ExpressionError::Unsupported("a text of more than 1024 octets")),
        LiteralValue::Bytes(_) => Err(ExpressionError::Unsupported("a text of octets")),
        LiteralValue::Double(_) => Err(ExpressionError::Unsupported("a fraction")),
        LiteralValue::UInt(_) => Err(ExpressionError::Unsupported("an unsigned number")),
        LiteralValue::Null => Err(ExpressionError::Unsupported("null")),
    }
}

/// Type and cost of `target.name(arguments)`.
fn method(name: &str, kinds: &[Type]) -> Result<(Type, usize), ExpressionError> {
    match (name, kinds) {
        ("startsWith" | "endsWith" | "contains", [Type::Text, Type::Text]) => Ok((Type::Bool, cost::TEXT)),
        ("startsWith" | "endsWith" | "contains", _) => Err(mismatches(name, "texts", kinds)),
        ("size", [Type::Text | Type::List(_)]) => Ok((Type::Number, cost::TEXT)),
        ("size", _) => Err(mismatches(name, "a text or a list", kinds)),
        _ => Err(ExpressionError::Function(crate::shown::text(name))),
    }
}

/// Type and cost of an operator, or of a function that is not called on something.
fn operator(name: &str, kinds: &[Type]) -> Result<(Type, usize), ExpressionError> {
    use Type::{Bool, List, Number, Text};
    match (name, kinds) {
        (op::LOGICAL_AND | op::LOGICAL_OR, [Bool, Bool]) | (op::LOGICAL_NOT, [Bool]) => Ok((Bool, 0)),
        (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT, _) => {
            Err(mismatches(name, "true or false", kinds))
        }
        (op::CONDITIONAL, [Bool, then, otherwise]) if then == otherwise => Ok((*then, 0)),
        (op::CONDITIONAL, _) => Err(mismatches(name, "a condition and two values of one kind", kinds)),
        (op::EQUALS | op::NOT_EQUALS, [List(one), List(other)]) if one == other => Ok((Bool, cost::LIST)),
        (op::EQUALS | op::NOT_EQUALS, [one, other]) if one == other && one.item().is_some() => {
            Ok((Bool, cost::TEXT))
        }
        (op::EQUALS | op::NOT_EQUALS, _) => Err(mismatches(name, "two values of one kind", kinds)),
        (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [Number, Number] | [Text, Text]) => {
            Ok((Bool, cost::TEXT))
        }
        (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, _) => {
            Err(mismatches(name, "two numbers or two texts", kinds))
        }
        (op::ADD, [Text, Text]) => Ok((Text, cost::TEXT)),
        (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, [Number, Number])
        | (op::NEGATE, [Number]) => Ok((Number, 0)),
        (op::ADD, _) => Err(mismatches(name, "two numbers or two texts", kinds)),
        (op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO | op::NEGATE, _) => {
            Err(mismatches(name, "numbers", kinds))
        }
        (op::IN, [one, List(item)]) if *one == Type::from(*item) => Ok((Bool, cost::LIST)),
        (op::IN, _) => Err(mismatches(name, "a value and a list of such", kinds)),
        (op::INDEX, [List(item), Number]) => Ok((Type::from(*item), 0)),
        (op::INDEX, _) => Err(mismatches(name, "a list and a number", kinds)),
        ("size", [Text | List(_)]) => Ok((Number, cost::TEXT)),
        ("size", _) => Err(mismatches(name, "a text or a list", kinds)),
        _ => Err(ExpressionError::Function(crate::shown::text(name))),
    }
}

fn mismatch(operator: &str, expected: &'static str, found: Type) -> ExpressionError {
    mismatches(operator, expected, &[found])
}

fn mismatches(operator: &str, expected: &'static str, found: &[Type]) -> ExpressionError {
    let found: Vec<String> = found.iter().take(4).map(ToString::to_string).collect();
    ExpressionError::Type {
        operator: operator.trim_matches(['_', '@']).to_owned(),
        expected,
        found: if found.is_empty() {
            "nothing".to_owned()
        } else {
            found.join(" and ")
        },
    }
}
