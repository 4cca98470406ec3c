-- What a link has to say of itself is counted after each run, without reading all links.

ALTER TABLE links ADD COLUMN noticed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN unheard INTEGER NOT NULL DEFAULT 0;
UPDATE links SET noticed = coalesce(json_extract(doc, '$.Notice'), '') != '', unheard = coalesce(json_extract(doc, '$.Unheard'), '') != ''
WHERE ended = 0;
CREATE INDEX links_said ON links (noticed, unheard) WHERE ended = 0 AND (noticed > 0 OR unheard > 0);
