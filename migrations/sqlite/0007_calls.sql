BEGIN;

-- Whose phones are known of RetailCRM's customers, by enterprise.
CREATE TABLE retailcrm_customers (
  id                     INTEGER PRIMARY KEY AUTOINCREMENT,
  enterprise_number      TEXT NOT NULL,
  phone                  TEXT NOT NULL,
  retailcrm_customer_id  INTEGER NOT NULL,
  created_at             TEXT NOT NULL,
  updated_at             TEXT NOT NULL,
  UNIQUE (enterprise_number, phone)
);
CREATE INDEX retailcrm_customers_customer ON retailcrm_customers (enterprise_number, retailcrm_customer_id);

-- Calls with the outside world, folded from the PBX's call records. Uploaded calls cannot be corrected in RetailCRM; rows here can.
CREATE TABLE calls (
  id                     INTEGER PRIMARY KEY AUTOINCREMENT,
  external_id            TEXT NOT NULL UNIQUE,
  enterprise_number      TEXT NOT NULL,
  direction              TEXT NOT NULL,
  result                 TEXT NOT NULL,
  day                    TEXT NOT NULL,
  started_at             TEXT NOT NULL,
  ended_at               TEXT NOT NULL,
  phone                  TEXT,
  extension              TEXT,
  manager                TEXT,
  duration               INTEGER NOT NULL,
  wait                   INTEGER NOT NULL,
  recording_url          TEXT,
  line                   TEXT,
  retailcrm_customer_id  INTEGER,
  uploaded_at            TEXT,
  hash                   TEXT NOT NULL,
  created_at             TEXT NOT NULL,
  updated_at             TEXT NOT NULL
);
CREATE INDEX calls_started ON calls (enterprise_number, started_at);
CREATE INDEX calls_phone ON calls (enterprise_number, phone, started_at);
CREATE INDEX calls_unknown ON calls (started_at) WHERE direction = 'unknown';

-- RetailCRM's orders as its history tells of them, for the conversion of calls.
CREATE TABLE retailcrm_orders (
  enterprise_number      TEXT NOT NULL,
  order_id               INTEGER NOT NULL,
  number                 TEXT NOT NULL,
  retailcrm_customer_id  INTEGER,
  phone                  TEXT,
  manager_id             INTEGER,
  status                 TEXT NOT NULL,
  cancelled              INTEGER NOT NULL,
  total                  REAL NOT NULL,
  ordered_at             TEXT NOT NULL,
  created_at             TEXT NOT NULL,
  updated_at             TEXT NOT NULL,
  PRIMARY KEY (enterprise_number, order_id)
);
CREATE INDEX retailcrm_orders_phone ON retailcrm_orders (enterprise_number, phone);
CREATE INDEX retailcrm_orders_customer ON retailcrm_orders (enterprise_number, retailcrm_customer_id);

-- Calls that were begun by a click; their id is that of their first channel in the call records.
CREATE TABLE call_clicks (
  id                 TEXT PRIMARY KEY,
  enterprise_number  TEXT NOT NULL,
  extension          TEXT NOT NULL,
  phone              TEXT NOT NULL,
  requested_at       TEXT NOT NULL,
  outcome            TEXT
);

INSERT INTO schema_migrations (version, name, applied_at) VALUES (7, 'calls', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));

COMMIT;
