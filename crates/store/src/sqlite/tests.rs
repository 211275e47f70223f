//! What cannot be seen through the port: a connection's settings, and how far back opening looks.

use steadyhand_engine::port::Batch;
use steadyhand_model::canonical::CanonicalJson;
use steadyhand_model::event::StreamId;
use steadyhand_model::ids::Seq;
use steadyhand_model::time::Timestamp;
use tempfile::TempDir;

use super::append::Append;
use super::file::verify_newest;
use super::schema::{open_reader, open_writer};

#[test]
fn every_connection_has_its_settings() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("journal.db");
    let (writer, reader) = (open_writer(&path).unwrap(), open_reader(&path).unwrap());
    // `synchronous` 2 is FULL, `temp_store` 2 is MEMORY; a negative cache is in KiB.
    let cases = [
        ("journal_mode", "wal", "wal"),
        ("synchronous", "2", "2"),
        ("foreign_keys", "1", "1"),
        ("trusted_schema", "0", "0"),
        ("cell_size_check", "1", "1"),
        ("temp_store", "2", "2"),
        ("cache_size", "-16384", "-16384"),
        ("wal_autocheckpoint", "4000", "1000"),
        ("journal_size_limit", "67108864", "-1"),
        ("query_only", "0", "1"),
        ("busy_timeout", "5000", "5000"),
        ("user_version", "1", "1"),
        ("application_id", "1937007737", "1937007737"),
    ];
    for (pragma, of_writer, of_reader) in cases {
        for (connection, want) in [(&writer, of_writer), (&reader, of_reader)] {
            let got: rusqlite::types::Value =
                connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
            let got = match got {
                rusqlite::types::Value::Integer(n) => n.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => panic!("{pragma}: {other:?}"),
            };
            assert_eq!(got, want, "{pragma}");
        }
    }
}

#[test]
fn opening_verifies_as_many_rows_as_it_says() {
    let dir = TempDir::new().unwrap();
    let db = open_writer(&dir.path().join("journal.db")).unwrap();
    for seq in 0..5 {
        let batch = Batch { events: vec![CanonicalJson::empty()], ..Batch::default() };
        let stream = StreamId::Installation;
        let append = Append { stream, expected: Seq(seq), now: Timestamp(1), batch };
        assert_eq!(append.write(&db).unwrap().unwrap().len(), 1);
    }
    assert!(verify_newest(&db, 5).is_ok());
    // The second of five rows: the fourth from the end. The row after it is bound to its hash, not to its event.
    db.execute("UPDATE rows SET event = '[]' WHERE seq = 2", []).unwrap();
    assert!(verify_newest(&db, 3).is_ok());
    assert!(verify_newest(&db, 4).is_err());
}
