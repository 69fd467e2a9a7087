import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { CdrRow } from '../../src/domain/call.ts';
import type { CdrPlace, CdrSource } from '../../src/systems/asterisk/api.ts';
import { openCdr } from '../../src/systems/asterisk/cdr/index.ts';
import { emptyPlace } from '../support/databases.ts';

/** A MariaDB or MySQL server that databases may be made on, `mysql://root@127.0.0.1:3306/`; set by `npm run test:system`. */
const MARIADB = process.env.SDELKA_MARIADB_URL;

interface Server {
  /** Of an empty database. */
  url: string;
  execute(sql: string, values?: unknown[]): Promise<unknown>;
  dispose(): Promise<void>;
}

async function postgres(): Promise<Server> {
  const place = await emptyPlace('postgres');
  const client = new Client(place.url);
  await client.connect();
  const numbered = (sql: string) =>
    sql
      .replace(
        /\?/g,
        (
          (n) => () =>
            `$${++n}`
        )(0),
      )
      .replaceAll('`', '"');
  return {
    url: place.url,
    execute: (sql, values) => client.query(numbered(sql), values),
    async dispose() {
      await client.end();
      await place.dispose();
    },
  };
}

async function mariadb(): Promise<Server> {
  const url = new URL(MARIADB ?? '');
  url.pathname = `/sdelka_cdr_${process.pid}`;
  const name = url.pathname.slice(1);
  const connection = await createConnection({
    ...{ host: url.hostname, port: Number(url.port || 3306), user: decodeURIComponent(url.username) },
    password: decodeURIComponent(url.password),
  });
  await connection.query(`CREATE DATABASE ${name}`);
  await connection.query(`USE ${name}`);
  return {
    url: url.href,
    execute: (sql, values) => connection.query(sql, values),
    async dispose() {
      await connection.query(`DROP DATABASE ${name}`);
      await connection.end();
    },
  };
}

const servers: [string, (() => Promise<Server>) | undefined][] = [
  ['PostgreSQL', postgres],
  MARIADB === undefined
    ? ['MariaDB: NOT TESTED, for SDELKA_MARIADB_URL is not set (npm run test:system sets it)', undefined]
    : ['MariaDB', mariadb],
];

const NUMBERS = '`src` varchar(80), `dst` varchar(80), `channel` varchar(80)';

describe.each(servers)('%s', (name, start) => {
  const inServer = test.skipIf(start === undefined);
  let server: Server;
  const sources: CdrSource[] = [];

  beforeAll(async () => {
    if (start === undefined) return;
    server = await start();
    await server.execute(`CREATE TABLE \`cdr\` (\`calldate\` ${name === 'PostgreSQL' ? 'timestamp' : 'datetime'} NOT NULL, ${NUMBERS},
      \`duration\` int, \`billsec\` int, \`uniqueid\` varchar(32), \`linkedid\` varchar(32), \`sequence\` int, \`did\` char(50))`);
  });
  afterAll(async () => {
    for (const source of sources) await source.close();
    await server?.dispose();
  });

  async function open(change: Partial<CdrPlace> = {}): Promise<CdrSource> {
    const { signal } = new AbortController();
    const place = {
      url: new Secret(server.url),
      baseDir: '/',
      host: 'pbx1',
      table: 'cdr',
      zone: 'Europe/Berlin',
      signal,
    };
    const source = await openCdr({ ...place, ...change });
    sources.push(source);
    return source;
  }

  async function rowsOf(source: CdrSource, from: string, to: string): Promise<CdrRow[]> {
    const rows: CdrRow[] = [];
    for await (const chunk of source.rows({ from: new Date(from), to: new Date(to) })) rows.push(...chunk);
    return rows;
  }

  /** `calldate` of each, and ids. */
  async function fill(rows: readonly [string, string][]): Promise<void> {
    const one = "(?, '79000000001', '600', 'PJSIP/trunk-a-1', 30, 20, ?, ?, 7, '77270000001')";
    for (let at = 0; at < rows.length; at += 1000) {
      const some = rows.slice(at, at + 1000);
      const values = some.flatMap(([calldate, id]) => [calldate, id, id]);
      await server.execute(`INSERT INTO \`cdr\` VALUES ${some.map(() => one).join(', ')}`, values);
    }
  }

  inServer('local times are those of the zone, whatever the zones of server and process; ids stay text', async () => {
    await fill([
      ['2026-07-01 10:00:00', '1782892800.10'],
      ['2026-10-25 02:30:00', '1792888200.1'],
      ['2026-10-25 02:20:00', '1792891200.20'],
    ]);
    const source = await open();
    expect(await rowsOf(source, '2026-07-01T08:00:00Z', '2026-07-01T08:00:01Z')).toMatchObject([
      {
        ...{ uniqueid: '1782892800.10', linkedid: '1782892800.10', sequence: 7, duration: 30, did: '77270000001' },
        ...{ start: new Date('2026-07-01T08:00:00Z'), end: new Date('2026-07-01T08:00:30Z') },
      },
    ]);
    const twice = await rowsOf(source, '2026-10-25T00:00:00Z', '2026-10-25T02:00:00Z');
    expect(twice.map(({ start }) => start.toISOString())).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T01:20:00.000Z',
    ]);
    expect(await source.rowsOf('1792891200.20')).toEqual([twice[1]]);
    expect(await source.rowsOf("1792891200.2' OR 1=1 -- \\")).toEqual([]);
    expect(await source.about()).toMatchObject({ newest: new Date('2026-10-25T00:30:00Z') });
  });

  inServer('many rows come in pages, each once', async () => {
    const time = (n: number) =>
      new Date(Date.UTC(2026, 7, 1, 10, 0, n < 5500 ? 20 : n % 600)).toISOString().slice(0, 19);
    await fill(Array.from({ length: 7000 }, (_, n) => [time(n).replace('T', ' '), `1.${n}`]));
    const found = await rowsOf(await open(), '2026-08-01T00:00:00Z', '2026-08-02T00:00:00Z');
    expect(found).toHaveLength(7000);
    expect(new Set(found.map(({ uniqueid }) => uniqueid)).size).toBe(7000);
  });

  inServer('columns that hold instants are taken for such; the table may be in a schema', async () => {
    const type = name === 'PostgreSQL' ? 'timestamp with time zone' : 'timestamp NULL';
    await server.execute(
      `CREATE TABLE \`Calls\` (\`start\` ${type}, \`end\` ${type}, ${NUMBERS}, \`UniqueID\` varchar(32))`,
    );
    if (name !== 'PostgreSQL') await server.execute("SET time_zone = '+02:00'");
    const offset = name === 'PostgreSQL' ? '+02' : '';
    await server.execute("INSERT INTO `Calls` VALUES (?, ?, '101', '102', 'SIP/101-1', '1.1')", [
      `2026-07-01 10:00:00${offset}`,
      `2026-07-01 10:00:40${offset}`,
    ]);
    const schema = name === 'PostgreSQL' ? 'public' : new URL(server.url).pathname.slice(1);
    const source = await open({ table: `${schema}.Calls`, zone: 'Asia/Almaty' });
    expect(await rowsOf(source, '2026-07-01T08:00:00Z', '2026-07-01T08:00:01Z')).toMatchObject([
      { start: new Date('2026-07-01T08:00:00Z'), duration: 40, linkedid: '' },
    ]);
    expect((await source.about()).columns).toEqual(['start', 'end', 'src', 'dst', 'channel', 'UniqueID']);
  });

  inServer('a wrong table, database, column or password is told apart, without the password', async () => {
    await server.execute(`CREATE TABLE \`few\` (\`calldate\` varchar(20), ${NUMBERS})`);
    const changed = (change: (url: URL) => void) => {
      const url = new URL(server.url);
      change(url);
      return { url: new Secret(url.href) };
    };
    const wrong: [Partial<CdrPlace>, string, number][] = [
      [{ table: 'none' }, 'CDR_MISSING', 78],
      [{ table: 'few' }, 'CDR_COLUMNS', 78],
      [
        changed((url) => {
          url.pathname = '/none';
        }),
        'CDR_MISSING',
        78,
      ],
      [
        changed((url) => {
          url.password = 'secret-word';
        }),
        'CDR_REFUSED',
        77,
      ],
    ];
    for (const [change, code, exit] of wrong) {
      const fault: unknown = await open(change).catch((error: unknown) => error);
      expect(fault).toMatchObject({ name: 'RemoteError', system: 'pbx', code, exit });
      expect(`${JSON.stringify(fault)} ${String(fault)}`).not.toContain('secret');
    }
  });

  inServer('an interrupted pass ends at once', async () => {
    const interruption = new AbortController();
    const source = await open({ signal: interruption.signal });
    interruption.abort('SIGTERM');
    await expect(source.about()).rejects.toBe('SIGTERM');
  });
});
