//! The tables as wholes: unique names, complete actions, and the digest that a change must move on purpose.

use std::collections::BTreeSet;

use super::*;

#[test]
fn names_are_unique_over_all_servers() {
    let catalogue = Catalogue::built_in();
    let mut names = BTreeSet::new();
    for server in catalogue.servers() {
        let reads = server.reads.iter().chain(&server.functions).map(|r| r.name.to_string());
        let actions = server.actions.iter().map(|a| a.id.action.to_string());
        for name in reads.chain(actions) {
            assert!(names.insert(name.clone()), "{name} stands twice");
        }
    }
}

#[test]
fn every_type_has_its_key_its_uid_and_its_reads() {
    let catalogue = Catalogue::built_in();
    for server in catalogue.servers() {
        for ty in &server.types {
            let identity: Vec<_> = ty.identity().iter().map(|f| f.name.clone()).collect();
            let mut expected = ty.key.clone();
            expected.push("uid".parse().unwrap());
            assert_eq!(identity, expected, "{}", ty.name);
            let get = catalogue.read(&server.server, &ty.get).unwrap();
            let args: Vec<_> = get.args.iter().map(|f| f.name.clone()).collect();
            assert_eq!(args, ty.key, "{}", ty.name);
            assert_eq!(get.result, Type::Object { name: ty.name.clone() }.nullable());
            let list = catalogue.read(&server.server, &ty.list).unwrap();
            assert_eq!(list.result, Type::list(Type::Object { name: ty.name.clone() }));
        }
    }
}

#[test]
fn every_action_is_complete() {
    for server in Catalogue::built_in().servers() {
        for action in &server.actions {
            assert_eq!(action.id.server, server.server);
            assert!(action.verify.is_some() && action.probe, "{}", action.id);
            assert!(!action.permissions.is_empty(), "{}", action.id);
            assert!(!action.call_max.is_zero() && action.call_max < action.timeout_max);
            let verify = action.verify.as_ref().unwrap();
            assert!(verify.hold_for < verify.within && verify.within < action.timeout_max);
            let mut names = BTreeSet::new();
            for field in action.args.iter().chain(&action.expects) {
                assert!(names.insert(field.name.clone()), "{} {}", action.id, field.name);
            }
        }
    }
}

/// A changed table changes every library lock and every pin: these two tests make the change deliberate.
#[test]
fn digests_are_those_of_this_version() {
    let digests: Vec<String> = Catalogue::built_in()
        .servers()
        .iter()
        .map(|s| format!("{} {}", s.server, s.digest().unwrap().short()))
        .collect();
    assert_eq!(digests, ["kubernetes 0076-b214", "alerts eb6e-348e"]);
}

/// `UPDATE_EXPECT=1 cargo test -p steadyhand-model` writes the exported tables anew.
#[test]
fn exported_tables_are_those_of_this_version() {
    for server in Catalogue::built_in().servers() {
        let text = serde_json::to_string_pretty(server).unwrap() + "\n";
        let path =
            format!("{}/../../schema/actions/{}.json", env!("CARGO_MANIFEST_DIR"), server.server);
        expect_test::expect_file![path].assert_eq(&text);
    }
}
