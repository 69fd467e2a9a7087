import { expect } from 'vitest';
import type { Dialect } from './databases.ts';
import { atEachEnd } from './ends.ts';
import type { Step } from './mortal.ts';
import { cutsOf } from './stride.ts';
import { type RunOptions, type World, type WorldOptions, world } from './world.ts';

/** After so many wrong ends the rest would tell nothing new. */
const ENOUGH = 3;
const TICK_MS = 60_000;

const opened: World[] = [];

atEachEnd('test', async () => {
  for (const one of opened.splice(0)) await one.close();
});

/** A world that ends with its test. */
export async function open(dialect: Dialect, options: WorldOptions = {}): Promise<World> {
  const made = await world(dialect, options);
  opened.push(made);
  return made;
}

/** Ends the youngest world, so that a loop does not keep hundreds of them. */
export async function closeLast(): Promise<void> {
  await opened.pop()?.close();
}

/** A world brought to the moment before the pass that is cut, and what is looked at in the end. */
export interface Scene {
  options: WorldOptions;
  prepare(one: World): Promise<void>;
  /** How the pass is run, the cut one and those after it. */
  run?: RunOptions;
  /** How often cron comes, and how often it may come until all is done. */
  tickMs?: number;
  most?: number;
  /** What must be the same as after a calm run; default what the CRM holds. */
  seen?(one: World): unknown;
}

export interface Loop {
  steps: readonly Step[];
  /** The steps at which a pass was cut. */
  cuts: readonly number[];
  kinds: ReadonlySet<Step>;
  wrong: readonly string[];
}

/** Cuts a pass at its first step, another world's at a later one, and so on; each of them is run on to its end. */
export async function cutAtSteps(dialect: Dialect, scene: Scene, stride: number): Promise<Loop> {
  const { steps, wanted } = await calmRun(dialect, scene);
  const cuts = cutsOf(steps, stride);
  const kinds = new Set<Step>();
  const wrong: string[] = [];
  for (const dieAt of cuts) {
    const one = await open(dialect, scene.options);
    await scene.prepare(one);
    const end = await one.run({ ...scene.run, dieAt });
    const last = end.steps.at(-1);
    if (end.exit !== 'killed') wrong.push(`step ${dieAt}: the pass got through (exit ${end.exit})`);
    else if (last !== undefined) kinds.add(last);
    const fault = await faultAfter(one, scene, wanted);
    if (fault !== undefined) wrong.push(`cut at step ${dieAt} (${last}): ${fault}`);
    await closeLast();
    if (wrong.length >= ENOUGH) break;
  }
  return { steps, cuts, kinds, wrong };
}

/** Cuts four passes of each world at steps of chance, each of which cleans up after the one before; gives the wrong ends. */
export async function cutAgainAndAgain(dialect: Dialect, scene: Scene, seeds: number): Promise<string[]> {
  const { steps, wanted } = await calmRun(dialect, scene);
  const wrong: string[] = [];
  for (let seed = 1; seed <= seeds && wrong.length < ENOUGH; seed++) {
    const cuts = stepsOf(seed, steps.length);
    const one = await open(dialect, scene.options);
    await scene.prepare(one);
    for (const dieAt of cuts) {
      await one.run({ ...scene.run, dieAt });
      one.clock.advance(TICK_MS);
    }
    const fault = await faultAfter(one, scene, wanted);
    if (fault !== undefined) wrong.push(`seed ${seed}, cut at steps ${cuts.join(', ')}: ${fault}`);
    await closeLast();
  }
  return wrong;
}

/** The steps of a pass that nothing disturbs, and what stands there in the end. */
export async function calmRun(dialect: Dialect, scene: Scene): Promise<{ steps: readonly Step[]; wanted: unknown }> {
  const calm = await open(dialect, scene.options);
  await scene.prepare(calm);
  const { steps } = await calm.run(scene.run);
  await settle(calm, scene);
  const wanted = await seen(calm, scene);
  await closeLast();
  return { steps, wanted };
}

/** Runs on until nothing is left to do; tells how what stands there differs from what is wanted. */
export async function faultAfter(one: World, scene: Scene, wanted: unknown): Promise<string | undefined> {
  try {
    await settle(one, scene);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return difference(await seen(one, scene), wanted);
}

/** The lines in which two values differ, for there may be hundreds of lines. */
export function difference(is: unknown, wanted: unknown): string | undefined {
  const linesOf = (value: unknown) => JSON.stringify(value, null, 1).split('\n');
  const [found, sought] = [linesOf(is), linesOf(wanted)];
  if (found.join() === sought.join()) return undefined;
  const without = (lines: string[], others: string[]) => lines.filter((line) => !others.includes(line)).join('');
  return `lacks ${without(sought, found)}; has ${without(found, sought)}`;
}

async function settle(one: World, { tickMs, most, run = {} }: Scene): Promise<void> {
  await one.settle({
    ...(tickMs === undefined ? {} : { tickMs }),
    ...(most === undefined ? {} : { most }),
    jobs: [run],
  });
}

async function seen(one: World, scene: Scene): Promise<unknown> {
  return (await scene.seen?.(one)) ?? one.outcome();
}

const EVERY_KIND = ['commit: after', 'commit: before', 'request: after', 'request: before'];

/** The loop went over a pass of some length, met each kind of step, and never ended otherwise than a calm run. */
export function expectSound({ steps, kinds, wrong }: Loop, least: number): void {
  expect(wrong).toEqual([]);
  expect(steps.length).toBeGreaterThan(least);
  expect([...kinds].sort()).toEqual(EVERY_KIND);
}

/** Four steps of a pass, the same for a seed in every run (mulberry32). */
export function stepsOf(seed: number, among: number): number[] {
  let state = seed;
  return Array.from({ length: 4 }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return 1 + (((mixed ^ (mixed >>> 14)) >>> 0) % among);
  });
}
