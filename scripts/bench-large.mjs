// `npm run bench -- --large`: what an operator asks for on a database of a million orders, and how SQLite finds it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import * as esbuild from 'esbuild';
import { createShop, timeNode } from '../test/bench/program.mjs';

const ORDERS = 1_000_000;
/** Each order's contact, deal and note; the newest fifty still wait, and a thousand fail. */
const KINDS = ['contact', 'deal', 'note'];
const WAITING = 50;
const FAILING = 1000;
/** A year of passes, one a minute. */
const RUNS = 525_600;
const ALERTS = 20_000;
const ROUNDS = 7;
/** Above the same command on an empty database. */
const BOUND_MS = 300;
const FIRST_CODE = 1_000_000_000;
const CODE = String(FIRST_CODE + 700_000);

/** Prints the figures and the query plans; gives the exit code. */
export async function benchLarge({ root, program }) {
  const folder = mkdtempSync(join(tmpdir(), 'sdelka-large-'));
  try {
    const empty = await createShop(program, join(folder, 'empty'), 'DATABASE_URL=sqlite:integrator.db\n');
    const large = await createShop(program, join(folder, 'large'), 'DATABASE_URL=sqlite:integrator.db\n');
    const file = join(large.folder, 'integrator.db');
    const started = Date.now();
    fill(file);
    say(
      `${ORDERS} orders, ${KINDS.length * ORDERS} effects, ${RUNS} runs: ${Math.round(statSync(file).size / 1024 ** 2)} MiB, made in ${Math.round((Date.now() - started) / 1000)} s`,
    );
    const over = measure(empty, large);
    say(await plans(root, file));
    return over ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function say(text) {
  process.stdout.write(`${text}\n`);
}

const COMMANDS = [
  ['status'],
  ['failed'],
  ['explain', 'kaspi-order', CODE],
  ['explain', 'lead', '700000'],
  ['explain', 'contact', '700000'],
  ['stats'],
];

function measure(empty, large) {
  let over = false;
  for (const command of COMMANDS) {
    const [base, own] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      // Nothing is known of the order there, which is exit 1; hence the start-up of `status` for all.
      base.push(timeNode(empty.args('status')));
      own.push(timeNode(large.args(...command)));
    }
    const above = median(own) - median(base);
    over ||= above > BOUND_MS;
    say(
      `${command.join(' ').padEnd(34)} ${median(own).toFixed(0).padStart(5)} ms, ${above.toFixed(0).padStart(4)} above start-up, bound ${BOUND_MS}: ${above > BOUND_MS ? 'OVER' : 'ok'}`,
    );
  }
  return over;
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** One statement a table; the journal is off, for nobody needs this database after a power cut. */
function fill(file) {
  const db = new Sqlite(file);
  db.pragma('journal_mode = OFF');
  db.pragma('synchronous = OFF');
  db.pragma('cache_size = -400000');
  const numbers = (count) => `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})`;
  const at = (i) => `strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + ${i} * 60, 'unixepoch')`;
  const code = `(${FIRST_CODE} + i)`;
  db.exec(`${numbers(ORDERS)} INSERT INTO kaspi_orders (order_code, kaspi_id, state, status, total_price, ordered_at, final, created_at, updated_at)
    SELECT ${code}, 'k' || i, 'ARCHIVE', 'COMPLETED', 1000 + i % 900, ${at('i')}, i < ${ORDERS - 2000}, ${at('i')}, ${at('i')} FROM n`);
  for (const kind of KINDS) {
    const key = `'amocrm:${kind}:kaspi:' || ${code}`;
    const waits = kind === 'note' ? `i > ${ORDERS - WAITING}` : '0';
    const fails = kind === 'note' ? `i <= ${FAILING}` : '0';
    db.exec(`${numbers(ORDERS)} INSERT INTO outbox (key, job, kind, record_kind, record_key, state, run_id, attempts, sent_at, due_at, remote_id, created_at, done_at, last_error)
      SELECT ${key}, 'kaspi:poll', 'amocrm.${kind}', 'kaspi-order', ${code}, CASE WHEN ${waits} THEN 'pending' WHEN ${fails} THEN 'failed' ELSE 'done' END,
        1 + i % ${RUNS}, ${fails}, ${at('i')}, CASE WHEN ${fails} THEN ${at('i')} END, i, ${at('i')}, CASE WHEN ${waits} OR ${fails} THEN NULL ELSE ${at('i')} END,
        CASE WHEN ${fails} THEN 'the text is too long' END FROM n`);
    if (kind !== 'note') {
      db.exec(`${numbers(ORDERS)} INSERT INTO links (key, kind, remote_id, created_at, updated_at)
        SELECT ${key}, 'amocrm.${kind}', i, ${at('i')}, ${at('i')} FROM n`);
    }
  }
  db.exec(`${numbers(FAILING)} INSERT INTO failed_records (kind, key, job, attempts, next_attempt_at, last_error, first_seen_at)
    SELECT 'kaspi-order', ${code}, 'kaspi:poll', 3, ${at('i')}, 'the text is too long', ${at('i')} FROM n`);
  db.exec(`${numbers(RUNS)} INSERT INTO runs (job, started_at, finished_at, outcome, exit_code)
    SELECT CASE WHEN i % 10 = 0 THEN 'kaspi:reconcile' ELSE 'kaspi:poll' END, ${at('i')}, ${at('i')}, 'ok', 0 FROM n`);
  db.exec(`${numbers(ALERTS)} INSERT INTO alerts (kind, subject, opened_at, closed_at, message)
    SELECT 'conflict', 'kaspi-order:' || ${code} || ':price', ${at('i')}, ${at('i + 9')}, 'changed by someone else' FROM n`);
  db.exec(
    `${numbers(365)} INSERT INTO daily_stats (date, job, fetched) SELECT date('now', '-' || i || ' days'), 'kaspi:poll', 9 FROM n`,
  );
  db.close();
}

/** The program's own queries, each with SQLite's plan for it. */
async function plans(root, file) {
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const outfile = join(cache, `sdelka-plans-${process.pid}.mjs`);
  const entry = `
    import { explain } from './src/insight/explain.ts';
    import { failedRecords } from './src/insight/failed.ts';
    import { statusReport } from './src/insight/status.ts';
    import { openDatabase } from './src/state/database.ts';
    import { fullScans, plansOf } from './test/support/plans.ts';
    const database = await openDatabase({ url: ${JSON.stringify(`sqlite:${file}`)}, baseDir: '/', readOnly: true });
    const now = new Date();
    const plans = await plansOf(database, async (watched) => {
      await statusReport(watched, now, []);
      await failedRecords(watched, { ignored: false });
      await explain(watched, 'kaspi-order', '${CODE}', now);
      await explain(watched, 'lead', '700000', now);
    });
    await database.close();
    for (const { sql, lines } of plans) console.log(['', sql.replace(/\\s+/g, ' ').slice(0, 150), ...lines.map((line) => '    ' + line)].join('\\n'));
    console.log('\\ngrowing tables read through: ' + (fullScans(plans).join('; ') || 'none'));`;
  try {
    await esbuild.build({
      stdin: { contents: entry, resolveDir: root, loader: 'ts' },
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      external: ['better-sqlite3', 'pg', 'pg-native'],
      banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
    });
    return execFileSync(process.execPath, [outfile], { encoding: 'utf8' });
  } finally {
    rmSync(outfile, { force: true });
  }
}
