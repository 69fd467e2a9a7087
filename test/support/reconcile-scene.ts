import { expect } from 'vitest';
import { kaspiReconcile } from '../../src/jobs/kaspi-reconcile.ts';
import type { AmocrmOptions } from '../../src/sandbox/amocrm.ts';
import { setMeta } from '../../src/state/meta.ts';
import type { Scene } from './cut-loop.ts';
import type { DealOutcome, World } from './world.ts';

/** A mapping that knows every end of an order. */
const MAPPING = `kaspi:
  deal:
    name: "Kaspi #{code}"
    tags: ["Kaspi", "{state}"]
    fields: { 900101: "{code}", 900104: "{totalPrice}" }
    external_id_field: 900101
  stages:
    - { when: { status: CANCELLED }, status: 143, loss_reason: 4203748 }
    - { when: { status: COMPLETED }, status: 142 }
    - { when: { state: KASPI_DELIVERY }, status: 80953556 }
    - { when: { state: PICKUP }, status: 80953555 }
`;

export const kettle = { sku: 'KETTLE', name: 'Чайник', basePrice: 7990 };
export const lamp = { sku: 'LAMP', name: 'Лампа', basePrice: 12_500 };
export const cup = { sku: 'CUP', name: 'Кружка', basePrice: 1500 };
export const cable = { sku: 'CABLE', name: 'Кабель', basePrice: 900 };
export const fan = { sku: 'FAN', name: 'Вентилятор', basePrice: 9900 };

export const RECONCILE = { job: kaspiReconcile };

export function idOf(one: World, code: string): number {
  const deal = one.amo.standin.deals().find(({ name }) => name === `Kaspi #${code}`);
  if (!deal) throw new Error(`order ${code} has no deal`);
  return deal.id;
}

export function elementOf(one: World, sku: string): number {
  const element = one.amo.standin.elements().find((good) => good.sku === sku);
  if (!element) throw new Error(`no element ${sku}`);
  return element.id;
}

/** What managers did since the first pass: tags, a good and a quantity of their own, a price of their own. */
function managersWork(one: World): void {
  const { standin } = one.amo;
  const { elements } = standin.add({ elements: [{ name: 'Подарок', sku: 'GIFT', price: 0 }] });
  const tagsOf = (code: string) => standin.deals().find(({ id }) => id === idOf(one, code))?.tags ?? [];
  for (const code of ['1001', '1003']) {
    standin.edit({ lead: idOf(one, code) }, { tags: [...tagsOf(code), 'VIP'] });
  }
  standin.link(idOf(one, '1001'), elements[0] ?? 0, 1);
  standin.edit({ lead: idOf(one, '1003') }, { price: 5000 });
  standin.unlink(idOf(one, '1002'), elementOf(one, 'LAMP'));
  standin.link(idOf(one, '1002'), elementOf(one, 'LAMP'), 7);
}

/** What the orders did: goods more, fewer, gone and new; a state; an end with a loss. */
function ordersMoveOn({ kaspi }: World): void {
  const { edit } = kaspi.standin;
  edit('1001', {
    entries: [
      { ...kettle, quantity: 1 },
      { ...cup, quantity: 4 },
      { ...cable, quantity: 1 },
      { ...fan, quantity: 1 },
    ],
  });
  edit('1002', { entries: [{ ...lamp, quantity: 2 }, cable], state: 'ARCHIVE', status: 'COMPLETED' });
  edit('1003', { state: 'PICKUP', status: 'ACCEPTED_BY_MERCHANT', entries: [{ ...cup, quantity: 2 }] });
  edit('1004', { state: 'ARCHIVE', status: 'CANCELLED' });
}

export interface SceneOptions {
  linkMode?: AmocrmOptions['linkMode'];
  /** What `doctor --probe` has found: linking again sets the quantity. */
  probed?: boolean;
  /** Five more orders have come in that no poll has seen; one of them has come to its end already. */
  missed?: boolean;
  env?: Record<string, string>;
}

/** Deals of a first poll, and a moment later everything has changed at once. */
export function changedWorld({ missed = true, ...options }: SceneOptions = {}): Scene {
  const polled = polledWorld(options);
  return {
    ...polled,
    prepare: async (one) => {
      await polled.prepare(one);
      managersWork(one);
      ordersMoveOn(one);
      if (missed) one.arrive();
    },
  };
}

/** Deals of a first poll, in which nothing has changed yet. */
export function polledWorld({ linkMode = 'replace', probed = false, env = {} }: SceneOptions = {}): Scene {
  return {
    options: { orders: 'first', mapping: MAPPING, amo: { linkMode }, env },
    run: RECONCILE,
    seen,
    prepare: async (one) => {
      await one.settle();
      if (probed) {
        const now = one.clock.now();
        await one.database.transaction((tx) =>
          setMeta(tx, 'probe:relink', JSON.stringify({ answer: 'replaces', at: now.toISOString() }), now),
        );
      }
      one.clock.advance(30 * 60_000);
    },
  };
}

/** What the CRM holds, and what people were told and how often. */
export async function seen(one: World): Promise<unknown> {
  return { crm: one.outcome(), alerts: await alertsOf(one) };
}

export async function alertsOf(one: World): Promise<string[]> {
  const rows = await one.database.db.selectFrom('alerts').select(['kind', 'subject', 'closed_at']).execute();
  return rows
    .map(({ kind, subject, closed_at }) => `${kind} ${subject}${closed_at === null ? '' : ' (closed)'}`)
    .sort();
}

export function dealOf(one: World, code: string): DealOutcome {
  const [deal, ...doubles] = one.outcome().deals.filter(({ name }) => name === `Kaspi #${code}`);
  expect(doubles).toEqual([]);
  if (!deal) throw new Error(`order ${code} has no deal`);
  return deal;
}

/** `what: before → after` lines of the notes on changes, in the order of their revisions. */
export function toldChanges(deal: DealOutcome, what: string): { from: string; to: string }[] {
  const line = new RegExp(`^${what}: (.*) → (.*)$`, 'm');
  const revisionOf = (note: string) => Number(/:change-(?:goods-)?(\d+)$/.exec(note)?.[1] ?? Number.NaN);
  return deal.notes
    .filter((note) => Number.isFinite(revisionOf(note)))
    .sort((a, b) => revisionOf(a) - revisionOf(b))
    .flatMap((note) => {
      const [, from, to] = line.exec(note) ?? [];
      return from === undefined || to === undefined ? [] : [{ from, to }];
    });
}

/** Each note takes up where the one before ended, from the first value to the last. */
export function expectChain(changes: readonly { from: string; to: string }[], first: string, last: string): void {
  let at = first;
  for (const { from, to } of changes) {
    expect(from).toBe(at);
    at = to;
  }
  expect(at).toBe(last);
}
