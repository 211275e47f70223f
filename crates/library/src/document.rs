//! One document of a library: where it is and its bytes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use steadyhand_model::digest::Digest;

/// Longest path of a document inside its library, in bytes.
pub const PATH_BYTES_MAX: usize = 200;
/// How a document's name ends.
pub const EXTENSION: &str = ".yaml";
/// First part of the paths of the library inside the program.
pub const BUILT_IN: &str = "built-in";

/// The folders of a library that hold documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Folder {
    Environments,
    Runbooks,
}

impl Folder {
    /// In the order of their names.
    pub const ALL: [Self; 2] = [Self::Environments, Self::Runbooks];

    pub fn name(self) -> &'static str {
        match self {
            Self::Environments => "environments",
            Self::Runbooks => "runbooks",
        }
    }
}

/// `runbooks/restart-workload.yaml`, `built-in/runbooks/restart-workload.yaml`: relative, with `/`, and of letters,
/// digits, `-`, `_` and `.` only, so that one document has one spelling on every system and screen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentPath {
    text: String,
    folder: Folder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("it is not in `runbooks` or `environments`")]
    Folder,
    #[error(
        "its name is not letters, digits, `-`, `_` and `.`, beginning with a letter or digit and ending with \
         `{EXTENSION}`"
    )]
    Name,
    #[error("its path is longer than {PATH_BYTES_MAX} bytes")]
    Long,
}

impl DocumentPath {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The last part.
    pub(crate) fn name(&self) -> &str {
        self.text.rsplit_once('/').map_or(self.text.as_str(), |(_, name)| name)
    }

    pub fn folder(&self) -> Folder {
        self.folder
    }
}

impl FromStr for DocumentPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError::Long);
        }
        let inside = text.strip_prefix(BUILT_IN).and_then(|t| t.strip_prefix('/')).unwrap_or(text);
        let place = inside.split_once('/').and_then(|(folder, name)| {
            Folder::ALL.into_iter().find(|f| f.name() == folder).map(|folder| (folder, name))
        });
        let Some((folder, name)) = place else {
            return Err(PathError::Folder);
        };
        let good = name.len() > EXTENSION.len()
            && name.ends_with(EXTENSION)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if good { Ok(Self { text: text.to_owned(), folder }) } else { Err(PathError::Name) }
    }
}

impl fmt::Display for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The bytes are as they were found: not even UTF-8 is promised.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    pub path: DocumentPath,
    pub bytes: Arc<[u8]>,
    pub digest: Digest,
}

impl Document {
    pub(crate) fn new(path: DocumentPath, bytes: Vec<u8>) -> Self {
        let digest = Digest::of(&bytes);
        Self { path, bytes: bytes.into(), digest }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({}, {} bytes, {})", self.path, self.bytes.len(), self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_accept_and_refuse() {
        let long = |bytes: usize| format!("runbooks/{}{EXTENSION}", "a".repeat(bytes - 14));
        let cases: &[(&str, bool)] = &[
            ("runbooks/restart-workload.yaml", true),
            ("environments/prod_eu.1.yaml", true),
            ("built-in/runbooks/a.yaml", true),
            (&long(PATH_BYTES_MAX), true),
            (&long(PATH_BYTES_MAX + 1), false),
            ("runbooks/a.yml", false),
            ("runbooks/.yaml", false),
            ("runbooks/.a.yaml", false),
            ("runbooks/-a.yaml", false),
            ("runbooks/a b.yaml", false),
            ("runbooks/größe.yaml", false),
            ("runbooks/sub/a.yaml", false),
            ("runbooks/../a.yaml", false),
            ("/runbooks/a.yaml", false),
            ("runbooks", false),
            ("people.yaml", false),
            ("built-in/built-in/runbooks/a.yaml", false),
            ("", false),
        ];
        for (text, good) in cases {
            assert_eq!(text.parse::<DocumentPath>().is_ok(), *good, "{text:?}");
        }
    }
}
