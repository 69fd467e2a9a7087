BEGIN;

-- 1C documents as last seen, and the view that operators ask for figures.
CREATE TABLE onec_seen (
  ref         TEXT PRIMARY KEY,
  type        TEXT NOT NULL,
  number      TEXT NOT NULL,
  dated       TEXT NOT NULL,
  written_at  TEXT,
  state       TEXT NOT NULL,
  signature   TEXT NOT NULL,
  created_at  TEXT NOT NULL,
  updated_at  TEXT NOT NULL
);
CREATE INDEX onec_seen_number ON onec_seen (number);

-- Documents seen by an export, and those that an import has made and no export has seen yet.
CREATE VIEW onec_documents AS
SELECT s.ref, s.type, s.number, CAST(deal.remote_id AS INTEGER) AS lead_id, s.written_at,
       json_extract(mark.applied, '$.exportedAt') AS exported_at, s.state
FROM onec_seen s
LEFT JOIN links deal ON deal.key = 'amocrm:deal:onec:' || s.ref
LEFT JOIN links mark ON mark.key = 'onec:mark:' || s.ref
UNION ALL
SELECT doc.remote_id, json_extract(doc.applied, '$.type'), json_extract(doc.applied, '$.number'), CAST(substr(doc.key, 17) AS INTEGER), NULL,
       json_extract(mark.applied, '$.exportedAt'), json_extract(doc.applied, '$.state')
FROM links doc
LEFT JOIN links mark ON mark.key = 'onec:mark:' || doc.key
WHERE doc.key LIKE 'onec:doc:amocrm:%' AND doc.key NOT LIKE '%#%'
  AND NOT EXISTS (SELECT 1 FROM onec_seen s WHERE s.ref = doc.remote_id);

INSERT INTO schema_migrations (version, name, applied_at) VALUES (6, 'onec', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));

COMMIT;
