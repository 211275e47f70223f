//! The type language shared by parameters, expressions and tool servers. JSON Schema is derived from it.

use serde::{Deserialize, Serialize};

use crate::ids::{FieldName, TypeName};

/// A type of a parameter, a field, an argument or an expression. Part of the exported action tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    Boolean,
    Integer {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<i64>,
    },
    /// Per mille, 0 to 1000; written `34%` by people.
    Percent,
    /// A [`crate::time::Span`], written `10m`.
    Duration,
    /// Bytes.
    Size,
    /// Tenant text from a system that is read. It reaches reads and `say` only, never a write.
    String,
    /// Label names with tenant text as values, such as an alert's. An argument of reads and functions only.
    Labels,
    /// Text written by an operator for people to read, at most `max` characters.
    Text {
        max: u32,
    },
    /// One of the listed names.
    Enum {
        values: Vec<String>,
    },
    List {
        of: Box<Type>,
    },
    /// An object of an inventory, identified by a uid.
    Object {
        name: TypeName,
    },
    /// A value without identity: fields by name.
    Record {
        fields: Vec<Field>,
    },
    /// Readable only under `!= null`, or in the `else` of `== null`.
    Nullable {
        of: Box<Type>,
    },
    /// The literal `null`, and a type that could not be found out after a reported mistake.
    Null,
    Unknown,
}

impl Type {
    pub const fn integer() -> Self {
        Self::Integer { min: None, max: None }
    }

    pub fn list(of: Type) -> Self {
        Self::List { of: Box::new(of) }
    }

    #[must_use]
    pub fn nullable(self) -> Self {
        Self::Nullable { of: Box::new(self) }
    }

    /// The name used in messages: `int`, `string`, `kubernetes.Workload`.
    pub fn shown(&self) -> String {
        match self {
            Self::Boolean => "boolean".into(),
            Self::Integer { .. } => "integer".into(),
            Self::Percent => "percent".into(),
            Self::Duration => "duration".into(),
            Self::Size => "size".into(),
            Self::String => "string".into(),
            Self::Labels => "labels".into(),
            Self::Text { .. } => "text".into(),
            Self::Enum { .. } => "enum".into(),
            Self::List { of } => format!("list<{}>", of.shown()),
            Self::Object { name } => name.to_string(),
            Self::Record { .. } => "record".into(),
            Self::Nullable { of } => format!("{}?", of.shown()),
            Self::Null => "null".into(),
            Self::Unknown => "unknown".into(),
        }
    }
}

/// How much a field moves by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stability {
    /// Never changes while the uid lives.
    Identity,
    /// Changes when somebody changes the object on purpose.
    Spec,
    /// Moves by itself: heartbeats, ready counts. Never enters a plan but inside a bounded predicate.
    Status,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Field {
    pub name: FieldName,
    #[serde(rename = "type")]
    pub ty: Type,
    pub stability: Stability,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
}
