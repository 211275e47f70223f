//! Short ways to write the rows of a constant table. The tables are covered by tests, so a wrong name fails there.

use std::str::FromStr;

use super::{Known, ReadSpec, ResultField};
use crate::types::{Field, Stability, Type};

/// A constant name.
#[expect(clippy::expect_used, reason = "constant names of the tables, all made by a test")]
pub(super) fn name<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a valid constant name")
}

pub(super) fn field(name_text: &str, ty: Type, stability: Stability, doc: &str) -> Field {
    Field { name: name(name_text), ty, stability, doc: doc.to_owned() }
}

/// A field that never changes while the uid lives.
pub(super) fn identity(name_text: &str, ty: Type, doc: &str) -> Field {
    field(name_text, ty, Stability::Identity, doc)
}

/// A field that changes when somebody changes the object on purpose.
pub(super) fn wanted(name_text: &str, ty: Type, doc: &str) -> Field {
    field(name_text, ty, Stability::Spec, doc)
}

/// A field that moves by itself.
pub(super) fn status(name_text: &str, ty: Type, doc: &str) -> Field {
    field(name_text, ty, Stability::Status, doc)
}

pub(super) fn record(fields: Vec<Field>) -> Type {
    Type::Record { fields }
}

pub(super) fn object(type_name: &str) -> Type {
    Type::Object { name: name(type_name) }
}

pub(super) fn choice(values: &[&str]) -> Type {
    Type::Enum { values: values.iter().map(|v| (*v).to_owned()).collect() }
}

pub(super) fn count() -> Type {
    Type::Integer { min: Some(0), max: None }
}

pub(super) fn read(name_text: &str, title: &str, args: Vec<Field>, result: Type) -> ReadSpec {
    ReadSpec { name: name(name_text), title: title.to_owned(), args, result }
}

pub(super) fn planned(name_text: &str, ty: Type) -> ResultField {
    ResultField { name: name(name_text), ty, known: Known::Planned }
}

pub(super) fn after(name_text: &str, ty: Type) -> ResultField {
    ResultField { name: name(name_text), ty, known: Known::After }
}
