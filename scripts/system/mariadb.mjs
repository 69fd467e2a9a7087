// A MariaDB of its own for the checks: in a temporary folder, on a free port of loopback, gone afterwards.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { programOf } from './debian.mjs';
import { Skip } from './skip.mjs';

const run = promisify(execFile);
const START_MS = 60_000;
/** Debian's `nobody` and `nogroup`: MariaDB refuses to run as root. */
const NOBODY = 65_534;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

async function answers(port) {
  const socket = connect(port, '127.0.0.1');
  try {
    // It greets whoever comes; what does not within that time is not ready.
    await once(socket, 'data', { signal: AbortSignal.timeout(2000) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * Starts a server and gives the address of a user who may do everything on it. Its own zone is none that a test uses, so that a
 * reader who trusts it is found out. Throws `Skip` where there is none, or where it does not start.
 */
export async function startMariadb() {
  const [server, installer] = [
    // This package has the programs without the service that `mariadb-server` would start.
    await programOf('mariadbd', 'mariadb-server-core'),
    await programOf('mariadb-install-db', 'mariadb-server-core'),
  ];
  const folder = mkdtempSync(join(tmpdir(), 'sdelka-mariadb-'));
  const owner = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const data = join(folder, 'data');
  const log = join(folder, 'log');
  const password = randomBytes(16).toString('hex');
  const init = join(folder, 'init.sql');
  const who = "'tester'@'127.0.0.1'";
  writeFileSync(
    init,
    `CREATE USER ${who} IDENTIFIED BY '${password}';\nGRANT ALL ON *.* TO ${who} WITH GRANT OPTION;\n`,
  );
  if (owner.uid !== undefined) for (const path of [folder, init]) chownSync(path, owner.uid, owner.gid);

  let child;
  const stop = async () => {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await Promise.race([ended, delay(20_000, undefined, { ref: false })]);
      child.kill('SIGKILL');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await run(installer, ['--no-defaults', `--datadir=${data}`, '--skip-test-db'], { ...owner, cwd: folder });
    const port = await freePort();
    const options = [
      ...[
        '--no-defaults',
        `--datadir=${data}`,
        `--init-file=${init}`,
        `--log-error=${log}`,
        `--pid-file=${folder}/pid`,
      ],
      ...[`--socket=${folder}/socket`, '--bind-address=127.0.0.1', `--port=${port}`, '--skip-name-resolve'],
      ...['--character-set-server=utf8mb4', '--default-time-zone=+05:00'],
      ...['--innodb-buffer-pool-size=32M', '--innodb-flush-log-at-trx-commit=0'],
    ];
    child = spawn(server, options, { ...owner, cwd: folder, stdio: 'ignore' });
    for (const begun = Date.now(); !(await answers(port)); await delay(200)) {
      if (child.exitCode !== null) throw new Error(`it ended: ${readFileSync(log, 'utf8').trim().split('\n').at(-1)}`);
      if (Date.now() - begun > START_MS) throw new Error(`it did not answer within ${START_MS / 1000} s`);
    }
    return { url: `mysql://tester:${password}@127.0.0.1:${port}/`, stop };
  } catch (error) {
    await stop();
    throw new Skip(`MariaDB does not start here: ${String(error.stderr || error.message).trim()}`);
  }
}
