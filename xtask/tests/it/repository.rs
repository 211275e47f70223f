//! The rules over this repository itself, one test each.

use std::sync::LazyLock;

use steadyhand_xtask::tidy::tree::{ALLOWED_FILE, Tree};
use steadyhand_xtask::tidy::{RULES, check};
use steadyhand_xtask::workspace::Workspace;

/// Read once for all rules.
static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::read(&Workspace::find().unwrap()).unwrap());

fn holds(name: &str) {
    let rule = RULES.iter().find(|rule| rule.name == name).unwrap();
    let findings: Vec<String> = check(&TREE, rule).iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

macro_rules! rules {
    ($($test:ident = $name:literal,)*) => {
        $(#[test] fn $test() { holds($name); })*

        #[test]
        fn each_rule_is_a_test() {
            let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

rules! {
    crates_depend_in_one_direction = "direction",
    heavy_dependencies_have_an_owner = "heavy",
    the_lock_file_has_nothing_banned = "banned",
    manifests_inherit = "manifest",
    every_version_is_used = "unused-version",
    deciding_crates_do_no_io = "purity",
    only_process_starts_programs = "spawn",
    calls_are_authorized_in_one_place = "authorized",
    the_judge_stands_alone = "judge",
    untyped_json_stays_at_the_edges = "untyped-json",
    files_say_what_they_own = "module-doc",
    files_are_short = "file-length",
    names_are_nouns = "name",
    one_test_binary_each = "one-test-binary",
    no_result_is_swallowed = "swallowed",
    no_error_is_a_text = "string-error",
    nothing_is_left_for_later = "unfinished",
    tests_have_good_habits = "test-habit",
    nothing_points_outside = "outside",
    codes_have_pages = "error-page",
    documents_name_what_is_there = "reference",
}

#[test]
fn exceptions_name_rules_that_exist() {
    for allowed in &TREE.allowed {
        let known = RULES.iter().any(|rule| rule.name == allowed.rule);
        assert!(known, "{ALLOWED_FILE}: there is no rule {}", allowed.rule);
    }
}
