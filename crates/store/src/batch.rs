//! What every journal refuses before it looks at its own state: batches that break the form.

use steadyhand_engine::port::{AppendError, Batch, Blob};
use steadyhand_model::canonical::CanonicalError;
use steadyhand_model::digest::Digest;
use steadyhand_model::event::{EVENT_BYTES_MAX, Recorded, StreamId, chain_start};
use steadyhand_model::ids::{RunId, Seq};
use steadyhand_model::time::Timestamp;

/// Largest blob, in bytes: 16 MiB.
pub(crate) const BLOB_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a batch or a blob is not fit to be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("event {index} has {bytes} bytes, at most {EVENT_BYTES_MAX} are allowed")]
    EventTooLarge { index: usize, bytes: usize },
    #[error("the blob has {bytes} bytes, at most {BLOB_BYTES_MAX} are allowed")]
    BlobTooLarge { bytes: usize },
    #[error("the blob is not the one that its digest {digest} names")]
    BlobDigest { digest: Digest },
    #[error("intents, leases, due times and run rows belong to the stream of a run")]
    NotARun,
    #[error("the run has not begun: its first batch must have an event")]
    NotBegun,
    #[error("the row cannot be hashed")]
    Hash {
        #[source]
        source: CanonicalError,
    },
    #[error("the row is that of run {row}, the stream that of run {stream}")]
    OtherRun { row: RunId, stream: RunId },
}

impl From<BatchError> for AppendError {
    fn from(error: BatchError) -> Self {
        Self::Unfit { source: Box::new(error) }
    }
}

/// The run whose stream it is, if it is one.
pub(crate) fn run_of(stream: &StreamId) -> Option<&RunId> {
    match stream {
        StreamId::Run(run) => Some(run),
        StreamId::Incident(_) | StreamId::Installation => None,
    }
}

pub(crate) fn check_batch(stream: &StreamId, batch: &Batch) -> Result<(), BatchError> {
    for (index, event) in batch.events.iter().enumerate() {
        let bytes = event.as_str().len();
        if bytes > EVENT_BYTES_MAX {
            return Err(BatchError::EventTooLarge { index, bytes });
        }
    }
    batch.blobs.iter().try_for_each(check_blob)?;
    match (run_of(stream), &batch.row) {
        (Some(run), Some(row)) if row.run != *run => {
            Err(BatchError::OtherRun { row: row.run.clone(), stream: run.clone() })
        }
        (Some(_), _) => Ok(()),
        (None, _) if is_of_a_run(batch) => Err(BatchError::NotARun),
        (None, _) => Ok(()),
    }
}

fn is_of_a_run(batch: &Batch) -> bool {
    !batch.intents.is_empty()
        || !batch.leases_taken.is_empty()
        || !batch.leases_released.is_empty()
        || batch.due.is_some()
        || batch.row.is_some()
}

pub(crate) fn check_blob(blob: &Blob) -> Result<(), BatchError> {
    let bytes = blob.bytes.len();
    if bytes > BLOB_BYTES_MAX {
        return Err(BatchError::BlobTooLarge { bytes });
    }
    if Digest::of(&blob.bytes) != blob.digest {
        return Err(BatchError::BlobDigest { digest: blob.digest });
    }
    Ok(())
}

/// Where a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
    pub(crate) hash: Digest,
}

impl Head {
    /// Of a stream without rows. Any time is later than its time.
    pub(crate) fn none() -> Self {
        Self { seq: Seq(0), at: Timestamp(i64::MIN), hash: chain_start() }
    }

    pub(crate) fn of(row: &Recorded) -> Self {
        Self { seq: row.seq, at: row.at, hash: row.hash }
    }
}

/// Chains a batch's events to a stream's end. Their time never goes back.
pub(crate) fn chain_rows(
    stream: &StreamId,
    head: Head,
    now: Timestamp,
    batch: &Batch,
) -> Result<Vec<Recorded>, BatchError> {
    if batch.events.is_empty() && head == Head::none() && is_of_a_run(batch) {
        return Err(BatchError::NotBegun);
    }
    let at = now.max(head.at);
    let mut last = head;
    let mut rows = Vec::with_capacity(batch.events.len());
    for event in &batch.events {
        let row = Recorded::chain(stream.clone(), last.seq.next(), at, last.hash, event.clone())
            .map_err(|source| BatchError::Hash { source })?;
        last = Head::of(&row);
        rows.push(row);
    }
    Ok(rows)
}
