//! Expressions: a subset of CEL with exact places, static types and three-valued evaluation.
//!
//! Integers only. `alert.labels.team == "shop" && size(params.jobs) > 0`. What is not here: which names exist where
//! (`checker`), and reading the objects that an expression speaks of (the shell does that).

pub mod ast;
pub mod check;
pub mod eval;
pub mod explain;
pub(crate) mod flow;
mod functions;
mod lexer;
pub mod lift;
mod parser;
pub mod scope;

pub use parser::parse;

/// Longest source of one expression, in bytes: 2 KiB.
pub const EXPRESSION_BYTES_MAX: usize = 2048;
/// Most nodes in one expression.
pub const EXPRESSION_NODES_MAX: usize = 256;
/// Deepest nesting of parentheses, lists and calls.
pub const EXPRESSION_DEPTH_MAX: usize = 48;
/// Most loops (`all`, `exists`, `filter`, `map`) in one expression.
pub const LOOPS_MAX: usize = 4;
/// Loops inside one another.
pub const LOOPS_NESTED_MAX: usize = 2;
/// Longest list that a loop goes through.
pub const LOOP_ITEMS_MAX: usize = 10_000;
/// Most nodes visited and values copied by one evaluation.
pub const EVALUATION_STEPS_MAX: usize = 2_000_000;
