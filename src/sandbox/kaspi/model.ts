import { createHash } from 'node:crypto';
import { usageError } from '../../base/errors.ts';

/** The documented width of one list request (guide q3201); how far back it lies does not matter. */
export const MAX_WINDOW_MS = 14 * 24 * 60 * 60 * 1000;

/** `<merchant id>_PP<n>`; the stand-in has one merchant with one point. */
export const PICKUP_POINT = '30012345_PP1';
/** What Kaspi shows instead of a buyer's phone once the order is archived; seen by integrators in May 2026. */
export const MASKED_PHONE = '+0(000)-000-00-00';

export type ResultOrder = 'ascending' | 'descending' | 'shuffled';

/** The stand-in's switches. Durations are milliseconds; instants are epoch milliseconds. */
export interface KaspiOptions {
  /** The only `X-Auth-Token` that is let in. */
  token: string;
  /** The clock of the orders' life: default end of a window, delays of writes, times of new orders. */
  now: () => number;
  /** The clock of the rate limit; apart from `now`, so that a frozen calendar does not freeze the limit. */
  paceNow: () => number;
  /** Never answer a library's default User-Agent or a missing one, as the real firewall does. */
  hangOnDefaultUserAgent: boolean;
  /** Seen live in May 2026: `filter[orders][status]` changes nothing. */
  statusFilterIgnored: boolean;
  /** The guide of December 2025 calls the state filter required; live shops answer without it. */
  stateMandatory: boolean;
  includeHonoured: boolean;
  offerPresent: boolean;
  /** Orders seeded without a state start accepted and are never seen in NEW. */
  autoAccept: boolean;
  maskPhonesInArchive: boolean;
  /** Kaspi promises no order of results. `shuffled` is the same shuffle for every page. */
  resultOrder: ResultOrder;
  /** Requests a second before 429; 0 = no limit. */
  rps: number;
  /** After each list page that has a next one, the first open order of that page leaves its state. */
  pageShift: boolean;
  assembledDelayMs: number;
  waybillDelayMs: number;
  partialCancelDelayMs: number;
  /** NEW orders older than this become CANCELLED for want of the merchant; 0 = never. */
  acceptWithinMs: number;
}

export interface CustomerSeed {
  firstName?: string | null;
  lastName?: string | null;
  name?: string | null;
  cellPhone?: string | null;
}

/** One line. Prices are tenge, `weight` is grams; `offer: null` leaves the offer out of this line's answers. */
export interface EntrySeed {
  sku: string;
  name?: string;
  quantity?: number;
  basePrice?: number;
  totalPrice?: number;
  weight?: number;
  unitType?: string;
  category?: string | { code: string; title: string };
  offer?: null;
}

/** One order. Whatever is not named here goes into the wire attributes as it stands; `null` stays null. */
export interface OrderSeed {
  code?: string;
  /** ISO-8601 text or epoch milliseconds; default now. */
  created_at?: string | number;
  state?: string;
  status?: string;
  /** Default: a made-up buyer of this order only. */
  customer?: CustomerSeed | null;
  deliveryAddress?: Record<string, unknown> | null;
  deliveryMode?: string;
  isKaspiDelivery?: boolean;
  entries?: EntrySeed[];
  [attribute: string]: unknown;
}

/** `orders` with `lines` lines in all, over `skus` goods and `buyers` buyers, made in the `hours` before now. */
export interface GenerateSpec {
  orders: number;
  lines?: number;
  skus?: number;
  buyers?: number;
  hours?: number;
  seed?: number;
  firstCode?: string | number;
}

export type KaspiSeed = {
  orders?: OrderSeed[];
  generate?: GenerateSpec;
  scenario?: 'oddities';
  edit?: { code: string; set: Record<string, unknown> };
  remove?: { code: string };
};

export interface SandboxEntry {
  entryNumber: number;
  sku: string;
  name: string;
  quantity: number;
  basePrice: number;
  totalPrice: number;
  deliveryCost: number;
  weight: number;
  unitType: string;
  category: { code: string; title: string };
  hasOffer: boolean;
}

export interface SandboxCustomer extends CustomerSeed {
  id: string;
}

/** An order's attributes as Kaspi sends them, except that the phone is never masked here. */
export interface OrderAttributes {
  code: string;
  state: string;
  status: string;
  creationDate: number;
  totalPrice: number;
  deliveryMode: string;
  isKaspiDelivery: boolean;
  assembled: boolean;
  preOrder: boolean;
  signatureRequired: boolean;
  customer: SandboxCustomer | null;
  kaspiDelivery?: Record<string, unknown>;
  cancellationReason?: string;
  [attribute: string]: unknown;
}

export interface SandboxOrder {
  id: string;
  attributes: OrderAttributes;
  entries: SandboxEntry[];
  /** The code that the buyer was sent by the first step of completing. */
  securityCode?: string;
  /** ASSEMBLE was taken, the flag is not shown yet. */
  packing?: boolean;
  /** How many parcels ASSEMBLE named. */
  numberOfSpace?: number;
}

/** Kaspi's ids are base64 of a readable key, in new samples without padding. */
export function base64Id(key: string): string {
  return Buffer.from(key, 'utf8').toString('base64').replace(/=+$/, '');
}

export function entryId(code: string, entryNumber: number): string {
  return base64Id(`${code}##${entryNumber}`);
}

/** A stable number of a text, 0 to 2^32-1; for shuffles, card numbers and codes that must not depend on chance. */
export function stableNumber(text: string): number {
  return createHash('sha1').update(text).digest().readUInt32BE(0);
}

/** Tenge to two decimals; sums of fractions would otherwise show float dust. */
function roundTenge(amount: number): number {
  return Math.round(amount * 100) / 100;
}

/** Weighed goods cost price per kilogram × weight, all others price × quantity. Seen in the guide's sample. */
export function lineTotal(entry: Pick<SandboxEntry, 'basePrice' | 'quantity' | 'weight' | 'unitType'>): number {
  const weighed = entry.unitType === 'MEASURABLE' && entry.weight > 0;
  return roundTenge(entry.basePrice * (weighed ? entry.weight / 1000 : entry.quantity));
}

export function orderTotal(entries: readonly SandboxEntry[]): number {
  return roundTenge(entries.reduce((sum, entry) => sum + entry.totalPrice, 0));
}

/** The state that an accepted order stands in, by who delivers it. */
export function homeState(order: Pick<OrderAttributes, 'isKaspiDelivery' | 'deliveryMode'>): string {
  if (order.isKaspiDelivery) return 'KASPI_DELIVERY';
  return order.deliveryMode === 'DELIVERY_PICKUP' ? 'PICKUP' : 'DELIVERY';
}

/** Narrows outside content to an object; `where` names it in the error. */
export function asRecord(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw usageError(`Kaspi stand-in: ${where} must be an object`);
  }
  return value as Record<string, unknown>;
}
