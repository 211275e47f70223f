//! Typed values: what expressions see, what parameters are bound to, what actions are given.
//!
//! A value enters from JSON only against a [`Type`]: unknown fields, wrong types and numbers out of range are refused.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::catalogue::Catalogue;
use crate::time::Span;
use crate::types::Type;

/// Largest integer that JSON carries exactly: 2^53 - 1.
pub const INTEGER_MAX: i64 = 9_007_199_254_740_991;
/// Deepest nesting of a value.
pub const VALUE_DEPTH_MAX: usize = 32;
/// The key of the JSON object that stands for a value which could not be read.
pub const CANNOT_TELL: &str = "cannot_tell";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Boolean(bool),
    /// Also percent (per mille) and size (bytes).
    Integer(i64),
    Duration(Span),
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
    /// The source could not say; the reason is for people. Never equal to anything, never true.
    CannotTell(String),
}

/// Why JSON is not a value of a type. `path` is a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {expected}, found {found}")]
pub struct ValueError {
    pub path: String,
    pub expected: String,
    pub found: String,
}

impl Value {
    /// Reads JSON as a value of `ty`.
    ///
    /// # Errors
    /// The first place where the JSON is not of that type.
    pub fn from_json(json: &Json, ty: &Type, catalogue: &Catalogue) -> Result<Self, ValueError> {
        read(json, ty, catalogue, &mut Vec::new(), 0)
    }

    /// The JSON form. Durations are written as text, as [`Value::from_json`] reads them.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Boolean(b) => Json::Bool(*b),
            Self::Integer(n) => Json::from(*n),
            Self::Duration(span) => Json::String(span.to_string()),
            Self::Text(text) => Json::String(text.clone()),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Object(fields) => {
                Json::Object(fields.iter().map(|(k, v)| (k.clone(), v.to_json())).collect())
            }
            Self::CannotTell(why) => Json::Object(
                [(CANNOT_TELL.to_owned(), Json::String(why.clone()))].into_iter().collect(),
            ),
        }
    }

    /// Follows a dotted path through objects. A missing field is `None`.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| match value {
            Self::Object(fields) => fields.get(*name),
            Self::CannotTell(_) => Some(value),
            _ => None,
        })
    }
}

fn kind(json: &Json) -> String {
    match json {
        Json::Null => "null".into(),
        Json::Bool(_) => "a boolean".into(),
        Json::Number(n) => format!("the number {n}"),
        Json::String(_) => "a string".into(),
        Json::Array(_) => "a list".into(),
        Json::Object(_) => "an object".into(),
    }
}

fn read(
    json: &Json,
    ty: &Type,
    catalogue: &Catalogue,
    path: &mut Vec<String>,
    depth: usize,
) -> Result<Value, ValueError> {
    let wrong = |path: &[String], expected: String| ValueError {
        path: path.iter().map(|p| format!("/{p}")).collect(),
        expected,
        found: kind(json),
    };
    if depth > VALUE_DEPTH_MAX {
        return Err(wrong(path, format!("at most {VALUE_DEPTH_MAX} levels")));
    }
    if let Json::Object(map) = json
        && let (1, Some(Json::String(why))) = (map.len(), map.get(CANNOT_TELL))
    {
        return Ok(Value::CannotTell(why.clone()));
    }
    match (ty, json) {
        (Type::Nullable { .. } | Type::Null, Json::Null) => Ok(Value::Null),
        (Type::Nullable { of }, _) => read(json, of, catalogue, path, depth),
        (Type::Boolean, Json::Bool(b)) => Ok(Value::Boolean(*b)),
        (Type::Integer { .. } | Type::Percent | Type::Size, Json::Number(n)) => {
            let (low, high) = bounds(ty);
            match n.as_i64() {
                Some(i) if (low..=high).contains(&i) => Ok(Value::Integer(i)),
                _ => Err(wrong(path, format!("a whole number from {low} to {high}"))),
            }
        }
        (Type::Duration, Json::String(text)) => match text.parse() {
            Ok(span) => Ok(Value::Duration(span)),
            Err(_not_a_span) => Err(wrong(path, "a duration such as `10m`".into())),
        },
        (Type::String, Json::String(text)) => Ok(Value::Text(text.clone())),
        (Type::Labels, Json::Object(map)) => {
            let mut labels = BTreeMap::new();
            for (name, label) in map {
                let Json::String(text) = label else {
                    path.push(name.clone());
                    return Err(ValueError {
                        path: path.iter().map(|p| format!("/{p}")).collect(),
                        expected: "string".into(),
                        found: kind(label),
                    });
                };
                labels.insert(name.clone(), Value::Text(text.clone()));
            }
            Ok(Value::Object(labels))
        }
        (Type::Text { max }, Json::String(text)) => {
            if text.chars().count() <= usize::try_from(*max).unwrap_or(usize::MAX) {
                Ok(Value::Text(text.clone()))
            } else {
                Err(wrong(path, format!("at most {max} characters")))
            }
        }
        (Type::Enum { values }, Json::String(text)) if values.contains(text) => {
            Ok(Value::Text(text.clone()))
        }
        (Type::Enum { values }, _) => Err(wrong(path, format!("one of {}", values.join(", ")))),
        (Type::List { of }, Json::Array(items)) => {
            let mut list = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                list.push(read(item, of, catalogue, path, depth + 1)?);
                path.pop();
            }
            Ok(Value::List(list))
        }
        (Type::Object { name }, Json::Object(_)) => match catalogue.object(name) {
            Some(spec) => read_fields(json, &spec.fields, catalogue, path, depth),
            None => Err(wrong(path, format!("a known type, not {name}"))),
        },
        (Type::Record { fields }, Json::Object(_)) => {
            read_fields(json, fields, catalogue, path, depth)
        }
        _ => Err(wrong(path, ty.shown())),
    }
}

fn bounds(ty: &Type) -> (i64, i64) {
    match ty {
        Type::Integer { min, max } => (min.unwrap_or(-INTEGER_MAX), max.unwrap_or(INTEGER_MAX)),
        Type::Percent => (0, 1000),
        _ => (0, INTEGER_MAX),
    }
}

fn read_fields(
    json: &Json,
    fields: &[crate::types::Field],
    catalogue: &Catalogue,
    path: &mut Vec<String>,
    depth: usize,
) -> Result<Value, ValueError> {
    let Json::Object(map) = json else {
        return Ok(Value::Null);
    };
    let mut object = BTreeMap::new();
    for field in fields {
        path.push(field.name.to_string());
        let value = match map.get(field.name.as_str()) {
            Some(inner) => read(inner, &field.ty, catalogue, path, depth + 1)?,
            None if matches!(field.ty, Type::Nullable { .. }) => Value::Null,
            None => {
                return Err(ValueError {
                    path: path.iter().map(|p| format!("/{p}")).collect(),
                    expected: field.ty.shown(),
                    found: "nothing".into(),
                });
            }
        };
        path.pop();
        object.insert(field.name.to_string(), value);
    }
    match map.keys().find(|key| !object.contains_key(key.as_str())) {
        Some(extra) => Err(ValueError {
            path: path.iter().map(|p| format!("/{p}")).collect(),
            expected: "only known fields".into(),
            found: format!("`{}`", crate::text::Escaped::line(extra)),
        }),
        None => Ok(Value::Object(object)),
    }
}
