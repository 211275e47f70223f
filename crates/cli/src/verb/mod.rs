//! The verbs, one file each: their words, and what they do with them.

pub(crate) mod answer;
pub(crate) mod approve;
pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod deny;
pub(crate) mod drill;
pub(crate) mod explain;
pub(crate) mod handle;
pub(crate) mod history;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod settle;
pub(crate) mod status;
pub(crate) mod tool;
pub(crate) mod undo;
pub(crate) mod version;
pub(crate) mod watch;
