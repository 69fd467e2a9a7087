// The calls stream: a day of a call centre, 100,000 rows of which 40,000 calls are uploaded; a little more; then nothing new.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { byRoute, createShop, distinct, startStandins } from './program.mjs';

const CALLS = 42_000;
const PHONES = 1500;
const CUSTOMERS = 5000;
const KNOWN = 500;
const MORE = { calls: 400, phones: 300 };
/** Of 2,000 rows. */
const IDLE_CALLS = 840;
/** Each missed call that nobody returns is a task, and a task a request: as few as in a firm that answers. */
const MISSED = ['noAnswer', 'ringGroupMissed', 'queueMissed', 'menuOnly', 'voicemail', 'busy', 'failed'];
const FEW_MISSED = {
  direct: 22,
  ringGroup: 14,
  queue: 34,
  menuQueue: 6,
  blindTransfer: 3,
  attendedTransfer: 3,
  out: 17,
};
/** What is asked of RetailCRM a second, below `/telephony` and elsewhere. */
const [TELEPHONY_RPS, API_RPS] = [36, 9];
const HOUR_MS = 3_600_000;
const TELEPHONY = '/api/v5/telephony/';
const UPLOAD = `${TELEPHONY}calls/upload`;

/** Notes figures and shows tables as the bench does; `noteTime` compares a start with that of bare Node. */
export async function measureCalls({ root, program, folder, note, noteTime, table }) {
  const cdr = await loadGenerator(root);
  const standins = await startStandins(program, '--documents', '0', '--calls', '0');
  try {
    await measureFirst({ program, folder: join(folder, 'day'), cdr, standins, note, table });
    await measureIdle({ program, folder: join(folder, 'idle'), cdr, standins, note, noteTime });
  } finally {
    standins.close();
    cdr.close();
  }
}

/** The sandbox's own generator, which no build has as a file of its own. */
async function loadGenerator(root) {
  const outfile = join(root, 'node_modules', '.cache', `sdelka-bench-cdr-${process.pid}.mjs`);
  await build({
    stdin: {
      contents: "export { generateCdr, writeCdrSqlite } from './src/sandbox/cdr.ts';",
      resolveDir: root,
      loader: 'ts',
    },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['better-sqlite3'],
  });
  const { generateCdr, writeCdrSqlite } = await import(pathToFileURL(outfile).href);
  return {
    /** Adds the calls of some hours to a file; gives what must come of them. */
    write: (file, { from, to, ...options }) => {
      const hours = { from: Date.now() - from * HOUR_MS, to: Date.now() - to * HOUR_MS };
      const { records, truth } = generateCdr({ ...options, ...hours });
      writeCdrSqlite(file, records);
      const uploaded = truth.filter(({ phone }) => phone !== undefined).length;
      const phones = distinct(truth.flatMap(({ phone, whole }) => (whole && phone !== undefined ? [phone] : [])));
      return { rows: records.length, uploaded, phones };
    },
    close: () => rmSync(outfile, { force: true }),
  };
}

async function openShop(program, folder, { env }) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'cdr.db');
  const settings = env.replace(/^CDR_URL=.*$/m, `CDR_URL=sqlite:${file}`);
  return { file, shop: await createShop(program, folder, settings) };
}

async function measureFirst({ program, folder, cdr, standins, note, table }) {
  const { file, shop } = await openShop(program, folder, standins);
  try {
    const kinds = {
      ...FEW_MISSED,
      ...Object.fromEntries(MISSED.map((kind) => [kind, 0.1])),
      anonymous: 1,
      internal: 4,
    };
    const day = cdr.write(file, { calls: CALLS, phones: PHONES, from: 23, to: 1, seed: 1, kinds });
    await seedCustomers(standins, day.phones.slice(0, KNOWN));
    const first = await pass(shop, standins, day.uploaded);
    const made = day.phones.length - KNOWN;
    await checkAccount(standins, day.uploaded, CUSTOMERS + made);
    const name = `${day.rows} rows, ${day.uploaded} calls, ${made} new phones`;
    noteRequests(name, first, { calls: day.uploaded, phones: made, note });
    note(name, 'lists of customers', first.count('GET', '/api/v5/customers'), CUSTOMERS / 100 + 2);
    note(name, 'requests of tasks', first.tasks);
    note(name, 'peak memory', first.peakMb, 200, 'MB');
    note(
      name,
      `wall time, ${first.seconds.toFixed(0)} s, over the ${first.least.toFixed(0)} s that its requests take at their limits`,
      first.seconds / first.least,
      undefined,
      '×',
    );
    note(name, 'processor time', first.cpuSeconds, undefined, ' s');
    table(`RetailCRM requests of ${name}`, ['route', 'requests'], first.routes);

    const more = cdr.write(file, { ...MORE, from: 0.9, to: 0.2, seed: 2 });
    const fresh = more.phones.filter((phone) => !day.phones.includes(phone)).length;
    const next = await pass(shop, standins, more.uploaded);
    await checkAccount(standins, day.uploaded + more.uploaded, CUSTOMERS + made + fresh);
    const later = `${more.uploaded} more calls, ${fresh} new phones`;
    noteRequests(later, next, { calls: more.uploaded, phones: fresh, note });
    note(later, 'lists of customers', next.count('GET', '/api/v5/customers'), 0);
    note(later, 'peak memory', next.peakMb, undefined, 'MB');
    table(`RetailCRM requests of ${later}`, ['route', 'requests'], next.routes);
  } finally {
    shop.close();
  }
}

/** A whole upload has 50, so that the last one of each kind may be smaller. */
function noteRequests(name, seen, { calls, phones, note }) {
  const creates = seen.count('POST', '/api/v5/customers/upload') + seen.count('POST', '/api/v5/customers/create');
  note(name, 'uploads per call', seen.count('POST', UPLOAD) / calls, 0.03);
  // A task goes to the manager of the phone, who is asked for the same way.
  const lookUps = seen.count('GET', `${TELEPHONY}manager`) - seen.count('POST', '/api/v5/tasks/create');
  note(name, 'look-ups per new phone, those of tasks aside', Math.max(lookUps, 0) / phones, 1);
  note(name, 'creates of customers', creates, Math.ceil(phones / 50));
  note(name, 'answers of 429 or 503', seen.refused, 0);
}

async function measureIdle({ program, folder, cdr, standins, note, noteTime }) {
  const { file, shop } = await openShop(program, folder, standins);
  try {
    cdr.write(file, { calls: 0, from: 23, to: 1, seed: 3 });
    noteTime('retail:sync-calls, no rows', shop.args('retail:sync-calls'), 9);
    const day = cdr.write(file, { calls: IDLE_CALLS, phones: 200, from: 23, to: 1, seed: 3 });
    await pass(shop, standins, day.uploaded);
    const idle = await pass(shop, standins, 0);
    const name = `idle, ${day.rows} rows in the window`;
    note(name, 'requests', idle.requests, 4);
    note(name, 'writes', idle.writes, 0);
    note(name, 'peak memory', idle.peakMb, 120, 'MB');
    noteTime(`retail:sync-calls, ${day.rows} rows, nothing new`, shop.args('retail:sync-calls'));
  } finally {
    shop.close();
  }
}

/** Some of the callers among many who never called; numbers stand there as people type them. */
async function seedCustomers({ retail }, phones) {
  const typed = phones.map((phone) => phone.replace(/^\+(\d+)(\d{3})(\d{3})(\d{2})(\d{2})$/, '+$1 ($2) $3-$4-$5'));
  const others = Array.from({ length: CUSTOMERS - phones.length }, (_, nth) => `+7900${1_000_000 + nth}`);
  const customers = [...typed, ...others].map((number, nth) => ({
    firstName: `Customer ${nth}`,
    phones: [{ number }],
  }));
  for (let at = 0; at < customers.length; at += 1000) await retail.seed({ customers: customers.slice(at, at + 1000) });
}

/** One pass, and what RetailCRM saw of it. One that did not upload what it had to is not worth measuring. */
async function pass(shop, { retail }, uploaded) {
  const before = (await retail.state()).calls.length;
  await retail.forget();
  const started = Date.now();
  const done = await shop.run('retail:sync-calls');
  const seconds = (Date.now() - started) / 1000;
  const [journal, { calls }] = [await retail.journal(), await retail.state()];
  if (done.outcome !== 'ok' || calls.length - before !== uploaded) {
    throw new Error(
      `retail:sync-calls ended ${done.outcome} with ${calls.length - before} calls instead of ${uploaded}`,
    );
  }
  const telephony = journal.filter(({ path }) => path.startsWith(TELEPHONY)).length;
  return {
    ...done,
    seconds,
    requests: journal.length,
    writes: journal.filter(({ method }) => method !== 'GET').length,
    refused: journal.filter(({ status }) => status === 429 || status === 503).length,
    least: telephony / TELEPHONY_RPS + (journal.length - telephony) / API_RPS,
    count: (method, path) => journal.filter((one) => one.method === method && one.path === path).length,
    tasks: journal.filter(({ path }) => path.startsWith('/api/v5/tasks')).length,
    routes: byRoute(journal, (path) => path.replace('/api/v5', '').replace(/\/\d+/g, '/{id}')),
  };
}

/** Each call once, with the customer of its phone, and nobody twice. */
async function checkAccount({ retail }, calls, customers) {
  const state = await retail.state();
  const ids = distinct(state.calls.map(({ externalId }) => externalId)).length;
  const people = state.customers.length;
  if (ids !== calls || people !== customers) {
    throw new Error(`RetailCRM holds ${ids} calls of ${calls} and ${people} customers of ${customers}`);
  }
}
