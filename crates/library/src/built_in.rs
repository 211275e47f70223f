//! The practice library inside the program: what `drill` runs on a machine that has nothing else.

use crate::document::{Document, PathError};
use crate::library::{Library, Root};

/// The checked fixtures themselves, so that what is tested is what is shipped.
const DOCUMENTS: [(&str, &str); 4] = [
    (
        "built-in/environments/practice.yaml",
        include_str!("../../../fixtures/runbooks/good/practice.yaml"),
    ),
    (
        "built-in/runbooks/restart-workload.yaml",
        include_str!("../../../fixtures/runbooks/good/restart-workload.yaml"),
    ),
    (
        "built-in/runbooks/rollback-release.yaml",
        include_str!("../../../fixtures/runbooks/good/rollback-release.yaml"),
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
