//! Calls: the built-in functions, and those of tool servers, whose arguments must be known before any loop runs.

use steadyhand_model::catalogue::ReadSpec;
use steadyhand_model::types::Type;

use super::Checker;
use super::types::{Class, class, shown};
use crate::code::Code;
use crate::expr::ast::{Expr, ExprKind, Literal};
use crate::expr::functions::{BUILT_IN, BuiltIn};
use crate::source::Place;
use crate::yaml::fields::parse_percent;

/// Why a value does not fit where it is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) code: Code,
    pub(crate) label: String,
}

impl Checker<'_> {
    pub(super) fn call(&mut self, expr: &Expr, name: &str, at: Place, args: &[Expr]) -> Type {
        if let Some(built_in) = BuiltIn::find(name) {
            return self.built_in(expr, built_in, args);
        }
        let catalogue = self.catalogue;
        let Some((_, spec)) = catalogue.function(name) else {
            let title = match name.rsplit_once('.') {
                Some((of, method)) if self.known(of) => format!("there is no method `{method}`"),
                _ => format!("there is no function `{name}`"),
            };
            let servers =
                catalogue.servers().iter().flat_map(|s| &s.functions).map(|f| f.name.as_str());
            let known: Vec<&str> = servers.chain(BUILT_IN.iter().map(|(n, _)| *n)).collect();
            self.unknown_word(
                Code::UnknownFunction,
                at,
                &title,
                name,
                known.into_iter(),
                "functions",
            );
            args.iter().for_each(|arg| {
                self.infer(arg);
            });
            return Type::Unknown;
        };
        if let Some(local) = args.iter().find_map(|arg| self.uses_local(arg)) {
            let title = format!("`{name}` cannot depend on an item of a loop");
            let label = "different for each item".to_owned();
            let help = format!("`{name}` is read once, before the expression is evaluated");
            self.wrong(Code::DependsOnLoop, local, title, &label, &help);
            return spec.result.clone();
        }
        if !self.functions.iter().any(|f| f == name) {
            self.functions.push(name.to_owned());
        }
        self.arguments(expr, spec, args);
        spec.result.clone()
    }

    /// Whether a dotted path begins with a name that exists here.
    fn known(&self, path: &str) -> bool {
        let root = path.split('.').next().unwrap_or(path);
        self.scope.root(root).is_some() || self.locals.iter().any(|(name, _)| name == root)
    }

    fn arguments(&mut self, expr: &Expr, spec: &ReadSpec, args: &[Expr]) {
        let usage = usage(spec);
        if args.len() != spec.args.len() {
            let title =
                format!("`{}` takes {} arguments, not {}", spec.name, spec.args.len(), args.len());
            self.wrong(
                Code::WrongArguments,
                expr.place,
                title,
                "wrong number of arguments",
                &format!("write {usage}"),
            );
            return;
        }
        for (arg, field) in args.iter().zip(&spec.args) {
            let ty = self.infer(arg);
            if let Err(mismatch) = assignable(&ty, &field.ty) {
                let title = format!(
                    "`{}` of `{}` must be {}, not {}",
                    field.name,
                    spec.name,
                    shown_wanted(&field.ty),
                    shown(&ty, arg)
                );
                let code = if mismatch.code == Code::MayBeNull {
                    mismatch.code
                } else {
                    Code::WrongArguments
                };
                self.wrong(code, arg.place, title, &mismatch.label, &format!("it is {usage}"));
            }
        }
    }

    fn uses_local(&self, expr: &Expr) -> Option<Place> {
        match &expr.kind {
            ExprKind::Name(name) => {
                self.locals.iter().any(|(n, _)| n == name).then_some(expr.place)
            }
            _ => expr.parts().into_iter().find_map(|part| self.uses_local(part)),
        }
    }

    fn built_in(&mut self, expr: &Expr, function: BuiltIn, args: &[Expr]) -> Type {
        let types: Vec<Type> = args.iter().map(|arg| self.operand(arg)).collect();
        if types.contains(&Type::Unknown) {
            return match function {
                BuiltIn::Size => Type::integer(),
                BuiltIn::Duration => Type::Duration,
                BuiltIn::Percent => Type::Percent,
                BuiltIn::Max | BuiltIn::Min => Type::Unknown,
            };
        }
        let literal = match args {
            [Expr { kind: ExprKind::Literal(Literal::Text(text)), .. }] => Some(text.as_str()),
            _ => None,
        };
        match (function, types.as_slice()) {
            (
                BuiltIn::Size,
                [Type::List { .. } | Type::String | Type::Text { .. } | Type::Enum { .. }],
            ) => Type::Integer { min: Some(0), max: None },
            (BuiltIn::Max | BuiltIn::Min, [first, _, ..])
                if class(first).ordered() && types.iter().all(|t| class(t) == class(first)) =>
            {
                extreme(function, &types)
            }
            (BuiltIn::Duration, [_])
                if literal.is_some_and(|t| t.parse::<steadyhand_model::time::Span>().is_ok()) =>
            {
                Type::Duration
            }
            (BuiltIn::Percent, [_]) if literal.and_then(parse_percent).is_some() => Type::Percent,
            (BuiltIn::Percent, [part, whole])
                if class(part) == Class::Number && class(whole) == Class::Number =>
            {
                Type::Percent
            }
            (BuiltIn::Duration | BuiltIn::Percent, [_]) if literal.is_some() => {
                let title = format!("`{expr}` cannot be read");
                self.wrong(
                    Code::BadLiteral,
                    expr.place,
                    title,
                    "not accepted",
                    &format!("write {}", function.usage()),
                )
            }
            _ => {
                let given: Vec<String> =
                    args.iter().zip(&types).map(|(a, t)| shown(t, a)).collect();
                let title = format!("these arguments do not fit: {}", given.join(", "));
                self.wrong(
                    Code::WrongArguments,
                    expr.place,
                    title,
                    "wrong arguments",
                    &format!("write {}", function.usage()),
                )
            }
        }
    }
}

/// The type of the least or greatest, with what is known of its bounds.
fn extreme(function: BuiltIn, types: &[Type]) -> Type {
    match types.first() {
        Some(Type::Integer { .. } | Type::Size) => {
            let (lows, highs): (Vec<Option<i64>>, Vec<Option<i64>>) = types
                .iter()
                .map(|t| match t {
                    Type::Integer { min, max } => (*min, *max),
                    _ => (None, None),
                })
                .unzip();
            // Only if all are known do they bound the result on their far side.
            let all = |bounds: &[Option<i64>]| bounds.iter().copied().collect::<Option<Vec<i64>>>();
            if function == BuiltIn::Min {
                // The least of some values is at most the smallest known upper bound.
                let min = all(&lows).and_then(|v| v.into_iter().min());
                Type::Integer { min, max: highs.into_iter().flatten().min() }
            } else {
                let max = all(&highs).and_then(|v| v.into_iter().max());
                Type::Integer { min: lows.into_iter().flatten().max(), max }
            }
        }
        Some(other) => other.clone(),
        None => Type::Unknown,
    }
}

fn usage(spec: &ReadSpec) -> String {
    let args: Vec<String> =
        spec.args.iter().map(|a| format!("{}: {}", a.name, shown_wanted(&a.ty))).collect();
    format!("{}({})", spec.name, args.join(", "))
}

/// A wanted type in words; small enums are listed.
pub(crate) fn shown_wanted(ty: &Type) -> String {
    match ty {
        Type::Enum { values } => {
            format!("one of {}", crate::suggest::listed(values.iter().map(String::as_str)))
        }
        Type::Labels => "alert.labels".into(),
        Type::Integer { min: Some(min), max: Some(max) } => format!("integer from {min} to {max}"),
        Type::Nullable { of } => format!("{} or null", shown_wanted(of)),
        other => other.shown(),
    }
}

/// Whether a value of one type may stand where another is wanted.
pub(crate) fn assignable(from: &Type, to: &Type) -> Result<(), Mismatch> {
    let wrong = |label: String| Err(Mismatch { code: Code::WrongType, label });
    match (from, to) {
        (Type::Unknown, _) | (_, Type::Unknown) => Ok(()),
        (Type::Null, Type::Nullable { .. }) => Ok(()),
        (Type::Nullable { of }, Type::Nullable { of: wanted }) => assignable(of, wanted),
        (_, Type::Nullable { of }) => assignable(from, of),
        (Type::Nullable { .. } | Type::Null, _) => {
            Err(Mismatch { code: Code::MayBeNull, label: "may be null".into() })
        }
        (Type::Integer { min, max }, Type::Integer { min: low, max: high }) => {
            let below = max.zip(*low).is_some_and(|(max, low)| max < low);
            let above = min.zip(*high).is_some_and(|(min, high)| min > high);
            match (below, above) {
                (true, _) => wrong(format!("less than {}", low.unwrap_or(0))),
                (_, true) => wrong(format!("more than {}", high.unwrap_or(0))),
                _ => Ok(()),
            }
        }
        (Type::Enum { values }, Type::Enum { values: wanted }) => {
            match values.iter().find(|v| !wanted.contains(v)) {
                Some(value) => wrong(format!("`{value}` is not one of its values")),
                None => Ok(()),
            }
        }
        (
            Type::Enum { .. } | Type::Text { .. } | Type::String,
            Type::String | Type::Text { .. },
        ) => Ok(()),
        (Type::List { of }, Type::List { of: wanted }) => assignable(of, wanted),
        (Type::Labels, Type::Labels) => Ok(()),
        (Type::Record { fields }, Type::Record { fields: wanted }) if fields == wanted => Ok(()),
        (Type::Object { name }, Type::Object { name: wanted }) if name == wanted => Ok(()),
        (a, b)
            if class(a) == class(b)
                && matches!(
                    class(a),
                    Class::Boolean | Class::Number | Class::Percent | Class::Duration
                ) =>
        {
            Ok(())
        }
        _ => wrong("another type is needed".into()),
    }
}
