//! The tool contract as tables: what each server has by way of types, reads, functions and actions.
//!
//! The tables are constant, one module a server. The checker, the planner, the practice world and the real
//! servers all read the same table; a server that disagrees with its table is wrong.

pub mod alerts;
pub mod kubernetes;
pub mod schema;
mod table;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{ActionId, ActionName, FieldName, ReadName, ServerId, TypeName};
use crate::time::Span;
use crate::types::{Field, Type};

/// Everything that one tool server offers. Exported to `schema/actions/<server>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSpec {
    pub server: ServerId,
    pub types: Vec<TypeSpec>,
    pub reads: Vec<ReadSpec>,
    /// Read tools that expressions may call by name: the reader serves `owner_of` as `fn.owner_of`.
    pub functions: Vec<ReadSpec>,
    pub actions: Vec<ActionSpec>,
}

/// An inventory type. An object is addressed by its identity fields and known by its uid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeSpec {
    pub name: TypeName,
    pub fields: Vec<Field>,
    /// The fields that `get` takes, in the order in which a person writes them: `shop/checkout`.
    pub key: Vec<FieldName>,
    /// The read that takes the key fields and gives the object, or null if there is none.
    pub get: ReadName,
    /// The read that lists objects of this type for a person or a model to choose among.
    pub list: ReadName,
    /// The word for many of them in a limit: `pods`, `nodes`.
    pub population: String,
}

impl TypeSpec {
    /// How an object of this type is given as an argument: its key fields and its `uid`, and nothing else.
    pub fn identity(&self) -> Vec<Field> {
        let known =
            |field: &&Field| self.key.contains(&field.name) || field.name.as_str() == IDENTITY_UID;
        self.fields.iter().filter(known).cloned().collect()
    }
}

/// The field of every inventory type that holds the uid of an object.
pub const IDENTITY_UID: &str = "uid";

/// A read of the reader instance. It changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSpec {
    pub name: ReadName,
    pub title: String,
    pub args: Vec<Field>,
    pub result: Type,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionEffect {
    Read,
    Change,
    Destroy,
}

/// How much of the effect the server can show before it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviewSupport {
    Full,
    Partial,
    None,
}

/// Whether the target itself refuses a second copy of the same call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Idempotency {
    None,
    /// The target keeps a key that we send.
    Key,
    /// The call names the state that it expects; a late duplicate fails at the target.
    CompareAndSet,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoSupport {
    /// `plan` returns the complete inverse call.
    Inverse,
    /// Nothing is left to undo, and why.
    NothingToUndo { why: String },
    /// It cannot be undone: a runbook must say `irreversible`.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// `plan` returns it, and the action must produce exactly it.
    Planned,
    After,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultField {
    pub name: FieldName,
    #[serde(rename = "type")]
    pub ty: Type,
    pub known: Known,
}

/// The check that comes with an action. `that` is an expression over `after.ARG` and `args.ARG`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifySpec {
    pub that: String,
    pub hold_for: Span,
    pub within: Span,
}

/// One operation of a tool server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionSpec {
    pub id: ActionId,
    pub title: String,
    pub effect: ActionEffect,
    /// What a runbook gives. An object is given by its identity: [`TypeSpec::identity`].
    pub args: Vec<Field>,
    /// What `plan` adds to these to make the call complete: the state that the call expects at its target.
    /// The arguments of a call are `args` and `expects` together, and nothing else.
    pub expects: Vec<Field>,
    pub result: Vec<ResultField>,
    pub preview: PreviewSupport,
    pub probe: bool,
    pub verify: Option<VerifySpec>,
    pub undo: UndoSupport,
    pub idempotency: Idempotency,
    /// The longest that one call may take, from the moment of sending.
    pub call_max: Span,
    /// Bounds the whole step unless a runbook says less.
    pub timeout_max: Span,
    /// How long after the last moment of a call its effect may still appear.
    pub quiescence: Span,
    /// It ends by itself at a time given when it is made.
    pub lapses: bool,
    /// One call of this action is planned as many calls of another.
    pub expands_to: Option<ActionId>,
    /// What the executor's account must be allowed to do, for people: `patch deployments`.
    pub permissions: Vec<String>,
}

/// All servers that a library may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    servers: Vec<ServerSpec>,
}

impl Catalogue {
    pub fn new(servers: Vec<ServerSpec>) -> Self {
        Self { servers }
    }

    /// The servers that this build knows.
    pub fn built_in() -> Self {
        Self::new(vec![kubernetes::spec(), alerts::spec()])
    }

    pub fn servers(&self) -> &[ServerSpec] {
        &self.servers
    }

    pub fn server(&self, id: &ServerId) -> Option<&ServerSpec> {
        self.servers.iter().find(|s| s.server == *id)
    }

    pub fn object(&self, name: &TypeName) -> Option<&TypeSpec> {
        self.server(&name.server)?.types.iter().find(|t| t.name == *name)
    }

    /// The form of an argument of type `ty` on the wire: objects become their identities.
    pub fn argument(&self, ty: &Type) -> Type {
        match ty {
            Type::Object { name } => match self.object(name) {
                Some(spec) => Type::Record { fields: spec.identity() },
                None => Type::Unknown,
            },
            Type::List { of } => Type::list(self.argument(of)),
            Type::Nullable { of } => self.argument(of).nullable(),
            Type::Record { fields } => {
                let fields = fields.iter().cloned();
                Type::Record {
                    fields: fields.map(|f| Field { ty: self.argument(&f.ty), ..f }).collect(),
                }
            }
            other => other.clone(),
        }
    }

    pub fn action(&self, id: &ActionId) -> Option<&ActionSpec> {
        self.server(&id.server)?.actions.iter().find(|a| a.id == *id)
    }

    pub fn read(&self, server: &ServerId, name: &ReadName) -> Option<&ReadSpec> {
        self.server(server)?.reads.iter().find(|r| r.name == *name)
    }

    /// A function by the name that expressions use. Names are unique over all servers.
    pub fn function(&self, name: &str) -> Option<(&ServerSpec, &ReadSpec)> {
        self.servers
            .iter()
            .find_map(|s| s.functions.iter().find(|f| f.name.as_str() == name).map(|f| (s, f)))
    }
}

impl ServerSpec {
    /// Digest of the whole table: the library's lock and the pin store compare it.
    pub fn digest(&self) -> Result<Digest, crate::canonical::CanonicalError> {
        Ok(crate::canonical::CanonicalJson::of(self)?.digest())
    }

    pub fn action(&self, name: &ActionName) -> Option<&ActionSpec> {
        self.actions.iter().find(|a| a.id.action == *name)
    }
}

#[cfg(test)]
mod tests;
