//! The exported form of a journal: what the judge and an auditor read.
//!
//! `journal.jsonl` has one row a line in the order in which they were committed; `plans/<hex>.json` has each sealed
//! plan's own bytes. An export is made into a directory that has none yet and is never mixed with another.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use steadyhand_engine::port::LoadError;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::Recorded;

use crate::state::{DIRECTORY_MODE, FILE_MODE};

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    pub rows: u64,
    pub plans: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{} cannot be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("a row cannot be written as JSON")]
    Row {
        #[source]
        source: serde_json::Error,
    },
    #[error("the journal cannot be exported")]
    Read {
        #[source]
        source: LoadError,
    },
}

/// Writes one export, row by row.
pub(crate) struct Export {
    lines: BufWriter<File>,
    lines_path: PathBuf,
    plans_path: PathBuf,
    written: Exported,
}

impl Export {
    pub(crate) fn begin(into: &Path) -> Result<Self, ExportError> {
        let lines_path = into.join("journal.jsonl");
        let plans_path = into.join("plans");
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(&plans_path)
            .map_err(|source| ExportError::Write { path: plans_path.clone(), source })?;
        let lines = BufWriter::new(new_file(&lines_path)?);
        Ok(Self { lines, lines_path, plans_path, written: Exported { rows: 0, plans: 0 } })
    }

    pub(crate) fn row(&mut self, row: &Recorded) -> Result<(), ExportError> {
        let line = line(row).map_err(|source| ExportError::Row { source })?;
        let io = |source| ExportError::Write { path: self.lines_path.clone(), source };
        self.lines.write_all(line.as_bytes()).map_err(io)?;
        self.written.rows += 1;
        Ok(())
    }

    pub(crate) fn plan(
        &mut self,
        digest: Digest,
        bytes: &CanonicalJson,
    ) -> Result<(), ExportError> {
        let path = self.plans_path.join(format!("{}.json", digest.hex()));
        let mut file = new_file(&path)?;
        file.write_all(bytes.as_str().as_bytes())
            .map_err(|source| ExportError::Write { path, source })?;
        self.written.plans += 1;
        Ok(())
    }

    pub(crate) fn end(mut self) -> Result<Exported, ExportError> {
        let io = |source| ExportError::Write { path: self.lines_path.clone(), source };
        self.lines.flush().map_err(io)?;
        self.lines.get_ref().sync_all().map_err(io)?;
        Ok(self.written)
    }
}

fn new_file(path: &Path) -> Result<File, ExportError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(|source| ExportError::Write { path: path.to_owned(), source })
}

/// The canonical JSON of a row. Put together by hand because the event is canonical already: parsing it again was
/// most of the time of an export.
fn line(row: &Recorded) -> Result<String, serde_json::Error> {
    Ok(format!(
        "{{\"at\":{},\"event\":{},\"hash\":\"{}\",\"prev\":\"{}\",\"seq\":{},\"stream\":{}}}\n",
        row.at.0,
        row.event.as_str(),
        row.hash,
        row.prev,
        row.seq,
        serde_json::to_string(&row.stream)?
    ))
}

#[cfg(test)]
mod tests {
    use steadyhand_model::event::{StreamId, chain_start};
    use steadyhand_model::ids::Seq;
    use steadyhand_model::time::Timestamp;

    use super::*;

    #[test]
    fn a_line_is_the_canonical_json_of_its_row() {
        let event = CanonicalJson::parse(r#"{"type":"x","v":1,"why":"ä\n"}"#.as_bytes()).unwrap();
        let run = StreamId::Run("r-4f2kabcdefgh".parse().unwrap());
        for stream in [run, StreamId::Installation] {
            let row = Recorded::chain(stream, Seq(1), Timestamp(7), chain_start(), event.clone())
                .unwrap();
            let whole = CanonicalJson::of(&row).unwrap();
            assert_eq!(line(&row).unwrap(), format!("{}\n", whole.as_str()));
        }
    }
}
