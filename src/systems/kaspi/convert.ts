import type { Order, OrderAddress, OrderCustomer, OrderDelivery, OrderLine } from '../../domain/order.ts';
import { parsePhone } from '../../domain/phone.ts';
import type { EntryOffer } from './client.ts';
import { headFrom, minor, optionalMinor, orderFields, orderMisfit } from './head.ts';
import { Fields } from './schema.ts';

/**
 * Kaspi's orders become ours. Loads the phone library, so that an idle pass, which only needs `headOf`, must not load
 * this module. The wire shapes are those of the official samples.
 */

/** What the catalog says of entries that came without an offer, by entry id. */
export type Offers = ReadonlyMap<string, EntryOffer>;

const NO_OFFERS: Offers = new Map();

/**
 * One order, whole. `entries` are the wire entries of the order: from the list's answer or asked for.
 * Throws `RecordFault` where the id, the code, the state, the creation date or an amount of money cannot be read;
 * everything else that is missing or odd is left out. Unknown statuses, payment and delivery modes pass through.
 */
export function orderFromKaspi(wire: unknown, entries: readonly unknown[], offers: Offers = NO_OFFERS): Order {
  const fields = orderFields(wire);
  const { attributes } = fields;
  const kaspiDelivery = attributes.optionalObject('kaspiDelivery');
  return {
    ...headFrom(fields),
    source: 'kaspi',
    currency: 'KZT',
    approvedByBankAt: attributes.optionalInstant('approvedByBankDate'),
    reservedUntil: attributes.optionalInstant('reservationDate'),
    courierPlannedAt: kaspiDelivery?.optionalInstant('courierTransmissionPlanningDate'),
    courierTakenAt: kaspiDelivery?.optionalInstant('courierTransmissionDate'),
    paymentMode: attributes.optionalText('paymentMode'),
    creditTerm: termFrom(attributes),
    delivery: deliveryFrom(attributes),
    assembled: attributes.flag('assembled'),
    preOrder: attributes.flag('preOrder'),
    signatureRequired: attributes.flag('signatureRequired'),
    // The guide lists these flat, but real answers nest them (seen 2026-05).
    express: kaspiDelivery?.flag('express') ?? false,
    returnedToWarehouse: kaspiDelivery?.flag('returnedToWarehouse') ?? false,
    waybill: kaspiDelivery?.optionalText('waybill'),
    waybillNumber: kaspiDelivery?.optionalText('waybillNumber'),
    cancellationReason: attributes.optionalText('cancellationReason'),
    customer: customerFrom(attributes.optionalObject('customer')),
    lines: entries.map((entry, index) => lineFrom(entry, index, offers)),
  };
}

/** Ids of the entries whose article only the catalog can tell (`skuOfEntry`). Unreadable entries are not among them. */
export function entriesWithoutOffer(entries: readonly unknown[]): string[] {
  return entries.flatMap((wire) => {
    const id = (wire as { id?: unknown } | null)?.id;
    if (typeof id !== 'string') return [];
    const attributes = new Fields(wire, '', orderMisfit).optionalObject('attributes');
    return attributes?.optionalObject('offer')?.optionalText('code') === undefined ? [id] : [];
  });
}

function termFrom(attributes: Fields): number | undefined {
  const months = attributes.optionalNumber('creditTerm');
  return months !== undefined && months > 0 ? months : undefined;
}

function deliveryFrom(attributes: Fields): OrderDelivery {
  const address = addressFrom(attributes.optionalObject('deliveryAddress'));
  const mode = attributes.optionalText('deliveryMode');
  return {
    mode,
    isKaspiDelivery: attributes.flag('isKaspiDelivery'),
    costMinor: optionalMinor(attributes, 'deliveryCost'),
    costForSellerMinor: optionalMinor(attributes, 'deliveryCostForSeller'),
    plannedAt: attributes.optionalInstant('plannedDeliveryDate'),
    address,
    city: address?.town ?? localCity(mode, attributes.optionalObject('originAddress')),
    pickupPointId: attributes.optionalText('pickupPointId'),
  };
}

/** The city that a parcel leaves from is the buyer's own only where the delivery is not between cities. */
function localCity(mode: string | undefined, origin: Fields | undefined): string | undefined {
  if (mode?.startsWith('DELIVERY_REGIONAL') ?? true) return undefined;
  return origin?.optionalObject('city')?.optionalText('name');
}

function addressFrom(wire: Fields | undefined): OrderAddress | undefined {
  if (!wire) return undefined;
  const address: OrderAddress = {
    formattedAddress: wire.optionalText('formattedAddress'),
    streetName: wire.optionalText('streetName'),
    streetNumber: wire.optionalText('streetNumber'),
    town: wire.optionalText('town'),
    district: wire.optionalText('district'),
    building: wire.optionalText('building'),
    apartment: wire.optionalText('apartment'),
  };
  return Object.values(address).some((part) => part !== undefined) ? address : undefined;
}

function customerFrom(wire: Fields | undefined): OrderCustomer {
  const firstName = wire?.optionalText('firstName');
  const lastName = wire?.optionalText('lastName');
  return {
    name: fullName(firstName, lastName, wire?.optionalText('name')),
    firstName,
    lastName,
    ...phoneFrom(wire?.optionalText('cellPhone')),
  };
}

/** Kaspi's `name` is often the first name alone, and the last name may be missing: the fuller of the two is taken. */
function fullName(first: string | undefined, last: string | undefined, name: string | undefined): string {
  const joined = [first, last].filter((part) => part !== undefined).join(' ');
  return name !== undefined && name.split(/\s+/).length > joined.split(/\s+/).length ? name : joined || (name ?? '');
}

const MASK = /[*•·●_?#]|[xх]{2}/i;
/** Zeros but for a first digit and the country's 7. */
const FILLER = /^7?\d?0{6,}$/;

/**
 * Kaspi gives ten digits with no country code, and masks them as `+0(000)-000-00-00` once the order is in the archive
 * (seen 2026-05). Its buyers have Kazakh numbers, whatever the operator's default country is.
 */
function phoneFrom(text: string | undefined): Pick<OrderCustomer, 'phone' | 'phoneProblem'> {
  if (text === undefined) return { phoneProblem: 'absent' };
  if (MASK.test(text) || FILLER.test(text.replace(/\D/g, ''))) return { phoneProblem: 'masked' };
  const phone = parsePhone(text, 'KZ');
  return phone === undefined ? { phoneProblem: 'unreadable' } : { phone };
}

function lineFrom(wire: unknown, index: number, offers: Offers): OrderLine {
  const entry = new Fields(wire, `entries[${index}]`, orderMisfit);
  const attributes = entry.object('attributes');
  const offer = attributes.optionalObject('offer');
  const entryId = entry.text('id');
  const known = offers.get(entryId);
  const sku = offer?.optionalText('code') ?? known?.sku;
  const category = attributes.optionalObject('category')?.optionalText('title');
  return {
    entryId,
    number: attributes.optionalNumber('entryNumber') ?? index,
    sku,
    name: offer?.optionalText('name') ?? known?.name ?? category ?? sku ?? '',
    category,
    ...measureFrom(attributes),
  };
}

type Measure = Pick<OrderLine, 'quantity' | 'unit' | 'weightGrams' | 'basePriceMinor' | 'totalMinor'>;

function measureFrom(attributes: Fields): Measure {
  const quantity = attributes.number('quantity');
  if (quantity < 0) throw attributes.misfit('quantity', 'expected a quantity');
  return {
    quantity,
    unit: attributes.optionalText('unitType')?.startsWith('MEASURABLE') ? 'weight' : 'piece',
    weightGrams: attributes.optionalNumber('weight') ?? 0,
    ...sumsFrom(attributes, quantity),
  };
}

/** Either sum gives the other; a line with neither cannot be used. */
function sumsFrom(attributes: Fields, quantity: number): Pick<OrderLine, 'basePriceMinor' | 'totalMinor'> {
  const price = optionalMinor(attributes, 'basePrice');
  const totalMinor =
    price === undefined || attributes.has('totalPrice')
      ? minor(attributes, 'totalPrice')
      : Math.round(price * quantity);
  return { basePriceMinor: price ?? (quantity > 0 ? Math.round(totalMinor / quantity) : 0), totalMinor };
}
