// What the servers of the checks have in common.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const START_MS = 60_000;
const STOP_MS = 20_000;
/** Debian's `nobody` and `nogroup`. */
const NOBODY = 65_534;

/** Whom servers run as: MariaDB refuses root, and others had better not have it. */
export const owner = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

/** Starts a server that does not outlive this process. */
export function launch(program, args, folder) {
  const child = spawn(program, args, { ...owner, cwd: folder, stdio: 'ignore' });
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

export async function freePort() {
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

/** Waits for a server that speaks first. Throws, with the last line of its log, where it ends or takes too long. */
export async function untilAnswered(port, child, log) {
  for (const begun = Date.now(); !(await answers(port)); await delay(200)) {
    const said = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').at(-1) : 'it left no log';
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended: ${said}`);
    if (Date.now() - begun > START_MS) throw new Error(`no answer within ${START_MS / 1000} s: ${said}`);
  }
}

/** Ends a process, gently at first. */
export async function stopped(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await Promise.race([ended, delay(STOP_MS, undefined, { ref: false })]);
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}
