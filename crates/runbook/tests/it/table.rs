//! A small catalogue of our own: it has what the built-in tables have not, such as an action without an undo.

use steadyhand_model::catalogue::{
    ActionEffect, ActionSpec, Catalogue, Idempotency, Known, PreviewSupport, ReadSpec, ResultField,
    ServerSpec, TypeSpec, UndoSupport,
};
use steadyhand_model::time::Span;
use steadyhand_model::types::{Field, Stability, Type};
use steadyhand_runbook::checker::{Document, check_document};

use crate::documents::files;

pub(crate) fn field(name: &str, ty: Type, stability: Stability) -> Field {
    Field { name: name.parse().unwrap(), ty, stability, doc: String::new() }
}

fn arg(name: &str, ty: Type) -> Field {
    field(name, ty, Stability::Spec)
}

fn object(name: &str) -> Type {
    Type::Object { name: name.parse().unwrap() }
}

fn action(id: &str, args: Vec<Field>) -> ActionSpec {
    ActionSpec {
        id: id.parse().unwrap(),
        title: id.to_owned(),
        effect: ActionEffect::Change,
        args,
        expects: vec![],
        result: vec![],
        preview: PreviewSupport::None,
        probe: true,
        verify: None,
        undo: UndoSupport::None,
        idempotency: Idempotency::None,
        call_max: Span::from_secs(10),
        timeout_max: Span::from_mins(20),
        quiescence: Span::from_secs(5),
        lapses: false,
        expands_to: None,
        permissions: vec![],
    }
}

fn queue_server() -> ServerSpec {
    let queue = TypeSpec {
        name: "queue.Queue".parse().unwrap(),
        fields: vec![
            field("name", Type::String, Stability::Identity),
            field("uid", Type::String, Stability::Identity),
            field("depth", Type::integer(), Stability::Status),
            field("limit", Type::integer(), Stability::Spec),
            field(
                "mode",
                Type::Enum { values: vec!["lazy".into(), "eager".into()] },
                Stability::Spec,
            ),
        ],
        key: vec!["name".parse().unwrap()],
        get: "get_queue".parse().unwrap(),
        list: "list_queues".parse().unwrap(),
        population: "queues".to_owned(),
    };
    let read = ReadSpec {
        name: "get_queue".parse().unwrap(),
        title: "One queue".to_owned(),
        args: vec![arg("name", Type::String)],
        result: object("queue.Queue").nullable(),
    };
    let purge = action("queue.purge", vec![arg("queue", object("queue.Queue"))]);
    let moved = ActionSpec {
        result: vec![
            ResultField {
                name: "archive".parse().unwrap(),
                ty: Type::String,
                known: Known::Planned,
            },
            ResultField {
                name: "taken".parse().unwrap(),
                ty: Type::integer(),
                known: Known::After,
            },
        ],
        undo: UndoSupport::Inverse,
        idempotency: Idempotency::Key,
        ..action(
            "queue.move_aside",
            vec![
                arg("queue", object("queue.Queue")),
                arg("up_to", Type::integer()),
                arg("to", Type::String.nullable()),
                arg("reason", Type::Text { max: 200 }.nullable()),
                arg("mode", Type::Enum { values: vec!["fast".into(), "safe".into()] }.nullable()),
            ],
        )
    };
    let look = ActionSpec { effect: ActionEffect::Read, ..action("queue.look", vec![]) };
    ServerSpec {
        server: "queue".parse().unwrap(),
        types: vec![queue],
        reads: vec![read],
        functions: vec![],
        actions: vec![purge, moved, look],
    }
}

/// The built-in tables and one server more.
pub(crate) fn catalogue() -> Catalogue {
    let built_in = Catalogue::built_in();
    Catalogue::new(built_in.servers().iter().cloned().chain([queue_server()]).collect())
}

/// The good documents.
pub(crate) fn good(catalogue: &Catalogue) -> Vec<Document> {
    files("good")
        .into_iter()
        .map(|(name, bytes)| check_document(&name, &bytes, catalogue).document.unwrap())
        .collect()
}
