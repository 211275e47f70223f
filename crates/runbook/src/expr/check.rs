//! The static check of an expression: every name, field, operand and argument has a type, before anything runs.

pub(crate) mod call;
pub(crate) mod types;

use std::collections::BTreeSet;
use std::sync::Arc;

use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::types::{Field, Stability, Type};

use super::ast::{Expr, ExprKind, LoopKind, Op};
use super::flow::{is_null, not_null};
use super::parser::parse;
use super::scope::{Scope, Shape};
use crate::code::Code;
use crate::diagnostic::Diagnostics;
use crate::source::{Place, Source};
use crate::suggest::{listed, nearest};
use crate::yaml::scalar::{Notation, Scalar};
use types::{Class, Moving, class, conversion, joined, literal_type, shown, single_text};

/// An expression that is known to be well typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedExpr {
    /// As it was written.
    pub text: String,
    pub expr: Arc<Expr>,
    pub ty: Type,
    /// Every path that it reads, each once, in order.
    pub references: Vec<Reference>,
    /// The tool servers' functions that it calls, each once.
    pub functions: Vec<String>,
    /// Where it stands in its document.
    pub place: Place,
}

/// A path that an expression reads: `params.workload.settled`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub path: Vec<String>,
    pub ty: Type,
    /// How much it moves by itself; the least stable part of the path decides.
    pub stability: Option<Stability>,
    pub place: Place,
}

/// Where an expression's text stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) scalar: &'a Scalar,
    /// The part of the scalar's text.
    pub(crate) part: Place,
}

impl<'a> Written<'a> {
    pub(crate) fn whole(scalar: &'a Scalar) -> Self {
        Self { scalar, part: Place::new(0, scalar.text.len()) }
    }

    pub(crate) fn text(&self) -> &'a str {
        self.scalar.text.get(self.part.start..self.part.end).unwrap_or("")
    }

    pub(crate) fn locate(&self, place: Place, source: &Source) -> Place {
        let part = Place::new(place.start + self.part.start, place.end + self.part.start);
        self.scalar.locate(part, source)
    }
}

/// Parses and checks one expression of a document.
pub(crate) fn check(
    written: Written<'_>,
    scope: &Scope,
    catalogue: &Catalogue,
    found: &mut Diagnostics,
) -> Option<CheckedExpr> {
    let text = written.text();
    let expr = match parse(text) {
        Ok(expr) => expr,
        Err(error) => {
            let place = written.locate(error.place, found.source());
            found.push(error.at(place, found));
            return None;
        }
    };
    let before = found.errors() + found.dropped();
    let mut checker = Checker {
        written,
        scope,
        catalogue,
        found,
        locals: Vec::new(),
        facts: scope.facts().clone(),
        references: Vec::new(),
        functions: Vec::new(),
    };
    let ty = checker.infer(&expr);
    let (references, functions) = (checker.references, checker.functions);
    if found.errors() + found.dropped() > before {
        return None;
    }
    let place = written.locate(Place::new(0, text.len()), found.source());
    Some(CheckedExpr {
        text: text.trim().to_owned(),
        expr: Arc::new(expr),
        ty,
        references,
        functions,
        place,
    })
}

/// Checks an expression that stands by itself: `name` says where it comes from.
///
/// # Errors
/// All mistakes in it.
pub fn check_text(
    name: &str,
    text: &str,
    scope: &Scope,
    catalogue: &Catalogue,
) -> Result<CheckedExpr, Diagnostics> {
    let mut found = Diagnostics::new(Source::new(name, text));
    let scalar = Scalar {
        text: text.to_owned(),
        notation: Notation::Plain,
        place: Place::new(0, text.len()),
    };
    check(Written::whole(&scalar), scope, catalogue, &mut found).ok_or(found)
}

struct Resolved {
    shape: Shape,
    stability: Option<Stability>,
}

impl Resolved {
    fn unknown() -> Self {
        Self { shape: Shape::Value(Type::Unknown), stability: None }
    }
}

pub(crate) struct Checker<'a> {
    written: Written<'a>,
    scope: &'a Scope,
    pub(crate) catalogue: &'a Catalogue,
    found: &'a mut Diagnostics,
    locals: Vec<(String, Type)>,
    facts: BTreeSet<String>,
    references: Vec<Reference>,
    functions: Vec<String>,
}

impl Checker<'_> {
    fn place(&self, place: Place) -> Place {
        self.written.locate(place, self.found.source())
    }

    fn wrong(
        &mut self,
        code: Code,
        at: Place,
        title: impl AsRef<str>,
        label: &str,
        help: &str,
    ) -> Type {
        let diagnostic = self.found.at(code, self.place(at), title).label(label);
        self.found.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
        Type::Unknown
    }

    /// A mistake that may name the nearest known word, and lists all.
    fn unknown_word<'w>(
        &mut self,
        code: Code,
        at: Place,
        title: &str,
        word: &str,
        known: impl Iterator<Item = &'w str> + Clone,
        listing: &str,
    ) {
        let mut diagnostic = self
            .found
            .at(code, self.place(at), title)
            .label("not known")
            .mean(nearest(word, known.clone()));
        let list = listed(known);
        if !list.is_empty() {
            diagnostic = diagnostic.note(format!("{listing}: {list}"));
        }
        self.found.push(diagnostic);
    }

    pub(crate) fn infer(&mut self, expr: &Expr) -> Type {
        match &expr.kind {
            ExprKind::Literal(literal) => literal_type(literal),
            ExprKind::Name(_) | ExprKind::Field { .. } => self.path_type(expr),
            ExprKind::List(items) => self.list(items),
            ExprKind::Index { of, .. } => match self.infer(of) {
                Type::List { of } => *of,
                Type::Unknown => Type::Unknown,
                other => {
                    let title = format!("{} is not a list", shown(&other, of));
                    self.wrong(Code::WrongOperand, of.place, title, "only a list has positions", "")
                }
            },
            ExprKind::Call { name, name_place, args } => self.call(expr, name, *name_place, args),
            ExprKind::Loop { kind, over, name, name_place, body } => {
                self.loop_over(*kind, over, name, *name_place, body)
            }
            ExprKind::Has(inner) => self.has(inner),
            ExprKind::Not(inner) => {
                self.condition(inner, "!");
                Type::Boolean
            }
            ExprKind::Negate(inner) => match self.infer(inner) {
                Type::Integer { .. } | Type::Size => Type::integer(),
                Type::Unknown => Type::Unknown,
                other => {
                    let title = format!("cannot negate {}", shown(&other, inner));
                    self.wrong(Code::WrongOperand, inner.place, title, "not a whole number", "")
                }
            },
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right),
            ExprKind::Choose { condition, yes, no } => {
                self.condition(condition, "?:");
                let yes_type = self.under(not_null(condition, true), |c| c.infer(yes));
                let no_type = self.under(not_null(condition, false), |c| c.infer(no));
                match joined(&yes_type, &no_type) {
                    Some(ty) => ty,
                    None => {
                        let title = format!(
                            "the two branches differ: {} and {}",
                            shown(&yes_type, yes),
                            shown(&no_type, no)
                        );
                        self.wrong(
                            Code::WrongOperand,
                            no.place,
                            title,
                            "another type than the first branch",
                            "",
                        )
                    }
                }
            }
        }
    }

    /// Checks under more facts, which hold only there.
    fn under<T>(&mut self, facts: Vec<String>, check: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.facts.clone();
        self.facts.extend(facts);
        let out = check(self);
        self.facts = before;
        out
    }

    /// An operand that must be boolean.
    fn condition(&mut self, expr: &Expr, operator: &str) {
        match self.infer(expr) {
            Type::Boolean | Type::Unknown => {}
            Type::Nullable { of } if *of == Type::Boolean => {
                let title = format!("`{expr}` may be null");
                let help = format!("ask first: {expr} != null && {expr}");
                self.wrong(
                    Code::MayBeNull,
                    expr.place,
                    title,
                    "neither true nor false when it is null",
                    &help,
                );
            }
            other => {
                let title =
                    format!("`{operator}` needs true or false, not {}", shown(&other, expr));
                self.wrong(
                    Code::WrongOperand,
                    expr.place,
                    title,
                    "not a condition",
                    "compare it with something: == < >",
                );
            }
        }
    }

    fn path_type(&mut self, expr: &Expr) -> Type {
        let resolved = self.resolve(expr);
        let ty = match resolved.shape {
            Shape::Value(ty) => ty,
            Shape::Fields(fields) => {
                let title = format!("`{expr}` is not a value by itself");
                let help =
                    format!("name one of its parts: {}", listed(fields.keys().map(String::as_str)));
                return self.wrong(
                    Code::NotAValue,
                    expr.place,
                    title,
                    "the beginning of a path",
                    &help,
                );
            }
        };
        self.refer(expr, &ty, resolved.stability);
        ty
    }

    fn refer(&mut self, expr: &Expr, ty: &Type, stability: Option<Stability>) {
        let Some(path) = expr.path() else { return };
        let local =
            path.first().is_some_and(|root| self.locals.iter().any(|(name, _)| name == root));
        let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
        if !local && !self.references.iter().any(|r| r.path == path) {
            let place = self.place(expr.place);
            self.references.push(Reference { path, ty: ty.clone(), stability, place });
        }
    }

    fn resolve(&mut self, expr: &Expr) -> Resolved {
        match &expr.kind {
            ExprKind::Name(name) => self.root(name, expr.place),
            ExprKind::Field { of, name, name_place } => {
                let inner = match of.kind {
                    ExprKind::Name(_) | ExprKind::Field { .. } => self.resolve(of),
                    _ => Resolved { shape: Shape::Value(self.infer(of)), stability: None },
                };
                let resolved = self.field(inner, of, name, *name_place);
                self.narrowed(expr, resolved)
            }
            _ => Resolved { shape: Shape::Value(self.infer(expr)), stability: None },
        }
    }

    /// A nullable path that is known not to be null here has its inner type.
    fn narrowed(&self, expr: &Expr, resolved: Resolved) -> Resolved {
        match resolved.shape {
            Shape::Value(Type::Nullable { of })
                if expr.path().is_some_and(|p| self.facts.contains(&p.join("."))) =>
            {
                Resolved { shape: Shape::Value(*of), ..resolved }
            }
            shape => Resolved { shape, ..resolved },
        }
    }

    fn root(&mut self, name: &str, at: Place) -> Resolved {
        if let Some((_, ty)) = self.locals.iter().rev().find(|(n, _)| n == name) {
            return Resolved { shape: Shape::Value(ty.clone()), stability: None };
        }
        if let Some(shape) = self.scope.root(name) {
            return Resolved { shape: shape.clone(), stability: None };
        }
        if let Some(why) = self.scope.elsewhere(name) {
            self.wrong(Code::NotHere, at, format!("`{name}` cannot be used here"), why, "");
            return Resolved::unknown();
        }
        let title = format!("nothing is named `{name}` here");
        // A bare parameter name is the usual slip: `workload` for `params.workload`.
        if let Some(Shape::Fields(params)) = self.scope.root("params")
            && params.contains_key(name)
        {
            let whole = format!("params.{name}");
            let place = self.place(at);
            self.found.push(self.found.at(Code::UnknownName, place, title).mean(Some(&whole)));
            return Resolved::unknown();
        }
        let scope = self.scope;
        let locals: Vec<String> = self.locals.iter().map(|(n, _)| n.clone()).collect();
        let known: Vec<&str> = scope.names().chain(locals.iter().map(String::as_str)).collect();
        self.unknown_word(Code::UnknownName, at, &title, name, known.into_iter(), "names");
        Resolved::unknown()
    }

    fn field(&mut self, inner: Resolved, of: &Expr, name: &str, at: Place) -> Resolved {
        match inner.shape {
            Shape::Fields(fields) => match fields.get(name) {
                Some(shape) => Resolved { shape: shape.clone(), stability: inner.stability },
                None => {
                    let (code, title, listing) = match of.path().as_deref() {
                        Some(["params"]) => (
                            Code::UnknownParameter,
                            format!("no parameter is named `{name}`"),
                            "parameters",
                        ),
                        Some(["steps"]) => (
                            Code::UnknownStep,
                            format!("no earlier step `{name}` has an output"),
                            "steps with outputs",
                        ),
                        _ => {
                            (Code::UnknownField, format!("`{of}` has no field `{name}`"), "fields")
                        }
                    };
                    self.unknown_word(
                        code,
                        at,
                        &title,
                        name,
                        fields.keys().map(String::as_str),
                        listing,
                    );
                    Resolved::unknown()
                }
            },
            Shape::Value(ty) => self.field_of_value(ty, inner.stability, of, name, at),
        }
    }

    fn field_of_value(
        &mut self,
        ty: Type,
        stability: Option<Stability>,
        of: &Expr,
        name: &str,
        at: Place,
    ) -> Resolved {
        let catalogue = self.catalogue;
        let fields: &[Field] = match &ty {
            Type::Unknown => return Resolved::unknown(),
            // Any name may be asked for; a label that is absent when the alert comes is `cannot_tell`.
            Type::Labels => return Resolved { shape: Shape::Value(Type::String), stability },
            Type::Nullable { .. } => {
                let title = format!("`{of}` may be null");
                let help = format!("ask first: {of} != null && …");
                self.wrong(
                    Code::MayBeNull,
                    of.place,
                    title,
                    "it has no fields when it is null",
                    &help,
                );
                return Resolved::unknown();
            }
            Type::Object { name: object } => catalogue.object(object).map_or(&[], |o| &o.fields),
            Type::Record { fields } => fields,
            other => {
                let title = format!("{} has no fields", shown(other, of));
                self.wrong(Code::UnknownField, at, title, "not a field", "");
                return Resolved::unknown();
            }
        };
        match fields.iter().find(|f| f.name.as_str() == name) {
            Some(field) => Resolved {
                shape: Shape::Value(field.ty.clone()),
                stability: stability.max_moving(field.stability),
            },
            None => {
                let title = match &ty {
                    Type::Object { name: object } => format!("{object} has no field `{name}`"),
                    _ => format!("`{of}` has no field `{name}`"),
                };
                let known: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
                self.unknown_word(
                    Code::UnknownField,
                    at,
                    &title,
                    name,
                    known.into_iter(),
                    "fields",
                );
                Resolved::unknown()
            }
        }
    }

    fn has(&mut self, inner: &Expr) -> Type {
        let resolved = self.resolve(inner);
        if let ExprKind::Field { of, .. } = &inner.kind
            && let Shape::Value(ty) = &resolved.shape
        {
            let label = self.is_labels(of);
            self.refer(inner, ty, resolved.stability);
            if !label && !matches!(ty, Type::Nullable { .. } | Type::Unknown) {
                let title = format!("`{inner}` is always there");
                return self.wrong(
                    Code::CannotCompare,
                    inner.place,
                    title,
                    "never absent",
                    "remove has()",
                );
            }
        }
        Type::Boolean
    }

    /// Whether an expression, checked before, is a set of labels.
    fn is_labels(&mut self, expr: &Expr) -> bool {
        expr.path().is_some() && self.resolve(expr).shape == Shape::Value(Type::Labels)
    }

    fn list(&mut self, items: &[Expr]) -> Type {
        let mut of = Type::Unknown;
        for item in items {
            let ty = self.infer(item);
            match joined(&of, &ty) {
                Some(both) => of = both,
                None => {
                    let title =
                        format!("a list of {} cannot hold {}", of.shown(), shown(&ty, item));
                    return self.wrong(
                        Code::WrongOperand,
                        item.place,
                        title,
                        "another type than the items before",
                        "",
                    );
                }
            }
        }
        Type::list(of)
    }

    fn loop_over(
        &mut self,
        kind: LoopKind,
        over: &Expr,
        name: &str,
        name_place: Place,
        body: &Expr,
    ) -> Type {
        let item = match self.infer(over) {
            Type::List { of } => *of,
            Type::Unknown => Type::Unknown,
            other => {
                let title =
                    format!("`{}` needs a list, not {}", kind.as_str(), shown(&other, over));
                self.wrong(Code::WrongOperand, over.place, title, "not a list", "")
            }
        };
        if self.scope.root(name).is_some() || self.locals.iter().any(|(n, _)| n == name) {
            let title = format!("`{name}` has a meaning already");
            self.wrong(
                Code::UnknownName,
                name_place,
                title,
                "hides another name",
                "take another name for the item",
            );
        }
        self.locals.push((name.to_owned(), item.clone()));
        let out = match kind {
            LoopKind::Map => Type::list(self.infer(body)),
            LoopKind::All | LoopKind::Exists | LoopKind::Filter => {
                self.condition(body, kind.as_str());
                if kind == LoopKind::Filter { Type::list(item) } else { Type::Boolean }
            }
        };
        self.locals.pop();
        out
    }

    fn binary(&mut self, op: Op, left: &Expr, right: &Expr) -> Type {
        match op {
            Op::And | Op::Or => {
                self.condition(left, op.as_str());
                self.under(not_null(left, op == Op::And), |c| c.condition(right, op.as_str()));
                Type::Boolean
            }
            Op::Equal | Op::NotEqual => {
                self.equality(op, left, right);
                Type::Boolean
            }
            Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => {
                self.ordering(op, left, right);
                Type::Boolean
            }
            Op::In => {
                self.membership(left, right);
                Type::Boolean
            }
            Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder => {
                self.arithmetic(op, left, right)
            }
        }
    }

    /// The type of an operand that must not be null.
    fn operand(&mut self, expr: &Expr) -> Type {
        match self.infer(expr) {
            Type::Nullable { .. } => {
                let title = format!("`{expr}` may be null");
                let help = format!("ask first: {expr} != null && …");
                self.wrong(
                    Code::MayBeNull,
                    expr.place,
                    title,
                    "it has no value when it is null",
                    &help,
                )
            }
            other => other,
        }
    }

    fn equality(&mut self, op: Op, left: &Expr, right: &Expr) {
        if is_null(left) || is_null(right) {
            let other = if is_null(left) { right } else { left };
            let ty = self.infer(other);
            if !matches!(ty, Type::Nullable { .. } | Type::Unknown | Type::Null) {
                let title = format!("`{other}` is never null");
                let verdict = if op == Op::Equal { "always false" } else { "always true" };
                self.wrong(
                    Code::CannotCompare,
                    other.place,
                    title,
                    &format!("the comparison is {verdict}"),
                    "remove it",
                );
            }
            return;
        }
        let (l, r) = (self.operand(left), self.operand(right));
        self.comparable(op, (left, &l), (right, &r));
    }

    fn comparable(&mut self, op: Op, left: (&Expr, &Type), right: (&Expr, &Type)) {
        let whole = left.0.place.to(right.0.place);
        match (left.1, right.1) {
            (Type::Unknown, _) | (_, Type::Unknown) => {}
            (Type::Enum { values }, Type::Enum { values: others }) => {
                if !values.iter().any(|v| others.contains(v)) {
                    self.no_such_value(left, right);
                }
            }
            (Type::Object { name }, Type::Object { .. }) => {
                let title = format!("two objects of {name} cannot be compared");
                let help =
                    format!("compare their uids: {}.uid {} {}.uid", left.0, op.as_str(), right.0);
                self.wrong(Code::CannotCompare, whole, title, "both are whole objects", &help);
            }
            (Type::List { of }, Type::List { of: other }) if class(of) == class(other) => {}
            (l, r) if class(l) == class(r) && class(l) != Class::Other => {}
            (l, r) => {
                let title =
                    format!("cannot compare {} with {}", shown(l, left.0), shown(r, right.0));
                let help = conversion(left, right);
                self.wrong(Code::CannotCompare, whole, title, "different types", &help);
            }
        }
    }

    fn no_such_value(&mut self, left: (&Expr, &Type), right: (&Expr, &Type)) {
        let ((word, word_expr), values) = match (single_text(left.0), single_text(right.0)) {
            (_, Some(word)) => ((word, right.0), left.1),
            (Some(word), None) => ((word, left.0), right.1),
            (None, None) => {
                let whole = left.0.place.to(right.0.place);
                self.wrong(
                    Code::NoSuchEnumValue,
                    whole,
                    "these two can never be equal",
                    "they share no value",
                    "",
                );
                return;
            }
        };
        let Type::Enum { values } = values else { return };
        let other = if std::ptr::eq(word_expr, right.0) { left.0 } else { right.0 };
        let near = nearest(word, values.iter().map(String::as_str)).map(|w| format!("{w:?}"));
        let title = format!("`{other}` is never \"{word}\"");
        let place = self.place(word_expr.place);
        let list = listed(values.iter().map(String::as_str));
        self.found.push(
            self.found
                .at(Code::NoSuchEnumValue, place, title)
                .label("not one of its values")
                .mean(near.as_deref())
                .note(format!("values: {list}")),
        );
    }

    fn ordering(&mut self, op: Op, left: &Expr, right: &Expr) {
        let (l, r) = (self.operand(left), self.operand(right));
        if l == Type::Unknown || r == Type::Unknown {
            return;
        }
        if class(&l) == class(&r) && class(&l).ordered() {
            return;
        }
        let whole = left.place.to(right.place);
        if class(&l) == class(&r) {
            let title = format!("`{left}` has no order: it is {}", shown(&l, left));
            self.wrong(
                Code::CannotCompare,
                whole,
                title,
                &format!("`{}` needs numbers or durations", op.as_str()),
                "compare with == or !=",
            );
        } else {
            let title = format!("cannot compare {} with {}", shown(&l, left), shown(&r, right));
            let help = conversion((left, &l), (right, &r));
            self.wrong(Code::CannotCompare, whole, title, "different types", &help);
        }
    }

    fn membership(&mut self, left: &Expr, right: &Expr) {
        let l = self.operand(left);
        match self.operand(right) {
            Type::List { of } => self.comparable(Op::Equal, (left, &l), (right, &of)),
            Type::Unknown => {}
            other => {
                let title = format!("`in` needs a list on its right, not {}", shown(&other, right));
                self.wrong(Code::WrongOperand, right.place, title, "not a list", "");
            }
        }
    }

    fn arithmetic(&mut self, op: Op, left: &Expr, right: &Expr) -> Type {
        let (l, r) = (self.operand(left), self.operand(right));
        if l == Type::Unknown || r == Type::Unknown {
            return Type::Unknown;
        }
        match (class(&l), op, class(&r)) {
            (Class::Number, _, Class::Number) => Type::integer(),
            (Class::Percent, Op::Add | Op::Subtract, Class::Percent) => Type::Percent,
            (Class::Duration, Op::Add | Op::Subtract, Class::Duration)
            | (Class::Duration, Op::Multiply | Op::Divide, Class::Number)
            | (Class::Number, Op::Multiply, Class::Duration) => Type::Duration,
            (Class::Text, Op::Add, Class::Text) => Type::String,
            _ => {
                let title = format!(
                    "`{}` does not work on {} and {}",
                    op.as_str(),
                    shown(&l, left),
                    shown(&r, right)
                );
                let help = conversion((left, &l), (right, &r));
                self.wrong(
                    Code::WrongOperand,
                    left.place.to(right.place),
                    title,
                    "these types do not go together",
                    &help,
                )
            }
        }
    }
}
