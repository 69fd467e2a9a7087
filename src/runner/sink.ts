import type { Effect, LinkState, Plan, RecordRef, Revision } from '../domain/effect.ts';
import { type Adopted, adopt } from '../state/adopt.ts';
import type { Database, Tx } from '../state/database.ts';
import { failedKeys, forgetAllFailed, keepFailed } from '../state/failed-records.ts';
import { linkStates, takeRevision } from '../state/links.ts';
import { advanceCursor } from '../state/meta.ts';
import { knownKeys, storeEffects } from '../state/outbox.ts';

export type { Adopted } from '../state/adopt.ts';

/** What came of one page of records. */
export interface PageResult {
  /** What stands at the target already; bound before the rest is stored. */
  adopted: readonly Adopted[];
  plans: readonly Plan[];
  /** Changes of things that stand at the target already; `effect` undefined: only what was asked for has changed back. */
  changes: readonly Change[];
  problems: readonly { record: RecordRef; reason: string }[];
  /** The slice is finished: the cursor moves here, in the same transaction. */
  cursor: Date | undefined;
  keep: (tx: Tx) => Promise<number>;
  kept: number;
}

/** An update of a linked thing, or the mere withdrawal of one that was not begun. */
export interface Change {
  revises: Revision;
  effect: Effect | undefined;
  /** What goes along with the change: goods to be made first, a note that tells of it. */
  extra?: readonly Effect[];
}

/** Where plans go: into the outbox, or, in a dry run, to the operator's eyes. */
export interface Sink {
  known(keys: readonly string[]): Promise<ReadonlySet<string>>;
  links(keys: readonly string[]): Promise<ReadonlyMap<string, LinkState>>;
  failedKeys(recordKind: string): Promise<ReadonlyMap<string, boolean>>;
  store(result: PageResult): Promise<void>;
}

export interface OutboxSinkOptions {
  database: Database;
  job: string;
  /** The name of the cursor that moves with what is stored. */
  cursor: string;
  now: Date;
  /** A fresh, restored or moved database: what it makes first may exist already. */
  adopting: boolean;
  /** Records older than this (ISO-8601) may exist at the target whenever they are planned. */
  adoptUntil: string;
}

/** Stores effects, failures and the cursor of a page in one transaction. */
export function outboxSink({ database, job, cursor: name, now, adopting, adoptUntil }: OutboxSinkOptions): Sink {
  return {
    known: (keys) => knownKeys(database.db, keys),
    links: (keys) => linkStates(database.db, keys),
    failedKeys: (kind) => failedKeys(database.db, kind, now),
    store: async ({ adopted, plans, changes, problems, cursor, keep, kept }) => {
      const found = adopted.length + plans.length + changes.length + problems.length + kept;
      if (found === 0 && cursor === undefined) return;
      await database.transaction(async (tx) => {
        const faulty = new Set(problems.map(({ record }) => record.key));
        const foundNow = new Set(adopted.map(({ record }) => record.key));
        for (const one of adopted) await adopt(tx, one, now, job);
        const mayStand = (plan: Plan) => adopting || (plan.since ?? '9') <= adoptUntil;
        for (const lookFirst of [true, false]) {
          const alike = plans.filter((plan) => mayStand(plan) === lookFirst);
          const effects = alike.flatMap((plan) => plan.effects);
          await storeEffects(tx, job, effects, lookFirst, now);
        }
        const well = plans.filter((plan) => !faulty.has(plan.record.key));
        await forgetAllFailed(
          tx,
          well.map((plan) => plan.record),
        );
        for (const { revises, effect, extra = [] } of changes) {
          const underWay = await takeRevision(tx, revises, now);
          if (underWay === undefined) continue;
          // Another job may be in the middle of what this change makes needless; it would undo the change if it came later.
          const update = effect ? [{ ...effect, needs: [...effect.needs, ...underWay] }] : [];
          // What goes along is made, not changed: for what was just found at the target it may have been made before.
          const lookFirst = adopting || extra.some(({ record }) => foundNow.has(record.key));
          await storeEffects(tx, job, extra, lookFirst, now);
          await storeEffects(tx, job, update, false, now);
        }
        for (const { record, reason } of problems) await keepFailed(tx, job, record, reason, now);
        await keep(tx);
        if (cursor) await advanceCursor(tx, name, cursor.toISOString(), now);
      });
    },
  };
}

export interface PlanSink extends Sink {
  readonly effects: readonly Effect[];
  readonly problems: readonly { record: RecordRef; reason: string }[];
}

/** Collects what a pass would do; reads the database, writes nothing. */
export function planSink({ database, now }: Pick<OutboxSinkOptions, 'database' | 'now'>): PlanSink {
  const effects = new Map<string, Effect>();
  const problems: { record: RecordRef; reason: string }[] = [];
  return {
    get effects() {
      return [...effects.values()];
    },
    problems,
    known: (keys) => knownKeys(database.db, keys),
    links: (keys) => linkStates(database.db, keys),
    failedKeys: (kind) => failedKeys(database.db, kind, now),
    store: async (result) => {
      const planned = [
        ...result.plans.flatMap((plan) => plan.effects),
        ...result.changes.flatMap(({ effect, extra = [] }) => [...extra, ...(effect ? [effect] : [])]),
      ];
      const known = await knownKeys(
        database.db,
        planned.map((effect) => effect.key),
      );
      for (const effect of planned) if (!known.has(effect.key)) effects.set(effect.key, effect);
      problems.push(...result.problems);
    },
  };
}
