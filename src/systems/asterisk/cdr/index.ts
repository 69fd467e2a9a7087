import { resolve } from 'node:path';
import type { CdrPlace, CdrSource } from '../api.ts';
import { badAddress } from './errors.ts';

/**
 * Opens a PBX's call records for reading; loads only the driver that the address asks for. Errors, all `RemoteError` of the system
 * `pbx`: 78 (address; no such file, database, table; columns; TLS), 77 (user, password or rights refused), 69 (unreachable, busy).
 */
export async function openCdr(place: CdrPlace): Promise<CdrSource> {
  const text = place.url.reveal().trim();
  const [, scheme = '', rest = ''] = /^([a-z]+):(.*)$/is.exec(text) ?? [];
  switch (scheme.toLowerCase()) {
    case 'postgres':
    case 'postgresql': {
      const { openPostgresCdr } = await import('./postgres.ts');
      return openPostgresCdr(place, addressOf(text));
    }
    case 'mysql':
    case 'mariadb': {
      const { openMysqlCdr } = await import('./mysql.ts');
      return openMysqlCdr(place, addressOf(text));
    }
    case 'sqlite': {
      const { openSqliteCdr } = await import('./sqlite.ts');
      return openSqliteCdr(place, pathOf(rest, place));
    }
    case 'csv': {
      const { openCsvCdr } = await import('./csv.ts');
      return openCsvCdr(place, pathOf(rest, place));
    }
    default:
      throw badAddress('starts with none of postgres://, mysql://, sqlite: and csv:');
  }
}

/** The parts of an address, with user name, password and names decoded by whoever reads them. */
function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^[a-z]+:\/\//i.test(text)) throw badAddress('is not a valid one');
  try {
    for (const part of [url.username, url.password, url.pathname]) decodeURIComponent(part);
  } catch {
    throw badAddress('has a percent sign that encodes nothing');
  }
  return url;
}

/** `//host/share` is no file of this machine; `///var/…` is what some tools write for `/var/…`. */
function pathOf(path: string, { baseDir }: CdrPlace): string {
  if (path === '' || path === ':memory:' || path.includes('\0')) throw badAddress('names no file');
  if (/^\/\/(?!\/)/.test(path))
    throw badAddress('names a file on another machine; mount its folder, or name a local file');
  return resolve(baseDir, path.replace(/^\/+/, '/'));
}
