import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { RemoteError } from '../../src/base/remote-error.ts';
import { defaultEnterprise } from '../../src/config/mapping-calls.ts';
import type { Enterprise } from '../../src/config/mapping-calls-types.ts';
import type { CdrRow } from '../../src/domain/call.ts';
import type { CallsJobContext, EnterpriseAccess } from '../../src/jobs/calls-access.ts';
import { retailSyncCalls } from '../../src/jobs/retail-sync-calls.ts';
import { jobContext } from '../../src/runner/run-job.ts';
import { outboxSink, type PlanSink, planSink } from '../../src/runner/sink.ts';
import { callBook } from '../../src/state/calls.ts';
import { failedKeys, keepFailed } from '../../src/state/failed-records.ts';
import { readCursor } from '../../src/state/meta.ts';
import type { CdrSource } from '../../src/systems/asterisk/api.ts';
import { type FreshDatabase, freshDatabase } from '../support/databases.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Told {
  /** Minutes before now. */
  ago: number;
  phone?: string;
  status?: 'ANSWERED' | 'NO ANSWER';
  more?: Partial<CdrRow>;
}

/** One incoming call of a minute from an outside line to 101; its id says when it began. */
function row({ ago, phone = '80290000001', status = 'ANSWERED', more = {} }: Told): CdrRow {
  const start = new Date(+NOW - ago * MINUTE);
  const id = `${+start / 1000}.${phone.slice(-1)}`;
  const talk = status === 'ANSWERED' ? { duration: 60, billsec: 50 } : { duration: 25, billsec: 0 };
  return {
    ...{ host: 'pbx1', uniqueid: id, linkedid: id, start, ...talk, disposition: status, src: phone, dst: '101' },
    ...{ dcontext: 'from-trunk', channel: 'PJSIP/trunk-a-00000001', dstchannel: 'PJSIP/101-00000002' },
    ...{ lastapp: 'Dial', lastdata: '', did: '375170000001', ...more },
  };
}

const idOf = (told: Told) => `pbx1:${row(told).linkedid}`;

describe('retail:sync-calls', () => {
  let fresh: FreshDatabase;
  let rows: CdrRow[];
  let enterprises: Enterprise[];
  let base: string | undefined;
  /** Ranges that were read, in minutes before now. */
  let reads: string[];
  let warnings: { message: string; [name: string]: unknown }[];
  let down: Set<string>;
  let lookbackMs: number;
  let onRead: () => void;
  let skipped: number;

  beforeEach(async () => {
    fresh = await freshDatabase('sqlite');
    [rows, base, down, lookbackMs, onRead, skipped] = [[], undefined, new Set(), 24 * HOUR, () => undefined, 0];
    enterprises = [{ ...defaultEnterprise(), trunks: ['PJSIP/trunk-a'] }];
  });
  afterEach(() => fresh.dispose());

  function accessOf(enterprise: Enterprise): EnterpriseAccess {
    const { host } = enterprise.cdr;
    const source: CdrSource = {
      async *rows({ from, to }) {
        reads.push([from, to].map((at) => (+NOW - +at) / MINUTE).join('–'));
        onRead();
        yield rows
          .filter((one) => one.host === host && one.start >= from && one.start < to)
          .sort((one, other) => +one.start - +other.start);
      },
      rowsOf: async (linkedid) => rows.filter((one) => one.host === host && one.linkedid === linkedid),
      about: async () => ({ columns: [], newest: undefined }),
      close: async () => undefined,
      skipped,
    };
    const cdr = async () => {
      if (!down.has(host)) return source;
      const common = { system: 'pbx', route: 'cdr', outcome: 'refused', kind: 'transient', exit: 69 } as const;
      throw new RemoteError({ ...common, code: 'REMOTE_UNREACHABLE', message: `${host} is down` });
    };
    const crm = {} as EnterpriseAccess['crm'];
    return { enterprise, country: 'BY', zone: 'Europe/Minsk', recordingsBase: base, crm, cdr };
  }

  interface Given {
    now?: Date;
    only?: readonly string[];
    sink?: PlanSink;
    signal?: AbortSignal;
  }

  /** One pass; what it stored is in the database. */
  async function pass({ now = NOW, only, sink, signal = new AbortController().signal }: Given = {}) {
    [reads, warnings] = [[], []];
    const quiet = () => undefined;
    const warn = (about: unknown, message = '') => void warnings.push({ ...(about as object), message });
    const log = { trace: quiet, debug: quiet, info: quiet, warn, error: quiet, child: () => log };
    const counts = { fetched: 0, created: 0, updated: 0, skipped: 0, failed: 0 };
    const { database } = fresh;
    const sinkOf = async (cursor: string) =>
      sink ?? outboxSink({ database, job: 'retail:sync-calls', cursor, now, adopting: false, adoptUntil: '' });
    const context = (await jobContext(
      {
        ...{ job: retailSyncCalls as never, database, clients: { enterprises: enterprises.map(accessOf) } },
        ...{ settings: { LOCALE: 'ru' }, mapping: {}, handlers: async () => [], flags: new Set<string>(), log, only },
        ...{ tables: { calls: callBook(database, false) } as never, clock: systemClock },
        ...{ signal, windowStart: () => new Date(+now - lookbackMs) },
      },
      { counts, now, sinkOf, adopting: false },
    )) as unknown as CallsJobContext;
    await retailSyncCalls.run(context);
    return counts;
  }

  const planned = async (kind: string) =>
    (await fresh.database.db.selectFrom('outbox').select(['key', 'kind']).orderBy('key').execute())
      .filter((one) => one.kind.startsWith(`retailcrm.${kind}@`))
      .map(({ key }) => key.replace(/^retailcrm:\w+:/, ''));
  const kept = () => fresh.database.db.selectFrom('calls').selectAll().orderBy('started_at').execute();

  test('a call is planned once and kept; what comes late changes the row here alone', async () => {
    rows = [row({ ago: 60 })];
    expect(await pass()).toMatchObject({ fetched: 1, skipped: 0, failed: 0 });
    expect(await planned('call')).toEqual([idOf({ ago: 60 })]);
    expect(await planned('customer')).toEqual(['0001:+375290000001']);
    expect(await kept()).toMatchObject([{ duration: 50, phone: '+375290000001', enterprise_number: '0001' }]);

    rows.push(row({ ago: 59, more: { linkedid: rows[0]?.linkedid ?? '', duration: 600, billsec: 590 } }));
    expect(await pass()).toMatchObject({ fetched: 1, skipped: 1 });
    expect(await planned('call')).toHaveLength(1);
    expect(await kept()).toMatchObject([{ external_id: idOf({ ago: 60 }), duration: 640 }]);
    expect(warnings).toEqual([]);
  });

  test('a call that goes on, or waits for its recording, is neither planned nor kept; an internal one never', async () => {
    base = 'https://rec.example';
    const unrecorded = row({ ago: 4 });
    rows = [row({ ago: 2, more: { recordingfile: 'b.wav' } }), unrecorded];
    rows.push(row({ ago: 30, more: { channel: 'PJSIP/102-1', src: '102', did: '', dcontext: 'from-internal' } }));
    rows.push(row({ ago: 5, status: 'NO ANSWER', phone: '80290000003' }));
    expect(await pass()).toMatchObject({ fetched: 5, skipped: 3 });
    expect(await planned('call')).toEqual([idOf({ ago: 5, phone: '80290000003' })]);
    expect(await kept()).toHaveLength(1);
    unrecorded.recordingfile = 'a.wav';
    await pass();
    expect(await planned('call')).toContain(idOf({ ago: 4 }));
    await pass({ now: new Date(+NOW + 20 * MINUTE) });
    expect(await planned('call')).toHaveLength(3);
  });

  test('a grace time longer than what is read again loses no call', async () => {
    base = 'https://rec.example';
    enterprises = enterprises.map((one) => ({ ...one, recordings: { ...one.recordings, graceMs: 48 * HOUR } }));
    rows = [row({ ago: 290 }), row({ ago: 301 })];
    await pass();
    expect(await planned('call')).toEqual([idOf({ ago: 301 })]);
    lookbackMs = 1;
    await pass({ now: new Date(+NOW + 20 * MINUTE) });
    expect(await planned('call')).toHaveLength(2);
  });

  test('a stop in the middle of a query ends the pass without a failure; what was left out is told', async () => {
    const stop = new AbortController();
    rows = [row({ ago: 60 })];
    skipped = 3;
    onRead = () => {
      stop.abort('SIGTERM');
      throw stop.signal.reason;
    };
    expect(await pass({ signal: stop.signal })).toMatchObject({ fetched: 0, failed: 0 });
    expect(await readCursor(fresh.database.db, 'retail:sync-calls/0001')).toBeUndefined();
    expect(warnings).toEqual([]);
    onRead = () => undefined;
    await pass();
    expect(warnings).toMatchObject([{ enterprise: '0001', rows: 3 }]);
    const other = new AbortController();
    onRead = () => {
      other.abort('SIGTERM');
      throw new Error('no stop of ours');
    };
    await expect(pass({ signal: other.signal })).rejects.toThrow('no stop of ours');
  });

  test('anonymous callers and unknown directions are kept, not uploaded; the latter and a wrong zone are told of once', async () => {
    rows = [row({ ago: 60, phone: 'anonymous' })];
    for (const ago of [50, 40]) rows.push(row({ ago, more: { channel: 'PJSIP/other-1', did: '', dcontext: 'x' } }));
    expect(await pass()).toMatchObject({ fetched: 3, failed: 0 });
    expect(await planned('call')).toEqual([]);
    expect((await kept()).map(({ direction, phone }) => [direction, phone])).toEqual([
      ['in', null],
      ['unknown', null],
      ['unknown', null],
    ]);
    expect(warnings).toMatchObject([{ calls: 2, enterprise: '0001', message: expect.stringContaining('trunks') }]);

    for (const one of rows)
      one.uniqueid = one.linkedid = one.linkedid.replace(/^\d+/, (at) => String(Number(at) - 10_800));
    await pass();
    expect(warnings[1]).toMatchObject({ aheadSeconds: 10_800, message: expect.stringContaining('PBX_TIMEZONE') });
    expect(warnings).toHaveLength(2);
  });

  test('a missed call makes one task for its run, and none where the client was called back', async () => {
    const missed = [60, 50, 5].map((ago) => ({ ago, status: 'NO ANSWER', phone: '80290000001' }) as const);
    const answered = { ago: 110, status: 'NO ANSWER', phone: '80290000002' } as const;
    rows = [...missed, answered].map(row);
    rows.push(row({ ago: 100, phone: '80290000002' }));
    await pass();
    expect(await planned('task')).toEqual([idOf({ ago: 60 }), idOf({ ago: 5 })].sort());
    expect(await planned('order')).toEqual([]);
    await pass();
    expect(await planned('task')).toHaveLength(2);
  });

  test('what slides out of the window leaves no second task behind, and what a crash left unread is read again', async () => {
    lookbackMs = 6 * HOUR;
    const [first, second] = [row({ ago: 365, status: 'NO ANSWER' }), row({ ago: 355, status: 'NO ANSWER' })];
    rows = [first, second];
    await pass();
    expect(await planned('task')).toEqual([]);
    expect(await planned('call')).toEqual([`pbx1:${second.linkedid}`]);

    // The calls were read up to now, the missed ones were not.
    await fresh.database.db.deleteFrom('meta').where('key', 'like', '%missed%').execute();
    lookbackMs = 30 * HOUR;
    rows.push(row({ ago: 1500, status: 'NO ANSWER', phone: '80290000005' }));
    await pass();
    expect(await planned('task')).toEqual([idOf({ ago: 1500, phone: '80290000005' }), idOf({ ago: 365 })].sort());
  });

  test('the missed calls have a cursor of their own, and read by themselves only what the calls did not', async () => {
    rows = [row({ ago: 60, status: 'NO ANSWER' })];
    await pass();
    expect(reads).toHaveLength(1);
    const { db } = fresh.database;
    const cursor = (part: string) => readCursor(db, `retail:sync-calls/${part}`);
    expect([await cursor('0001'), await cursor('0001:missed')]).toEqual([NOW.toISOString(), NOW.toISOString()]);
    const behind = new Date(+NOW - 40 * HOUR).toISOString();
    await db.updateTable('meta').set({ value: behind }).where('key', 'like', '%0001:missed').execute();
    rows.push(row({ ago: 41 * 60, status: 'NO ANSWER' }));
    await pass();
    expect(reads.length).toBeGreaterThan(1);
    expect(await planned('task')).toEqual([idOf({ ago: 41 * 60 }), idOf({ ago: 60 })].sort());
  });

  test('an enterprise whose PBX is down holds up no other, and the failed calls of one are no business of the other', async () => {
    const other = { ...defaultEnterprise(), number: '0002', trunks: ['PJSIP/trunk-a'] };
    enterprises.push({ ...other, cdr: { ...other.cdr, host: 'pbx2' } });
    const same = { ago: 60, more: { host: 'pbx2' } };
    rows = [row({ ago: 60 }), row(same)];
    const failed = { kind: 'call', key: 'pbx2:1.1' };
    await fresh.database.transaction((tx) => keepFailed(tx, 'retail:sync-calls', failed, 'made up', new Date(0)));
    down.add('pbx2');
    await expect(pass()).rejects.toMatchObject({ code: 'REMOTE_UNREACHABLE' });
    expect(warnings).toMatchObject([{ enterprise: '0002', code: 'REMOTE_UNREACHABLE' }]);
    expect(await planned('call')).toEqual([idOf({ ago: 60 })]);
    expect((await failedKeys(fresh.database.db, 'call', NOW)).get('pbx2:1.1')).toBe(true);
    down.clear();
    await pass();
    expect(await planned('call')).toEqual([idOf({ ago: 60 }), idOf({ ago: 60 }).replace('pbx1', 'pbx2')]);
    expect(await planned('customer')).toEqual(['0001:+375290000001', '0002:+375290000001']);
    expect((await failedKeys(fresh.database.db, 'call', NOW)).get('pbx2:1.1')).toBe(false);
  });

  test('chosen calls are read whatever their dates, and a name that no PBX knows is told', async () => {
    const old = { ago: 60 * 24 * 5, status: 'NO ANSWER' } as const;
    rows = [row(old), row({ ago: 30 }), row({ ago: 60 * 24 * 5 - 5, phone: '80290000009', status: 'NO ANSWER' })];
    const bare = row({ ago: 30 }).linkedid;
    expect(await pass({ only: [idOf(old), bare, 'pbx7:1.1', '1.2'] })).toMatchObject({ failed: 2 });
    expect(await planned('call')).toEqual([idOf(old), `pbx1:${bare}`].sort());
    expect(await planned('task')).toEqual([idOf(old)]);
    expect(warnings.map(({ call }) => call)).toEqual(['pbx7:1.1', '1.2']);
    expect(await readCursor(fresh.database.db, 'retail:sync-calls/0001')).toBeUndefined();
  });

  test('a dry run plans the same and stores nothing', async () => {
    rows = [row({ ago: 60, status: 'NO ANSWER' })];
    const sink = planSink({ database: fresh.database, now: NOW });
    await pass({ sink });
    expect(sink.effects.map(({ kind }) => kind).sort()).toEqual(
      ['call', 'customer', 'task'].map((kind) => `retailcrm.${kind}@0001`),
    );
    expect([await kept(), await planned('call')]).toEqual([[], []]);
  });
});
