//! The one thread that reads, so that no question waits behind a disk sync and none blocks a task's thread.

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::reads::{Read, ReadError, lost};

/// Most questions that wait for their turn; further ones wait in their own task.
pub(super) const READS_WAITING_MAX: usize = 256;

/// A question that answers for itself.
pub(super) type Question = Box<dyn FnOnce(&mut Connection) + Send>;

/// A question and where its answer arrives. It sees one state of the journal, however many statements it has.
pub(super) fn question<T: Send + 'static>(
    ask: impl FnOnce(&Connection) -> Read<T> + Send + 'static,
) -> (Question, oneshot::Receiver<Read<T>>) {
    let (done, answer) = oneshot::channel();
    let question: Question = Box::new(move |connection: &mut Connection| {
        let answer = match connection.transaction_with_behavior(TransactionBehavior::Deferred) {
            Ok(tx) => ask(&tx),
            Err(source) => Err(lost(source)),
        };
        if done.send(answer).is_err() {
            tracing::debug!("a question was answered to nobody: its caller is gone");
        }
    });
    (question, answer)
}

/// Answers until every handle is gone.
pub(super) fn run(mut connection: Connection, mut questions: mpsc::Receiver<Question>) {
    while let Some(question) = questions.blocking_recv() {
        question(&mut connection);
    }
}

/// The error of a question that no thread answers any more.
pub(super) fn closed<T>() -> Read<T> {
    Err(ReadError::Closed.into())
}
