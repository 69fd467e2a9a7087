// The program as cron starts it, and the stand-ins that it talks to, each a process of its own: what is measured is sdelka alone.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const start = promisify(execFile);

/** Written by the preload when the process ends; see `peakPreload`. */
const PEAK_FILE = 'SDELKA_BENCH_PEAK';

const KASPI_MAPPING = `kaspi:
  deal:
    fields: { 900101: "{code}", 900102: "{deliveryAddress.formattedAddress}" }
    external_id_field: 900101
  stages:
    - { when: { state: KASPI_DELIVERY, assembled: true }, status: 80953560 }
    - { when: { status: ACCEPTED_BY_MERCHANT }, status: 80953555 }
`;

/**
 * The peak of the resident set, told by the process itself at its very end: a sampler from outside would miss it. Linux
 * hands `maxRSS` on from the parent that forked, so the mark of the process's own memory counts where there is one.
 */
const peakPreload = `
process.on('exit', () => {
  const fs = require('node:fs');
  let kilobytes = process.resourceUsage().maxRSS;
  try {
    kilobytes = Number(/^VmHWM:\\s+(\\d+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]);
  } catch {}
  const { user, system } = process.cpuUsage();
  fs.writeFileSync(process.env.${PEAK_FILE}, kilobytes + ' ' + (user + system));
});
`;

/** Nothing of this process's environment goes along; above all no NODE_EXTRA_CA_CERTS, which costs a fifth of a second. */
const baseEnv = { PATH: process.env.PATH ?? '' };

/** A folder with settings, mapping and a migrated database of its own, and the program to be run there. */
export async function createShop(program, folder, env, mapping = KASPI_MAPPING) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, '.env'), env);
  writeFileSync(join(folder, 'mapping.yaml'), mapping);
  const preload = join(folder, 'peak.cjs');
  writeFileSync(preload, peakPreload);
  const shop = {
    folder,
    /** The arguments after `node`, for who measures time: no preload among them. */
    args: (...command) => ['--', program, '--env-file', join(folder, '.env'), ...command],
    /** Runs a command to its end; gives its result, the peak of its memory in megabytes, and its processor time in seconds. */
    run: (...command) => runCommand(shop, preload, command),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
  await shop.run('migrate');
  return shop;
}

async function runCommand(shop, preload, command) {
  const peak = join(shop.folder, 'peak');
  const { stdout } = await start(process.execPath, ['-r', preload, ...shop.args('--json', ...command)], {
    env: { ...baseEnv, [PEAK_FILE]: peak },
    maxBuffer: 64 * 1024 * 1024,
  });
  const [kilobytes, microseconds] = readFileSync(peak, 'utf8').split(' ').map(Number);
  return { ...JSON.parse(stdout), peakMb: kilobytes / 1024, cpuSeconds: microseconds / 1e6 };
}

/** How long `node` with these arguments takes, in milliseconds. */
export function timeNode(args) {
  const started = process.hrtime.bigint();
  const done = spawnSync(process.execPath, args, { env: baseEnv, stdio: 'ignore' });
  const ms = Number(process.hrtime.bigint() - started) / 1e6;
  if (done.status !== 0) throw new Error(`node ${args.join(' ')} ended with ${done.status}`);
  return ms;
}

/** The program's own `sandbox` in another process: an empty shop and an empty account; 1C and calls as the options have them. */
export async function startStandins(program, ...options) {
  const child = spawn(process.execPath, ['--', program, 'sandbox', '--orders', '0', ...options], {
    env: baseEnv,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const env = await firstOutput(child);
  return {
    env,
    kaspi: control(new URL(valueIn(env, 'KASPI_API_URL')).origin),
    amo: control(valueIn(env, 'AMO_BASE_URL')),
    onec: control(valueIn(env, 'ONEC_ODATA_URL').replace(/\/odata\/.*$/, '')),
    retail: control(valueIn(env, 'RETAILCRM_API_URL')),
    close: () => child.kill(),
  };
}

function firstOutput(child) {
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('exit', () => reject(new Error('the stand-ins ended before they were ready')));
    child.stdout.setEncoding('utf8').on('data', (part) => {
      text += part;
      if (/\n\n$/.test(text)) resolve(text);
    });
  });
}

function valueIn(env, name) {
  return new RegExp(`^${name}=(.+)$`, 'm').exec(env)?.[1] ?? '';
}

/** A stand-in's switches, content and journal, as they are open to other processes. */
function control(url) {
  const post = async (what, body) => {
    const answer = await fetch(`${url}/__sandbox/${what}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`the stand-in refused ${what}: ${await answer.text()}`);
  };
  const get = async (what) => (await fetch(`${url}/__sandbox/${what}`)).json();
  return {
    seed: (content) => post('seed', content),
    configure: (options) => post('configure', options),
    forget: () => post('reset', {}),
    state: () => get('state'),
    journal: () => get('journal'),
  };
}

/** Rows of a table, most requests first; `named` makes one route of addresses that differ in ids. */
export function byRoute(journal, named) {
  const counts = new Map();
  for (const { method, path } of journal) {
    const route = `${method} ${named(path)}`;
    counts.set(route, (counts.get(route) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a);
}

export function distinct(values) {
  return [...new Set(values)];
}
