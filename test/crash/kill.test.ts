import { afterEach, expect, test } from 'vitest';
import type { Fault } from '../../src/sandbox/kit.ts';
import { type Outcome as End, sdelka, startSdelka } from '../support/cli.ts';
import type { Dialect } from '../support/databases.ts';
import { diagonal } from '../support/stride.ts';
import { type World, world } from '../support/world.ts';

/** Short, since the time of a killed request has to pass before its outcome is looked up. */
const SETTINGS = { HTTP_TIMEOUT_MS: '3000', DOUBT_QUIET_SECONDS: '1', LOG_LEVEL: 'info' };

const opened: World[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(dialect: Dialect, live: Date): Promise<World> {
  const made = await world(dialect, { live, env: SETTINGS });
  opened.push(made);
  return made;
}

function poll(one: World): Promise<End> {
  return sdelka(['kaspi:poll', '--json'], { env: one.environment, cwd: one.dir });
}

function summary(end: End): Record<string, unknown> {
  return JSON.parse(end.stdout) as Record<string, unknown>;
}

/** The next ticks of cron, until one finds nothing to do. */
async function tickUntilIdle(one: World): Promise<void> {
  for (let tick = 1; tick <= 6; tick++) {
    const end = await poll(one);
    if (end.code === 0 && summary(end).created === 0 && Object.keys(await one.open()).length === 0) return;
  }
  throw new Error(`work is left: ${JSON.stringify(await one.open())}`);
}

/** Resolves when the stand-in sits on the request that the fault struck. */
async function struck(one: World): Promise<void> {
  while (!one.amo.journal.some((entry) => entry.fault !== undefined)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Starts a pass, has it stuck in a write, and kills it there as a power cut would. */
async function killedAt(one: World, fault: Fault, meanwhile: () => Promise<void> = async () => undefined) {
  one.amo.fault(fault);
  const { child, done } = await startSdelka(['kaspi:poll'], { env: one.environment, cwd: one.dir });
  await Promise.race([struck(one), done.then((end) => Promise.reject(new Error(`it ended: ${end.stderr}`)))]);
  await meanwhile();
  child.kill('SIGKILL');
  const end = await done;
  expect(end.signal).toBe('SIGKILL');
}

async function calmOutcome(live: Date) {
  const calm = await open('sqlite', live);
  const end = await poll(calm);
  expect(end.code, end.stderr).toBe(0);
  return calm.outcome();
}

const ROUTES = [
  'POST /api/v4/contacts',
  'POST /api/v4/catalogs/5501/elements',
  'POST /api/v4/leads',
  'POST /api/v4/leads/link',
  'POST /api/v4/leads/notes',
];

const KILLS = diagonal(ROUTES, ['hang-after', 'hang'] as const).flatMap(([match, kinds]) =>
  kinds.map((kind) => ({ match, kind })),
);

test('sqlite: killed in each write: the next ticks make what is missing, once', async () => {
  const live = new Date();
  const wanted = await calmOutcome(live);
  await Promise.all(
    KILLS.map(async (fault) => {
      const one = await open('sqlite', live);
      await killedAt(one, fault);
      await tickUntilIdle(one);
      expect(one.outcome(), `${fault.match}: ${fault.kind}`).toEqual(wanted);
    }),
  );
});

test.each(['sqlite', 'postgres'] as const)(
  '%s: a run that comes meanwhile is skipped; the lock is free after the kill',
  async (dialect) => {
    const live = new Date();
    const wanted = await calmOutcome(live);
    const one = await open(dialect, live);
    await killedAt(one, { match: 'POST /api/v4/leads', kind: 'hang-after' }, async () => {
      const other = await poll(one);
      expect(other.code, other.stderr).toBe(0);
      expect(summary(other)).toMatchObject({ job: 'kaspi:poll', outcome: 'skipped', created: 0 });
      expect(other.lines).toContainEqual(expect.objectContaining({ level: 30, msg: 'skipped: locked' }));
    });
    const next = await poll(one);
    expect(summary(next).outcome, next.stderr).not.toBe('skipped');
    await tickUntilIdle(one);
    expect(one.outcome()).toEqual(wanted);
  },
);
