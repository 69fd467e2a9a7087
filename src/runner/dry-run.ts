import { cleanValue } from '../base/redact.ts';
import type { Json } from '../base/schema.ts';
import type { Effect, RecordRef } from '../domain/effect.ts';
import type { Delivery, EffectHandler, Found } from '../domain/handler.ts';
import type { Database } from '../state/database.ts';
import { remoteIds } from '../state/links.ts';
import { countOpen } from '../state/outbox.ts';
import { emptyCounts, isAdopting, jobContext, type PassOptions } from './run-job.ts';
import { planSink } from './sink.ts';

/** One intended write, as a dry run shows it. */
export interface PlannedEffect {
  /** `exists`: it stands at the target already, so that nothing would be sent. */
  action: 'create' | 'update' | 'exists';
  kind: string;
  record: RecordRef;
  key: string;
  remoteId?: string;
  fields: Record<string, Json>;
}

export interface PassPlan {
  job: string;
  fetched: number;
  skipped: number;
  /** Effects of earlier passes that wait in the outbox, by state. */
  waiting: Record<string, number>;
  plan: PlannedEffect[];
  problems: { record: RecordRef; reason: string }[];
}

/** A pass that writes nothing: reads the source, plans, and does the read-only half of each effect. */
export async function planPass<C, S, M>(options: PassOptions<C, S, M>): Promise<PassPlan> {
  const { job, database, clock } = options;
  const counts = emptyCounts();
  const now = clock.now();
  const sink = planSink({ database, now });
  let adopting = false;
  const sinkOf = async (cursor: string) => {
    adopting ||= await isAdopting(database, cursor);
    return sink;
  };
  const pass = { counts, now, sinkOf, adopting: await isAdopting(database, job.name) };
  await job.run(await jobContext(options, pass));
  const handlers = sink.effects.length > 0 ? (await options.handlers()).flat() : [];
  const plan = await settle(handlers, sink.effects, database, adopting, now);
  const { fetched, skipped } = counts;
  const waiting = await countOpen(database.db, job.name);
  return { job: job.name, fetched, skipped, waiting, plan, problems: [...sink.problems] };
}

async function settle(
  handlers: readonly EffectHandler[],
  effects: readonly Effect[],
  database: Database,
  adopting: boolean,
  now: Date,
): Promise<PlannedEffect[]> {
  const ids = new Map(
    await remoteIds(
      database.db,
      effects.flatMap((effect) => effect.needs),
    ),
  );
  const planned: PlannedEffect[] = [];
  for (const handler of handlers) {
    const own = effects.filter((effect) => effect.kind === handler.kind);
    const found = await standing(
      handler,
      own.filter((effect) => effect.needs.every((key) => ids.has(key))),
      ids,
      adopting,
      now,
    );
    for (const effect of own) {
      const remoteId = found.get(effect.key)?.remoteId;
      if (remoteId !== undefined) ids.set(effect.key, remoteId);
      planned.push({
        action: remoteId !== undefined ? 'exists' : handler.counts === 'updated' ? 'update' : 'create',
        kind: effect.kind,
        record: effect.record,
        key: effect.key,
        ...(remoteId === undefined ? {} : { remoteId }),
        // A template of the mapping may put a phone into a name, a tag or any field.
        fields: cleanValue(handler.describe(effect.payload)) as Record<string, Json>,
      });
    }
  }
  return planned;
}

/** Which of these effects are true at the target already. */
async function standing(
  handler: EffectHandler,
  effects: readonly Effect[],
  ids: ReadonlyMap<string, string>,
  adopting: boolean,
  now: Date,
): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  if (effects.length === 0) return found;
  const deliveries = effects.map((effect, index) => asDelivery(handler, effect, index, ids, now));
  const looks = adopting ? await handler.look(deliveries) : new Map();
  for (const { row } of deliveries) {
    const look = looks.get(row.id);
    if (look?.state === 'found') found.set(row.key, look);
  }
  const open = deliveries.filter(({ row }) => !found.has(row.key));
  const known = open.length > 0 && handler.known ? await handler.known(open) : new Map<number, Found>();
  for (const { row } of open) {
    const one = known.get(row.id);
    if (one) found.set(row.key, one);
  }
  return found;
}

function asDelivery(
  handler: EffectHandler,
  effect: Effect,
  index: number,
  ids: ReadonlyMap<string, string>,
  now: Date,
): Delivery {
  return {
    row: {
      ...effect,
      id: index + 1,
      doubts: 0,
      looks: 0,
      attempts: 0,
      lookFirst: true,
      sentAt: null,
      createdAt: now.toISOString(),
    },
    ids: new Map(effect.needs.map((key) => [key, ids.get(key) ?? ''])),
    since: handler.since?.(effect.payload) ?? new Date(0),
  };
}
