BEGIN;

-- Kaspi orders as last seen, and the view that operators ask for figures.
CREATE TABLE kaspi_orders (
  order_code   TEXT PRIMARY KEY,
  kaspi_id     TEXT NOT NULL,
  state        TEXT NOT NULL,
  status       TEXT NOT NULL,
  total_price  REAL NOT NULL,
  ordered_at   TEXT NOT NULL,
  final        INTEGER NOT NULL DEFAULT 0,
  created_at   TEXT NOT NULL,
  updated_at   TEXT NOT NULL
);
CREATE INDEX kaspi_orders_open ON kaspi_orders (updated_at) WHERE final = 0;
CREATE INDEX kaspi_orders_ordered ON kaspi_orders (ordered_at);

CREATE VIEW processed_orders AS
SELECT o.order_code, o.kaspi_id, CAST(deal.remote_id AS INTEGER) AS lead_id, CAST(contact.remote_id AS INTEGER) AS contact_id,
       o.state, o.status, o.total_price, o.created_at, o.updated_at
FROM kaspi_orders o
LEFT JOIN links deal ON deal.key = 'amocrm:deal:kaspi:' || o.order_code
LEFT JOIN links contact ON contact.key = 'amocrm:contact:kaspi:' || o.order_code;

INSERT INTO schema_migrations (version, name, applied_at) VALUES (3, 'kaspi', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));

COMMIT;
