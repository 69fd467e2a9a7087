import type { SandboxAnswer } from '../kit.ts';
import * as check from './checks.ts';
import { customerByPhone } from './customer-write.ts';
import type { Customer, Fields, StoredCall, StoredEvent, User } from './model.ts';
import { codesOf, telephonyModules, userByCode } from './modules.ts';
import {
  badEntity,
  badInput,
  type Call,
  demandNoFaults,
  type Faults,
  listParameter,
  missing,
  objectParameter,
  ok,
  RetailRefusal,
} from './wire.ts';
import type { World } from './world.ts';

const MOST_CALLS = 50;

const EVENT: Readonly<Record<string, check.Check>> = {
  phone: check.filled,
  type: check.choice('in', 'out', 'hangup'),
  codes: check.texts,
  userIds: (value) => (Array.isArray(value) && value.every(Number.isInteger) ? undefined : 'This value is not valid.'),
  // Spelt unlike the result of a call: here `no answered`, there `no answer`.
  hangupStatus: check.choice('answered', 'busy', 'cancel', 'failed', 'no answered'),
  externalPhone: check.text,
  callExternalId: check.text,
  site: check.text,
  webAnalyticsData: check.map,
};

const CALL: Readonly<Record<string, check.Check>> = {
  date: check.dateTime,
  type: check.choice('in', 'out'),
  phone: check.filled,
  code: check.text,
  userId: check.user,
  result: check.choice('failed', 'answered', 'busy', 'no answer', 'not allowed', 'unknown'),
  duration: check.count,
  durationWaiting: check.count,
  externalId: check.filled,
  recordUrl: check.text,
  externalPhone: check.text,
  site: check.text,
  source: check.map,
  clientId: check.text,
};

/** Null says no more than a field left out. */
function withoutNulls(given: Fields): Fields {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

function demandTelephony(world: World, text: string): void {
  if (!world.options.telephonyOff && telephonyModules(world).length > 0) return;
  throw new RetailRefusal(world.options.telephonyRefusalStatus, text);
}

function siteFault(world: World, given: Fields): Faults {
  const fine = given.site === undefined || world.options.sites.includes(String(given.site));
  return fine ? {} : { site: 'The value you selected is not a valid choice.' };
}

/** A known extension gets its card; unknown ones are named in the answer, and the event counts nevertheless. */
export function postEvent(call: Call): SandboxAnswer {
  const { world } = call;
  const given = withoutNulls(objectParameter(call, 'event'));
  demandTelephony(world, 'Telephony not enabled');
  const faults = { ...check.faultsOf(EVENT, given, world, ['phone', 'type']), ...siteFault(world, given) };
  const codes = (given.codes ?? []) as string[];
  const userIds = (given.userIds ?? []) as number[];
  if (world.options.managerDemanded && codes.length === 0 && userIds.length === 0) {
    faults.codes = 'This value should not be blank.';
  }
  demandNoFaults(faults);
  world.events.push({ ...structuredClone(given), at: world.localNow() } as StoredEvent);
  const notExistCodes = codes.filter((code) => userByCode(world, code) === undefined);
  const notExistUsers = userIds.filter((id) => !world.users.has(id));
  return ok({
    ...(notExistCodes.length > 0 ? { notExistCodes } : {}),
    ...(notExistUsers.length > 0 ? { notExistUsers } : {}),
  });
}

function callFaults(world: World, given: Fields): Faults {
  const faults = { ...check.faultsOf(CALL, given, world, ['date', 'type', 'phone']), ...siteFault(world, given) };
  const unknown = typeof given.code === 'string' && userByCode(world, given.code) === undefined;
  if (unknown && world.options.unknownCodeInUpload === 'refused')
    faults.code = 'Manager with this code does not exist.';
  if (world.options.refusedInUpload.includes(String(given.externalId))) faults.externalId = 'Refused by the account.';
  return faults;
}

/** A call as it is kept: tied to its customer by the phone, to its manager by the extension. */
function storedCall(world: World, given: Fields, id: number): StoredCall {
  const customer = customerByPhone(world, String(given.phone));
  const manager = given.userId === undefined ? userByCode(world, String(given.code)) : Number(given.userId);
  // Parsed for this call alone, so that it need not be copied.
  return {
    ...given,
    id,
    ...(customer ? { customerId: customer.id } : {}),
    ...(manager === undefined ? {} : { managerId: manager }),
  } as StoredCall;
}

/** Keeps one call of an upload; false where its externalId is there already. */
function keepCall(world: World, given: Fields): boolean {
  const name = given.externalId === undefined ? undefined : String(given.externalId);
  const at = (name === undefined ? undefined : world.callPlaces.get(name)) ?? world.calls.length;
  const known = world.calls[at];
  if (!known) {
    world.calls.push(storedCall(world, given, world.nextId('calls')));
    if (name !== undefined) world.callPlaces.set(name, at);
    return true;
  }
  if (world.options.duplicateUpdates) world.calls[at] = storedCall(world, given, known.id);
  return false;
}

/** A call that is there already is no error; it is named in `duplicateCalls`. */
export function postCallsUpload(call: Call): SandboxAnswer {
  const { world } = call;
  const items = listParameter(call, 'calls', MOST_CALLS).map(withoutNulls);
  demandTelephony(world, 'Telephony not enabled or not supports calls upload');
  const errors: Faults = {};
  const good: Fields[] = [];
  for (const [index, given] of items.entries()) {
    const faults = Object.entries(callFaults(world, given));
    for (const [field, fault] of faults) errors[`calls[${index}][${field}]`] = fault;
    if (faults.length === 0) good.push(given);
  }
  const bad = items.length - good.length;
  if (bad > 0 && world.options.badCallInUpload === 'refuses-all') throw badEntity(errors);
  const duplicateCalls = good.filter((given) => !keepCall(world, given)).map(({ externalId }) => externalId);
  const processedCallsCount = good.length - (world.options.duplicatesCounted ? 0 : duplicateCalls.length);
  if (bad > 0)
    throw new RetailRefusal(460, 'Calls are loaded with errors', errors, { processedCallsCount, duplicateCalls });
  return ok({ processedCallsCount, duplicateCalls });
}

function flagOf(call: Call, name: string): boolean {
  const value = call.request.query.get(name) ?? '0';
  if (value !== '0' && value !== '1') throw badInput(name, 'The value you selected is not a valid choice.');
  return value === '1';
}

function renderManager(world: World, { id, firstName, lastName, email }: User): Fields {
  const code = telephonyModules(world)
    .flatMap(codesOf)
    .find(({ userId }) => Number(userId) === id)?.code;
  const shownId = world.options.stringIds ? String(id) : id;
  return { id: shownId, firstName, lastName, email, ...(code === undefined ? {} : { code }) };
}

function renderOwner(customer: Customer): Fields {
  const { id, externalId, firstName, lastName, patronymic, email, phones } = customer;
  return { id, externalId, firstName, lastName, patronymic, email, phones };
}

function links(call: Call, phone: string, customer: Customer | undefined): Fields {
  const base = `http://${call.request.headers.host ?? 'localhost'}`;
  const query = `phone=${encodeURIComponent(phone)}`;
  const orders = [...call.world.orders.values()].filter(({ customerId }) => customer && customerId === customer.id);
  const last = orders.at(-1);
  return {
    newOrderLink: `${base}/orders/add?${query}`,
    ...(last ? { lastOrderLink: `${base}/orders/${last.id}/edit` } : {}),
    ...(customer
      ? { customerLink: `${base}/customers/${customer.id}` }
      : { newCustomerLink: `${base}/customers/add?${query}` }),
  };
}

/** Who should take a call of this number, and with `details` whose number it is. What is unknown is left out. */
export function getManager(call: Call): SandboxAnswer {
  const { world } = call;
  const phone = call.request.query.get('phone') ?? '';
  if (phone === '') throw missing('phone');
  const [details, ignoreStatus] = [flagOf(call, 'details'), flagOf(call, 'ignoreStatus')];
  const customer = customerByPhone(world, phone);
  const user = customer?.managerId === undefined ? undefined : world.users.get(customer.managerId);
  const shown = user && (ignoreStatus || user.status === 'free') ? { manager: renderManager(world, user) } : {};
  if (!details) return ok(shown);
  return ok({
    ...shown,
    ...(customer ? { customer: renderOwner(customer) } : {}),
    links: links(call, phone, customer),
  });
}
