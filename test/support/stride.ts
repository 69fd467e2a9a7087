import type { Step } from './mortal.ts';

/**
 * How many steps of a kind the loops over crashes and faults go at a time: 1 takes every one, which is what
 * `npm run test:system` does; the default keeps `npm test` short.
 */
export const STRIDE = strideFrom(process.env.SDELKA_CRASH_STRIDE);

/**
 * Whether tests that others nearly stand for are run as well, such as most of PostgreSQL's turns: `npm run test:system` runs them,
 * `npm test` has five minutes.
 */
export const THOROUGH = process.env.SDELKA_CRASH_STRIDE !== undefined;

/** All of a table's rows where there is time for them, else the first ones. */
export function fewOf<T>(rows: readonly T[], few: number): readonly T[] {
  return THOROUGH ? rows : rows.slice(0, few);
}

/** The same code runs on both databases, so that PostgreSQL's slower turns go twice as far. */
export const POSTGRES_STRIDE = 2 * STRIDE + 1;

function strideFrom(text = '21'): number {
  const stride = Number(text);
  if (!Number.isInteger(stride) || stride < 1) throw new Error(`SDELKA_CRASH_STRIDE must be 1 or more, not ${text}`);
  return stride;
}

/** The numbers, from 1, of the steps to die at: each `stride`th of every kind, so that no kind goes without. */
export function cutsOf(steps: readonly Step[], stride: number): number[] {
  const met = new Map<Step, number>();
  return steps.flatMap((kind, index) => {
    const before = met.get(kind) ?? 0;
    met.set(kind, before + 1);
    // Each kind begins elsewhere, for a request before and the same request after are neighbours.
    const offset = ([...met.keys()].indexOf(kind) * 2) % stride;
    const isFirstOfFew = before === 0 && steps.filter((one) => one === kind).length <= offset;
    return before % stride === offset || isFirstOfFew ? [index + 1] : [];
  });
}

/** Of a table of combinations, each row with the columns that are its turn, so that every row and every column is met; all of them at stride 1. */
export function diagonal<A, B>(rows: readonly A[], columns: readonly B[]): [A, B[]][] {
  return rows.map((row, at) => [
    row,
    columns.filter((_, column) => STRIDE === 1 || column % rows.length === at % columns.length),
  ]);
}
