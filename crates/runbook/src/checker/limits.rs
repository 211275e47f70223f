//! `limits`: the most that may be touched.

use steadyhand_model::plan::{Limits, Rate};
use steadyhand_model::time::Span;

use super::Context;
use crate::document::bounds::{COUNT_MAX, RATES_MAX};
use crate::yaml::fields::{Fields, bad_value, duration, integer, percent, scalar};
use crate::yaml::{Node, NodeKind};

pub(super) struct Read {
    pub(super) limits: Limits,
    pub(super) expires: Option<Span>,
}

/// `runbook`: only a runbook has `expires`.
pub(super) fn limits(node: &Node, runbook: bool, cx: &mut Context<'_>) -> Option<Read> {
    let mut fields = Fields::open(node, "`limits`", &mut cx.found)?;
    let mut count = |key: &'static str, cx: &mut Context<'_>| {
        let entry = fields.optional(key)?;
        let n = integer(&entry.value, &format!("`{key}`"), 1..=COUNT_MAX, &mut cx.found)?;
        u64::try_from(n).ok()
    };
    let targets = count("targets", cx);
    let affected = count("affected", cx);
    let zones = count("zones", cx);
    let unavailable = fields
        .optional("unavailable")
        .and_then(|e| percent(&e.value, "`unavailable`", &mut cx.found))
        .and_then(|n| u64::try_from(n).ok());
    let rates = fields.optional("rate").map_or_else(Vec::new, |e| rates(&e.value, cx));
    let mut expires = None;
    if runbook {
        expires = fields.optional("expires").and_then(|e| positive(&e.value, "`expires`", cx));
    }
    fields.finish(&mut cx.found);
    Some(Read {
        limits: Limits {
            targets,
            affected,
            unavailable,
            zones,
            rates,
            environment_rates: Vec::new(),
        },
        expires,
    })
}

/// A duration above zero.
pub(super) fn positive(node: &Node, what: &str, cx: &mut Context<'_>) -> Option<Span> {
    let span = duration(node, what, &mut cx.found)?;
    if span.is_zero() {
        bad_value(node, &format!("{what} must be longer than 0"), "", &mut cx.found);
        return None;
    }
    Some(span)
}

fn rates(node: &Node, cx: &mut Context<'_>) -> Vec<Rate> {
    match &node.kind {
        NodeKind::List(items) if items.len() <= RATES_MAX => {
            items.iter().filter_map(|item| rate(item, cx)).collect()
        }
        NodeKind::List(_) => {
            bad_value(
                node,
                &format!("`rate` may list at most {RATES_MAX} rates"),
                "",
                &mut cx.found,
            );
            vec![]
        }
        _ => rate(node, cx).into_iter().collect(),
    }
}

fn rate(node: &Node, cx: &mut Context<'_>) -> Option<Rate> {
    let scalar = scalar(node, "`rate`", &mut cx.found)?;
    let rate = parse_rate(&scalar.text);
    if rate.is_none() {
        let help = "write it as: 2 per 1h per target, or: 6 per 1h";
        bad_value(node, "`rate` cannot be read", help, &mut cx.found);
    }
    rate
}

fn parse_rate(text: &str) -> Option<Rate> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (count, window, per_target) = match words.as_slice() {
        [count, "per", window] => (count, window, false),
        [count, "per", window, "per", "target"] => (count, window, true),
        _ => return None,
    };
    let digits = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
    let count: u32 = digits.then(|| count.parse().ok()).flatten().filter(|n| *n > 0)?;
    let window: Span = window.parse().ok().filter(|w: &Span| !w.is_zero())?;
    Some(Rate { count, window, per_target })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_parse_and_nothing_else_does() {
        let hour = Span::from_mins(60);
        let cases = [
            ("2 per 1h per target", Some(Rate { count: 2, window: hour, per_target: true })),
            ("6 per 1h", Some(Rate { count: 6, window: hour, per_target: false })),
            ("0 per 1h", None),
            ("2 per 0s", None),
            ("2/1h", None),
            ("2 per 1h per host", None),
            ("+2 per 1h", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse_rate(text), want, "{text}");
        }
    }
}
