-- Version 1. Hashes and digests are 32 bytes, times microseconds since 1970, streams `r-…`, `i-…` or `installation`.

-- Each stream by a small number in the order in which they began, so that what is written together stands together:
-- ids are random, and a table in their order would touch a page of its own for every append.
-- `seq`, `at`, `hash` are those of the last row: a row that was cut off the end of `rows` is noticed against them.
-- `due` is when a run must be looked at again; without it the run is parked until an input comes.
CREATE TABLE streams (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    seq  INTEGER NOT NULL CHECK (seq > 0),
    at   INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    due  INTEGER
) STRICT;
CREATE INDEX streams_due ON streams (due, name) WHERE due IS NOT NULL;

-- The journal. `n` counts rows in the order of their commits over all streams; `prev` is the hash of the row before
-- in the same stream. `pending` is the digest over what was pending after the batch that ended with this row; it is
-- not part of `hash`.
CREATE TABLE rows (
    n       INTEGER PRIMARY KEY,
    stream  INTEGER NOT NULL REFERENCES streams (id),
    seq     INTEGER NOT NULL CHECK (seq > 0),
    at      INTEGER NOT NULL,
    hash    BLOB NOT NULL CHECK (length(hash) = 32),
    event   TEXT NOT NULL,
    pending BLOB CHECK (pending IS NULL OR length(pending) = 32),
    UNIQUE (stream, seq)
) STRICT;

-- One row for each attempt that was ever about to be sent.
CREATE TABLE intents (
    stream  INTEGER NOT NULL REFERENCES streams (id),
    step    TEXT NOT NULL,
    leg     TEXT NOT NULL CHECK (leg IN ('forward', 'undo')),
    attempt INTEGER NOT NULL,
    call    BLOB NOT NULL CHECK (length(call) = 32),
    fence   INTEGER NOT NULL,
    PRIMARY KEY (stream, step, leg, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    target TEXT PRIMARY KEY,
    run    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Changes that were made, by the id that the client gave them, and what it was answered.
CREATE TABLE inbox (
    id     TEXT PRIMARY KEY,
    answer TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rates (
    subject TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX rates_by_subject ON rates (subject, at);

CREATE TABLE plans (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    bytes  TEXT NOT NULL
) STRICT;

CREATE TABLE blobs (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    bytes  BLOB NOT NULL
) STRICT;

-- What a list of runs shows, in the order in which they began.
CREATE TABLE runs (
    stream       INTEGER PRIMARY KEY REFERENCES streams (id),
    plan         BLOB NOT NULL CHECK (length(plan) = 32),
    environment  TEXT NOT NULL,
    runbook      TEXT NOT NULL,
    subject      TEXT NOT NULL,
    phase        TEXT NOT NULL,
    finished     INTEGER NOT NULL CHECK (finished IN (0, 1)),
    needs_person INTEGER NOT NULL CHECK (needs_person IN (0, 1)),
    created      INTEGER NOT NULL,
    changed      INTEGER NOT NULL,
    detail       TEXT NOT NULL
) STRICT;
CREATE INDEX runs_open ON runs (stream) WHERE finished = 0;

-- The highest fence that was ever given out for a run, and to which driver.
CREATE TABLE fences (
    run    TEXT PRIMARY KEY,
    fence  INTEGER NOT NULL CHECK (fence > 0),
    driver TEXT NOT NULL
) STRICT, WITHOUT ROWID;
