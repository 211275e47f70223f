//! The documents of one library, sorted by path, under one digest.

use std::path::PathBuf;

use steadyhand_model::digest::Digest;
use steadyhand_model::plan::{LibraryRef, LibraryStatus};

use crate::document::{Document, Folder};
use crate::git::GitState;

/// Where a library was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// The practice library inside the program.
    BuiltIn,
    Folder(PathBuf),
}

/// Made by [`crate::read::read`] and [`crate::built_in::practice`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    root: Root,
    documents: Vec<Document>,
    digest: Digest,
}

impl Library {
    pub(crate) fn new(root: Root, mut documents: Vec<Document>) -> Self {
        documents.sort_by(|a, b| a.path.cmp(&b.path));
        let digest = digest(&documents);
        Self { root, documents, digest }
    }

    pub fn root(&self) -> &Root {
        &self.root
    }

    /// All documents, sorted by path.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    pub fn in_folder(&self, folder: Folder) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(move |document| document.path.folder() == folder)
    }

    /// SHA-256 of the canonical JSON of `{path: digest of the document}`.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What a plan keeps of it. There is no lock yet to compare with: every library is a draft.
    pub fn reference(&self, git: &GitState) -> LibraryRef {
        LibraryRef {
            commit: git.commit.clone(),
            dirty: git.dirty,
            status: LibraryStatus::Draft,
            digest: self.digest,
        }
    }
}

fn digest(documents: &[Document]) -> Digest {
    // Paths need no escapes and are sorted by their bytes, so that this text is canonical JSON already.
    let entries: Vec<String> =
        documents.iter().map(|d| format!(r#""{}":"{}""#, d.path, d.digest)).collect();
    Digest::of(format!("{{{}}}", entries.join(",")).as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use steadyhand_model::canonical::CanonicalJson;

    use super::*;

    #[test]
    fn the_digest_is_that_of_the_canonical_document() {
        let documents: Vec<Document> =
            ["runbooks/b.yaml", "runbooks/B.yaml", "environments/a.yaml"]
                .iter()
                .map(|path| Document::new(path.parse().unwrap(), path.as_bytes().to_vec()))
                .collect();
        let map: BTreeMap<String, Digest> =
            documents.iter().map(|d| (d.path.to_string(), d.digest)).collect();
        let library = Library::new(Root::BuiltIn, documents);
        assert_eq!(library.digest(), CanonicalJson::of(&map).unwrap().digest());
        let paths: Vec<&str> = library.documents().iter().map(|d| d.path.as_str()).collect();
        assert_eq!(paths, ["environments/a.yaml", "runbooks/B.yaml", "runbooks/b.yaml"]);
        assert_eq!(library.in_folder(Folder::Runbooks).count(), 2);
        let empty = Library::new(Root::BuiltIn, Vec::new());
        assert_eq!(empty.digest(), Digest::of(b"{}"));
    }
}
