import { AppError } from '../base/errors.ts';
import { RemoteError } from '../base/remote-error.ts';
import type { Mapping } from '../config/mapping.ts';
import type { CoreSettings } from '../config/settings.ts';
import type { LinkState, Plan } from '../domain/effect.ts';
import type { OrderHead } from '../domain/order.ts';
import type { JobContext } from '../runner/job.ts';
import type { Reading } from '../runner/reading.ts';
import type { Change } from '../runner/sink.ts';
import { keys } from '../systems/amocrm/effects/payloads.ts';
import type { AmoSettings } from '../systems/amocrm/settings.ts';
import type { EntryOffer, KaspiClient } from '../systems/kaspi/client.ts';
import { headOf } from '../systems/kaspi/head.ts';
import type { OrderItem } from '../systems/kaspi/schema.ts';
import type { KaspiSettings } from '../systems/kaspi/settings.ts';
import type { AmoAccess } from './kaspi-compare.ts';
import type { OrderPlanOptions } from './kaspi-plan.ts';

export type KaspiJobContext = JobContext<
  { kaspi: KaspiClient; amocrm: () => Promise<AmoAccess> },
  CoreSettings & KaspiSettings & AmoSettings,
  Mapping
>;

export interface OrderReadingOptions {
  /** Whether known orders are compared with what amoCRM was given. */
  keepUpToDate: boolean;
}

/** What `failed` and `explain` call an order. */
export const ORDER_RECORD = 'kaspi-order';

/** Kaspi's orders of a slice, and what amoCRM shall hold of each new one. */
export function orderReading(context: KaspiJobContext, { keepUpToDate }: OrderReadingOptions): Reading<OrderItem> {
  const { clients, settings, tables, now } = context;
  const allowed: readonly string[] = settings.KASPI_ALLOWED_STATES;
  return {
    recordKind: ORDER_RECORD,
    pages: async function* (slice) {
      for await (const page of clients.kaspi.orders(slice)) yield page.items;
    },
    again: (code) => clients.kaspi.orderByCode(code),
    keyOf: (item) => item.code,
    knownBy: (code) => keys.deal({ system: 'kaspi', id: code }),
    // An order that was born and archived while nobody polled is made by the job that keeps orders up to date.
    wanted: (item) => {
      const { state } = headOf(item.wire);
      return allowed.includes(state) || (keepUpToDate && state === 'ARCHIVE');
    },
    plan: (item) => planItem(item, context),
    ...(keepUpToDate ? upToDate(context) : {}),
    keep: (tx, items) => tables.kaspiOrders.save(tx, items.flatMap(readableHead), now),
  };
}

/** A known order whose new answer cannot be read stays as it was last seen. */
function readableHead(item: OrderItem): OrderHead[] {
  try {
    return [headOf(item.wire)];
  } catch (error) {
    if (error instanceof AppError) return [];
    throw error;
  }
}

/** Loaded for new orders only: an idle pass needs neither the phone library nor the planner. */
async function planItem(item: OrderItem, context: KaspiJobContext): Promise<Plan> {
  const [{ orderFromKaspi }, { planOrder }] = await Promise.all([
    import('../systems/kaspi/convert.ts'),
    import('./kaspi-plan.ts'),
  ]);
  const { kaspi } = context.clients;
  const entries = item.entries ?? (item.id === undefined ? [] : await kaspi.entriesOf(item.id));
  return planOrder(orderFromKaspi(item.wire, entries, await offersOf(entries, context)), planOptions(context));
}

/** The goods of entries that came without them; a request for each. */
async function offersOf(entries: readonly unknown[], { clients }: KaspiJobContext): Promise<Map<string, EntryOffer>> {
  const { entriesWithoutOffer } = await import('../systems/kaspi/convert.ts');
  const offers = new Map<string, EntryOffer>();
  for (const entryId of entriesWithoutOffer(entries)) {
    const offer = await clients.kaspi.skuOfEntry(entryId);
    if (offer !== undefined) offers.set(entryId, offer);
  }
  return offers;
}

type Links = ReadonlyMap<string, LinkState>;

/** What a reading needs to keep known orders up to date, and to follow open ones that the window no longer holds. */
function upToDate(context: KaspiJobContext): Pick<Reading<OrderItem>, 'linksOf' | 'change' | 'older'> {
  return {
    linksOf: (code) => {
      const source = { system: 'kaspi', id: code };
      return [keys.deal(source), keys.dealGoods(source)];
    },
    change: (item, links) => changesOf(item, links, context),
    older: (seen) => olderOrders(context, seen),
  };
}

async function changesOf(item: OrderItem, links: Links, context: KaspiJobContext): Promise<Change[]> {
  const [{ orderFromKaspi }, { planOrderChanges }] = await Promise.all([
    import('../systems/kaspi/convert.ts'),
    import('./kaspi-plan.ts'),
  ]);
  const changed = sumChanged(item, links);
  const entries = item.entries ?? (changed ? await context.clients.kaspi.entriesOf(headOf(item.wire).id) : []);
  const offers = changed ? await offersOf(entries, context) : new Map<string, EntryOffer>();
  return planOrderChanges(orderFromKaspi(item.wire, entries, offers), links, planOptions(context));
}

/** What an answer lacks of the goods is asked for only where the sum says that they have changed. */
function sumChanged(item: OrderItem, links: Links): boolean {
  const deal = links.get(keys.deal({ system: 'kaspi', id: item.code }));
  const { price } = (deal?.planned ?? {}) as { price?: number };
  return price !== undefined && price !== Math.round(headOf(item.wire).totalMinor / 100);
}

/** So many open orders outside the window are looked at in one pass, those first that were not looked at for longest. */
const OLDER_PER_PASS = 30;
/** A buyer may return goods within 14 days of receipt; after this long a completed order is taken for settled. */
const COMPLETED_FOR_MS = 45 * 86_400_000;

async function* olderOrders({ clients, tables, now, log }: KaspiJobContext, seen: ReadonlySet<string>) {
  const completedSince = new Date(now.getTime() - COMPLETED_FOR_MS);
  const due = await tables.kaspiOrders.due({ completedSince, limit: OLDER_PER_PASS, besides: seen });
  for (const { code, kaspiId } of due) {
    try {
      const item = await clients.kaspi.orderById(kaspiId);
      if (item) yield [item];
    } catch (error) {
      // An order that Kaspi cannot show must not keep its place at the head of the queue for ever.
      if (!(error instanceof RemoteError) || error.status === 401 || error.status === 429) throw error;
      log.warn({ record: code, reason: error.message }, 'an older order could not be read; its turn comes again');
    } finally {
      await tables.kaspiOrders.looked(code, now);
    }
  }
}

function planOptions({ settings, mapping, adopting }: KaspiJobContext): OrderPlanOptions {
  return {
    mapping,
    pipelineId: settings.AMO_PIPELINE_ID,
    statusId: settings.AMO_STATUS_ID,
    responsibleUserId: settings.AMO_RESPONSIBLE_USER_ID,
    catalogId: settings.AMO_CATALOG_ID,
    locale: settings.LOCALE,
    zone: settings.TIMEZONE,
    backfill: adopting,
  };
}
