//! `steady check [PATH…]`: documents of a library, or single files; all mistakes at once.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use steadyhand_api::exit::ExitCode;
use steadyhand_api::request::LibraryAt;
use steadyhand_library::library::Library;
use steadyhand_library::read;
use steadyhand_model::catalogue::Catalogue;
use steadyhand_runbook::checker::{Document, check_document, check_library};
use steadyhand_runbook::diagnostic::Severity;
use steadyhand_runbook::render::DiagnosticJson;

use crate::command::{Context, Ended, Outcome};
use crate::screen::check::{Report, screen};
use crate::trouble::{CommandError, Trouble};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A library's folder, or single documents [default: the library found upward from here]
    paths: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Found {
    documents: usize,
    errors: usize,
    warnings: usize,
    dropped: usize,
    found: Vec<DiagnosticJson>,
}

pub(crate) fn run(context: &mut Context, args: Args) -> Outcome {
    let began = Instant::now();
    let catalogue = Catalogue::built_in();
    let mut report = Report::default();
    if args.paths.is_empty() {
        let library = match context.library()? {
            LibraryAt::Folder(path) => read::read(Path::new(&path)).map_err(Trouble::from)?,
            LibraryAt::BuiltIn => built_in()?,
        };
        of_library(&library, &catalogue, &mut report);
    }
    for path in args.paths {
        if path.is_dir() {
            of_library(&read::read(&path).map_err(Trouble::from)?, &catalogue, &mut report);
        } else {
            let bytes = read::read_file(&path).map_err(Trouble::from)?;
            of_document(&path.display().to_string(), &bytes, &catalogue, &mut report);
        }
    }
    let document = Found {
        documents: report.documents,
        errors: report.count(Severity::Error),
        warnings: report.count(Severity::Warning),
        dropped: report.dropped,
        found: report.found.iter().map(|found| found.json()).collect(),
    };
    context.print(&document, &screen(&report, began.elapsed()))?;
    let clean = document.errors == 0 && document.dropped == 0;
    Ok(if clean { ExitCode::Ok } else { ExitCode::Failed })
}

fn built_in() -> Result<Library, Ended> {
    // The paths of the built-in documents are constants, and a test of their crate reads them.
    steadyhand_library::built_in::practice().map_err(|_constant| CommandError::Bug.into())
}

fn of_library(library: &Library, catalogue: &Catalogue, report: &mut Report) {
    let mut clean = Vec::new();
    for document in library.documents() {
        clean.extend(of_document(document.path.as_str(), &document.bytes, catalogue, report));
    }
    report.found.extend(check_library(&clean.iter().collect::<Vec<_>>()));
}

fn of_document(
    file: &str,
    bytes: &[u8],
    catalogue: &Catalogue,
    report: &mut Report,
) -> Option<Document> {
    let checked = check_document(file, bytes, catalogue);
    report.documents += 1;
    report.dropped += checked.diagnostics.dropped();
    report.found.extend(checked.diagnostics.list().iter().cloned());
    checked.document
}
