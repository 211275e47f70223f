//! The floor of one durable run: the same bytes, in as many synced writes, in a plain file on the same disk.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::BenchError;

/// The file's size, in bytes. Written once and then over and over, as a write-ahead log is: a write that makes a file
/// longer would cost more, and flatter what is measured against it.
const FILE_BYTES: usize = 16 * 1024 * 1024;

/// A file that is written and synced with nothing in between.
#[derive(Debug)]
pub struct Disk {
    file: File,
    zeros: Vec<u8>,
    at: usize,
}

impl Disk {
    /// # Errors
    /// If the file cannot be made.
    pub fn create(directory: &Path) -> Result<Self, BenchError> {
        let path = directory.join("floor");
        let file = File::create_new(path).map_err(BenchError::io("making the floor's file"))?;
        let zeros = vec![0; FILE_BYTES];
        file.write_all_at(&zeros, 0).map_err(BenchError::io("filling the floor's file"))?;
        file.sync_all().map_err(BenchError::io("filling the floor's file"))?;
        Ok(Self { file, zeros, at: 0 })
    }

    /// One write and one sync for each size, in bytes.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn commit(&mut self, sizes: &[u64]) -> Result<(), BenchError> {
        for size in sizes {
            let size = usize::try_from(*size).unwrap_or(FILE_BYTES).min(FILE_BYTES);
            if self.at + size > FILE_BYTES {
                self.at = 0;
            }
            let bytes = self.zeros.get(..size).unwrap_or_default();
            let offset = u64::try_from(self.at).unwrap_or(0);
            self.file.write_all_at(bytes, offset).map_err(BenchError::io("writing the floor"))?;
            self.file.sync_data().map_err(BenchError::io("syncing the floor"))?;
            self.at += size;
        }
        Ok(())
    }
}

/// Bytes that this process has given to the system in write calls until now (`wchar` of `/proc/self/io`).
///
/// # Errors
/// If the system does not count them.
pub fn bytes_written() -> Result<u64, BenchError> {
    let what = "reading /proc/self/io";
    let text = std::fs::read_to_string("/proc/self/io").map_err(BenchError::io(what))?;
    let count = text.lines().find_map(|line| line.strip_prefix("wchar:")?.trim().parse().ok());
    count.ok_or(BenchError::Garbled { what: "/proc/self/io", said: text })
}
