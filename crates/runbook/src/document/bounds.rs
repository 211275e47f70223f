//! Every limit on the size of a document's parts. YAML and expressions have their own, beside them.

/// Most attempts of one step.
pub const ATTEMPTS_MAX: i64 = 3;
/// Longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 200;
/// Longest name of a scenario or namespace, in characters.
pub const NAME_CHARS_MAX: usize = 63;
/// Most protected namespaces of one server.
pub const PROTECTED_MAX: usize = 256;
/// Most reviewer signatures that an environment may ask for.
pub const SIGNATURES_MAX: u8 = 9;
/// Longest title, in characters: it must fit on a line of a card.
pub const TITLE_CHARS_MAX: usize = 70;
/// Largest count that a limit may name.
pub const COUNT_MAX: i64 = 1_000_000;
/// Most rates in one document.
pub const RATES_MAX: usize = 8;
/// Most parameters of one runbook.
pub const PARAMS_MAX: usize = 32;
/// Most values of an enum or set.
pub const ENUM_VALUES_MAX: usize = 64;
/// Longest free text that a parameter may allow, in characters.
pub const TEXT_CHARS_MAX: u32 = 2000;
/// Longest text that selection reads, in characters.
pub const SELECTION_CHARS_MAX: usize = 500;
/// Most alerts that one runbook is bound to.
pub const ALERTS_MAX: usize = 64;
/// Most conditions under `require`.
pub const CONDITIONS_MAX: usize = 20;
/// Most steps of one runbook.
pub const STEPS_MAX: usize = 50;
/// Longest text that is said or asked, in characters.
pub const SAY_CHARS_MAX: usize = 500;
/// Most answers of one question.
pub const ANSWERS_MAX: usize = 10;
