-- The ledger: links, what is owed under them, the notes that were seen, and how
-- far each feed was read. Times are microseconds since 1970, UTC; 0 is never.
-- What is looked up has a column; the rest of each thing is in doc, as JSON.

CREATE TABLE links (
    id        TEXT COLLATE "C" PRIMARY KEY,
    kind      TEXT COLLATE "C" NOT NULL,
    rule      TEXT COLLATE "C" NOT NULL,
    of_table  TEXT COLLATE "C" NOT NULL,
    record    TEXT COLLATE "C" NOT NULL,
    mmd       TEXT COLLATE "C" NOT NULL,
    linked    BIGINT NOT NULL,
    ended     BIGINT NOT NULL,
    notes_due BIGINT NOT NULL,
    twins     BIGINT NOT NULL,
    vanished  BIGINT NOT NULL,
    version   BIGINT NOT NULL,
    doc       TEXT COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX links_record ON links (record, kind);
CREATE UNIQUE INDEX links_mmd ON links (kind, mmd) WHERE mmd != '';
CREATE INDEX links_notes_due ON links (kind, notes_due) WHERE ended = 0 AND mmd != '';
-- What a cycle looks up in all open links it finds here, without their docs.
CREATE INDEX links_open ON links (id, kind, of_table, rule, record, mmd, linked) WHERE ended = 0;
CREATE INDEX links_linked ON links (kind, linked) WHERE mmd != '';
CREATE INDEX links_found ON links (id) WHERE twins > 0 OR vanished > 0;

CREATE TABLE ops (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key     TEXT COLLATE "C" NOT NULL UNIQUE,
    link    TEXT COLLATE "C" NOT NULL REFERENCES links (id),
    rule    TEXT COLLATE "C" NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,
    state   TEXT COLLATE "C" NOT NULL,
    mark    TEXT COLLATE "C" NOT NULL,
    attempt BIGINT NOT NULL,
    frozen  BIGINT NOT NULL,
    rev     TEXT COLLATE "C" NOT NULL,
    due     BIGINT NOT NULL,
    ended   BIGINT NOT NULL,
    doc     TEXT COLLATE "C" NOT NULL
);

CREATE INDEX ops_link ON ops (link, seq);
CREATE INDEX ops_mark ON ops (mark) WHERE mark != '';
CREATE INDEX ops_due ON ops (due, link) WHERE state IN ('promised', 'unknown');
CREATE INDEX ops_owed ON ops (seq) WHERE ended = 0;

CREATE TABLE notes (
    link TEXT COLLATE "C" NOT NULL REFERENCES links (id),
    side TEXT COLLATE "C" NOT NULL,
    id   TEXT COLLATE "C" NOT NULL,
    doc  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (link, side, id)
);

CREATE TABLE cursors (feed TEXT COLLATE "C" PRIMARY KEY, doc TEXT COLLATE "C" NOT NULL);
CREATE TABLE holds (rule TEXT COLLATE "C" PRIMARY KEY, doc TEXT COLLATE "C" NOT NULL);
CREATE TABLE meta (key TEXT COLLATE "C" PRIMARY KEY, value TEXT COLLATE "C" NOT NULL);

CREATE TABLE schema_version (version BIGINT NOT NULL);
INSERT INTO schema_version VALUES (0);
