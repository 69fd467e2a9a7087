// Proves that the crash suite can fail: each safeguard of "exactly once" is taken out of a copy of the sources in turn, and the
// tests that claim to watch it must fail over that copy. Prints a table; exits 1 if a mutant survives or the sound copy fails,
// 2 where a mutation no longer finds its text. Takes some minutes, so that it is no part of `npm test`.
//
//   node scripts/mutants.mjs            every mutant
//   node scripts/mutants.mjs 3 5        these alone
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const COPIED = ['src', 'test', 'migrations', 'scripts', 'bin', 'package.json', 'tsconfig.json', 'vitest.config.ts'];

const LOOP = 'test/crash/crash-loop.test.ts';
const TWO = 'test/crash/two-at-once.test.ts';
const RECONCILE = 'test/crash/reconcile-loop.test.ts';
const CALLS_FAULTS = 'test/crash/calls-faults.test.ts';
const RECONCILE_FAULTS = 'test/crash/reconcile-faults.test.ts';
/** On SQLite alone: what is taken out here is the same code on both databases. */
const SQLITE = '^(?!.*postgres)';
/** Closer than `npm test` goes, for what is taken out may show at a few steps alone. */
const STRIDE = '2';

const MUTANTS = [
  {
    name: 'no `sending` mark: a dead run leaves claimed rows, which count as never sent',
    file: 'src/state/outbox.ts',
    find: ".set({ state: 'sending', sent_at: now.toISOString() })",
    put: '.set({ sent_at: now.toISOString() })',
    tests: [LOOP],
  },
  {
    name: 'no look-up: a doubt is sent again at once',
    file: 'src/runner/deliver.ts',
    find: 'const looks = await handler.look(deliveries);\n    const next',
    put: "const looks: ById<Look> = new Map(deliveries.map(({ row }) => [row.id, { state: 'absent' as const }]));\n    const next",
    tests: [LOOP],
  },
  {
    name: 'no reservation: whoever comes second makes the buyer again',
    file: 'src/state/outbox.ts',
    find: 'held.get(row.reservation) === row.id',
    put: 'held.has(row.reservation)',
    tests: [TWO],
  },
  {
    name: 'a claim does not notice what another job made since the look',
    file: 'src/state/outbox.ts',
    find: 'bound.get(row.reservation) !== row.bound',
    put: 'bound.get(row.reservation) !== bound.get(row.reservation)',
    tests: [TWO],
  },
  {
    name: 'no quiet time: a doubt is looked up before lists can show what was made',
    file: 'src/cli/wire.ts',
    find: 'quietMs: (settings.DOUBT_QUIET_SECONDS ?? QUIET_SECONDS) * 1000,',
    put: 'quietMs: 0,',
    tests: [LOOP],
    only: `${SQLITE}.*lists that lag`,
  },
  {
    name: 'one look instead of two',
    file: 'src/state/outbox.ts',
    find: 'row.looks + 1 >= 2',
    put: 'row.looks + 1 >= 1',
    tests: [LOOP],
    only: `${SQLITE}.*lists that lag`,
  },
  {
    name: 'cursor before effects, in a transaction of its own',
    file: 'src/runner/sink.ts',
    find: '      await database.transaction(async (tx) => {\n        const faulty',
    put: '      if (cursor) await database.transaction((tx) => advanceCursor(tx, job, cursor.toISOString(), now));\n      await database.transaction(async (tx) => {\n        const faulty',
    tests: [LOOP],
  },
  {
    name: "a change of goods that broke off in the middle is taken for a person's",
    file: 'src/systems/amocrm/effects/deal-goods.ts',
    find: 'if (begun) before.push(0);',
    put: '',
    tests: [RECONCILE_FAULTS],
  },
  {
    name: 'a newer change of goods forgets that an older one broke off',
    file: 'src/jobs/kaspi-plan.ts',
    find: 'if (link.interrupted) ours.push({});',
    put: '',
    tests: [RECONCILE_FAULTS],
  },
  {
    name: 'a change of goods does not wait for links that another job is making',
    file: 'src/runner/sink.ts',
    find: 'needs: [...effect.needs, ...underWay]',
    put: 'needs: effect.needs',
    tests: [RECONCILE_FAULTS],
  },
  {
    name: 'an update does not wait for an older one whose outcome is not known',
    file: 'src/systems/amocrm/effects/payloads.ts',
    find: 'needs: previous === undefined ? [dealKey] : [dealKey, previous],',
    put: 'needs: [dealKey],',
    tests: [RECONCILE],
  },
  {
    name: "what an update in doubt may have written is taken for a person's",
    file: 'src/jobs/kaspi-plan.ts',
    find: 'link.underWay === undefined ? [applied] : [applied, (link.underWay.payload as DealUpdatePayload).to]',
    put: '[applied]',
    tests: [RECONCILE],
  },
  {
    name: 'a task whose answer was lost is not known again by its marker',
    file: 'src/systems/retailcrm/effects/task-find.ts',
    find: "wanted.find((one) => isIn(task.commentary ?? '', one.marker))?.marker",
    put: 'undefined as string | undefined',
    tests: [CALLS_FAULTS],
  },
  {
    name: 'whom RetailCRM names as the owner of a phone is not taken for him',
    file: 'src/systems/retailcrm/effects/customer-find.ts',
    find: 'if (phonesOf(customer).includes(phone)) own(owners, phone, customer);',
    put: '',
    tests: [CALLS_FAULTS],
  },
];

async function copyOfSources() {
  const dir = await mkdtemp(join(tmpdir(), 'sdelka-mutants-'));
  for (const name of COPIED) await cp(join(root, name), join(dir, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules'));
  return dir;
}

async function mutate(dir, { file, find, put }) {
  const path = join(dir, file);
  const sound = await readFile(path, 'utf8');
  if (sound.split(find).length !== 2) return undefined;
  await writeFile(
    path,
    sound.replace(find, () => put),
  );
  return () => writeFile(path, sound);
}

/** Whether the tests pass, and the first thing that they complain of. */
function runTests(dir, tests, only = SQLITE) {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', ...tests, '--testNamePattern', only, '--reporter', 'json', '--bail', '1'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: dir,
    env: { ...process.env, SDELKA_CRASH_STRIDE: STRIDE },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const report = reportIn(stdout);
  if (!report) throw new Error(`vitest gave no report: ${stderr}`);
  const failed = report.testResults.flatMap((file) => file.assertionResults).find((one) => one.status === 'failed');
  // A file that cannot even be loaded fails too, and proves nothing.
  if (status !== 0 && !failed) throw new Error(`vitest failed without a failing test: ${stdout.slice(0, 2000)}`);
  return { passed: status === 0, ran: report.numPassedTests + report.numFailedTests, failed: failed?.title };
}

function reportIn(stdout) {
  const start = stdout.indexOf('{"num');
  return start < 0 ? undefined : JSON.parse(stdout.slice(start));
}

const asked = process.argv.slice(2).map(Number);
const chosen = MUTANTS.filter((_, index) => asked.length === 0 || asked.includes(index + 1));
const rows = [];
const dir = await copyOfSources();
let exit = 0;
try {
  const sound = runTests(dir, [...new Set(chosen.flatMap(({ tests }) => tests))]);
  rows.push({
    mutant: 'none (the sources as they are)',
    result: sound.passed ? 'passes' : 'FAILS',
    'failed test': sound.failed ?? '',
  });
  if (!sound.passed || sound.ran === 0) exit = 1;
  for (const mutant of sound.passed ? chosen : []) {
    const restore = await mutate(dir, mutant);
    if (!restore) {
      rows.push({ mutant: mutant.name, result: 'TEXT NOT FOUND', 'failed test': mutant.file });
      exit = 2;
      continue;
    }
    const { passed, failed } = runTests(dir, mutant.tests, mutant.only);
    await restore();
    rows.push({ mutant: mutant.name, result: passed ? 'SURVIVED' : 'killed', 'failed test': failed ?? '' });
    if (passed && exit === 0) exit = 1;
  }
} finally {
  await rm(dir, { recursive: true, force: true });
}
console.table(rows);
process.exitCode = exit;
