//! A library, read and checked: what plans are made from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use steadyhand_api::request::LibraryAt;
use steadyhand_library::built_in;
use steadyhand_library::git::{self, GitError, GitState};
use steadyhand_library::library::Library;
use steadyhand_library::read::{self, ReadError};
use steadyhand_model::catalogue::Catalogue;
use steadyhand_model::ids::{EnvironmentName, RunbookName};
use steadyhand_model::plan::LibraryRef;
use steadyhand_runbook::checker::{Document, check_document, check_library};
use steadyhand_runbook::document::environment::CheckedEnvironment;
use steadyhand_runbook::document::runbook::CheckedRunbook;
use steadyhand_runbook::render::Style;

/// Mistakes shown where a library is refused; `steady check` shows them all.
const SHOWN_MAX: usize = 5;

#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    #[error("the library {root} cannot be read")]
    Read {
        root: String,
        #[source]
        source: Box<ReadError>,
    },
    #[error("it cannot be told how the library {root} stands to git")]
    Git {
        root: String,
        #[source]
        source: Box<GitError>,
    },
    #[error("the built-in library is broken")]
    BuiltIn {
        #[source]
        source: steadyhand_library::document::PathError,
    },
    #[error("the library has {count} mistakes")]
    Mistakes { count: usize, shown: Vec<String> },
    #[error("reading the library was given up")]
    GivenUp,
}

/// The documents of a library that is free of mistakes.
#[derive(Debug, Clone)]
pub struct Shelf {
    pub reference: LibraryRef,
    pub runbooks: Vec<CheckedRunbook>,
    pub environments: Vec<CheckedEnvironment>,
}

impl Shelf {
    pub fn runbook(&self, name: &RunbookName) -> Option<&CheckedRunbook> {
        self.runbooks.iter().find(|r| r.name == *name)
    }

    pub fn environment(&self, name: &EnvironmentName) -> Option<&CheckedEnvironment> {
        self.environments.iter().find(|e| e.name == *name)
    }
}

/// Reads and checks a library. `git` is the absolute path of the program, where there is one.
///
/// # Errors
/// If it cannot be read, or anything in it is wrong: a plan is never made from half a library.
pub async fn open(
    at: &LibraryAt,
    git: Option<&Path>,
    catalogue: &Arc<Catalogue>,
) -> Result<Shelf, ShelfError> {
    let (library, state) = match at {
        LibraryAt::BuiltIn => {
            let library = built_in::practice().map_err(|source| ShelfError::BuiltIn { source })?;
            (library, GitState::NONE)
        }
        LibraryAt::Folder(folder) => from_folder(PathBuf::from(folder), git).await?,
    };
    check(&library, &state, catalogue)
}

async fn from_folder(root: PathBuf, git: Option<&Path>) -> Result<(Library, GitState), ShelfError> {
    let shown = root.display().to_string();
    let folder = root.clone();
    let library = tokio::task::spawn_blocking(move || read::read(&folder))
        .await
        .map_err(|_cancelled| ShelfError::GivenUp)?
        .map_err(|source| ShelfError::Read { root: shown.clone(), source: Box::new(source) })?;
    let state = match git {
        Some(program) => git::state(program, &root, &library)
            .await
            .map_err(|source| ShelfError::Git { root: shown, source: Box::new(source) })?,
        None => GitState::NONE,
    };
    Ok((library, state))
}

fn check(library: &Library, state: &GitState, catalogue: &Catalogue) -> Result<Shelf, ShelfError> {
    let mut documents = Vec::new();
    let mut shown = Vec::new();
    let mut count = 0;
    for document in library.documents() {
        let checked = check_document(document.path.as_str(), &document.bytes, catalogue);
        if let Some(document) = checked.document {
            documents.push(document);
        } else {
            count += checked.diagnostics.errors().max(1);
            shown.push(checked.diagnostics.render(Style::Plain));
        }
    }
    if count == 0 {
        let all: Vec<&Document> = documents.iter().collect();
        for diagnostic in check_library(&all) {
            count += 1;
            shown.push(diagnostic.render(Style::Plain));
        }
    }
    if count > 0 {
        shown.truncate(SHOWN_MAX);
        return Err(ShelfError::Mistakes { count, shown });
    }
    let mut shelf = Shelf {
        reference: library.reference(state),
        runbooks: Vec::new(),
        environments: Vec::new(),
    };
    for document in documents {
        match document {
            Document::Runbook(runbook) => shelf.runbooks.push(*runbook),
            Document::Environment(environment) => shelf.environments.push(*environment),
        }
    }
    Ok(shelf)
}
