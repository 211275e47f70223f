//! Bindings: each parameter gets a value with its origin. An untrusted value is only ever a key to look up.

use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::catalogue::{Catalogue, TypeSpec};
use steadyhand_model::ids::{ParamName, TypeName, Uid};
use steadyhand_model::plan::{Bound, Origin};
use steadyhand_model::reading::ReadCall;
use steadyhand_model::text::Escaped;
use steadyhand_model::time::Span;
use steadyhand_model::types::Type;
use steadyhand_model::value::Value;
use steadyhand_runbook::document::runbook::{Binding, KeySource, Param as Declared, ParamKind};
use steadyhand_runbook::expr::check::CheckedExpr;
use steadyhand_runbook::expr::explain::shown;

use super::error::PlanningError;
use super::{Desk, lower};

/// A parameter with its value, as planning sees it.
#[derive(Debug, Clone)]
pub(crate) struct Param {
    pub(crate) kind: ParamKind,
    pub(crate) value: Value,
    /// How people write it.
    pub(crate) shown: String,
    pub(crate) origin: Origin,
    pub(crate) chosen_by: Origin,
    /// For an object: how it is read again, and what was read.
    pub(crate) read: Option<ReadCall>,
    pub(crate) raw: Option<CanonicalJson>,
}

impl Param {
    /// The form that enters the plan: identity and uid of an object, the value of anything else.
    pub(crate) fn bound(&self, catalogue: &Catalogue) -> Result<Bound, PlanningError> {
        let value = argument(&self.value, &self.kind.ty(), catalogue);
        let uid = match self.value.at(&["uid"]) {
            Some(Value::Text(uid)) => {
                Some(uid.parse::<Uid>().map_err(|source| PlanningError::Name { source })?)
            }
            _ => None,
        };
        Ok(Bound {
            ty: self.kind.ty(),
            value: canonical(&value)?,
            shown: self.shown.clone(),
            uid,
            origin: self.origin,
            chosen_by: self.chosen_by,
        })
    }
}

pub(crate) fn canonical(value: &Value) -> Result<CanonicalJson, PlanningError> {
    CanonicalJson::of(&value.to_json()).map_err(|source| PlanningError::Canonical { source })
}

/// A value as an action's argument: an object is given by its identity and nothing else.
pub(crate) fn argument(value: &Value, ty: &Type, catalogue: &Catalogue) -> Value {
    match (value, ty) {
        (Value::Object(fields), Type::Object { name }) => match catalogue.object(name) {
            Some(spec) => Value::Object(
                spec.identity()
                    .iter()
                    .filter_map(|f| {
                        Some((f.name.to_string(), fields.get(f.name.as_str())?.clone()))
                    })
                    .collect(),
            ),
            None => value.clone(),
        },
        (Value::List(items), Type::List { of }) => {
            Value::List(items.iter().map(|item| argument(item, of, catalogue)).collect())
        }
        (_, Type::Nullable { of }) => argument(value, of, catalogue),
        _ => value.clone(),
    }
}

/// Binds every parameter, each after those that it needs.
pub(crate) async fn all(desk: &mut Desk<'_>) -> Result<(), PlanningError> {
    let runbook = desk.ask.runbook;
    if let Some(name) = desk.ask.params.keys().find(|name| runbook.param(name).is_none()) {
        let known: Vec<&str> = runbook.params.iter().map(|p| p.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(PlanningError::NoSuchParameter { name: name.clone(), known });
    }
    for declared in &runbook.params {
        let param = one(desk, declared).await?;
        in_bounds(&declared.name, &declared.kind, &param.value)?;
        permitted(desk, &param)?;
        desk.params.insert(declared.name.clone(), param);
    }
    Ok(())
}

async fn one(desk: &Desk<'_>, declared: &Declared) -> Result<Param, PlanningError> {
    let typed = desk.ask.params.get(&declared.name);
    if typed.is_some() && (!declared.operator || declared.value.is_some()) {
        return Err(PlanningError::NotByHand { name: declared.name.clone() });
    }
    if let Some(text) = typed {
        return by_hand(desk, declared, text).await;
    }
    if let Some(expr) = &declared.value {
        let value = certain(desk, &declared.name, expr).await?;
        return finish(desk, declared, value, Origin::Library, Origin::Library).await;
    }
    let mut tried = Vec::new();
    for source in &declared.from {
        match source {
            KeySource::Model => tried.push("model: none is configured".to_owned()),
            KeySource::Expr(expr) if desk.ask.alert.is_none() => {
                tried.push(format!("{}: there is no alert", expr.text));
            }
            KeySource::Expr(expr) => match lower::evaluate(desk, expr).await? {
                Value::Null => tried.push(format!("{}: nothing found", expr.text)),
                Value::CannotTell(why) => tried.push(format!("{}: {why}", expr.text)),
                value => {
                    let origin = if matches!(value, Value::Object(_)) {
                        Origin::Inventory
                    } else {
                        Origin::Alert
                    };
                    return finish(desk, declared, value, origin, Origin::Alert).await;
                }
            },
        }
    }
    match &declared.default {
        Some(Binding::Literal(value)) => {
            finish(desk, declared, value.clone(), Origin::Library, Origin::Library).await
        }
        Some(Binding::Computed(expr)) => {
            let value = certain(desk, &declared.name, expr).await?;
            let origin =
                if matches!(value, Value::Object(_)) { Origin::Inventory } else { Origin::Library };
            finish(desk, declared, value, origin, Origin::Library).await
        }
        None => Err(PlanningError::Unbound { name: declared.name.clone(), tried }),
    }
}

async fn certain(
    desk: &Desk<'_>,
    name: &ParamName,
    expr: &CheckedExpr,
) -> Result<Value, PlanningError> {
    match lower::evaluate(desk, expr).await? {
        Value::CannotTell(why) => Err(PlanningError::NoValue { name: name.clone(), why }),
        Value::Null => Err(PlanningError::NoValue {
            name: name.clone(),
            why: format!("`{}` gives nothing", expr.text),
        }),
        value => Ok(value),
    }
}

/// Turns a found value into a binding. An object is read again by its key, so that what is bound is inventory's word.
async fn finish(
    desk: &Desk<'_>,
    declared: &Declared,
    value: Value,
    origin: Origin,
    chosen_by: Origin,
) -> Result<Param, PlanningError> {
    if let ParamKind::Object(type_name) = &declared.kind {
        let spec = object_spec(desk, declared, type_name)?;
        let key: Vec<(String, Value)> = spec
            .key
            .iter()
            .map(|field| {
                (field.to_string(), value.at(&[field.as_str()]).cloned().unwrap_or(Value::Null))
            })
            .collect();
        let told = shown_object(spec, &value);
        return object(desk, declared, spec, key, &told, chosen_by).await;
    }
    let (value, shown) = scalar(declared, value);
    Ok(Param {
        kind: declared.kind.clone(),
        value,
        shown,
        origin,
        chosen_by,
        read: None,
        raw: None,
    })
}

/// A value of a map is typed by its value and shown by its name.
fn scalar(declared: &Declared, value: Value) -> (Value, String) {
    match (&declared.kind, &value) {
        (ParamKind::Map { values, .. }, Value::Text(name)) => {
            let found = values.iter().find(|(known, _)| known == name);
            (found.map_or(value.clone(), |(_, v)| v.clone()), name.clone())
        }
        (ParamKind::Map { values, .. }, _) => {
            let name = values.iter().find(|(_, v)| *v == value).map(|(name, _)| name.clone());
            let name = name.unwrap_or_else(|| shown(&value));
            (value, name)
        }
        (ParamKind::Percent { .. }, Value::Integer(mille)) => {
            let text = percent(*mille);
            (value, text)
        }
        (_, Value::Text(text)) => {
            let text = text.clone();
            (value, text)
        }
        _ => {
            let text = shown(&value);
            (value, text)
        }
    }
}

pub(crate) fn percent(mille: i64) -> String {
    if mille % 10 == 0 {
        format!("{}%", mille / 10)
    } else {
        format!("{}.{}%", mille / 10, mille % 10)
    }
}

fn object_spec<'a>(
    desk: &'a Desk<'_>,
    declared: &Declared,
    name: &TypeName,
) -> Result<&'a TypeSpec, PlanningError> {
    desk.reader.catalogue.object(name).ok_or_else(|| PlanningError::NoValue {
        name: declared.name.clone(),
        why: format!("no tool server knows the type {name}"),
    })
}

async fn object(
    desk: &Desk<'_>,
    declared: &Declared,
    spec: &TypeSpec,
    key: Vec<(String, Value)>,
    told: &str,
    chosen_by: Origin,
) -> Result<Param, PlanningError> {
    let args = canonical(&Value::Object(key.into_iter().collect()))?;
    let read = ReadCall { server: spec.name.server.clone(), read: spec.get.clone(), args };
    let cannot = |why: String| PlanningError::NoValue { name: declared.name.clone(), why };
    let raw = desk
        .reader
        .host
        .read(read, desk.reader.clock.now())
        .await
        .map_err(|error| cannot(crate::checks::read_words(&error)))?;
    let ty = Type::Object { name: spec.name.clone() };
    let value = desk.reader.typed(&raw, &ty.clone().nullable());
    match &value {
        Value::Object(_) => {}
        Value::CannotTell(why) => return Err(cannot(why.clone())),
        _ => {
            return Err(PlanningError::NotFound {
                name: declared.name.clone(),
                kind: spec.name.name.clone(),
                text: Escaped::short(told, 120).as_str().to_owned(),
            });
        }
    }
    // From now on it is read by the whole key that inventory gave, not by what anybody typed.
    let whole: Vec<(String, Value)> = spec
        .key
        .iter()
        .filter_map(|field| Some((field.to_string(), value.at(&[field.as_str()])?.clone())))
        .collect();
    let args = canonical(&Value::Object(whole.into_iter().collect()))?;
    let read = ReadCall { server: spec.name.server.clone(), read: spec.get.clone(), args };
    Ok(Param {
        kind: declared.kind.clone(),
        shown: shown_object(spec, &value),
        value,
        origin: Origin::Inventory,
        chosen_by,
        read: Some(read),
        raw: Some(raw),
    })
}

/// `Deployment shop/checkout`, `node-7`.
pub(crate) fn shown_object(spec: &TypeSpec, value: &Value) -> String {
    let text = |name: &str| match value.at(&[name]) {
        Some(Value::Text(text)) => Some(Escaped::line(text).as_str().to_owned()),
        _ => None,
    };
    let names: Vec<String> =
        spec.key.iter().filter(|f| f.as_str() != "kind").filter_map(|f| text(f.as_str())).collect();
    match text("kind") {
        Some(kind) => format!("{kind} {}", names.join("/")),
        None => names.join("/"),
    }
}

/// Reads what a person typed, strictly: no sign, no leading zero, no second spelling.
async fn by_hand(desk: &Desk<'_>, declared: &Declared, text: &str) -> Result<Param, PlanningError> {
    let wrong = |expected: String| PlanningError::NotAValue {
        name: declared.name.clone(),
        text: Escaped::short(text, 120).as_str().to_owned(),
        expected,
    };
    let value = match &declared.kind {
        ParamKind::Object(type_name) => {
            let spec = object_spec(desk, declared, type_name)?;
            let key = typed_key(desk, declared, spec, text).ok_or_else(|| {
                let form: Vec<&str> = spec.key.iter().map(|f| f.as_str()).collect();
                wrong(format!("write {}, the first may be left out", form.join("/")))
            })?;
            return object(desk, declared, spec, key, text, Origin::Operator).await;
        }
        ParamKind::Enum { values } if values.iter().any(|v| v == text) => {
            Value::Text(text.to_owned())
        }
        ParamKind::Enum { values } => return Err(wrong(format!("one of {}", values.join(", ")))),
        ParamKind::Map { values, .. } if values.iter().any(|(name, _)| name == text) => {
            Value::Text(text.to_owned())
        }
        ParamKind::Map { values, .. } => {
            let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
            return Err(wrong(format!("one of {}", names.join(", "))));
        }
        ParamKind::Set { values } => {
            let items: Vec<&str> = text.split(',').collect();
            if items.is_empty() || items.iter().any(|i| !values.iter().any(|v| v == i)) {
                return Err(wrong(format!("some of {}, with commas between", values.join(", "))));
            }
            Value::List(items.into_iter().map(|i| Value::Text(i.to_owned())).collect())
        }
        ParamKind::Integer { .. } | ParamKind::Size { .. } => {
            whole_number(text).ok_or_else(|| wrong("a whole number such as 3".into()))?
        }
        ParamKind::Percent { .. } => text
            .strip_suffix('%')
            .and_then(whole_number)
            .and_then(|v| match v {
                Value::Integer(n) => n.checked_mul(10).map(Value::Integer),
                _ => None,
            })
            .ok_or_else(|| wrong("a percentage such as 34%".into()))?,
        ParamKind::Duration { .. } => match text.parse::<Span>() {
            Ok(span) => Value::Duration(span),
            Err(error) => return Err(wrong(error.to_string())),
        },
        ParamKind::Boolean if text == "true" || text == "false" => Value::Boolean(text == "true"),
        ParamKind::Boolean => return Err(wrong("true or false".into())),
        ParamKind::Text { max } => {
            if text.chars().count() > usize::try_from(*max).unwrap_or(usize::MAX) {
                return Err(wrong(format!("at most {max} characters")));
            }
            Value::Text(text.to_owned())
        }
    };
    finish(desk, declared, value, Origin::Operator, Origin::Operator).await
}

/// Digits without sign or leading zero: every reader agrees on what they mean.
fn whole_number(text: &str) -> Option<Value> {
    let plain = !text.is_empty()
        && text.len() <= 15
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    if !plain {
        return None;
    }
    text.bytes()
        .try_fold(0_i64, |n, b| n.checked_mul(10)?.checked_add(i64::from(b - b'0')))
        .map(Value::Integer)
}

/// The key fields of an object from text. What the text leaves out comes from the parameter that scopes it.
fn typed_key(
    desk: &Desk<'_>,
    declared: &Declared,
    spec: &TypeSpec,
    text: &str,
) -> Option<Vec<(String, Value)>> {
    let parts: Vec<&str> = text.split('/').collect();
    if parts.iter().any(|p| p.is_empty() || p.starts_with('-')) {
        return None;
    }
    let left_out = spec.key.len().checked_sub(parts.len())?;
    let parent = declared.of.as_ref().and_then(|name| desk.params.get(name));
    let mut key = Vec::new();
    for (index, field) in spec.key.iter().enumerate() {
        let value = match (index.checked_sub(left_out).and_then(|i| parts.get(i)), parent) {
            (Some(part), _) => Value::Text((*part).to_owned()),
            (None, Some(parent)) => from_parent(&parent.value, field.as_str())?,
            // `kind` may be left out: the inventory says which it is.
            (None, None) if left_out == 1 => Value::Null,
            (None, None) => return None,
        };
        key.push((field.to_string(), value));
    }
    Some(key)
}

fn from_parent(parent: &Value, field: &str) -> Option<Value> {
    let own = if field == "workload" { "name" } else { field };
    parent.at(&[own]).cloned()
}

fn in_bounds(name: &ParamName, kind: &ParamKind, value: &Value) -> Result<(), PlanningError> {
    let over =
        |max: String| PlanningError::OverMax { name: name.clone(), value: shown(value), max };
    let under = |min: String| PlanningError::NoValue {
        name: name.clone(),
        why: format!("{} is less than its min {min}", shown(value)),
    };
    match (kind, value) {
        (
            ParamKind::Integer { min, max }
            | ParamKind::Size { min, max }
            | ParamKind::Percent { min, max },
            Value::Integer(n),
        ) => match (min, max) {
            (_, Some(max)) if n > max => Err(over(max.to_string())),
            (Some(min), _) if n < min => Err(under(min.to_string())),
            _ => Ok(()),
        },
        (ParamKind::Duration { min, max }, Value::Duration(span)) => match (min, max) {
            (_, Some(max)) if span > max => Err(over(max.to_string())),
            (Some(min), _) if span < min => Err(under(min.to_string())),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Protected objects are no runbook's; an object that an alert chose must lie in the alert's own namespace.
fn permitted(desk: &Desk<'_>, param: &Param) -> Result<(), PlanningError> {
    let ParamKind::Object(name) = &param.kind else {
        return Ok(());
    };
    let namespace = match param.value.at(&["namespace"]) {
        Some(Value::Text(namespace)) => Some(namespace.as_str()),
        _ => None,
    };
    let listed = desk.ask.environment.protected.iter().any(|p| {
        p.server == name.server
            && namespace.is_some_and(|n| p.namespaces.iter().any(|known| known == n))
    });
    if listed || param.value.at(&["protected"]) == Some(&Value::Boolean(true)) {
        return Err(PlanningError::Protected { shown: param.shown.clone() });
    }
    let of_alert = desk.ask.alert.and_then(|a| a.labels.get("namespace"));
    match (of_alert, namespace) {
        (Some(wanted), Some(found)) if param.chosen_by == Origin::Alert && wanted != found => {
            Err(PlanningError::OutOfScope {
                shown: param.shown.clone(),
                namespace: Escaped::short(wanted, 80).as_str().to_owned(),
            })
        }
        _ => Ok(()),
    }
}
