import { type Connection, type ConnectionOptions, createConnection, type RowDataPacket } from 'mysql2/promise';
import type { CdrPlace, CdrSource } from '../api.ts';
import { badAddress, codeOf, missing, otherFault, refused } from './errors.ts';
import { sqlSource } from './sql.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Of one query. A table without an index is read whole for each. */
const QUERY_TIMEOUT_MS = 60_000;

/** MySQL and MariaDB, as FreePBX has it. Columns of the type TIMESTAMP are instants, DATETIME are the PBX's own. */
export async function openMysqlCdr(place: CdrPlace, url: URL): Promise<CdrSource> {
  const where = `${url.host}${url.pathname}`;
  const options = optionsOf(url);
  const connection = await createConnection(options).catch((error: unknown) => {
    throw faultOf(where, error);
  });
  // Without a listener the loss of an idle connection would end the process; the next query tells of it.
  connection.on('error', () => undefined);
  const leave = () => connection.destroy();
  place.signal.addEventListener('abort', leave, { once: true });

  let failed = false;
  async function query(sql: string, values: readonly string[]): Promise<Record<string, string | null>[]> {
    try {
      const [rows] = await connection.query<RowDataPacket[]>({ sql, values: [...values], timeout: QUERY_TIMEOUT_MS });
      return rows;
    } catch (error) {
      failed = true;
      place.signal.throwIfAborted();
      throw faultOf(where, error);
    }
  }
  async function close(): Promise<void> {
    place.signal.removeEventListener('abort', leave);
    // After a time-out the connection is in the middle of an answer and takes no farewell.
    if (failed) connection.destroy();
    else await connection.end().catch(() => connection.destroy());
  }

  try {
    place.signal.throwIfAborted();
    await query("SET SESSION sql_mode = '', time_zone = '+00:00'", []);
    await limitQueries(connection, where);
    const table = place.table.split('.').map(quote).join('.');
    const columns = await listColumns(table, query);
    const asText = (expression: string) => expression;
    return sqlSource(place, { table, columns, quote, asText, value: () => '?', query, close });
  } catch (error) {
    await close();
    throw error;
  }
}

const sslModes: Record<string, ConnectionOptions['ssl']> = {
  disabled: undefined,
  required: { rejectUnauthorized: false },
  verify_ca: { rejectUnauthorized: true, verifyIdentity: false },
  verify_identity: { rejectUnauthorized: true, verifyIdentity: true },
};

/** Read here and not by the driver, which prints on stderr what it does not know. */
function optionsOf(url: URL): ConnectionOptions {
  const { searchParams } = url;
  if ([...searchParams.keys()].some((name) => name !== 'ssl-mode' && name !== 'socket')) {
    throw badAddress('has an option other than ssl-mode and socket');
  }
  const mode = (searchParams.get('ssl-mode') ?? 'disabled').toLowerCase();
  if (!Object.hasOwn(sslModes, mode)) {
    throw badAddress('has an ssl-mode that is none of disabled, required, verify_ca, verify_identity');
  }
  const ssl = sslModes[mode];
  const socketPath = searchParams.get('socket');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 3306),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    ...(socketPath === null ? {} : { socketPath }),
    ...(ssl === undefined ? {} : { ssl }),
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableKeepAlive: true,
    dateStrings: true,
    // Every value as the server writes it: the driver would round long numbers and take local times for those of this process.
    typeCast: (field) => field.string(),
  };
}

function quote(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** The server's own limit: MariaDB's in seconds (since 10.1), MySQL's in milliseconds (since 5.7.8). */
async function limitQueries(connection: Connection, where: string): Promise<void> {
  for (const limit of [`max_statement_time = ${QUERY_TIMEOUT_MS / 1000}`, `max_execution_time = ${QUERY_TIMEOUT_MS}`]) {
    await connection.query(`SET SESSION ${limit}`).catch((error: unknown) => {
      if (codeOf(error) !== 'ER_UNKNOWN_SYSTEM_VARIABLE') throw faultOf(where, error);
    });
  }
}

type Query = (sql: string, values: readonly string[]) => Promise<Record<string, string | null>[]>;

async function listColumns(table: string, query: Query): Promise<{ name: string; instant: boolean }[]> {
  const rows = await query(`SHOW COLUMNS FROM ${table}`, []);
  return rows.map(({ Field, Type }) => ({ name: Field ?? '', instant: /^timestamp/i.test(Type ?? '') }));
}

// https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
const denied =
  /^(ER_\w*ACCESS_DENIED\w*|ER_HOST_NOT_PRIVILEGED|ER_HOST_IS_BLOCKED|ER_NOT_SUPPORTED_AUTH_MODE|ER_MUST_CHANGE_PASSWORD\w*|AUTH_SWITCH_PLUGIN_ERROR)$/;

function faultOf(where: string, error: unknown): unknown {
  const code = codeOf(error);
  if (denied.test(code)) {
    const hint =
      'Correct user name and password in CDR_URL, and let the user SELECT from the table of the call records from this host.';
    return refused(where, code, hint);
  }
  if (/^ER_(BAD_DB|NO_DB)_ERROR$/.test(code)) {
    return missing(
      `the server has no database ${where}`,
      'Correct the database in CDR_URL; FreePBX has asteriskcdrdb.',
    );
  }
  if (code === 'ER_NO_SUCH_TABLE') {
    return missing(`the database ${where} has no such table`, 'Set cdr.table in the mapping to the right table.');
  }
  return otherFault(where, error);
}
