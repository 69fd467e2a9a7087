BEGIN;

-- Every order that is not cancelled, with the last call before it of its phone or its customer; `nth`: of that call's orders, in their order.
CREATE VIEW call_orders AS
WITH ordered AS (
  -- A draft that was made of a missed call is no order of the client's before somebody puts goods into it.
  SELECT o.* FROM retailcrm_orders o
  WHERE o.cancelled = 0 AND NOT (o.total = 0 AND EXISTS (
    SELECT 1 FROM links l WHERE l.kind = 'retailcrm.order@' || o.enterprise_number AND l.remote_id = CAST(o.order_id AS TEXT)
  ))
),
points AS (
  SELECT enterprise_number, 'phone ' || phone AS who, started_at AS moment, id AS call_id, NULL::bigint AS order_id
  FROM calls WHERE direction IN ('in', 'out') AND phone IS NOT NULL
  UNION ALL
  SELECT enterprise_number, 'customer ' || retailcrm_customer_id, started_at, id, NULL::bigint
  FROM calls WHERE direction IN ('in', 'out') AND retailcrm_customer_id IS NOT NULL
  UNION ALL
  SELECT enterprise_number, 'phone ' || phone, ordered_at, NULL::bigint, order_id
  FROM ordered WHERE phone IS NOT NULL
  UNION ALL
  SELECT enterprise_number, 'customer ' || retailcrm_customer_id, ordered_at, NULL::bigint, order_id
  FROM ordered WHERE retailcrm_customer_id IS NOT NULL
),
turns AS (
  SELECT points.*, count(call_id) OVER (
    PARTITION BY enterprise_number, who
    ORDER BY moment, CASE WHEN order_id IS NULL THEN 0 ELSE 1 END, call_id, order_id ROWS UNBOUNDED PRECEDING
  ) AS turn
  FROM points
),
told AS (
  SELECT enterprise_number, order_id, turn,
         max(call_id) OVER (PARTITION BY enterprise_number, who, turn) AS call_id,
         max(CASE WHEN call_id IS NOT NULL THEN moment END) OVER (PARTITION BY enterprise_number, who, turn) AS called_at
  FROM turns
),
chosen AS (
  SELECT enterprise_number, order_id, call_id, called_at,
         row_number() OVER (PARTITION BY enterprise_number, order_id ORDER BY called_at DESC, call_id DESC) AS choice
  FROM told WHERE order_id IS NOT NULL AND turn > 0
)
SELECT o.enterprise_number, o.order_id, CAST(c.call_id AS BIGINT) AS call_id, o.ordered_at, o.total AS order_total,
       (floor(extract(epoch FROM o.ordered_at)) - floor(extract(epoch FROM c.called_at)))::bigint AS order_seconds,
       row_number() OVER (PARTITION BY c.call_id ORDER BY o.ordered_at, o.order_id) AS nth
FROM chosen c
JOIN retailcrm_orders o ON o.enterprise_number = c.enterprise_number AND o.order_id = c.order_id
WHERE c.choice = 1;

-- One row a call with the outside world: whether it was missed, when the client was spoken with next, which order came of it within 30 days.
CREATE VIEW call_facts AS
WITH answers AS (
  SELECT calls.*, CASE WHEN phone IS NOT NULL THEN min(CASE WHEN result = 'answered' THEN started_at END) OVER (
    PARTITION BY enterprise_number, phone ORDER BY started_at DESC, id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  ) END AS next_answer
  FROM calls WHERE direction IN ('in', 'out')
),
facts AS (
  SELECT answers.*, CASE WHEN direction = 'in' AND result <> 'answered' THEN 1 ELSE 0 END AS missed FROM answers
)
SELECT f.id, f.external_id, f.enterprise_number, f.direction, f.result, f.day, f.started_at, f.ended_at, f.phone, f.extension,
       f.manager, f.duration, f.wait, f.recording_url, f.line, f.retailcrm_customer_id, f.uploaded_at, f.missed,
       CASE WHEN f.missed = 1 THEN f.next_answer END AS called_back_at,
       CASE WHEN f.missed = 1 THEN (floor(extract(epoch FROM f.next_answer)) - floor(extract(epoch FROM f.started_at)))::bigint END AS callback_seconds,
       o.order_id, o.order_total, o.order_seconds
FROM facts f
LEFT JOIN (SELECT * FROM call_orders WHERE nth = 1 AND order_seconds <= 30 * 86400) o ON o.call_id = f.id;

-- The figures of each local day of the PBX; times in seconds, conversion in percent, waiting of answered incoming calls.
CREATE VIEW calls_by_day AS
WITH ranked AS (
  SELECT f.*,
         CASE WHEN direction = 'in' AND result = 'answered' THEN wait END AS waited,
         row_number() OVER (PARTITION BY enterprise_number, day, direction, result ORDER BY wait) AS place,
         count(*) OVER (PARTITION BY enterprise_number, day, direction, result) AS places
  FROM call_facts f
)
SELECT enterprise_number, day, count(*) AS calls,
       sum(CASE WHEN direction = 'in' THEN 1 ELSE 0 END) AS incoming,
       sum(CASE WHEN direction = 'out' THEN 1 ELSE 0 END) AS outgoing,
       sum(CASE WHEN result = 'answered' THEN 1 ELSE 0 END) AS answered,
       sum(missed) AS missed,
       sum(CASE WHEN missed = 1 AND phone IS NOT NULL AND called_back_at IS NULL THEN 1 ELSE 0 END) AS never_called_back,
       round(avg(waited), 1) AS average_wait,
       min(CASE WHEN place * 10 >= places * 9 THEN waited END) AS p90_wait,
       sum(CASE WHEN result = 'answered' THEN duration ELSE 0 END) AS talk_seconds,
       round(avg(CASE WHEN result = 'answered' THEN duration END), 1) AS average_talk,
       count(order_id) AS orders, coalesce(sum(order_total), 0) AS order_total,
       round(100.0 * count(order_id) / count(*), 1) AS conversion
FROM ranked
GROUP BY enterprise_number, day;

-- The same of each manager of the mapping or, where it names nobody, of each extension; NULL: nobody was rung.
CREATE VIEW calls_by_manager AS
WITH ranked AS (
  SELECT f.*, coalesce(manager, extension) AS person,
         CASE WHEN direction = 'in' AND result = 'answered' THEN wait END AS waited,
         row_number() OVER (PARTITION BY enterprise_number, coalesce(manager, extension), direction, result ORDER BY wait) AS place,
         count(*) OVER (PARTITION BY enterprise_number, coalesce(manager, extension), direction, result) AS places
  FROM call_facts f
)
SELECT enterprise_number, person AS manager, count(*) AS calls,
       sum(CASE WHEN direction = 'in' THEN 1 ELSE 0 END) AS incoming,
       sum(CASE WHEN direction = 'out' THEN 1 ELSE 0 END) AS outgoing,
       sum(CASE WHEN result = 'answered' THEN 1 ELSE 0 END) AS answered,
       sum(missed) AS missed,
       sum(CASE WHEN missed = 1 AND phone IS NOT NULL AND called_back_at IS NULL THEN 1 ELSE 0 END) AS never_called_back,
       round(avg(waited), 1) AS average_wait,
       min(CASE WHEN place * 10 >= places * 9 THEN waited END) AS p90_wait,
       sum(CASE WHEN result = 'answered' THEN duration ELSE 0 END) AS talk_seconds,
       round(avg(CASE WHEN result = 'answered' THEN duration END), 1) AS average_talk,
       count(order_id) AS orders, coalesce(sum(order_total), 0) AS order_total,
       round(100.0 * count(order_id) / count(*), 1) AS conversion
FROM ranked
GROUP BY enterprise_number, person;

INSERT INTO schema_migrations (version, name, applied_at) VALUES (8, 'call_figures', now());

COMMIT;
