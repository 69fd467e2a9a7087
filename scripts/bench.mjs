// Measures the built program against the stand-ins and holds it to the bounds, which stand in this file and nowhere else.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureCalls } from '../test/bench/calls.mjs';
import { measureModules } from '../test/bench/modules.mjs';
import { measureOnec } from '../test/bench/onec.mjs';
import { byRoute, createShop, distinct, startStandins, timeNode } from '../test/bench/program.mjs';

const ROUNDS = 15;
const PARTS = ['thousand', 'ten-thousand', 'onec', 'calls', 'idle', 'modules'];
const root = fileURLToPath(new URL('..', import.meta.url));
/** Another installation may be named (that of a packed tarball, of an older version), and parts alone: `-- idle modules`. */
const given = parseArgs({
  allowPositionals: true,
  options: { program: { type: 'string' }, large: { type: 'boolean' } },
});
const program = resolve(given.values.program ?? join(root, 'bin', 'sdelka.js'));
const parts = given.positionals.length === 0 ? PARTS : given.positionals;
if (given.values.large) {
  const { benchLarge } = await import('./bench-large.mjs');
  process.exit(await benchLarge({ root, program }));
}
const unknown = parts.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) throw new Error(`no part ${unknown.join(', ')}; the parts are ${PARTS.join(', ')}`);
const temporary = mkdtempSync(join(tmpdir(), 'sdelka-bench-'));

const figures = [];
const tables = [];
/** Of one order in the run of 1,000; before that run, as many as its bound allows. */
let requestsPerOrder = 110 / 1000;

/** `bound` undefined: shown only. */
function note(scenario, figure, value, bound, unit = '') {
  figures.push({ scenario, figure, value, bound, unit });
}

/** Orders with one and a half lines each; of the goods nine in ten stand in amoCRM, of the buyers three in ten. */
async function seedShop(standins, orders) {
  const { kaspi, amo } = standins;
  await kaspi.seed({ generate: { orders, lines: orders * 1.5, skus: orders / 5, buyers: orders, hours: 20, seed: 1 } });
  const state = await kaspi.state();
  const buyers = distinct(state.orders.map((order) => order.attributes.customer.cellPhone));
  const goods = distinct(state.orders.flatMap((order) => order.entries.map((entry) => entry.sku)));
  const lastYear = Math.floor(Date.now() / 1000) - 365 * 86_400;
  await amo.seed({
    contacts: buyers.slice(0, orders * 0.3).map((phone, at) => ({
      name: `Contact ${at + 1}`,
      phones: [`8${phone}`],
      created_at: lastYear,
    })),
    elements: goods.slice(0, goods.length * 0.9).map((sku) => ({ name: `Goods ${sku}`, sku })),
  });
}

async function withShop(name, orders, settings, work) {
  const standins = await startStandins(program);
  const shop = await createShop(program, join(temporary, name), `${standins.env}${settings}\n`);
  try {
    if (orders > 0) await seedShop(standins, orders);
    return await work(shop, standins);
  } finally {
    standins.close();
    shop.close();
  }
}

/** One pass of the main job, and what the remote systems saw of it. A pass that did not do its work is not worth measuring. */
async function pass(shop, { kaspi, amo }, created, job = 'kaspi:poll', updated = 0) {
  await Promise.all([kaspi.forget(), amo.forget()]);
  const done = await shop.run(job);
  if (done.outcome !== 'ok' || done.created !== created || done.updated !== updated) {
    const made = `${done.created} deals made and ${done.updated} changed`;
    throw new Error(`${job} ended ${done.outcome} with ${made} instead of ${created} and ${updated}`);
  }
  const [kaspiJournal, amoJournal] = [await kaspi.journal(), await amo.journal()];
  return {
    peakMb: done.peakMb,
    kaspi: kaspiJournal.length,
    amo: amoJournal.length,
    writes: amoJournal.filter(({ method }) => method !== 'GET').length,
    refused: [...kaspiJournal, ...amoJournal].filter(({ status }) => status === 429 || status === 403).length,
    // `GET /api/v4/leads/7/notes?…` as `GET /leads/{id}/notes`.
    routes: byRoute(amoJournal, (path) => path.replace('/api/v4', '').replace(/\/\d+/g, '/{id}')),
  };
}

/** Each order once, with its buyer, its goods and its note. */
async function checkAccount({ kaspi, amo }, orders) {
  const [sold, made] = [(await kaspi.state()).orders, await amo.state()];
  const lines = sold.reduce((sum, order) => sum + distinct(order.entries.map(({ sku }) => sku)).length, 0);
  const wanted = { deals: orders, contacts: orders, links: lines, notes: orders };
  for (const [what, count] of Object.entries(wanted)) {
    if (made[what].length !== count) throw new Error(`amoCRM holds ${made[what].length} ${what} instead of ${count}`);
  }
}

async function measureThousand() {
  await withShop('thousand', 1000, '', async (shop, standins) => {
    const first = await pass(shop, standins, 1000);
    await checkAccount(standins, 1000);
    requestsPerOrder = first.amo / 1000;
    const name = '1,000 new orders, database adopting';
    note(name, 'amoCRM requests', first.amo, 110);
    note(name, 'Kaspi requests', first.kaspi, 12);
    note(name, 'answers of 429 or 403', first.refused, 0);
    note(name, 'peak memory', first.peakMb, 120, 'MB');
    tables.push(['amoCRM requests of 1,000 new orders', ['route', 'requests'], first.routes]);
    noteIdle('idle, 1,000 orders in the window', await pass(shop, standins, 0), 10);
    await measureReconcile(shop, standins);
    await measureOne(shop, standins);
  });
}

/** Over 1,000 known orders: none of them changed, then 200. */
async function measureReconcile(shop, standins) {
  const calm = await pass(shop, standins, 0, 'kaspi:reconcile');
  const name = 'reconcile over 1,000 known orders';
  note(`${name}, nothing changed`, 'Kaspi requests', calm.kaspi, 12);
  note(`${name}, nothing changed`, 'amoCRM requests', calm.amo, 8);
  note(`${name}, nothing changed`, 'writes', calm.writes, 0);
  const { orders } = await standins.kaspi.state();
  for (const { attributes } of orders.slice(0, 200)) {
    await standins.kaspi.seed({ edit: { code: attributes.code, set: { totalPrice: attributes.totalPrice + 100 } } });
  }
  const busy = await pass(shop, standins, 0, 'kaspi:reconcile', 200);
  note(`${name}, 200 changed`, 'amoCRM requests', busy.amo, calm.amo + 20);
  tables.push(['amoCRM requests of 200 changed orders', ['route', 'requests'], busy.routes]);
}

/** Like most passes that find anything at all. */
async function measureOne(shop, standins) {
  await standins.kaspi.seed({ orders: [{ entries: [{ sku: 'KETTLE-2-W', name: 'Kettle' }] }] });
  const one = await pass(shop, standins, 1);
  const name = 'one new order, new buyer, known goods';
  note(name, 'amoCRM requests', one.amo);
  note(name, 'peak memory', one.peakMb, undefined, 'MB');
  tables.push(['amoCRM requests of one new order', ['route', 'requests'], one.routes]);
}

async function measureTenThousand() {
  await withShop('ten-thousand', 10_000, 'AMO_RPS=1000', async (shop, standins) => {
    await standins.amo.configure({ rps: 0 });
    const first = await pass(shop, standins, 10_000);
    await checkAccount(standins, 10_000);
    const name = '10,000 new orders';
    note(name, 'amoCRM requests per order', first.amo / 10_000, requestsPerOrder);
    note(name, 'Kaspi requests per order', first.kaspi / 10_000, 12 / 1000);
    note(name, 'peak memory', first.peakMb, 160, 'MB');
    tables.push(['amoCRM requests of 10,000 new orders', ['route', 'requests'], first.routes]);
  });
}

async function measureIdle() {
  await withShop('idle', 0, '', async (shop, standins) => {
    noteTime('--help', shop.args('--help'), 1.8);
    noteTime('status, empty database', shop.args('status'), 4);
    noteIdle('idle, empty window', await pass(shop, standins, 0), 1);
    noteTime('kaspi:poll, empty window', shop.args('kaspi:poll'), 6.5);
  });
}

function noteIdle(name, idle, kaspiRequests) {
  note(name, 'amoCRM requests', idle.amo, 0);
  note(name, 'Kaspi requests', idle.kaspi, kaspiRequests);
  note(name, 'peak memory', idle.peakMb, 80, 'MB');
}

/** Each run of ours stands between runs of bare Node, so that a busy moment of the machine weighs on both. */
function noteTime(name, args, bound) {
  const [bare, ours] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(timeNode(['-e', '0']));
    ours.push(timeNode(args));
  }
  const [floor, own] = [median(bare), median(ours)];
  note(name, `wall time, ${own.toFixed(0)} ms, over bare Node, ${floor.toFixed(0)} ms`, own / floor, bound, '×');
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

function print(title, head, rows) {
  const table = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
  process.stdout.write(`\n${title}\n${lines.join('\n')}\n`);
}

function shown(value, unit) {
  const text = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
  return `${text}${unit === 'MB' ? ' MB' : unit}`;
}

function verdict({ value, bound }) {
  if (bound === undefined) return '';
  return value <= bound ? 'ok' : 'OVER';
}

async function measureParts() {
  if (parts.includes('thousand')) await measureThousand();
  if (parts.includes('ten-thousand')) await measureTenThousand();
  if (parts.includes('onec')) {
    const table = (...one) => tables.push(one);
    await measureOnec({ program, folder: join(temporary, 'onec'), note, table });
  }
  if (parts.includes('calls')) {
    const table = (...one) => tables.push(one);
    await measureCalls({ root, program, folder: join(temporary, 'calls'), note, noteTime, table });
  }
  if (parts.includes('idle')) await measureIdle();
  if (!parts.includes('modules')) return;
  const rows = await measureModules({ root, program, rounds: ROUNDS, timeNode, median });
  tables.push([
    'Where the time of a start goes: each module loaded alone, medians over bare Node',
    ['module', 'ms'],
    rows,
  ]);
}

function printAll() {
  for (const table of tables) print(...table);
  const rows = figures.map((one) => [
    one.scenario,
    one.figure,
    shown(one.value, one.unit),
    one.bound === undefined ? '' : shown(one.bound, one.unit),
    verdict(one),
  ]);
  print('Figures and bounds', ['scenario', 'figure', 'value', 'at most', ''], rows);
}

try {
  await measureParts();
  printAll();
  process.exitCode = figures.some((one) => verdict(one) === 'OVER') ? 1 : 0;
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
