//! The practice library inside the program: what `drill` runs on a machine that has nothing else.

use crate::document::{Document, PathError};
use crate::library::{Library, Root};

/// Fixtures where they serve as they are; documents of its own where the practice world needs other bindings.
const DOCUMENTS: [(&str, &str); 4] = [
    (
        "built-in/environments/practice.yaml",
        include_str!("../../../fixtures/runbooks/good/practice.yaml"),
    ),
    ("built-in/runbooks/restart-workload.yaml", include_str!("../documents/restart-workload.yaml")),
    (
        "built-in/runbooks/rollback-release.yaml",
        // Bound to the alerts of a bad release only, so that each alert of the practice world has one runbook.
        include_str!("../documents/rollback-release.yaml"),
    ),
    (
        "built-in/runbooks/scale-workload.yaml",
        include_str!("../../../fixtures/runbooks/good/scale-workload.yaml"),
    ),
];

/// The built-in library. It has no git state: give [`crate::git::GitState::NONE`].
///
/// # Errors
/// None in practice: the paths are constants, and a test reads them.
pub fn practice() -> Result<Library, PathError> {
    let documents = DOCUMENTS
        .iter()
        .map(|(path, text)| Ok(Document::new(path.parse()?, text.as_bytes().to_vec())))
        .collect::<Result<Vec<_>, PathError>>()?;
    Ok(Library::new(Root::BuiltIn, documents))
}
