import { Socket } from 'node:net';
import { Client, type ClientConfig } from 'pg';
import type { CdrPlace, CdrSource } from '../api.ts';
import { badAddress, codeOf, missing, otherFault, refused } from './errors.ts';
import { sqlSource } from './sql.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Of one query. A table without an index is read whole for each. */
const QUERY_TIMEOUT_MS = 60_000;

/** Every value as the server writes it: drivers take times without a zone for those of this process, and round long numbers. */
const types = { getTypeParser: () => (text: string) => text };

/**
 * Each query is a transaction of its own, so that these hold behind a proxy that pools connections, and nothing holds up the
 * server's clean-up between two pages.
 */
const BEGIN = `
  BEGIN READ ONLY;
  SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true),
    set_config('statement_timeout', '${QUERY_TIMEOUT_MS}', true)`;

/** PostgreSQL, as cdr_pgsql and ODBC fill it. Times with a time zone are instants, others are the PBX's own. */
export async function openPostgresCdr(place: CdrPlace, url: URL): Promise<CdrSource> {
  const where = `${url.host}${url.pathname}`;
  const socket = new Socket();
  const client = clientOf(url, socket);
  // Without a listener the loss of an idle connection would end the process; the next query tells of it.
  client.on('error', () => undefined);
  const leave = () => socket.destroy();
  place.signal.addEventListener('abort', leave, { once: true });

  async function query(text: string, values: readonly string[]): Promise<Record<string, string | null>[]> {
    try {
      await client.query(BEGIN);
      const { rows } = await client.query<Record<string, string | null>>(text, [...values]);
      await client.query('COMMIT');
      return rows;
    } catch (error) {
      // Without the server's code it is the connection that failed, on which a further query would wait for the time-out again.
      if (/^[0-9A-Z]{5}$/.test(codeOf(error))) await client.query('ROLLBACK').catch(() => undefined);
      else socket.destroy();
      place.signal.throwIfAborted();
      throw faultOf(where, error);
    }
  }
  async function close(): Promise<void> {
    place.signal.removeEventListener('abort', leave);
    await client.end().catch(() => undefined);
    socket.destroy();
  }

  try {
    await client.connect().catch((error: unknown) => {
      place.signal.throwIfAborted();
      throw faultOf(where, error);
    });
    const table = await findTable(place.table, query);
    const columns = await listColumns(table, query);
    const value = (n: number) => `$${n}`;
    return sqlSource(place, { table, columns, quote, asText: (expression) => expression, value, query, close });
  } catch (error) {
    await close();
    throw error;
  }
}

/** With `sslmode` meaning what psql means by it; pg would take `require` for `verify-full` and print a warning on stderr. */
function clientOf(url: URL, socket: Socket): Client {
  const address = new URL(url);
  if (/^(prefer|require|verify-ca)$/.test(address.searchParams.get('sslmode') ?? '')) {
    address.searchParams.set('uselibpqcompat', 'true');
  }
  const config: ClientConfig = {
    connectionString: address.href,
    application_name: 'sdelka',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // The server's own limit comes first; this is for one that vanished without a word.
    query_timeout: QUERY_TIMEOUT_MS + CONNECT_TIMEOUT_MS,
    keepAlive: true,
    types,
    // Ours, so that it can be destroyed: pg leaves it half open where connecting fails.
    stream: () => socket,
  };
  try {
    return new Client(config);
  } catch {
    // The error is not passed on: it may repeat the address.
    throw badAddress('has options that cannot be used');
  }
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

type Query = (text: string, values: readonly string[]) => Promise<Record<string, string | null>[]>;

/** The table's name as it is spelt in the mapping, else in lower case, as the server keeps names that were not quoted. */
async function findTable(name: string, query: Query): Promise<string> {
  const spellings = [name, name.toLowerCase()].map((text) => text.split('.').map(quote).join('.'));
  for (const table of new Set(spellings)) {
    const [row] = await query('SELECT to_regclass($1) AS found', [table]);
    if (row?.found) return table;
  }
  return spellings[0] ?? name;
}

async function listColumns(table: string, query: Query): Promise<{ name: string; instant: boolean }[]> {
  const rows = await query(
    `SELECT attname AS name, atttypid::regtype AS type FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [table],
  );
  return rows.map(({ name, type }) => ({ name: name ?? '', instant: type === 'timestamp with time zone' }));
}

// SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
function faultOf(where: string, error: unknown): unknown {
  const code = codeOf(error);
  const credentials =
    'Correct user name and password in CDR_URL; the user needs SELECT on the table of the call records.';
  if (/^(28|42501)/.test(code)) return refused(where, code, credentials);
  // pg's own refusal of a missing password has no code.
  if (error instanceof Error && /^SASL: .*password/.test(error.message)) {
    return refused(where, 'no password', credentials);
  }
  if (code === '3D000') return missing(`the server has no database ${where}`, 'Correct the database in CDR_URL.');
  if (/^(42P01|3F000)$/.test(code)) {
    return missing(`the database ${where} has no such table`, 'Set cdr.table in the mapping to the right table.');
  }
  return otherFault(where, error);
}
