-- A rule, or a link, can be held for more than one thing at a time: neither hides the other.

CREATE TABLE holds_of (rule TEXT NOT NULL, what TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (rule, what)) WITHOUT ROWID;
INSERT INTO holds_of SELECT rule, coalesce(json_extract(doc, '$.what'), ''), doc FROM holds;
DROP TABLE holds;
ALTER TABLE holds_of RENAME TO holds;
