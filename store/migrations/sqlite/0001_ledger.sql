-- The ledger: links, what is owed under them, the notes that were seen, and how
-- far each feed was read. Times are microseconds since 1970, UTC; 0 is never.
-- What is looked up has a column; the rest of each thing is in doc, as JSON.

CREATE TABLE links (
    id        TEXT PRIMARY KEY,
    kind      TEXT NOT NULL,
    rule      TEXT NOT NULL,
    of_table  TEXT NOT NULL,
    record    TEXT NOT NULL,
    mmd       TEXT NOT NULL,
    linked    INTEGER NOT NULL,
    ended     INTEGER NOT NULL,
    notes_due INTEGER NOT NULL,
    twins     INTEGER NOT NULL,
    vanished  INTEGER NOT NULL,
    version   INTEGER NOT NULL,
    doc       TEXT NOT NULL
) WITHOUT ROWID;

CREATE UNIQUE INDEX links_record ON links (record, kind);
CREATE UNIQUE INDEX links_mmd ON links (kind, mmd) WHERE mmd != '';
CREATE INDEX links_notes_due ON links (kind, notes_due) WHERE ended = 0 AND mmd != '';
-- What a cycle looks up in all open links it finds here, without their docs.
CREATE INDEX links_open ON links (id, kind, of_table, rule, record, mmd, linked) WHERE ended = 0;
CREATE INDEX links_linked ON links (kind, linked) WHERE mmd != '';
CREATE INDEX links_found ON links (id) WHERE twins > 0 OR vanished > 0;

CREATE TABLE ops (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    key     TEXT NOT NULL UNIQUE,
    link    TEXT NOT NULL REFERENCES links (id),
    rule    TEXT NOT NULL,
    kind    TEXT NOT NULL,
    state   TEXT NOT NULL,
    mark    TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    frozen  INTEGER NOT NULL,
    rev     TEXT NOT NULL,
    due     INTEGER NOT NULL,
    ended   INTEGER NOT NULL,
    doc     TEXT NOT NULL
);

CREATE INDEX ops_link ON ops (link, seq);
CREATE INDEX ops_mark ON ops (mark) WHERE mark != '';
CREATE INDEX ops_due ON ops (due, link) WHERE state IN ('promised', 'unknown');
CREATE INDEX ops_owed ON ops (seq) WHERE ended = 0;

CREATE TABLE notes (
    link TEXT NOT NULL REFERENCES links (id),
    side TEXT NOT NULL,
    id   TEXT NOT NULL,
    doc  TEXT NOT NULL,
    PRIMARY KEY (link, side, id)
) WITHOUT ROWID;

CREATE TABLE cursors (feed TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE holds (rule TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
