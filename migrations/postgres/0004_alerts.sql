BEGIN;

-- What was told of an alert over which channel: event is opened or closed. Written after the sending.
CREATE TABLE alert_deliveries (
  alert_id  BIGINT NOT NULL,
  channel   TEXT NOT NULL,
  event     TEXT NOT NULL,
  sent_at   TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (alert_id, channel, event)
);
CREATE INDEX alerts_closed ON alerts (closed_at) WHERE closed_at IS NOT NULL;

INSERT INTO schema_migrations (version, name, applied_at) VALUES (4, 'alerts', now());

COMMIT;
