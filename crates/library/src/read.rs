//! Reading a library from disk. Every name and every byte is somebody else's: sizes are bounded before reading, and
//! no link is followed below the root, so that nothing outside the library can be read through it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use steadyhand_model::text::Escaped;

use crate::document::{Document, DocumentPath, EXTENSION, Folder, PathError};
use crate::library::{Library, Root};

/// Largest document, in bytes: 1 MiB.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;
/// Largest library, in bytes of all its documents: 16 MiB.
pub const LIBRARY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most entries in one folder of a library, documents or not.
pub const ENTRIES_MAX: usize = 2000;

/// Paths in the texts are relative to the library, or as they were given.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the library `{root}` cannot be opened")]
    Root {
        root: Escaped,
        #[source]
        source: Errno,
    },
    #[error("`{root}` is not a library: it has neither `runbooks` nor `environments`")]
    NotLibrary { root: Escaped },
    #[error("`{path}` is a link, and links are not followed")]
    Link { path: Escaped },
    #[error("`{folder}` is not a folder")]
    NotFolder { folder: &'static str },
    #[error("`{path}` is not a plain file")]
    NotFile { path: Escaped },
    #[error("`{path}` cannot be a document of the library")]
    Name {
        path: Escaped,
        #[source]
        source: PathError,
    },
    #[error("`{path}` has more than {DOCUMENT_BYTES_MAX} bytes")]
    DocumentTooLarge { path: Escaped },
    #[error("the documents up to `{path}` have more than {LIBRARY_BYTES_MAX} bytes together")]
    LibraryTooLarge { path: Escaped },
    #[error("the folder `{folder}` has more than {ENTRIES_MAX} entries")]
    TooManyEntries { folder: &'static str },
    #[error("`{path}` cannot be read")]
    Read {
        path: Escaped,
        #[source]
        source: io::Error,
    },
}

impl ReadError {
    /// The stable code; each has a page under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Root { .. } => "SH0621",
            Self::NotLibrary { .. } => "SH0622",
            Self::Link { .. } | Self::NotFolder { .. } | Self::NotFile { .. } => "SH0623",
            Self::Name { .. } => "SH0624",
            Self::DocumentTooLarge { .. }
            | Self::LibraryTooLarge { .. }
            | Self::TooManyEntries { .. } => "SH0625",
            Self::Read { .. } => "SH0626",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Root { .. } => "give the folder of the library, and see that you may read it",
            Self::NotLibrary { .. } => {
                "change into the library's folder, or name it; a library has `runbooks/` and `environments/`"
            }
            Self::Link { .. } => "put the file itself there; what a link names may change unseen",
            Self::NotFolder { .. } => "move it away, and make the folder that a library has there",
            Self::NotFile { .. } => "move it out of the folder, or give it another ending",
            Self::Name { .. } => "rename it, such as `restart-workload.yaml`",
            Self::DocumentTooLarge { .. } => {
                "a runbook is a page of text; see what else is in the file"
            }
            Self::LibraryTooLarge { .. } | Self::TooManyEntries { .. } => {
                "keep only documents in these folders"
            }
            Self::Read { .. } => "see that you may read it, and that the disk is well",
        }
    }
}

/// Reads the library in a folder. The folder itself may be named through a link. Files that do not end with `.yaml`,
/// hidden ones and folders below `runbooks` and `environments` are no documents and are passed over.
///
/// # Errors
/// The first thing that is wrong, in the order of names.
pub fn read(root: &Path) -> Result<Library, ReadError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(root, flags, Mode::empty())
        .map_err(|source| ReadError::Root { root: shown(root), source })?;
    let mut documents = Vec::new();
    let mut room = LIBRARY_BYTES_MAX;
    let mut found = false;
    for folder in Folder::ALL {
        let Some(inside) = open_folder(&directory, folder)? else { continue };
        found = true;
        for path in names(&inside, folder)? {
            let bytes = read_document(&inside, &path)?;
            room = room
                .checked_sub(bytes.len())
                .ok_or_else(|| ReadError::LibraryTooLarge { path: Escaped::line(path.as_str()) })?;
            documents.push(Document::new(path, bytes));
        }
    }
    if found {
        Ok(Library::new(Root::Folder(root.to_owned()), documents))
    } else {
        Err(ReadError::NotLibrary { root: shown(root) })
    }
}

/// Reads one file that a person named, in a library or not. Here a link is followed: the person chose it.
///
/// # Errors
/// If it is not a plain file, or too large.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ReadError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|source| ReadError::Read { path: shown(path), source: source.into() })?;
    read_plain(file, &shown(path))
}

fn shown(path: &Path) -> Escaped {
    Escaped::line(&path.to_string_lossy())
}

fn open_folder(root: &OwnedFd, folder: Folder) -> Result<Option<OwnedFd>, ReadError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let path = || Escaped::line(folder.name());
    match rustix::fs::openat(root, folder.name(), flags, Mode::empty()) {
        Ok(inside) => Ok(Some(inside)),
        Err(Errno::NOENT) => Ok(None),
        // With both flags Linux says NOTDIR for a link as well.
        Err(Errno::LOOP | Errno::NOTDIR) => {
            let found = rustix::fs::statat(root, folder.name(), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|source| ReadError::Read { path: path(), source: source.into() })?;
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Symlink => Err(ReadError::Link { path: path() }),
                _ => Err(ReadError::NotFolder { folder: folder.name() }),
            }
        }
        Err(source) => Err(ReadError::Read { path: path(), source: source.into() }),
    }
}

/// The documents of a folder, sorted.
fn names(inside: &OwnedFd, folder: Folder) -> Result<Vec<DocumentPath>, ReadError> {
    let read = |source: Errno| ReadError::Read {
        path: Escaped::line(folder.name()),
        source: source.into(),
    };
    let mut names = Vec::new();
    let mut entries = 0;
    for entry in Dir::read_from(inside).map_err(read)? {
        let entry = entry.map_err(read)?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        entries += 1;
        if entries > ENTRIES_MAX {
            return Err(ReadError::TooManyEntries { folder: folder.name() });
        }
        if is_meant(name) && entry.file_type() != FileType::Directory {
            names.push(name.to_vec());
        }
    }
    names.sort();
    names.iter().map(|name| document_path(folder, name)).collect()
}

/// Whether somebody meant it to be a document. `.yml` is refused later, not passed over: it would be missed.
fn is_meant(name: &[u8]) -> bool {
    !name.starts_with(b".") && (name.ends_with(EXTENSION.as_bytes()) || name.ends_with(b".yml"))
}

fn document_path(folder: Folder, name: &[u8]) -> Result<DocumentPath, ReadError> {
    let path = format!("{}/{}", folder.name(), OsStr::from_bytes(name).to_string_lossy());
    path.parse().map_err(|source| ReadError::Name { path: Escaped::line(&path), source })
}

fn read_document(inside: impl AsFd, path: &DocumentPath) -> Result<Vec<u8>, ReadError> {
    let text = Escaped::line(path.as_str());
    // A pipe must not hold the reader up; a link must not lead it away.
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match rustix::fs::openat(inside, path.name(), flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::LOOP) => return Err(ReadError::Link { path: text }),
        // A socket.
        Err(Errno::NXIO) => return Err(ReadError::NotFile { path: text }),
        Err(source) => return Err(ReadError::Read { path: text, source: source.into() }),
    };
    read_plain(file, &text)
}

fn read_plain(file: OwnedFd, path: &Escaped) -> Result<Vec<u8>, ReadError> {
    let read = |source: io::Error| ReadError::Read { path: path.clone(), source };
    let found = rustix::fs::fstat(&file).map_err(|source| read(source.into()))?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Err(ReadError::NotFile { path: path.clone() });
    }
    // Its size may change while it is read, so the reading is bounded as well.
    let mut bytes = Vec::new();
    let limit = u64::try_from(DOCUMENT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::from(file).take(limit).read_to_end(&mut bytes).map_err(read)?;
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(ReadError::DocumentTooLarge { path: path.clone() });
    }
    Ok(bytes)
}
