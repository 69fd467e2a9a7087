import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CdrRecord, cdrInserts, cdrTable } from '../../src/sandbox/cdr.ts';
import { operatedFirm } from './firm.ts';

const server = new URL(process.env.SDELKA_MARIADB_URL ?? '');
/** As people choose them: an address must carry them encoded. */
const PASSWORD = 'ch@nge/me: 100%';

let connection: Connection;

beforeAll(async () => {
  connection = await createConnection({
    ...{ host: server.hostname, port: Number(server.port), user: server.username, password: server.password },
    charset: 'utf8mb4',
  });
  await connection.query('CREATE DATABASE asteriskcdrdb');
  await connection.query('USE asteriskcdrdb');
  for (const statement of cdrTable('mysql')) await connection.query(statement);
  await connection.query(`CREATE USER 'reader'@'127.0.0.1' IDENTIFIED BY '${PASSWORD}'`);
  await connection.query("GRANT SELECT ON asteriskcdrdb.cdr TO 'reader'@'127.0.0.1'");
});

afterAll(async () => {
  await connection?.query("DROP USER IF EXISTS 'reader'@'127.0.0.1'");
  await connection?.query('DROP DATABASE IF EXISTS asteriskcdrdb');
  await connection?.end();
});

async function write(records: readonly CdrRecord[]): Promise<void> {
  for (const statement of cdrInserts(records, 'mysql')) await connection.query(statement);
}

test("FreePBX's MariaDB, read by a user who may read alone: each call comes to RetailCRM once, as it was", async () => {
  const secret = encodeURIComponent(PASSWORD);
  const firm = await operatedFirm(
    { written: false, cdr: { calls: 300, late: 0.05 } },
    { CDR_URL: `mysql://reader:${secret}@${server.host}/asteriskcdrdb` },
  );
  await write(firm.script.records);
  const first = await firm.run(['retail:sync-calls']);
  expect(firm.truthAgainst({ late: 'not yet' })).toEqual([]);
  expect(firm.crm.standin.calls().length).toBeGreaterThan(200);
  for (const text of [PASSWORD, secret]) expect(first.stderr + first.stdout).not.toContain(text);

  const requests = firm.crm.journal.length;
  await firm.run(['retail:sync-calls']);
  expect(firm.crm.journal.length).toBe(requests);

  await write(firm.script.late.map(({ record }) => record));
  await firm.run(['retail:sync-calls']);
  expect(firm.truthAgainst({ late: 'since' })).toEqual([]);
});
