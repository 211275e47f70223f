//! Layout, line by line.

use expect_test::{Expect, expect};

use super::super::{Item, Mark, Row, Screen, Weight, Words, data, say};
use super::*;

fn check(screen: &Screen, width: usize, want: &Expect) {
    want.assert_eq(&write(screen, Look { width, colour: false, ascii: false }));
}

#[test]
fn facts_wrap_under_themselves() {
    let mut screen = Screen::new();
    let text = "one two three four five six seven eight nine ten eleven twelve thirteen";
    screen.fact("LABEL", data(text));
    screen.item(Item::fact("RIGHT", data(text)).right(say("61s")));
    screen.item(Item::text(data("x".repeat(90))).indent(4));
    let head =
        Words::new().mark(Mark::Good).say(" ").data("a-very-long-name-of-a-step[12].restart");
    screen.item(Item::text(say("done")).indent(2).head(head, 14).right(say("2.3s")));
    check(
        &screen,
        44,
        &expect![[r#"
        LABEL     one two three four five six seven
                  eight nine ten eleven twelve
                  thirteen
        RIGHT     one two three four five six    61s
                  seven eight nine ten eleven twelve
                  thirteen
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            xxxxxxxxxx
          ✓ a-very-long-name-of-a-step[12].restart
                      done                      2.3s
    "#]],
    );
}

#[test]
fn what_is_cut_says_so() {
    let mut screen = Screen::new();
    let text = "one two three four five six seven eight nine ten eleven twelve thirteen";
    screen.item(Item::fact("CUT", data(text)).lines(1));
    screen.item(Item::fact("EDGE", data(text)).lines(1).right(say("until 03:42")));
    screen.table(2, vec![vec![data("r-4f2k"), data("x".repeat(60)), say("end")]]);
    screen.push(Row::Rule { left: say("APPROVE?"), right: say("PRODUCTION") });
    screen.push(Row::Rule { left: Words::new(), right: Words::new() });
    check(
        &screen,
        44,
        &expect![[r#"
        CUT       one two three four five six seven…
        EDGE      one two three four…    until 03:42
          r-4f2k  xxxxxxxxxxxxxxxxxxxxxxxxxxxx…  end
        == APPROVE? ================== PRODUCTION ==
        ============================================
    "#]],
    );
}

#[test]
fn a_bounded_screen_gives_up_light_rows_first() {
    let text = "one two three four five six seven eight nine ten eleven twelve";
    let screen = |most: usize| {
        let mut screen = Screen::bounded(most);
        screen.item(Item::fact("HEAVY", data(text)).weight(Weight::Heavy));
        screen.push(Row::Blank);
        screen.item(Item::fact("LIGHT", data(text)).weight(Weight::Light));
        screen.item(Item::fact("MIDDLE", data(text)));
        screen
    };
    check(
        &screen(6),
        44,
        &expect![[r#"
        HEAVY     one two three four five six seven
                  eight nine ten eleven twelve

        LIGHT     one two three four five six seven…
        MIDDLE    one two three four five six seven
                  eight nine ten eleven twelve
    "#]],
    );
    check(
        &screen(2),
        44,
        &expect![[r#"
        HEAVY     one two three four five six seven…
        MIDDLE    one two three four five six seven…
    "#]],
    );
}

#[test]
fn the_look_has_bounds() {
    let mut screen = Screen::new();
    screen.push(Row::Rule { left: Words::new(), right: Words::new() });
    for (width, want) in
        [(0, WIDTH_MIN), (WIDTH_MIN, WIDTH_MIN), (WIDTH_MAX, WIDTH_MAX), (500, WIDTH_MAX)]
    {
        let written = write(&screen, Look { width, colour: false, ascii: false });
        assert_eq!(written.trim_end().len(), want);
    }
}
