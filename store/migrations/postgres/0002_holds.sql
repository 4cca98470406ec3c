-- A rule, or a link, can be held for more than one thing at a time: neither hides the other.

ALTER TABLE holds ADD COLUMN what TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE holds SET what = coalesce(doc::json ->> 'what', '');
ALTER TABLE holds DROP CONSTRAINT holds_pkey;
ALTER TABLE holds ADD PRIMARY KEY (rule, what);
