BEGIN;

-- When an open order outside the window was last asked for by its id; null = never.
ALTER TABLE kaspi_orders ADD COLUMN looked_at TEXT;
CREATE INDEX kaspi_orders_due ON kaspi_orders (looked_at) WHERE final = 0;

INSERT INTO schema_migrations (version, name, applied_at) VALUES (5, 'kaspi_looked', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));

COMMIT;
