import { AppError, ExitCode, usageError } from '../base/errors.ts';
import type { Json } from '../base/schema.ts';
import { loadMapping, type Mapping } from '../config/mapping.ts';
import { type CodePlaces, codeOf, fieldText, mayBeTag, nameOfTemplate, namePattern } from '../jobs/kaspi-codes.ts';
import { ORDER_RECORD } from '../jobs/kaspi-orders.ts';
import { type Adopted, adopt, boundKeys } from '../state/adopt.ts';
import type { Database, Lock } from '../state/database.ts';
import { chunks } from '../state/outbox.ts';
import type { AmocrmClient } from '../systems/amocrm/client.ts';
import { KINDS, keys } from '../systems/amocrm/effects/payloads.ts';
import { walkNewestFirst } from '../systems/amocrm/effects/walk.ts';
import type { AmoMemory } from '../systems/amocrm/memory.ts';
import type { Deal } from '../systems/amocrm/schema.ts';
import { amoSettings } from '../systems/amocrm/settings.ts';
import { type CommandContext, defineCommand, text, wholeNumber } from './define.ts';
import { withAmo } from './with-amo.ts';

const DAY_MS = 86_400_000;
const SINCE_DAYS = 90;
const PAGE = 250;
/** Cron starts these jobs each minute; a pass that is under way has so long to end. */
const WAIT_SECONDS = 60;
const JOBS = ['kaspi:poll', 'kaspi:reconcile'];

/** One order with the deals that carry its code, smallest id first. */
interface FoundOrder {
  code: string;
  deals: Deal[];
}

export const adoptCommand = defineCommand({
  name: 'adopt',
  summary: 'Binds deals that another integrator made, so that nothing is made twice',
  details:
    'Walks the deals newest first and finds the codes of Kaspi orders, in the field that the mapping names or in the name. ' +
    'Nothing is written in amoCRM. Of several deals with one code the oldest is bound; all of them are listed. ' +
    'From then on kaspi:poll leaves those orders alone, and kaspi:reconcile keeps them up to date.',
  arguments: [{ name: 'stream', description: 'kaspi' }],
  options: {
    namePattern: {
      value: 'pattern',
      description: "how deals are named: {code} stands for the order's code, * for anything",
      parse: pattern,
    },
    field: {
      value: 'id',
      description: 'the field of deals that holds the code alone',
      parse: wholeNumber(1, 1_000_000_000),
    },
    since: {
      value: 'days',
      description: 'how far back deals are looked at',
      parse: days,
      fallback: SINCE_DAYS,
    },
  },
  examples: ['adopt kaspi --dry-run', 'adopt kaspi --name-pattern "Заказ {code} *"', 'adopt kaspi --field 900101'],
  settings: [amoSettings],
  run: async (ctx, [stream], { namePattern: name, field, since }) => {
    if (stream !== 'kaspi') throw usageError('only the stream kaspi can be adopted', 'Type: sdelka adopt kaspi');
    const mapping = await loadMapping({ baseDir: ctx.environment.baseDir, file: ctx.globals.mappingFile });
    const places = placesOf(mapping, name, field);
    return withAmo(ctx, async ({ client, memory, bind }, _settings, database) => {
      await bind();
      const work = () => adoptAll(ctx, { client, memory, database, mapping, places, days: since });
      // A rehearsal opens the database for reading, and takes no lock.
      await (ctx.globals.dryRun ? work() : withLocks(ctx, database, work));
      return undefined;
    });
  },
});

function pattern(value: string): RegExp {
  const found = namePattern(text(value));
  if (found === undefined) throw usageError('a name pattern holds {code} once, e.g. "Kaspi #{code}"');
  return found;
}

function days(value: string): number {
  return wholeNumber(1, 3660)(value.replace(/d$/i, ''));
}

/** What is given decides alone; else both places of the mapping, as delivery itself would look. */
function placesOf(mapping: Mapping, name: RegExp | undefined, field: number | undefined): CodePlaces {
  if (name !== undefined || field !== undefined) return { name, field };
  const { deal } = mapping.kaspi;
  return { name: nameOfTemplate(deal.name), field: deal.externalIdField };
}

interface AdoptOptions {
  client: AmocrmClient;
  memory: AmoMemory;
  database: Database;
  mapping: Mapping;
  places: CodePlaces;
  days: number;
}

async function adoptAll(ctx: CommandContext, options: AdoptOptions): Promise<void> {
  const { database, mapping } = options;
  const now = ctx.clock.now();
  const since = new Date(now.getTime() - options.days * DAY_MS);
  const { orders, read } = await findOrders(options, since);
  const bound = await boundKeys(
    database.db,
    orders.map(({ code }) => dealKey(code)),
  );
  const fresh = orders.filter(({ code }) => !bound.has(dealKey(code)));
  const adopted = fresh.map((order) => adoptedOf(order, mapping));
  if (!ctx.globals.dryRun) {
    for (const chunk of chunks(adopted, 100)) {
      await database.transaction(async (tx) => {
        for (const one of chunk) await adopt(tx, one, now);
      });
    }
  }
  await show(ctx, { since, read, orders, fresh });
}

async function findOrders(
  { client, memory, places }: AdoptOptions,
  since: Date,
): Promise<{ orders: FoundOrder[]; read: number }> {
  const byCode = new Map<string, Map<number, Deal>>();
  const seen = new Set<number>();
  const distrust = await walkNewestFirst<Deal>({
    page: async (page) => {
      const query = { page, limit: PAGE, order: { by: 'id', direction: 'desc' }, with: ['contacts'] } as const;
      return (await client.listDeals(query)).rows;
    },
    since,
    controls: await memory.controls(KINDS.deal, since),
    existing: async (ids) => new Set((await client.dealsByIds(ids)).keys()),
    visit: (deal) => {
      if (deal.isDeleted || deal.createdAt * 1000 < since.getTime()) return;
      seen.add(deal.id);
      const code = codeOf(deal, places);
      if (code !== undefined) byCode.set(code, (byCode.get(code) ?? new Map<number, Deal>()).set(deal.id, deal));
    },
  });
  if (distrust !== undefined) throw untrusted(distrust);
  const orders = [...byCode].map(([code, deals]) => ({
    code,
    deals: [...deals.values()].sort((a, b) => a.id - b.id),
  }));
  return { orders, read: seen.size };
}

function dealKey(code: string): string {
  return keys.deal({ system: 'kaspi', id: code });
}

/** What delivery would have stored. The note and the goods are the other integrator's: none of ours is made. */
function adoptedOf({ code, deals }: FoundOrder, mapping: Mapping): Adopted {
  const source = { system: 'kaspi', id: code };
  const deal = deals[0] as Deal;
  const contact = deal.contacts.find(({ isMain }) => isMain) ?? deal.contacts[0];
  return {
    record: { kind: ORDER_RECORD, key: code },
    dealKey: dealKey(code),
    dealKind: KINDS.deal,
    dealId: deal.id,
    applied: shownBy(deal, code, mapping),
    others: [
      ...(contact ? [{ key: keys.contact(source), kind: KINDS.contact, remoteId: String(contact.id) }] : []),
      { key: keys.note(source, 'goods'), kind: KINDS.note, remoteId: null },
    ],
  };
}

/** The deal as it stands, in the words of the mapping, so that a later difference is seen as a change of the order. */
function shownBy(deal: Deal, code: string, mapping: Mapping): Json {
  const { tags, fields, externalIdField } = mapping.kaspi.deal;
  const fieldIds = new Set([...fields.map(({ fieldId }) => fieldId), ...(externalIdField ? [externalIdField] : [])]);
  return {
    price: deal.price,
    pipelineId: deal.pipelineId,
    statusId: deal.statusId,
    // A tag that our mapping would not give is somebody else's, and must never be taken away.
    tags: deal.tags.map((tag) => tag.name).filter((tag) => tags.some((template) => mayBeTag(tag, template, code))),
    fields: Object.fromEntries([...fieldIds].map((id) => [String(id), fieldText(deal, id)])),
  };
}

/** The jobs that could make the same deals stand still meanwhile. */
async function withLocks(ctx: CommandContext, database: Database, work: () => Promise<void>): Promise<void> {
  const waitMs = (ctx.globals.lockWaitSeconds || WAIT_SECONDS) * 1000;
  const held: Lock[] = [];
  try {
    for (const job of JOBS) {
      const lock = await database.lock(job, { waitMs, signal: ctx.signal });
      if (!lock) throw lockNotHad(job, waitMs);
      held.push(lock);
    }
    await work();
  } finally {
    for (const lock of held) await lock.release();
  }
}

function lockNotHad(job: string, waitMs: number): AppError {
  return new AppError({
    code: 'LOCK_WAIT',
    kind: 'transient',
    exit: ExitCode.LockWait,
    message: `a pass of ${job} still runs after ${Math.round(waitMs / 1000)} s; nothing was bound`,
    hint: 'Try again when it has ended (`sdelka status`), or give more time with --lock-wait.',
  });
}

function untrusted(reason: string): AppError {
  return new AppError({
    code: 'AMO_LIST_UNTRUSTED',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `amoCRM's list of deals cannot be trusted: ${reason}; nothing was bound`,
    hint: 'Try again in a few minutes, or look less far back with --since.',
  });
}

async function show(
  ctx: CommandContext,
  { since, read, orders, fresh }: { since: Date; read: number; orders: FoundOrder[]; fresh: FoundOrder[] },
): Promise<void> {
  const { dryRun } = ctx.globals;
  const idsOf = ({ deals }: FoundOrder) => deals.map(({ id }) => id);
  const doubled = orders.filter(({ deals }) => deals.length > 1);
  const bound = fresh.map(({ code, deals: [deal] }) => ({
    order: code,
    deal: deal?.id ?? 0,
    contact: deal?.contacts[0]?.id ?? null,
  }));
  const result = {
    dry_run: dryRun,
    since: since.toISOString(),
    deals_read: read,
    bound,
    already: orders.length - fresh.length,
    doubled: doubled.map((order) => ({ order: order.code, deals: idsOf(order) })),
  };
  await ctx.out.result(result, async () => {
    const rows = bound.map(({ order, deal, contact }) => [order, deal, contact ?? '']);
    return [
      ...(rows.length > 0 ? [await ctx.out.table(['order', 'deal', 'contact'], rows), ''] : []),
      `${read} deals read since ${since.toISOString().slice(0, 10)}. ${dryRun ? 'Would be bound' : 'Bound'}: ${bound.length}; bound before: ${result.already}.`,
      ...doubled.map(
        (order) => `Order ${order.code} has several deals: ${idsOf(order).join(', ')}. Merge or delete them.`,
      ),
    ].join('\n');
  });
}
