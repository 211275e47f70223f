//! The one writer: lays a [`Screen`] out for a width and turns it into text.
//!
//! Widths are columns of a terminal. No line is wider than the look says, except those that were drawn elsewhere.

use std::cmp::Reverse;

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{Item, Row, Screen, Table, Text, Tone, Weight, Words};

/// Narrowest layout, in columns: a narrower terminal breaks the lines itself.
pub(crate) const WIDTH_MIN: usize = 40;
/// Widest layout, in columns: times at the right edge must stay near their words.
pub(crate) const WIDTH_MAX: usize = 120;
/// Fewest columns for facts beside something at the right edge.
const FACTS_MIN: usize = 12;
/// Narrowest column of a table.
const CELL_MIN: usize = 4;
/// Columns between cells.
const GAP: usize = 2;

/// How a screen is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) width: usize,
    pub(crate) colour: bool,
    pub(crate) ascii: bool,
}

impl Look {
    fn columns(self) -> usize {
        self.width.clamp(WIDTH_MIN, WIDTH_MAX)
    }

    fn ellipsis(self) -> &'static str {
        if self.ascii { "..." } else { "…" }
    }
}

/// Characters of one tone.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    tone: Tone,
    text: String,
}

/// One line while it is laid out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Line(Vec<Run>);

impl Line {
    fn width(&self) -> usize {
        self.0.iter().map(|run| run.text.width()).sum()
    }

    fn push(&mut self, tone: Tone, c: char) {
        match self.0.last_mut() {
            Some(run) if run.tone == tone => run.text.push(c),
            _ => self.0.push(Run { tone, text: c.to_string() }),
        }
    }

    fn extend(&mut self, other: &Self) {
        for run in &other.0 {
            run.text.chars().for_each(|c| self.push(run.tone, c));
        }
    }

    fn pad_to(&mut self, column: usize) {
        for _ in self.width()..column {
            self.push(Tone::Plain, ' ');
        }
    }

    fn chars(&self) -> impl Iterator<Item = (Tone, char)> {
        self.0.iter().flat_map(|run| run.text.chars().map(|c| (run.tone, c)))
    }

    /// At most so many columns, ending in `…` if anything was cut.
    fn cut(self, columns: usize, look: Look) -> Self {
        if self.width() <= columns { self } else { self.marked_cut(columns, look) }
    }

    fn marked_cut(&self, columns: usize, look: Look) -> Self {
        let room = columns.saturating_sub(look.ellipsis().width());
        let mut kept = Self::default();
        let mut used = 0;
        for (tone, c) in self.chars() {
            used += c.width().unwrap_or(0);
            if used > room {
                break;
            }
            kept.push(tone, c);
        }
        kept.trim();
        look.ellipsis().chars().for_each(|c| kept.push(Tone::Plain, c));
        kept
    }

    fn trim(&mut self) {
        while let Some(run) = self.0.last_mut() {
            run.text.truncate(run.text.trim_end_matches(' ').len());
            if !run.text.is_empty() {
                return;
            }
            self.0.pop();
        }
    }

    fn write(&self, look: Look, out: &mut String) {
        for run in &self.0 {
            let style = style(run.tone);
            if look.colour && style != Style::new() {
                out.push_str(&style.render().to_string());
                out.push_str(&run.text);
                out.push_str(&style.render_reset().to_string());
            } else {
                out.push_str(&run.text);
            }
        }
        out.push('\n');
    }
}

fn style(tone: Tone) -> Style {
    let coloured = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match tone {
        Tone::Plain => Style::new(),
        Tone::Strong => Style::new().bold(),
        Tone::Faint => Style::new().dimmed(),
        Tone::Good => coloured(AnsiColor::Green),
        Tone::Bad => coloured(AnsiColor::Red).bold(),
        Tone::Doubt => coloured(AnsiColor::Yellow),
    }
}

/// The screen as text; every line has its end.
pub(crate) fn write(screen: &Screen, look: Look) -> String {
    let mut out = String::new();
    for mut line in lay(screen, look) {
        line.trim();
        line.write(look, &mut out);
    }
    out
}

/// One line without its end, cut to the width and filled with spaces up to it: it can be written over in place.
pub(crate) fn write_over(item: &Item, look: Look) -> String {
    let columns = look.columns().saturating_sub(1);
    let mut line =
        lay_item(item, 1, Look { width: columns, ..look }).into_iter().next().unwrap_or_default();
    line.pad_to(columns);
    let mut out = String::from("\r");
    line.write(look, &mut out);
    out.truncate(out.trim_end_matches('\n').len());
    out
}

fn lay(screen: &Screen, look: Look) -> Vec<Line> {
    let mut limits: Vec<usize> = screen.rows.iter().map(own_limit).collect();
    let mut laid: Vec<Vec<Line>> = Vec::with_capacity(screen.rows.len());
    for (row, limit) in screen.rows.iter().zip(&limits) {
        laid.push(lay_row(row, *limit, look));
    }
    if let Some(most) = screen.most {
        while laid.iter().map(Vec::len).sum::<usize>() > most {
            let Some(index) = longest_light(&screen.rows, &laid) else {
                shorten(&screen.rows, &mut laid, most);
                break;
            };
            if let (Some(row), Some(limit), Some(lines)) =
                (screen.rows.get(index), limits.get_mut(index), laid.get_mut(index))
            {
                *limit = lines.len().saturating_sub(1);
                *lines = lay_row(row, *limit, look);
            }
        }
    }
    laid.into_iter().flatten().collect()
}

fn own_limit(row: &Row) -> usize {
    match row {
        Row::Item(item) => item.lines,
        Row::Blank | Row::Rule { .. } | Row::Table(_) | Row::Drawn { .. } => usize::MAX,
    }
}

fn weight(row: &Row) -> Weight {
    match row {
        Row::Item(item) => item.weight,
        Row::Blank => Weight::Light,
        Row::Rule { .. } | Row::Table(_) | Row::Drawn { .. } => Weight::Heavy,
    }
}

/// The row that gives up a line: of the lightest rows with more than one line, the longest.
fn longest_light(rows: &[Row], laid: &[Vec<Line>]) -> Option<usize> {
    let items = rows.iter().zip(laid).enumerate();
    items
        .filter(|(_, (row, lines))| matches!(row, Row::Item(_)) && lines.len() > 1)
        .min_by_key(|(_, (row, lines))| (weight(row), Reverse(lines.len())))
        .map(|(index, _)| index)
}

/// Drops whole rows, blank and light ones first, until the screen fits.
fn shorten(rows: &[Row], laid: &mut [Vec<Line>], most: usize) {
    let mut order: Vec<usize> = (0..laid.len()).collect();
    order.sort_by_key(|index| {
        rows.get(*index).map(|row| (!matches!(row, Row::Blank), weight(row), Reverse(*index)))
    });
    for index in order {
        if laid.iter().map(Vec::len).sum::<usize>() <= most {
            return;
        }
        if let Some(lines) = laid.get_mut(index) {
            lines.clear();
        }
    }
}

fn lay_row(row: &Row, limit: usize, look: Look) -> Vec<Line> {
    match row {
        Row::Blank => vec![Line::default()],
        Row::Rule { left, right } => vec![lay_rule(left, right, look)],
        Row::Item(item) => lay_item(item, limit, look),
        Row::Table(table) => lay_table(table, look),
        Row::Drawn { tone, text } => {
            let mut line = Line::default();
            shown(text.as_str(), look).chars().for_each(|c| line.push(*tone, c));
            vec![line]
        }
    }
}

/// The text as this look allows it.
fn shown(text: &str, look: Look) -> String {
    if !look.ascii || text.is_ascii() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '…' => out.push_str("..."),
            _ if c.is_ascii() => out.push(c),
            _ => out.extend(c.escape_unicode()),
        }
    }
    out
}

fn flat(words: &Words, look: Look) -> Line {
    let mut line = Line::default();
    for piece in words.pieces() {
        let text = match &piece.text {
            Text::Word(word) => shown(word, look),
            Text::Data(data) => shown(data.as_str(), look),
            Text::Mark(mark) => mark.text(look.ascii).to_owned(),
        };
        text.chars().for_each(|c| line.push(piece.tone, c));
    }
    line
}

fn lay_rule(left: &Words, right: &Words, look: Look) -> Line {
    let columns = look.columns();
    let bars = |line: &mut Line, count: usize| {
        for _ in 0..count {
            line.push(Tone::Faint, '=');
        }
    };
    let mut line = Line::default();
    if !left.is_empty() {
        bars(&mut line, 2);
        line.push(Tone::Plain, ' ');
        line.extend(&flat(left, look).cut(columns / 2, look));
        line.push(Tone::Plain, ' ');
    }
    let mut end = Line::default();
    if !right.is_empty() {
        end.push(Tone::Plain, ' ');
        end.extend(&flat(right, look).cut(columns / 3, look));
        end.push(Tone::Plain, ' ');
        bars(&mut end, 2);
    }
    let middle = columns.saturating_sub(line.width() + end.width());
    bars(&mut line, middle);
    line.extend(&end);
    line
}

/// Characters without a space among them, and the spaces before.
#[derive(Debug, Default)]
struct Atom {
    gap: usize,
    line: Line,
}

fn atoms(line: &Line) -> Vec<Atom> {
    let mut list = Vec::new();
    let mut atom = Atom::default();
    for (tone, c) in line.chars() {
        if c != ' ' {
            atom.line.push(tone, c);
            continue;
        }
        if !atom.line.0.is_empty() {
            list.push(std::mem::take(&mut atom));
        }
        atom.gap += 1;
    }
    if !atom.line.0.is_empty() {
        list.push(atom);
    }
    list
}

/// Breaks a line: `first` columns for the first one, `rest` for each after it.
fn wrap(line: &Line, first: usize, rest: usize) -> Vec<Line> {
    let rest = rest.max(1);
    let mut lines = vec![Line::default()];
    let (mut room, mut used) = (first.max(1), 0);
    for atom in atoms(line) {
        let width = atom.line.width();
        if used + atom.gap + width <= room {
            add(&mut lines, atom.gap, atom.line.chars());
            used += atom.gap + width;
            continue;
        }
        if width <= rest {
            lines.push(Line::default());
            add(&mut lines, 0, atom.line.chars());
            (room, used) = (rest, width);
            continue;
        }
        // Too long for any line: it is broken where the line ends.
        let mut gap = atom.gap;
        for (tone, c) in atom.line.chars() {
            let width = c.width().unwrap_or(0);
            if used + gap + width > room {
                lines.push(Line::default());
                (room, used, gap) = (rest, 0, 0);
            }
            add(&mut lines, gap, std::iter::once((tone, c)));
            used += gap + width;
            gap = 0;
        }
    }
    lines
}

fn add(lines: &mut [Line], gap: usize, chars: impl Iterator<Item = (Tone, char)>) {
    let Some(line) = lines.last_mut() else {
        return;
    };
    let mut chars = chars.peekable();
    // A space between two words of one tone is of that tone too.
    let before = line.0.last().map(|run| run.tone);
    let between = chars.peek().map(|(tone, _)| *tone).filter(|tone| before == Some(*tone));
    for _ in 0..gap {
        line.push(between.unwrap_or(Tone::Plain), ' ');
    }
    chars.for_each(|(tone, c)| line.push(tone, c));
}

fn lay_item(item: &Item, limit: usize, look: Look) -> Vec<Line> {
    let columns = look.columns();
    let head = flat(&item.head, look);
    let text = flat(&item.text, look);
    let right = flat(&item.right, look).cut(columns / 2, look);
    let at = item.at.min(columns / 2);
    let head_end = item.indent + head.width();
    let mut lines = Vec::new();
    // A head that reaches into the facts keeps its line to itself, or pushes the facts along a little.
    let start = if head.width() == 0 {
        item.indent.max(at)
    } else if head_end + GAP <= at || head_end < at {
        at
    } else {
        head_end + GAP
    };
    let taken = if right.width() == 0 { 0 } else { right.width() + GAP };
    let mut first = Line::default();
    first.pad_to(item.indent);
    let start = if start + FACTS_MIN + taken > columns {
        for (index, part) in
            wrap(&head, columns - item.indent, columns - item.indent).into_iter().enumerate()
        {
            if index > 0 {
                lines.push(std::mem::take(&mut first));
                first.pad_to(item.indent);
            }
            first.extend(&part);
        }
        if head.width() > 0 {
            lines.push(std::mem::take(&mut first));
        }
        at
    } else {
        first.extend(&head);
        start
    };
    let rest = columns.saturating_sub(at.max(item.indent));
    let room = columns.saturating_sub(start + taken);
    if text.width() == 0 && right.width() == 0 && !lines.is_empty() {
        lines.truncate(limit.max(1));
        return lines;
    }
    for (index, part) in wrap(&text, room, rest).into_iter().enumerate() {
        let mut line = if index == 0 { std::mem::take(&mut first) } else { Line::default() };
        if part.width() > 0 {
            line.pad_to(if index == 0 { start } else { at.max(item.indent) });
        }
        line.extend(&part);
        if index == 0 && right.width() > 0 {
            line.pad_to(columns - right.width());
            line.extend(&right);
        }
        lines.push(line);
    }
    if lines.len() > limit.max(1) {
        lines.truncate(limit.max(1));
        if let Some(last) = lines.pop() {
            let room = if lines.is_empty() { columns - taken } else { columns };
            lines.push(mark_cut(last, &right, room, look));
        }
    }
    lines
}

/// Ends a line whose rest was cut with `…`, and keeps what stands at its right edge.
fn mark_cut(line: Line, right: &Line, room: usize, look: Look) -> Line {
    if right.width() == 0 || room == look.columns() {
        let wide = line.width() + look.ellipsis().width();
        return if wide <= room {
            let mut line = line;
            line.trim();
            look.ellipsis().chars().for_each(|c| line.push(Tone::Plain, c));
            line
        } else {
            line.marked_cut(room, look)
        };
    }
    let mut body = Line::default();
    let keep = line.width().saturating_sub(right.width());
    let mut used = 0;
    for (tone, c) in line.chars() {
        used += c.width().unwrap_or(0);
        if used > keep {
            break;
        }
        body.push(tone, c);
    }
    body.trim();
    let mut body = mark_cut(body, &Line::default(), room, look);
    body.pad_to(look.columns() - right.width());
    body.extend(right);
    body
}

fn lay_table(table: &Table, look: Look) -> Vec<Line> {
    let rows: Vec<Vec<Line>> =
        table.rows.iter().map(|row| row.iter().map(|cell| flat(cell, look)).collect()).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..count)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(Line::width).max())
        .map(|width| width.unwrap_or(0))
        .collect();
    let columns = look.columns();
    let gaps = GAP * count.saturating_sub(1);
    while table.indent + gaps + widths.iter().sum::<usize>() > columns {
        match widths.iter_mut().max_by_key(|width| **width) {
            Some(widest) if *widest > CELL_MIN => *widest -= 1,
            Some(_) | None => break,
        }
    }
    rows.into_iter().map(|row| lay_cells(row, &widths, table, look)).collect()
}

fn lay_cells(row: Vec<Line>, widths: &[usize], table: &Table, look: Look) -> Line {
    let mut line = Line::default();
    line.pad_to(table.indent);
    let mut at = table.indent;
    let last = widths.len().saturating_sub(1);
    for (index, (cell, width)) in row.into_iter().zip(widths).enumerate() {
        let cell = cell.cut(*width, look);
        if table.edge && index == last {
            line.pad_to(look.columns().saturating_sub(cell.width()));
        } else {
            line.pad_to(at);
        }
        line.extend(&cell);
        at += width + GAP;
    }
    line.cut(look.columns(), look)
}

#[cfg(test)]
mod tests;
