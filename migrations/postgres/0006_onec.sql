BEGIN;

-- 1C documents as last seen, and the view that operators ask for figures.
CREATE TABLE onec_seen (
  ref         TEXT PRIMARY KEY,
  type        TEXT NOT NULL,
  number      TEXT NOT NULL,
  dated       TIMESTAMPTZ NOT NULL,
  written_at  TIMESTAMPTZ,
  state       TEXT NOT NULL,
  signature   TEXT NOT NULL,
  created_at  TIMESTAMPTZ NOT NULL,
  updated_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX onec_seen_number ON onec_seen (number);

-- Documents seen by an export, and those that an import has made and no export has seen yet.
CREATE VIEW onec_documents AS
SELECT s.ref, s.type, s.number, CAST(deal.remote_id AS BIGINT) AS lead_id, s.written_at,
       (mark.applied::json ->> 'exportedAt')::timestamptz AS exported_at, s.state
FROM onec_seen s
LEFT JOIN links deal ON deal.key = 'amocrm:deal:onec:' || s.ref
LEFT JOIN links mark ON mark.key = 'onec:mark:' || s.ref
UNION ALL
SELECT doc.remote_id, doc.applied::json ->> 'type', doc.applied::json ->> 'number', CAST(substr(doc.key, 17) AS BIGINT), NULL::timestamptz,
       (mark.applied::json ->> 'exportedAt')::timestamptz, doc.applied::json ->> 'state'
FROM links doc
LEFT JOIN links mark ON mark.key = 'onec:mark:' || doc.key
WHERE doc.key LIKE 'onec:doc:amocrm:%' AND doc.key NOT LIKE '%#%'
  AND NOT EXISTS (SELECT 1 FROM onec_seen s WHERE s.ref = doc.remote_id);

INSERT INTO schema_migrations (version, name, applied_at) VALUES (6, 'onec', now());

COMMIT;
