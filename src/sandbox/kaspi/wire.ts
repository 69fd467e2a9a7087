import type { SandboxAnswer } from '../kit.ts';
import { CITIES, type City, pointAddress } from './geography.ts';
import {
  base64Id,
  entryId,
  type KaspiOptions,
  MASKED_PHONE,
  type OrderAttributes,
  PICKUP_POINT,
  type SandboxEntry,
  type SandboxOrder,
} from './model.ts';
import type { SandboxGoods } from './store.ts';

const HEADERS = { 'content-type': 'application/vnd.api+json;charset=UTF-8' };

/** What rendering needs beside the order: its options, and the address under which the stand-in is reached. */
export interface WireContext {
  options: KaspiOptions;
  /** `http://127.0.0.1:port/shop/api/v2`: links lead back here, never to the live system. */
  base: string;
  cardOf: (sku: string) => string;
}

export function ok(body: unknown): SandboxAnswer {
  return { status: 200, body, headers: HEADERS };
}

/** Kaspi's errors carry a `title` only. */
export function refused(status: number, title: string): SandboxAnswer {
  return { status, body: { errors: [{ title }] }, headers: HEADERS };
}

export function notFound(): SandboxAnswer {
  return refused(404, 'Resource not found');
}

/** A copy, so that an answer still on its way does not show what happened after it was made. */
function orderAttributes(order: SandboxOrder, options: KaspiOptions): OrderAttributes {
  const { customer, state } = order.attributes;
  const masked = options.maskPhonesInArchive && state === 'ARCHIVE' && customer?.cellPhone;
  return { ...order.attributes, ...(masked ? { customer: { ...customer, cellPhone: MASKED_PHONE } } : {}) };
}

export function orderResource(order: SandboxOrder, context: WireContext, withEntries: boolean): unknown {
  const self = `${context.base}/orders/${order.id}`;
  const link = (name: string) => ({ self: `${self}/relationships/${name}`, related: `${self}/${name}` });
  const { customer, code } = order.attributes;
  const lines = order.entries.map((entry) => ({ type: 'orderentries', id: entryId(code, entry.entryNumber) }));
  return {
    type: 'orders',
    id: order.id,
    attributes: orderAttributes(order, context.options),
    relationships: {
      entries: { ...(withEntries ? { data: lines } : {}), links: link('entries') },
      user: { data: customer ? { type: 'customers', id: customer.id } : null, links: link('user') },
    },
    links: { self },
  };
}

/** The answer of a write: only what was just set, no buyer, no lines. */
export function thinOrder(order: SandboxOrder, context: WireContext, attributes: Record<string, unknown>): unknown {
  const self = `${context.base}/orders/${order.id}`;
  const link = (name: string) => ({ self: `${self}/relationships/${name}`, related: `${self}/${name}` });
  return {
    data: {
      type: 'orders',
      id: order.id,
      attributes,
      relationships: { entries: { links: link('entries') }, user: { data: null, links: link('user') } },
      links: { self },
    },
    included: [],
  };
}

export function entryResource(order: SandboxOrder, entry: SandboxEntry, context: WireContext): unknown {
  const id = entryId(order.attributes.code, entry.entryNumber);
  const self = `${context.base}/orderentries/${id}`;
  const { sku, hasOffer, name, ...attributes } = entry;
  const offer = { code: sku, name, isImeiRequired: false };
  return {
    type: 'orderentries',
    id,
    attributes: { ...attributes, ...(context.options.offerPresent && hasOffer ? { offer } : {}) },
    relationships: {
      product: {
        data: { type: 'masterproducts', id: base64Id(context.cardOf(sku)) },
        links: { self: `${self}/relationships/product`, related: `${self}/product` },
      },
      deliveryPointOfService: {
        data: { type: 'pointofservices', id: base64Id(PICKUP_POINT) },
        links: {
          self: `${self}/relationships/deliveryPointOfService`,
          related: `${self}/deliveryPointOfService`,
        },
      },
    },
    links: { self },
  };
}

export function entryResources(order: SandboxOrder, context: WireContext): unknown[] {
  return order.entries.map((entry) => entryResource(order, entry, context));
}

export function customerResource(order: SandboxOrder, context: WireContext): unknown {
  const { customer } = orderAttributes(order, context.options);
  if (!customer) return null;
  const { id, firstName, lastName, cellPhone } = customer;
  return {
    type: 'customers',
    id,
    attributes: { firstName, lastName, cellPhone },
    relationships: {},
    links: { self: `${context.base}/customers/${id}` },
  };
}

export function masterProduct(goods: SandboxGoods, context: WireContext): unknown {
  const id = base64Id(goods.card);
  const self = `${context.base}/masterproducts/${id}`;
  return {
    type: 'masterproducts',
    id,
    attributes: { code: goods.card, name: goods.name, category: goods.category },
    relationships: {
      merchantProduct: {
        links: { self: `${self}/relationships/merchantProduct`, related: `${self}/merchantProduct` },
      },
    },
    links: { self },
  };
}

export function merchantProduct(goods: SandboxGoods, context: WireContext): unknown {
  const id = base64Id(goods.sku);
  return {
    type: 'merchantproducts',
    id,
    attributes: { code: goods.sku, name: goods.name },
    relationships: {},
    links: { self: `${context.base}/merchantproducts/${id}` },
  };
}

export function pointOfService(context: WireContext): unknown {
  const id = base64Id(PICKUP_POINT);
  const self = `${context.base}/pointofservices/${id}`;
  return {
    type: 'pointofservices',
    id,
    attributes: { displayName: 'PP1', address: pointAddress('г. Алматы', ' улица Абая', ' 10', null) },
    relationships: {
      city: {
        data: { type: 'cities', id: base64Id('750000000') },
        links: { self: `${self}/relationships/city`, related: `${self}/city` },
      },
    },
    links: { self },
  };
}

export function cityResource(city: City, context: WireContext): unknown {
  const { id, ...attributes } = city;
  return { type: 'cities', id, attributes, relationships: {}, links: { self: `${context.base}/cities/${id}` } };
}

export function cityResources(context: WireContext): unknown[] {
  return CITIES.map((city) => cityResource(city, context));
}
