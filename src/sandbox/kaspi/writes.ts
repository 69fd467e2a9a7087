import type { SandboxAnswer, SandboxRequest } from '../kit.ts';
import { fillKaspiDelivery, shrinkEntry } from './build.ts';
import { base64Id, homeState, orderTotal, type SandboxEntry, type SandboxOrder, stableNumber } from './model.ts';
import type { KaspiStore } from './store.ts';
import { notFound, ok, refused, thinOrder, type WireContext } from './wire.ts';

interface StatusChange {
  order: SandboxOrder;
  given: Record<string, unknown>;
  request: SandboxRequest;
  store: KaspiStore;
  context: WireContext;
}

const CANCEL_REASONS: readonly unknown[] = [
  'BUYER_CANCELLATION_BY_MERCHANT',
  'BUYER_NOT_REACHABLE',
  'MERCHANT_OUT_OF_STOCK',
];
const PARTIAL_REASONS: readonly unknown[] = [...CANCEL_REASONS, 'PRODUCT_UNDERWEIGHT'];
const MAX_COMMENT = 1000;

const WRONG_CODE = 'Security code is not valid. And the order cannot be completed without it';
const IS_CANCELLED = "Order is cancelled, so it can't be completed.";
const IS_COMPLETED = "Order already has been completed, so it can't be completed again.";
const NOT_SIGNED = 'Order is not may complete allowed';

/** The titles of other illegal transitions are not known; this one and its HTTP status are guesses. */
function illegal(change: StatusChange): SandboxAnswer {
  return refused(400, `Order status can not be changed to ${String(change.given.status)}.`);
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function thin(change: StatusChange, attributes: Record<string, unknown>): SandboxAnswer {
  return ok(thinOrder(change.order, change.context, attributes));
}

function accept(change: StatusChange): SandboxAnswer {
  const { attributes } = change.order;
  if (attributes.status !== 'APPROVED_BY_BANK') return illegal(change);
  attributes.state = attributes.signatureRequired ? 'SIGN_REQUIRED' : homeState(attributes);
  attributes.status = 'ACCEPTED_BY_MERCHANT';
  fillKaspiDelivery(attributes);
  return thin(change, { code: attributes.code, status: 'ACCEPTED_BY_MERCHANT' });
}

function awaitsPacking(order: SandboxOrder): boolean {
  const { state, status, assembled, preOrder } = order.attributes;
  return state === 'KASPI_DELIVERY' && status === 'ACCEPTED_BY_MERCHANT' && !preOrder && !assembled && !order.packing;
}

/** The flag and the waybill come some seconds after the answer; the order may have been cancelled meanwhile. */
function assemble(change: StatusChange): SandboxAnswer {
  const { order, given, store, context } = change;
  // A 404 was seen live for orders already assembled or just gone from their state.
  if (!awaitsPacking(order)) return notFound();
  const spaces = Number(given.numberOfSpace);
  if (!Number.isInteger(spaces) || spaces < 1) return refused(400, 'Required attribute [numberOfSpace] is empty.');
  order.packing = true;
  order.numberOfSpace = spaces;
  const { attributes } = order;
  const stillHere = () => attributes.state === 'KASPI_DELIVERY';
  store.later(context.options.assembledDelayMs, () => {
    delete order.packing;
    if (stillHere()) attributes.assembled = true;
  });
  store.later(context.options.waybillDelayMs, () => {
    if (!stillHere()) return;
    const root = context.base.replace(/\/v2$/, '');
    attributes.kaspiDelivery = {
      ...attributes.kaspiDelivery,
      waybill: `${root}/waybill/${attributes.code}.pdf`,
      waybillNumber: `${attributes.code}-1`,
    };
  });
  return thin(change, { status: 'ASSEMBLE', numberOfSpace: spaces });
}

/** Two requests: an empty code asks Kaspi to send one to the buyer, the second brings it back (guide q3212). */
function complete(change: StatusChange): SandboxAnswer {
  const { order, request } = change;
  const { attributes } = order;
  if (attributes.status === 'CANCELLED') return refused(400, IS_CANCELLED);
  if (attributes.status === 'COMPLETED') return refused(400, IS_COMPLETED);
  if (attributes.state === 'SIGN_REQUIRED') return refused(400, NOT_SIGNED);
  if (attributes.status !== 'ACCEPTED_BY_MERCHANT') return illegal(change);
  if (attributes.state !== 'PICKUP' && attributes.state !== 'DELIVERY') return illegal(change);
  const code = request.headers['x-security-code'];
  if (code === undefined || request.headers['x-send-code'] !== 'true') return refused(400, WRONG_CODE);
  if (code === '') {
    order.securityCode = String(stableNumber(`${attributes.code}/${order.securityCode ?? ''}`) % 10_000).padStart(
      4,
      '0',
    );
    return thin(change, { code: attributes.code });
  }
  if (code !== order.securityCode) return refused(400, WRONG_CODE);
  delete order.securityCode;
  Object.assign(attributes, { state: 'ARCHIVE', status: 'COMPLETED' });
  return thin(change, { code: attributes.code, status: 'COMPLETED' });
}

function cancel(change: StatusChange): SandboxAnswer {
  const { order, given } = change;
  const { attributes } = order;
  const open = attributes.status === 'APPROVED_BY_BANK' || attributes.status === 'ACCEPTED_BY_MERCHANT';
  if (!open || attributes.assembled || order.packing) return illegal(change);
  const reason = given.cancellationReason;
  if (reason === undefined || reason === '') return refused(400, 'Required attribute [cancellationReason] is empty.');
  if (!CANCEL_REASONS.includes(reason)) return refused(400, 'Attribute [cancellationReason] is not valid.');
  if (String(given.cancellationComment ?? '').length > MAX_COMMENT) {
    return refused(400, 'Attribute [cancellationComment] is too long.');
  }
  Object.assign(attributes, { state: 'ARCHIVE', status: 'CANCELLED', cancellationReason: reason });
  return thin(change, { code: attributes.code, status: 'CANCELLED', cancellationReason: reason });
}

function arrive(change: StatusChange): SandboxAnswer {
  const { attributes } = change.order;
  if (!attributes.preOrder || attributes.status !== 'ACCEPTED_BY_MERCHANT') return illegal(change);
  attributes.preOrder = false;
  return thin(change, { code: attributes.code, status: 'ARRIVED' });
}

function arriveBackward(change: StatusChange): SandboxAnswer {
  const { attributes } = change.order;
  const endings = new Map([
    ['CANCELLING', 'CANCELLED'],
    ['KASPI_DELIVERY_RETURN_REQUESTED', 'RETURNED'],
  ]);
  const ending = endings.get(attributes.status);
  if (ending === undefined) return illegal(change);
  Object.assign(attributes, { state: 'ARCHIVE', status: ending });
  return thin(change, { code: attributes.code, status: 'ARRIVED_BACKWARD' });
}

const STATUS_CHANGES = new Map<unknown, (change: StatusChange) => SandboxAnswer>([
  ['ACCEPTED_BY_MERCHANT', accept],
  ['ASSEMBLE', assemble],
  ['COMPLETED', complete],
  ['CANCELLED', cancel],
  ['ARRIVED', arrive],
  ['ARRIVED_BACKWARD', arriveBackward],
]);

/** `POST /v2/orders`: one resource object with id and status. */
export function changeStatus(request: SandboxRequest, store: KaspiStore, context: WireContext): SandboxAnswer {
  const data = field(request.body, 'data');
  const given = field(data, 'attributes');
  const id = field(data, 'id');
  if (field(data, 'type') !== 'orders' || typeof id !== 'string' || typeof given !== 'object' || given === null) {
    return refused(400, 'Request body is not valid.');
  }
  const order = store.byId(id);
  if (!order) return notFound();
  const attributes = given as Record<string, unknown>;
  const apply = STATUS_CHANGES.get(attributes.status);
  if (!apply) return refused(400, 'Attribute [status] is not valid.');
  return apply({ order, given: attributes, request, store, context });
}

interface Remainder {
  quantity?: number;
  weight?: number;
}

function isUpTo(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= most;
}

/** Weight counts for weighed goods only: `PUT` bodies name it for every line. The titles of the refusals are guesses. */
function remainderOf(given: unknown, entry: SandboxEntry): Remainder | string {
  const quantity = field(given, 'remainedQuantity') ?? undefined;
  const named = field(given, 'remainedWeight') ?? undefined;
  const weight = entry.unitType === 'PIECES' ? undefined : named;
  if (!PARTIAL_REASONS.includes(field(given, 'reason'))) return 'Attribute [reason] is not valid.';
  if (quantity === undefined && weight === undefined) return 'Required attribute [remainedQuantity] is empty.';
  if (quantity !== undefined && !(isUpTo(quantity, entry.quantity) && Number.isInteger(quantity))) {
    return 'Attribute [remainedQuantity] is not valid.';
  }
  if (weight !== undefined && !isUpTo(weight, entry.weight)) return 'Attribute [remainedWeight] is not valid.';
  if ((quantity ?? entry.quantity) === entry.quantity && (weight ?? entry.weight) === entry.weight) {
    return 'Nothing to cancel.';
  }
  return { ...(quantity === undefined ? {} : { quantity }), ...(weight === undefined ? {} : { weight }) };
}

function mayShrink(order: SandboxOrder): boolean {
  const { status, assembled } = order.attributes;
  return (status === 'APPROVED_BY_BANK' || status === 'ACCEPTED_BY_MERCHANT') && !assembled && !order.packing;
}

function applyRemainder(store: KaspiStore, order: SandboxOrder, entry: SandboxEntry, left: Remainder): void {
  if (left.quantity === 0 || left.weight === 0) store.dropEntry(order, entry);
  else shrinkEntry(entry, left);
  order.attributes.totalPrice = orderTotal(order.entries);
  if (order.entries.length > 0) return;
  Object.assign(order.attributes, {
    state: 'ARCHIVE',
    status: 'CANCELLED',
    cancellationReason: 'MERCHANT_OUT_OF_STOCK',
  });
}

/** `POST /v2/orderEntryCancelOperation`: one line, by pieces. `SUCCESSFULL` is Kaspi's own spelling. */
export function cancelEntry(request: SandboxRequest, store: KaspiStore, context: WireContext): SandboxAnswer {
  const data = field(request.body, 'data');
  const given = field(data, 'attributes');
  const id = field(field(field(field(data, 'relationships'), 'entry'), 'data'), 'id');
  if (field(data, 'type') !== 'orderEntryCancelOperation') return refused(400, 'Request body is not valid.');
  const found = typeof id === 'string' ? store.entryById(id) : undefined;
  if (!found) return notFound();
  const { order, entry } = found;
  if (!mayShrink(order)) return refused(400, 'Order entry can not be cancelled.');
  const left = remainderOf(given, entry);
  if (typeof left === 'string') return refused(400, left);
  const remainedWeight = left.weight ?? entry.weight;
  const done = store.later(context.options.partialCancelDelayMs, () => applyRemainder(store, order, entry, left));
  return ok({
    data: {
      type: 'orderEntryCancelOperation',
      id: base64Id(`${String(id)}/cancel`),
      attributes: {
        status: done ? 'SUCCESSFULL' : 'INPROGRESS',
        remainedQuantity: left.quantity ?? entry.quantity,
        remainedWeight,
      },
    },
  });
}

/** `PUT /shop/api/orderPartialCancel/{orderId}`: several lines at once, all or none. */
export function cancelPart(
  orderId: string,
  request: SandboxRequest,
  store: KaspiStore,
  context: WireContext,
): SandboxAnswer {
  const order = store.byId(orderId);
  if (!order) return notFound();
  if (!Array.isArray(request.body) || request.body.length === 0) return refused(400, 'Request body is not valid.');
  if (!mayShrink(order)) return refused(400, 'Order can not be cancelled partially.');
  const steps: { entry: SandboxEntry; left: Remainder }[] = [];
  for (const item of request.body as unknown[]) {
    const id = field(field(item, 'entry'), 'id');
    const found = typeof id === 'string' ? store.entryById(id) : undefined;
    if (!found || found.order !== order) return notFound();
    const left = remainderOf(item, found.entry);
    if (typeof left === 'string') return refused(400, left);
    steps.push({ entry: found.entry, left });
  }
  const done = store.later(context.options.partialCancelDelayMs, () => {
    for (const { entry, left } of steps) applyRemainder(store, order, entry, left);
  });
  const orderCancelEntries = (request.body as unknown[]).map((item, index) => ({
    id: base64Id(`${order.attributes.code}/cancel/${index}`),
    ...(item as Record<string, unknown>),
  }));
  return ok({ orderCancelEntries, status: done ? 'SUCCESSFUL' : 'INPROGRESS' });
}
