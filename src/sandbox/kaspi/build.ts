import { usageError } from '../../base/errors.ts';
import { pointAddress } from './geography.ts';
import {
  asRecord,
  base64Id,
  type CustomerSeed,
  type EntrySeed,
  homeState,
  lineTotal,
  type OrderAttributes,
  type OrderSeed,
  orderTotal,
  PICKUP_POINT,
  type SandboxCustomer,
  type SandboxEntry,
  type SandboxOrder,
} from './model.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const ALMATY_OFFSET_MS = 5 * 60 * 60 * 1000;

/** Epoch milliseconds from ISO text or a number; anything else is a usage error. */
export function parseInstant(value: unknown, where: string): number {
  const ms = typeof value === 'string' ? Date.parse(value) : value;
  if (typeof ms !== 'number' || !Number.isFinite(ms)) {
    throw usageError(`Kaspi stand-in: ${where} must be ISO time or epoch milliseconds`);
  }
  return ms;
}

/** The last second of a day in Almaty, as `plannedDeliveryDate` has it in the samples. */
function endOfAlmatyDay(ms: number, daysLater: number): number {
  const day = Math.floor((ms + ALMATY_OFFSET_MS) / DAY_MS) + daysLater;
  return (day + 1) * DAY_MS - 1000 - ALMATY_OFFSET_MS;
}

function buildEntry(seed: EntrySeed, entryNumber: number): SandboxEntry {
  const given = asRecord(seed, `entry ${entryNumber}`);
  if (typeof given.sku !== 'string' || given.sku === '') {
    throw usageError(`Kaspi stand-in: entry ${entryNumber} needs a sku`);
  }
  const category = seed.category ?? 'Товары';
  const entry: SandboxEntry = {
    entryNumber,
    sku: seed.sku,
    name: seed.name ?? `Товар ${seed.sku}`,
    quantity: seed.quantity ?? 1,
    basePrice: seed.basePrice ?? 1000,
    totalPrice: 0,
    deliveryCost: 0,
    weight: seed.weight ?? 0,
    unitType: seed.unitType ?? 'PIECES',
    category: typeof category === 'string' ? { code: `Master - ${category}`, title: category } : category,
    hasOffer: seed.offer !== null,
  };
  entry.totalPrice = seed.totalPrice ?? lineTotal(entry);
  return entry;
}

function buildEntries(seeds: unknown): SandboxEntry[] {
  if (!Array.isArray(seeds)) throw usageError('Kaspi stand-in: entries must be a list');
  return seeds.map((seed: EntrySeed, index) => buildEntry(seed, index));
}

/** The customer's id is base64 of the phone (decoded from samples); without a phone, of the order's code. */
function buildCustomer(seed: CustomerSeed | null, code: string): SandboxCustomer | null {
  if (seed === null) return null;
  const given = asRecord(seed, 'customer') as CustomerSeed;
  return { id: base64Id(given.cellPhone ? given.cellPhone : `order-${code}`), ...given };
}

function defaultCustomer(code: string): CustomerSeed {
  return {
    name: 'Айгерим',
    firstName: 'Айгерим',
    lastName: 'Сатова',
    cellPhone: `701${code.slice(-7).padStart(7, '0')}`,
  };
}

function defaultStatus(state: string): string {
  if (state === 'NEW') return 'APPROVED_BY_BANK';
  return state === 'ARCHIVE' ? 'COMPLETED' : 'ACCEPTED_BY_MERCHANT';
}

function defaultDelivery(state: string | undefined): { deliveryMode: string; isKaspiDelivery: boolean } {
  if (state === 'DELIVERY') return { deliveryMode: 'DELIVERY_LOCAL', isKaspiDelivery: false };
  return { deliveryMode: 'DELIVERY_PICKUP', isKaspiDelivery: state !== 'PICKUP' };
}

/** An accepted order that Kaspi carries has this object; packed and handed over only show inside it and in `assembled`. */
export function fillKaspiDelivery(attributes: OrderAttributes): void {
  if (!attributes.isKaspiDelivery || attributes.state === 'NEW' || attributes.kaspiDelivery !== undefined) return;
  attributes.kaspiDelivery = {
    waybill: null,
    waybillNumber: null,
    courierTransmissionDate: null,
    courierTransmissionPlanningDate: attributes.creationDate + 8 * 60 * 60 * 1000,
    express: false,
    returnedToWarehouse: false,
    firstMileCourier: null,
  };
}

/** Where the parcel goes or comes from; goods collected at the merchant's have neither address nor planned date. */
function placeAttributes(seed: OrderSeed, base: OrderAttributes): Record<string, unknown> {
  const places: Record<string, unknown> = {};
  const toDoor = base.deliveryMode === 'DELIVERY_LOCAL' || base.deliveryMode === 'DELIVERY_REGIONAL_TODOOR';
  if (seed.deliveryAddress !== undefined) places.deliveryAddress = seed.deliveryAddress;
  else if (toDoor) places.deliveryAddress = pointAddress('Алматы', 'улица Сейфуллина', '55', '12');
  if (base.isKaspiDelivery) {
    places.originAddress = {
      id: base64Id(PICKUP_POINT),
      displayName: 'PP1',
      address: pointAddress('г. Алматы', ' улица Абая', ' 10', null),
      city: { id: base64Id('750000000'), code: '750000000', name: 'Алматы', active: true },
    };
  }
  if (homeState(base) === 'PICKUP') places.reservationDate = base.creationDate + 3 * DAY_MS;
  else places.plannedDeliveryDate = endOfAlmatyDay(base.creationDate, 2);
  return places;
}

/** A whole order from its seed. Errors (usage): a bad time, entries that are no list, an entry without SKU. */
export function buildOrder(seed: OrderSeed, context: { code: string; now: number; autoAccept: boolean }): SandboxOrder {
  const { code: _code, created_at, state, status, customer, deliveryAddress: _a, entries: lines, ...raw } = seed;
  const { code } = context;
  const delivery = {
    ...defaultDelivery(state),
    ...(seed.deliveryMode === undefined ? {} : { deliveryMode: seed.deliveryMode }),
    ...(seed.isKaspiDelivery === undefined ? {} : { isKaspiDelivery: seed.isKaspiDelivery }),
  };
  const entries = buildEntries(lines ?? [{ sku: 'KETTLE-17-W', name: 'Чайник Polar K17 белый', basePrice: 7990 }]);
  const finalState = state ?? (context.autoAccept ? homeState(delivery) : 'NEW');
  const creationDate = parseInstant(created_at ?? context.now, `order ${code}: created_at`);
  const total = orderTotal(entries);
  const base: OrderAttributes = {
    code,
    totalPrice: total,
    paymentMode: 'PREPAID',
    creationDate,
    approvedByBankDate: creationDate + 21_000,
    deliveryCostForSeller: delivery.isKaspiDelivery ? 995 : 0,
    deliveryCost: 0,
    ...delivery,
    signatureRequired: false,
    preOrder: false,
    pickupPointId: PICKUP_POINT,
    state: finalState,
    status: status ?? defaultStatus(finalState),
    assembled: false,
    customer: buildCustomer(customer === undefined ? defaultCustomer(code) : customer, code),
  };
  const attributes: OrderAttributes = { ...base, ...placeAttributes(seed, base), ...raw };
  fillKaspiDelivery(attributes);
  return { id: base64Id(code), attributes, entries };
}

/** Changes an order in place: attributes as given, `customer` merged, `entries` replaced; the total follows the lines. */
export function editOrder(order: SandboxOrder, set: Record<string, unknown>): void {
  const { code, id, entries, customer, created_at, ...raw } = set;
  if (code !== undefined || id !== undefined) throw usageError('Kaspi stand-in: code and id of an order never change');
  const { attributes } = order;
  if (entries !== undefined) {
    order.entries = buildEntries(entries);
    attributes.totalPrice = orderTotal(order.entries);
  }
  if (customer === null) attributes.customer = null;
  else if (customer !== undefined) {
    const { id: _id, ...known } = attributes.customer ?? { id: '' };
    attributes.customer = buildCustomer({ ...known, ...asRecord(customer, 'customer') }, attributes.code);
  }
  if (created_at !== undefined)
    attributes.creationDate = parseInstant(created_at, `order ${attributes.code}: created_at`);
  Object.assign(attributes, raw);
  fillKaspiDelivery(attributes);
}

/** Keeps what is left of a line after a partial cancel: pieces, or grams of weighed goods. */
export function shrinkEntry(entry: SandboxEntry, left: { quantity?: number; weight?: number }): void {
  const before = entry.quantity;
  if (left.quantity !== undefined) {
    entry.quantity = left.quantity;
    if (left.weight === undefined && before > 0) entry.weight = Math.round((entry.weight * left.quantity) / before);
  }
  if (left.weight !== undefined) entry.weight = left.weight;
  entry.totalPrice = lineTotal(entry);
}
