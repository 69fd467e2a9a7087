import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { AppError, ExitCode } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Effect } from '../../src/domain/effect.ts';
import type { Delivery, EffectHandler } from '../../src/domain/handler.ts';
import type { JobContext, Tables } from '../../src/runner/job.ts';
import type { Reading } from '../../src/runner/reading.ts';
import { type RunOptions, runJob } from '../../src/runner/run-job.ts';
import { cursorsOf } from '../../src/state/meta.ts';
import { type FreshDatabase, freshDatabase } from '../support/databases.ts';

let fresh: FreshDatabase;
beforeEach(async () => {
  fresh = await freshDatabase('sqlite');
});
afterEach(async () => {
  await fresh.dispose();
});

const JOB = 'test:groups';
const sent: string[] = [];
const settled: string[] = [];

function effect(key: string, kind: string, needs: readonly string[] = []): Effect {
  return { key, kind, record: { kind: 'thing', key }, needs, payload: null };
}

function handler(kind: string, more: Partial<EffectHandler> = {}): EffectHandler {
  return {
    kind,
    batch: 10,
    send: async (deliveries, onSend) => {
      await onSend();
      sent.push(...deliveries.map(({ row }) => row.key));
      return new Map(deliveries.map(({ row }) => [row.id, { state: 'done' as const, remoteId: `r-${row.key}` }]));
    },
    look: async (deliveries: readonly Delivery[]) =>
      new Map(deliveries.map(({ row }) => [row.id, { state: 'absent' as const }])),
    describe: () => ({}),
    ...more,
  };
}

/** A source with one record for each effect. */
function reading(effects: readonly Effect[]): Reading<Effect> {
  return {
    recordKind: 'thing',
    pages: async function* () {
      yield effects;
    },
    again: async (key) => effects.find((one) => one.key === key),
    keyOf: (one) => one.key,
    knownBy: (key) => key,
    wanted: () => true,
    plan: async (one) => ({ record: one.record, effects: [one] }),
    keep: async () => 0,
  };
}

const down = () =>
  new AppError({ code: 'DOWN', kind: 'transient', exit: ExitCode.Unavailable, message: 'it is down', hint: 'wait' });

type Run = (context: JobContext<unknown, unknown, unknown>) => Promise<void>;

function pass(run: Run, handlers: readonly (readonly EffectHandler[])[]) {
  sent.length = 0;
  const options: RunOptions<unknown, unknown, unknown> = {
    job: { name: JOB, overlapMs: 0, sliceMs: 86_400_000, run },
    database: fresh.database,
    clients: {},
    settings: {},
    mapping: {},
    handlers: async () => handlers,
    tables: {} as Tables,
    flags: new Set(),
    clock: systemClock,
    signal: new AbortController().signal,
    log: silentLogger,
    windowStart: (now) => new Date(now.getTime() - 3_600_000),
    zone: 'UTC',
    lockWaitMs: 0,
    quietMs: 0,
    leastQuietMs: async () => 0,
    requestMs: 0,
    maxChanges: 0,
    keepDays: 30,
    keepKinds: [],
    requests: () => 0,
    checkBinding: async () => {},
    bind: async () => {},
    settled: async (_tx, row, remoteId) => {
      settled.push(`${row.key}=${remoteId}`);
    },
    ping: async () => {},
  };
  return runJob(options);
}

test('an account that is down keeps back its own effects alone, and the pass says so', async () => {
  const dead = handler('a.thing@1', { send: () => Promise.reject(down()) });
  const both = [effect('one', 'a.thing@1'), effect('two', 'a.thing@2')];
  const failing = pass((context) => context.eachPage(reading(both)), [[dead], [handler('a.thing@2')]]);
  await expect(failing).rejects.toMatchObject({ exit: ExitCode.Unavailable });
  expect(sent).toEqual(['two']);
  expect(settled).toEqual(['two=r-two']);
  const later = await pass(async () => {}, [[handler('a.thing@1')], [handler('a.thing@2')]]);
  expect(sent).toEqual(['one']);
  expect(later.exit).toBe(ExitCode.Ok);
});

test('each part of a source has a cursor of its own', async () => {
  const half: Run = async (context) => {
    await context.eachPage(reading([effect('one', 'a.thing@1')]), '1');
    const broken = {
      ...reading([]),
      pages: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(down()) }) }),
    };
    await context.eachPage(broken, '2');
  };
  await expect(pass(half, [[handler('a.thing@1')]])).rejects.toThrow('it is down');
  expect((await cursorsOf(fresh.database.db, JOB)).map(({ name }) => name)).toEqual([`${JOB}/1`]);
  expect(sent).toEqual(['one']);
});

test('what can be done without goes once the other is refused for good, and not before', async () => {
  const refusing = handler('a.base', {
    send: async (deliveries, onSend) => {
      await onSend();
      return new Map(deliveries.map(({ row }) => [row.id, { state: 'refused' as const, reason: 'no' }]));
    },
  });
  const both = [effect('base', 'a.base'), effect('top', 'a.top', ['base'])];
  await pass((context) => context.eachPage(reading(both)), [[handler('a.top', { goesWithout: true })]]);
  expect(sent).toEqual([]);
  await pass(async () => {}, [[refusing, handler('a.top')]]);
  expect(sent).toEqual([]);
  await pass(async () => {}, [[handler('a.top', { goesWithout: true })]]);
  expect(sent).toEqual(['top']);
});
