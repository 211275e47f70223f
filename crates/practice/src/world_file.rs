//! The world file: the only module that touches the disk. One request is: lock, fold what others wrote, answer,
//! append, flush, unlock. The world survives; its process does not matter.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use rustix::fs::FlockOperation;
use steadyhand_model::canonical::CanonicalError;
use steadyhand_model::time::Timestamp;

use crate::fault::Fault;
use crate::line::{Body, Change, Line, LineError, Seed};
use crate::world::{Answered, Ask, World, WorldError};

/// Largest world file that is read, in bytes: 256 MiB.
pub const WORLD_BYTES_MAX: u64 = 256 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum WorldFileError {
    #[error("the world file could not be opened")]
    Open {
        #[source]
        source: std::io::Error,
    },
    #[error("the world file could not be locked")]
    Lock {
        #[source]
        source: rustix::io::Errno,
    },
    #[error("the world file could not be read")]
    Read {
        #[source]
        source: std::io::Error,
    },
    #[error("the world file could not be written")]
    Write {
        #[source]
        source: std::io::Error,
    },
    #[error("the world file has {bytes} bytes, at most {WORLD_BYTES_MAX} are read")]
    TooLarge { bytes: u64 },
    #[error("the world file became shorter while it was in use")]
    Shorter,
    #[error("the world file has no first line")]
    Empty,
    #[error("line {number} of the world file is damaged")]
    Line {
        number: u64,
        #[source]
        source: LineError,
    },
    #[error("the world file does not fold to a world")]
    Fold {
        #[source]
        source: WorldError,
    },
    #[error("a line could not be written as JSON")]
    Form {
        #[source]
        source: LineError,
    },
    #[error("the call names no target")]
    Call {
        #[source]
        source: CanonicalError,
    },
}

fn read_error(source: std::io::Error) -> WorldFileError {
    WorldFileError::Read { source }
}

fn write_error(source: std::io::Error) -> WorldFileError {
    WorldFileError::Write { source }
}

fn fold_error(source: WorldError) -> WorldFileError {
    WorldFileError::Fold { source }
}

/// One process's view of a world file.
#[derive(Debug)]
pub struct WorldFile {
    file: File,
    /// Bytes that were folded.
    folded: u64,
    world: World,
}

/// Holds the lock of a file until it is dropped. Closing the file lets it go as well, so a killed process leaves none.
struct Locked<'a>(&'a File);

impl<'a> Locked<'a> {
    fn take(file: &'a File) -> Result<Self, WorldFileError> {
        rustix::fs::flock(file, FlockOperation::LockExclusive)
            .map_err(|source| WorldFileError::Lock { source })?;
        Ok(Self(file))
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if let Err(error) = rustix::fs::flock(self.0, FlockOperation::Unlock) {
            tracing::warn!(%error, "the lock of the world file is let go by closing it");
        }
    }
}

impl WorldFile {
    /// Makes a new world that begins at `at`. An existing file is an error.
    pub fn create(path: &Path, at: Timestamp, seed: Seed) -> Result<Self, WorldFileError> {
        let line = Line { seq: 1, at, body: Body::Seed(seed) };
        let world = World::open(&line).map_err(fold_error)?;
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .open(path)
            .map_err(|source| WorldFileError::Open { source })?;
        let mut made = Self { file, folded: 0, world };
        let clone = made.file.try_clone().map_err(|source| WorldFileError::Open { source })?;
        let _locked = Locked::take(&clone)?;
        made.append(&[line])?;
        Ok(made)
    }

    /// Opens an existing world.
    pub fn open(path: &Path) -> Result<Self, WorldFileError> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(path)
            .map_err(|source| WorldFileError::Open { source })?;
        let clone = file.try_clone().map_err(|source| WorldFileError::Open { source })?;
        let _locked = Locked::take(&clone)?;
        let (lines, folded) = unread(&file, 0)?;
        let mut lines = lines.iter();
        let first = lines.next().ok_or(WorldFileError::Empty)?;
        let mut world = World::open(first).map_err(fold_error)?;
        lines.try_for_each(|line| world.fold(line)).map_err(fold_error)?;
        Ok(Self { file, folded, world })
    }

    /// The world as this process last saw it.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Answers one request at `now`, which may lie in the world's past: then the world's own time holds.
    pub fn request(
        &mut self,
        ask: &Ask,
        now: Option<Timestamp>,
    ) -> Result<Answered, WorldFileError> {
        self.locked(now, |file| {
            let answered = file.world.ask(ask).map_err(|source| WorldFileError::Call { source })?;
            file.write(answered.line.body.clone())?;
            Ok(answered)
        })
    }

    /// Plants a fault.
    pub fn plant(&mut self, fault: Fault, now: Option<Timestamp>) -> Result<(), WorldFileError> {
        self.locked(now, |file| file.write(Body::Fault { fault }))
    }

    /// Lets somebody else change the world.
    pub fn change(&mut self, change: Change, now: Option<Timestamp>) -> Result<(), WorldFileError> {
        self.locked(now, |file| file.write(Body::Change { change }))
    }

    /// Goes on to `now` and writes what became of late effects.
    pub fn catch_up(&mut self, now: Option<Timestamp>) -> Result<(), WorldFileError> {
        self.locked(now, |_| Ok(()))
    }

    fn locked<T>(
        &mut self,
        now: Option<Timestamp>,
        work: impl FnOnce(&mut Self) -> Result<T, WorldFileError>,
    ) -> Result<T, WorldFileError> {
        let clone = self.file.try_clone().map_err(|source| WorldFileError::Open { source })?;
        let _locked = Locked::take(&clone)?;
        let (lines, folded) = unread(&self.file, self.folded)?;
        for line in &lines {
            self.world.fold(line).map_err(fold_error)?;
        }
        self.folded = folded;
        if let Some(now) = now {
            self.world.advance(now).map_err(fold_error)?;
        }
        for landing in self.world.landings() {
            self.commit(landing)?;
        }
        work(self)
    }

    fn write(&mut self, body: Body) -> Result<(), WorldFileError> {
        let line = Line { seq: self.world.next_seq(), at: self.world.now(), body };
        self.commit(line)
    }

    /// Tries a line on a copy first where it may not fold, so that a bad one never reaches the file.
    fn commit(&mut self, line: Line) -> Result<(), WorldFileError> {
        let mut next = self.world.clone();
        next.fold(&line).map_err(fold_error)?;
        self.append(&[line])?;
        self.world = next;
        Ok(())
    }

    fn append(&mut self, lines: &[Line]) -> Result<(), WorldFileError> {
        let mut bytes = Vec::new();
        for line in lines {
            let text = line.write().map_err(|source| WorldFileError::Form { source })?;
            bytes.extend_from_slice(text.as_str().as_bytes());
            bytes.push(b'\n');
        }
        self.file.write_all(&bytes).map_err(write_error)?;
        if lines.iter().any(Line::matters) {
            self.file.sync_data().map_err(write_error)?;
        }
        self.folded += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// Whole lines after `from`, and where they end. What a writer was killed over is cut off: we hold the lock, so
/// nobody is writing it now.
fn unread(file: &File, from: u64) -> Result<(Vec<Line>, u64), WorldFileError> {
    let bytes = file.metadata().map_err(read_error)?.len();
    if bytes > WORLD_BYTES_MAX {
        return Err(WorldFileError::TooLarge { bytes });
    }
    if bytes < from {
        return Err(WorldFileError::Shorter);
    }
    let mut reader = file;
    reader.seek(SeekFrom::Start(from)).map_err(read_error)?;
    let mut text = Vec::new();
    reader.take(bytes - from).read_to_end(&mut text).map_err(read_error)?;
    let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let end = from + u64::try_from(whole).unwrap_or(u64::MAX);
    if whole < text.len() {
        file.set_len(end).map_err(write_error)?;
    }
    let text = text.get(..whole).unwrap_or_default();
    let lines = text.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    let lines = lines.zip(1..).map(|(line, number)| {
        Line::parse(line).map_err(|source| WorldFileError::Line { number, source })
    });
    Ok((lines.collect::<Result<_, _>>()?, end))
}
