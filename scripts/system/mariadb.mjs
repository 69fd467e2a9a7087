// A MariaDB of its own for the checks: in a temporary folder, on a free port of loopback, gone afterwards.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programOf } from './debian.mjs';
import { freePort, launch, owner, stopped, untilAnswered } from './server.mjs';
import { Skip } from './skip.mjs';

const run = promisify(execFile);

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
    if (child !== undefined) await stopped(child);
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
    child = launch(server, options, folder);
    await untilAnswered(port, child, log);
    return { url: `mysql://tester:${password}@127.0.0.1:${port}/`, stop };
  } catch (error) {
    await stop();
    throw new Skip(`MariaDB does not start here: ${String(error.stderr || error.message).trim()}`);
  }
}
