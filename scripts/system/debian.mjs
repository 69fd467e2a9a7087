// Programs of the machine that checks need: looked for, else installed from Debian where this process may do that.
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Skip } from './skip.mjs';

const run = promisify(execFile);
const INSTALL_MS = 5 * 60_000;

/** Servers stand where only root's PATH leads. */
const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];

function find(program) {
  for (const place of places) {
    const path = join(place, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not there; perhaps in the next place.
    }
  }
  return undefined;
}

/** As root, or by a sudo that asks for no password; nobody is there to answer one. */
async function asRoot(args) {
  const [file, ...rest] = process.getuid?.() === 0 ? args : ['sudo', '-n', ...args];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return await run(file, rest, { env, timeout: INSTALL_MS, maxBuffer: 64 * 1024 * 1024 });
}

async function hasCandidate(name) {
  const { stdout } = await run('apt-cache', ['policy', name]);
  return /Candidate: (?!\(none\))/.test(stdout);
}

/** The absolute path of a program. Throws `Skip` where neither it nor the Debian package that brings it can be had. */
export async function programOf(program, name) {
  const known = find(program);
  if (known !== undefined) return known;
  if (find('apt-get') === undefined) throw new Skip(`there is no ${program} here, and no apt-get to install it with`);
  try {
    // A machine without package lists knows of no package at all.
    if (!(await hasCandidate(name))) await asRoot(['apt-get', 'update']);
    if (!(await hasCandidate(name))) throw new Skip(`Debian has no package ${name} for this machine`);
    await asRoot(['apt-get', 'install', '--yes', '--no-install-recommends', name]);
  } catch (error) {
    if (error instanceof Skip) throw error;
    const said = String(error.stderr || error.message).trim();
    throw new Skip(`the Debian package ${name} cannot be installed here: ${said.split('\n').at(-1)}`);
  }
  const installed = find(program);
  if (installed === undefined) throw new Skip(`the Debian package ${name} brought no ${program}`);
  return installed;
}
