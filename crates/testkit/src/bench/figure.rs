//! One measured figure beside its goal, and how a list of them is shown.

use serde::Serialize;

/// What a score is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Times,
    Percent,
    /// Of 1,000,000 bytes.
    Megabytes,
    Seconds,
    Milliseconds,
}

impl Unit {
    fn shown(self, value: f64) -> String {
        match self {
            Self::Times => format!("{value:.2} x"),
            Self::Percent => format!("{value:.2} %"),
            Self::Megabytes => format!("{value:.1} MB"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Milliseconds => format!("{value:.1} ms"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// Measured because it explains another figure.
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    pub work: String,
    /// The raw measurements behind the score, for a reader.
    pub measured: String,
    pub score: f64,
    pub unit: Unit,
    pub goal: Goal,
}

impl Figure {
    /// `None` where there is no goal.
    pub fn reached(&self) -> Option<bool> {
        match self.goal {
            Goal::AtMost(goal) => Some(self.score <= goal),
            Goal::AtLeast(goal) => Some(self.score >= goal),
            Goal::None => None,
        }
    }

    fn cells(&self) -> [String; 4] {
        let goal = match self.goal {
            Goal::AtMost(goal) => format!("at most {}", self.unit.shown(goal)),
            Goal::AtLeast(goal) => format!("at least {}", self.unit.shown(goal)),
            Goal::None => "-".to_owned(),
        };
        let verdict = match self.reached() {
            Some(true) => "reached",
            Some(false) => "missed",
            None => "-",
        };
        [self.work.clone(), self.unit.shown(self.score), goal, verdict.to_owned()]
    }
}

/// The middle of some measurements; of an even number, the mean of the two in the middle. Zero for none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2);
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2);
    match (lower, upper) {
        (Some(lower), Some(upper)) => f64::midpoint(*lower, *upper),
        (None, _) | (_, None) => 0.0,
    }
}

/// A table with what stands behind each figure below it.
pub fn table(title: &str, figures: &[Figure]) -> String {
    let head = ["work", "score", "goal", ""].map(str::to_owned);
    let rows: Vec<[String; 4]> =
        std::iter::once(head).chain(figures.iter().map(Figure::cells)).collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let [work, score, goal] = [width(0), width(1), width(2)];
    let mut text = format!("{title}\n\n");
    for [a, b, c, d] in &rows {
        let line = format!("{a:work$}  {b:>score$}  {c:goal$}  {d}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
    for figure in figures {
        text.push_str(&format!("{}: {}\n", figure.work, figure.measured));
    }
    text.push('\n');
    text
}

/// One line of JSON for each figure.
///
/// # Errors
/// If a number is not one that JSON can carry.
pub fn lines(figures: &[Figure]) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(flatten)]
        figure: &'a Figure,
        reached: Option<bool>,
    }
    let mut text = String::new();
    for figure in figures {
        text.push_str(&serde_json::to_string(&Line { figure, reached: figure.reached() })?);
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn figures() -> Vec<Figure> {
        let figure = |work: &str, score, unit, goal| Figure {
            work: work.to_owned(),
            measured: "as measured".to_owned(),
            score,
            unit,
            goal,
        };
        vec![
            figure("a run", 1.504, Unit::Times, Goal::AtMost(1.5)),
            figure("many at once", 50.0, Unit::Percent, Goal::AtLeast(50.0)),
            figure("its memory", 12.0, Unit::Megabytes, Goal::None),
        ]
    }

    fn check(text: &str, expected: &Expect) {
        expected.assert_eq(text);
    }

    #[test]
    fn a_table_names_what_was_missed() {
        check(
            &table("bench", &figures()),
            &expect![[r#"
                bench

                work            score  goal
                a run          1.50 x  at most 1.50 x    missed
                many at once  50.00 %  at least 50.00 %  reached
                its memory    12.0 MB  -                 -

                a run: as measured
                many at once: as measured
                its memory: as measured

            "#]],
        );
    }

    #[test]
    fn a_line_of_json_for_each_figure() {
        check(
            &lines(&figures()).unwrap(),
            &expect![[r#"
                {"work":"a run","measured":"as measured","score":1.504,"unit":"times","goal":{"at_most":1.5},"reached":false}
                {"work":"many at once","measured":"as measured","score":50.0,"unit":"percent","goal":{"at_least":50.0},"reached":true}
                {"work":"its memory","measured":"as measured","score":12.0,"unit":"megabytes","goal":"none","reached":null}
            "#]],
        );
    }

    #[test]
    fn the_middle_of_odd_even_and_none() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median([]), 0.0);
    }
}
