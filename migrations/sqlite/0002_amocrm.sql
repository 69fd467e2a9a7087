BEGIN;

-- Phones (E.164) and e-mails (lower case) of amoCRM contacts and companies.
CREATE TABLE amo_index (
  entity     TEXT NOT NULL,
  entity_id  INTEGER NOT NULL,
  kind       TEXT NOT NULL,
  value      TEXT NOT NULL,
  PRIMARY KEY (entity, entity_id, kind, value)
);
CREATE INDEX amo_index_value ON amo_index (entity, kind, value);

INSERT INTO schema_migrations (version, name, applied_at) VALUES (2, 'amocrm', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));

COMMIT;
