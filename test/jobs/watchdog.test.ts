import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { type LogFields, type Logger, silentLogger } from '../../src/base/log.ts';
import { type Seams, wireJob } from '../../src/cli/wire.ts';
import { watchdog } from '../../src/jobs/watchdog.ts';
import { planPass } from '../../src/runner/dry-run.ts';
import { runJob } from '../../src/runner/run-job.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import { type SmtpStandin, smtpStandin } from '../../src/sandbox/smtp.ts';
import {
  TELEGRAM_SANDBOX_CHAT,
  TELEGRAM_SANDBOX_TOKEN,
  type TelegramStandin,
  telegramStandin,
} from '../../src/sandbox/telegram.ts';
import { closeAlert, openAlert } from '../../src/state/alerts.ts';
import { type Database, openDatabase, type Tx } from '../../src/state/database.ts';
import { keepFailed } from '../../src/state/failed-records.ts';
import { saveKaspiOrders } from '../../src/state/kaspi-orders.ts';
import { setHeartbeat } from '../../src/state/meta.ts';
import { doubtEffects, finishEffect, storeEffects } from '../../src/state/outbox.ts';
import { closeRun, openRun } from '../../src/state/runs.ts';
import { dialects, type FreshDatabase, freshDatabase } from '../support/databases.ts';
import { Killed, mortal } from '../support/mortal.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NO_COUNTS = { fetched: 0, created: 0, updated: 0, skipped: 0, failed: 0 };

interface PassEnd {
  exit: number;
  error?: AppError;
}

describe.each(dialects)('%s', (dialect) => {
  let fresh: FreshDatabase;
  let telegram: RunningStandin<TelegramStandin>;
  let mail: SmtpStandin;
  let at: Date;
  let settings: Record<string, string>;
  let logged: { fields: LogFields | string; message: string | undefined }[];

  beforeEach(async () => {
    fresh = await freshDatabase(dialect);
    telegram = await serve(telegramStandin());
    mail = await smtpStandin();
    at = new Date('2026-05-10T06:00:00.000Z');
    logged = [];
    settings = {
      DATABASE_URL: fresh.url,
      LOCALE: 'en',
      HTTP_TIMEOUT_MS: '500',
      // Where heartbeats are not the matter, they must not mix in.
      ALERT_HEARTBEAT_MINUTES: '90',
      TELEGRAM_API_URL: telegram.url,
      ALERT_TELEGRAM_BOT_TOKEN: TELEGRAM_SANDBOX_TOKEN,
      ALERT_TELEGRAM_CHAT_ID: TELEGRAM_SANDBOX_CHAT,
      ALERT_EMAIL_TO: 'owner@shop.example',
      ALERT_EMAIL_FROM: 'sdelka@shop.example',
      ALERT_EMAIL_SMTP_HOST: '127.0.0.1',
      ALERT_EMAIL_SMTP_PORT: String(mail.port),
    };
  });

  afterEach(async () => {
    await Promise.all([telegram.close(), mail.close()]);
    await fresh.dispose();
  });

  const note = (fields: LogFields | string, message?: string) => {
    logged.push({ fields, message });
  };
  const log: Logger = { ...silentLogger, info: note, warn: note, error: note, child: () => log };

  const wired = (seams?: Seams, dryRun = false) =>
    wireJob(
      {
        environment: { values: settings, baseDir: fresh.dir },
        globals: { dryRun, json: false, lockWaitSeconds: 0, color: false },
        log,
        clock: { now: () => new Date(at), sleep: async () => undefined },
        signal: new AbortController().signal,
      },
      watchdog,
      { lookback: undefined, confirm: false },
      seams,
    );

  /** One pass, as if by a process of its own, five minutes after the one before. */
  async function pass(seams?: Seams): Promise<PassEnd> {
    at = new Date(at.getTime() + 5 * MINUTE);
    try {
      const parts = await wired(seams);
      try {
        return { exit: (await runJob(parts.options)).exit };
      } finally {
        await parts.close();
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { exit: error.exit, error };
    }
  }

  const write = <T>(work: (tx: Tx) => Promise<T>) => fresh.database.transaction(work);
  const texts = () => telegram.standin.messages().map(({ text }) => text.split('\n').slice(1).join('\n'));
  const letters = () => mail.mails().map(({ text }) => text.split('\n').slice(1).join('\n'));
  const alerts = async () =>
    (await fresh.database.db.selectFrom('alerts').select(['kind', 'subject', 'closed_at']).orderBy('id').execute()).map(
      ({ kind, subject, closed_at }) => `${closed_at === null ? '!' : '-'} ${kind} ${subject}`.trim(),
    );

  async function kaspiRuns(...outcomes: ('ok' | 'failed' | 'running')[]): Promise<void> {
    for (const outcome of outcomes) {
      await write(async (tx) => {
        const id = await openRun(tx, { job: 'kaspi:poll', startedAt: at, host: 'h', pid: 1 });
        if (outcome === 'running') return;
        const error = outcome === 'failed' ? 'kaspi gave no answer' : null;
        const exitCode = outcome === 'failed' ? 69 : 0;
        const end = { job: 'kaspi:poll', finishedAt: at, outcome, exitCode, counts: NO_COUNTS, requests: 1, error };
        await closeRun(tx, id, { ...end, zone: 'UTC' });
        if (outcome === 'ok') await setHeartbeat(tx, 'kaspi:poll', at);
      });
    }
  }
  const streak = () => kaspiRuns('failed', 'failed', 'failed');

  const STREAK = '• kaspi:poll: 3 failed passes in a row (kaspi gave no answer). See sdelka status and sdelka doctor';

  test('an alert is told once when it opens and once when it clears, over every channel, whatever is restarted', async () => {
    await streak();
    expect(await pass()).toEqual({ exit: 0 });
    expect([texts(), letters()]).toEqual([[STREAK], [STREAK]]);
    await kaspiRuns('failed');
    expect(await pass()).toEqual({ exit: 0 });
    await kaspiRuns('running');
    expect(await pass()).toEqual({ exit: 0 });
    expect([texts().length, letters().length]).toEqual([1, 1]);
    await kaspiRuns('ok');
    expect(await pass()).toEqual({ exit: 0 });
    await kaspiRuns('ok');
    await pass();
    const cleared = '✓ Passes fail · kaspi:poll: fine again (10.05 11:05 – 10.05 11:20)';
    expect(texts()).toEqual([STREAK, cleared]);
    expect(letters()).toEqual([STREAK, cleared]);
    expect(await alerts()).toEqual(['- streak kaspi:poll']);
    await streak();
    await pass();
    expect(texts().at(-1)).toBe(STREAK);
  });

  test('the mail server is down: Telegram is told at once and once, the mail follows', async () => {
    await streak();
    mail.configure({ fault: 'busy' });
    expect(await pass()).toEqual({ exit: 1 });
    expect(await pass()).toEqual({ exit: 1 });
    expect([texts(), letters()]).toEqual([[STREAK], []]);
    mail.configure({ fault: null });
    expect(await pass()).toEqual({ exit: 0 });
    expect(await pass()).toEqual({ exit: 0 });
    expect([texts(), letters()]).toEqual([[STREAK], [STREAK]]);
  });

  test('no channel can be reached: 69, nothing is lost, and what is over by then says so', async () => {
    await streak();
    mail.configure({ fault: 'drop' });
    telegram.fault({ match: '/bot', kind: 'status', status: 500, times: 0 });
    const end = await pass();
    expect(end).toMatchObject({ exit: 69, error: { code: 'ALERTS_NOT_TOLD' } });
    expect(end.error?.message).not.toContain(TELEGRAM_SANDBOX_TOKEN);
    expect(await alerts()).toEqual(['! streak kaspi:poll']);
    await kaspiRuns('ok');
    expect(await pass()).toMatchObject({ exit: 69 });
    telegram.faults.length = 0;
    mail.configure({ fault: null });
    expect(await pass()).toEqual({ exit: 0 });
    const past = /3 failed passes in a row.* \(over by now, 10\.05 11:05 – 10\.05 11:10\)$/;
    expect(texts()).toEqual([expect.stringMatching(past)]);
    expect(letters()).toEqual([expect.stringMatching(past)]);
    await pass();
    expect(texts()).toHaveLength(1);
  });

  test('refused credentials everywhere: 77', async () => {
    await streak();
    settings.ALERT_TELEGRAM_BOT_TOKEN = '1:of-somebody-else';
    for (const name of ['TO', 'FROM', 'SMTP_HOST', 'SMTP_PORT']) delete settings[`ALERT_EMAIL_${name}`];
    expect(await pass()).toMatchObject({ exit: 77 });
  });

  test('a lost answer tells twice rather than never, the letter under the same Message-ID', async () => {
    await streak();
    telegram.fault({ match: '/bot', kind: 'lost' });
    mail.configure({ fault: 'lost' });
    expect(await pass()).toMatchObject({ exit: 69 });
    mail.configure({ fault: null });
    expect(await pass()).toEqual({ exit: 0 });
    expect([texts(), letters()]).toEqual([
      [STREAK, STREAK],
      [STREAK, STREAK],
    ]);
    expect(new Set(mail.mails().map(({ messageId }) => messageId)).size).toBe(1);
  });

  test('a database that cannot be written to ends the pass before a word is sent', async () => {
    await streak();
    const locked = new AppError({
      code: 'DATABASE_BUSY',
      kind: 'transient',
      exit: 69,
      message: 'the database is busy',
    });
    const seams = failingWrites((number) => number === 2, locked);
    expect(await pass(seams)).toMatchObject({ exit: 69, error: { code: 'DATABASE_BUSY' } });
    expect([texts(), await alerts()]).toEqual([[], []]);
    expect(await pass()).toEqual({ exit: 0 });
    expect([texts(), letters()]).toEqual([[STREAK], [STREAK]]);
  });

  test('killed at each of its steps, it loses nothing and says nothing more than twice', async () => {
    await pass();
    const calm = mortal();
    const opened = (subject: string) =>
      write((tx) => openAlert(tx, 'mapping', subject, `field ${subject} refused`, at));
    await opened('calm');
    await pass(calm.seams);
    await calm.bury();
    expect(calm.steps.length).toBeGreaterThanOrEqual(10);
    for (let dieAt = 1; dieAt <= calm.steps.length; dieAt++) {
      const subject = `step ${dieAt}.`;
      await opened(subject);
      const doomed = mortal({ dieAt });
      await expect(pass(doomed.seams)).rejects.toThrow(Killed);
      await doomed.bury();
      expect(await pass()).toEqual({ exit: 0 });
      for (const channel of [texts(), letters()]) {
        const times = channel.filter((text) => text.includes(`field ${subject}`)).length;
        expect([1, 2], `killed at step ${dieAt}, ${calm.steps[dieAt - 1]}`).toContain(times);
      }
    }
    const before = texts().length;
    await pass();
    expect(texts()).toHaveLength(before);
  });

  test('without a channel the rows are kept and a warning is given', async () => {
    for (const name of Object.keys(settings)) if (name.startsWith('ALERT_')) delete settings[name];
    await streak();
    expect(await pass()).toEqual({ exit: 0 });
    expect(await alerts()).toEqual(['! streak kaspi:poll']);
    expect(logged.filter(({ message }) => message?.includes('no channel is configured'))).toHaveLength(1);
  });

  test('a channel that is added later is told what is open, and not what is history', async () => {
    await write(async (tx) => {
      const lastWeek = new Date(at.getTime() - 3 * DAY);
      await openAlert(tx, 'max_changes', 'kaspi:reconcile', 'long ago', lastWeek);
      await closeAlert(tx, 'max_changes', 'kaspi:reconcile', lastWeek);
    });
    await streak();
    await pass();
    expect(texts()).toEqual([STREAK]);
  });

  test('a dry run writes nothing and sends nothing', async () => {
    await streak();
    const before = await fresh.database.db.selectFrom('runs').select('id').execute();
    const parts = await wired(undefined, true);
    await planPass(parts.options);
    await parts.close();
    expect(await alerts()).toEqual([]);
    expect(await fresh.database.db.selectFrom('runs').select('id').execute()).toEqual(before);
    expect([texts(), letters()]).toEqual([[], []]);
    expect(logged).toContainEqual({
      fields: expect.objectContaining({ kind: 'streak', subject: 'kaspi:poll' }),
      message: 'this alert would be open',
    });
  });

  test('a faulty mapping does not silence it', async () => {
    await writeFile(join(fresh.dir, 'mapping.yaml'), 'kaspi: [');
    settings.MAPPING_FILE = 'mapping.yaml';
    await streak();
    expect(await pass()).toEqual({ exit: 0 });
    expect(texts()).toEqual([STREAK]);
    expect(await readFile(join(fresh.dir, 'mapping.yaml'), 'utf8')).toBe('kaspi: [');
  });

  test('an effect in doubt: told by its own alert, cleared when it is settled', async () => {
    await write(async (tx) => {
      await storeEffects(tx, 'kaspi:poll', [effect('deal:1001', '1001')], false, at);
      const row = await tx.selectFrom('outbox').select('id').executeTakeFirstOrThrow();
      await doubtEffects(tx, [row.id], at, 'no answer');
      await openAlert(tx, 'in_doubt', 'deal:1001', 'kaspi-order 1001: it is not known whether it was written', at);
    });
    await pass();
    expect(texts()).toEqual([expect.stringContaining('Not known whether written: kaspi-order 1001')]);
    expect(await alerts()).toEqual(['! in_doubt deal:1001']);
    await write(async (tx) => {
      const row = await tx.selectFrom('outbox').select('id').executeTakeFirstOrThrow();
      await finishEffect(tx, row.id, '77', at);
    });
    await pass();
    expect(texts().at(-1)).toMatch(/^✓ Not known whether written · deal:1001: fine again/);
    expect(await alerts()).toEqual(['- in_doubt deal:1001']);
  });

  test('hundreds of conflicts are one message; after a week they can be reported anew, without a word of clearing', async () => {
    const conflict = (code: number) =>
      ['conflict', `kaspi-order:${code}:the budget`, `kaspi-order ${code}: the budget`] as const;
    await write(async (tx) => {
      for (let code = 1; code <= 300; code++) await openAlert(tx, ...conflict(code), at);
    });
    await pass();
    expect(texts()).toHaveLength(1);
    expect(texts()[0]?.split('\n')).toHaveLength(1);
    expect(texts()[0]).toContain('300');
    at = new Date(at.getTime() + 7 * DAY);
    await pass();
    expect(texts()).toHaveLength(1);
    expect(await write((tx) => openAlert(tx, ...conflict(1), at))).toBe(true);
    await pass();
    expect(texts()).toHaveLength(2);
  });

  test('the backlog counts each record once, and none that is just being delivered', async () => {
    settings.ALERT_BACKLOG_THRESHOLD = '2';
    await write(async (tx) => {
      await storeEffects(tx, 'kaspi:poll', [effect('a', '1001'), effect('b', '1001'), effect('c', '1002')], false, at);
      await keepFailed(tx, 'kaspi:poll', { kind: 'kaspi-order', key: '1002' }, 'no phone', at);
      await storeEffects(tx, 'kaspi:poll', [effect('d', '1003')], false, new Date(at.getTime() + 20 * MINUTE));
    });
    at = new Date(at.getTime() + 20 * MINUTE);
    await pass();
    expect(await alerts()).toEqual([]);
    await pass();
    expect(texts()).toEqual([expect.stringContaining('3 records wait (threshold 2)')]);
  });

  test('records that fail for more than a day are told with an example', async () => {
    await write((tx) => keepFailed(tx, 'kaspi:poll', { kind: 'kaspi-order', key: '1002' }, 'no phone', at));
    at = new Date(at.getTime() + DAY - 5 * MINUTE);
    await pass();
    expect(await alerts()).toEqual([]);
    await pass();
    expect(texts()).toEqual([expect.stringMatching(/kaspi-order: .*more than a day: 1, e\.g\. 1002/)]);
  });

  test('a late heartbeat; an unfinished pass that gets things done is alive', async () => {
    settings.ALERT_HEARTBEAT_MINUTES = '5';
    await kaspiRuns('ok', 'running');
    at = new Date(at.getTime() + HOUR);
    const { id } = await fresh.database.db
      .selectFrom('runs')
      .select('id')
      .where('finished_at', 'is', null)
      .executeTakeFirstOrThrow();
    await write(async (tx) => {
      await storeEffects(tx, 'kaspi:poll', [effect('a', '1001')], false, at);
      const row = await tx.selectFrom('outbox').select('id').executeTakeFirstOrThrow();
      await tx.updateTable('outbox').set({ run_id: id }).execute();
      await finishEffect(tx, row.id, '77', at);
    });
    await pass();
    expect(await alerts()).toEqual([]);
    await pass();
    expect(texts()).toEqual([expect.stringMatching(/kaspi:poll: no good pass for 70 min/)]);
  });

  test('a listener that was heard of and fell silent', async () => {
    settings.ALERT_HEARTBEAT_MINUTES = '5';
    await write((tx) => setHeartbeat(tx, 'retail:listen', at));
    await pass();
    expect(await alerts()).toEqual([]);
    at = new Date(at.getTime() + 10 * MINUTE);
    await pass();
    expect(texts()).toEqual([expect.stringMatching(/retail:listen: silent for \d+ min/)]);
  });

  test('no order for far longer than these hours usually bring', async () => {
    const order = (code: string, ms: number) => ({
      id: code,
      code,
      state: 'NEW',
      status: 'APPROVED_BY_BANK',
      totalMinor: 100,
      createdAt: new Date(ms),
      final: false,
    });
    const last = at.getTime();
    await write(async (tx) => {
      const orders = [order('last', last), order('first', last - 28 * DAY - HOUR)];
      for (let week = 1; week <= 4; week++) {
        for (let n = 1; n <= 8; n++) orders.push(order(`${week}-${n}`, last - week * 7 * DAY + n * 20 * MINUTE));
      }
      await saveKaspiOrders(tx, orders as unknown as Parameters<typeof saveKaspiOrders>[1], at);
    });
    at = new Date(last + 60 * MINUTE);
    await kaspiRuns('ok');
    await pass();
    expect(await alerts()).toEqual([]);
    at = new Date(last + 3 * HOUR);
    await kaspiRuns('ok');
    await pass();
    expect(texts()).toEqual([expect.stringMatching(/no order since 2026-05-10 06:00 UTC.* 8 or more/)]);
    await write((tx) =>
      saveKaspiOrders(tx, [order('new', at.getTime())] as unknown as Parameters<typeof saveKaspiOrders>[1], at),
    );
    await kaspiRuns('ok');
    await pass();
    expect(texts().at(-1)).toMatch(/^✓ No new orders · kaspi: fine again/);
  });

  test('a long-lived token is told at 30, 7 and 1 days, and cleared as one', async () => {
    const expires = at.getTime() + 8 * DAY;
    settings.AMO_LONG_LIVED_TOKEN = 'not-a-readable-token';
    settings.AMO_LONG_LIVED_TOKEN_EXPIRES = new Date(expires).toISOString();
    await pass();
    at = new Date(expires - 6 * DAY);
    await pass();
    at = new Date(expires - 12 * HOUR);
    await pass();
    await pass();
    expect(texts()).toEqual([
      expect.stringContaining('ends in 7 days'),
      expect.stringContaining('ends in 5 days'),
      expect.stringContaining('ends in 11 h'),
    ]);
    settings.AMO_LONG_LIVED_TOKEN_EXPIRES = new Date(expires + 300 * DAY).toISOString();
    await pass();
    expect(texts().at(-1)).toBe('✓ Token · amocrm: fine again');
  });
});

function effect(key: string, code: string) {
  return { key, kind: 'amocrm.deal', record: { kind: 'kaspi-order', key: code }, needs: [], payload: {} };
}

/** A database whose transactions of the chosen numbers fail. */
function failingWrites(fails: (number: number) => boolean, error: Error): Seams {
  const { seams } = mortal();
  let number = 0;
  return {
    ...seams,
    openDatabase: async (options) => {
      const inner = await openDatabase(options);
      const database: Database = {
        ...inner,
        transaction: (work) => {
          number += 1;
          return fails(number) ? Promise.reject(error) : inner.transaction(work);
        },
      };
      return database;
    },
  };
}

test('the queries of a check use indexes', async () => {
  const fresh = await freshDatabase('sqlite');
  try {
    const plan = async (query: string) =>
      (await sql<{ detail: string }>`EXPLAIN QUERY PLAN ${sql.raw(query)}`.execute(fresh.database.db)).rows
        .map(({ detail }) => detail)
        .join('\n');
    const since = "'2026-01-01T00:00:00.000Z'";
    expect(
      await plan(
        `SELECT done_at FROM outbox WHERE payload IS NOT NULL AND done_at IS NOT NULL AND done_at >= ${since} AND run_id = 1 ORDER BY done_at DESC LIMIT 1`,
      ),
    ).toContain('outbox_unpruned');
    expect(await plan(`SELECT * FROM alerts WHERE closed_at IS NOT NULL AND closed_at > ${since}`)).toContain(
      'alerts_closed',
    );
    expect(
      await plan(
        `SELECT record_key FROM outbox WHERE state NOT IN ('done', 'superseded', 'ignored') AND created_at <= ${since}`,
      ),
    ).toContain('outbox_open');
  } finally {
    await fresh.dispose();
  }
});
