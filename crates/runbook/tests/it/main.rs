//! One integration binary: it links once.

mod documents;
mod expressions;
mod hostile;
mod limits;
mod matching;
mod oracle;
mod table;
