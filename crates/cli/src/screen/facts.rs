//! What an object looked like when it was read, in a line: `2 of 3 ready, revision 12, image checkout:2.8.1 for 9d`.
//!
//! Facts come from a tool server. Only known fields are told in words of their own; of other objects, plain values.

use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::time::Span;

use super::Words;

/// Plain values told of an object that has no words of its own here.
const VALUES_MAX: usize = 6;

/// One object's facts in words.
pub(crate) fn line(fact: &CanonicalJson) -> Words {
    let json = fact.to_json();
    let number = |name: &str| json.get(name).and_then(|v| v.as_i64());
    match (number("ready"), number("replicas")) {
        (Some(ready), Some(replicas)) => {
            let words = Words::new().data(ready).say(" of ").data(replicas).say(" ready");
            crash(&json, revision(&json, words))
        }
        _ => plain(&json),
    }
}

fn revision(json: &impl Facts, words: Words) -> Words {
    let words = match json.number(&["revision", "number"]) {
        Some(number) => words.say(", revision ").data(number),
        None => words,
    };
    let words = match json.text(&["revision", "image"]) {
        Some(image) => {
            let short = image.rsplit('/').next().unwrap_or(image);
            words.say(", image ").data(short)
        }
        None => words,
    };
    match json.text(&["age_of_revision"]).and_then(|age| age.parse::<Span>().ok()) {
        Some(age) => words.say(" for ").data(coarse(age)),
        None => words,
    }
}

fn crash(json: &impl Facts, words: Words) -> Words {
    let (Some(reason), Some(pods)) =
        (json.text(&["crash", "reason"]), json.number(&["crash", "pods"]))
    else {
        return words;
    };
    words.say("; ").data(reason).say(" in ").data(pods).say(if pods == 1 {
        " pod"
    } else {
        " pods"
    })
}

fn plain(json: &impl Facts) -> Words {
    Words::new().list(json.values().into_iter().take(VALUES_MAX), ", ", VALUES_MAX)
}

/// The largest unit of a length of time: a card needs no milliseconds.
fn coarse(span: Span) -> String {
    const UNITS: [(u64, &str); 4] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let ms = span.millis();
    UNITS
        .iter()
        .find(|(size, _)| ms >= *size)
        .map_or_else(|| "moments".to_owned(), |(size, unit)| format!("{}{unit}", ms / size))
}

/// Reading untyped facts without trusting their form.
trait Facts {
    fn text(&self, path: &[&str]) -> Option<&str>;
    fn number(&self, path: &[&str]) -> Option<i64>;
    fn values(&self) -> Vec<Words>;
}

impl Facts for serde_json::Value {
    fn text(&self, path: &[&str]) -> Option<&str> {
        path.iter().try_fold(self, |json, name| json.get(name))?.as_str()
    }

    fn number(&self, path: &[&str]) -> Option<i64> {
        path.iter().try_fold(self, |json, name| json.get(name))?.as_i64()
    }

    fn values(&self) -> Vec<Words> {
        let Some(fields) = self.as_object() else {
            return vec![Words::new().data(self)];
        };
        let plain = fields.iter().filter(|(name, value)| {
            !matches!(name.as_str(), "uid" | "template_digest")
                && !value.is_object()
                && !value.is_array()
        });
        plain.map(|(name, value)| Words::new().data(name).say(" ").data(value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_coarse() {
        for (text, want) in
            [("9d11ms", "9d"), ("22m9s", "22m"), ("3s200ms", "3s"), ("5ms", "moments")]
        {
            assert_eq!(coarse(text.parse().unwrap()), want);
        }
    }
}
