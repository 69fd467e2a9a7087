import type { Secret } from '../../base/secret.ts';
import { toAccount, toAccountMinute } from './time.ts';

/** A customer to be made; absent fields are left to RetailCRM. */
export interface CustomerDraft {
  /** Unique within a store. */
  externalId?: string;
  firstName?: string;
  lastName?: string;
  email?: string;
  phones?: readonly string[];
  managerId?: number;
}

/** `phone` is who to call back; without an external id at RetailCRM a repeated task is a second one. */
export interface TaskDraft {
  text: string;
  commentary?: string;
  /** Seconds are cut: RetailCRM's tasks have none. */
  due?: Date;
  performerId?: number;
  customerId?: number;
  orderId?: number;
  phone?: string;
}

/** An order without goods, for a person to call back about; without a customer RetailCRM finds or makes one by its own rules. */
export interface OrderDraft {
  /** Unique within a store. */
  externalId: string;
  firstName?: string;
  phone?: string;
  customerId?: number;
  managerId?: number;
  /** Codes of the account's references; left out, the account's defaults for the API hold. */
  orderMethod?: string;
  status?: string;
  customerComment?: string;
}

export type CallDirection = 'in' | 'out';

/** One finished call; `code` (an extension) or `userId` says whose. Durations are seconds. */
export interface CallRecord {
  /** What tells it from every other call; sent again with the same one it is reported as a duplicate. */
  externalId: string;
  date: Date;
  type: CallDirection;
  phone: string;
  code?: string;
  userId?: number;
  /** Spelled unlike `CallEvent.hangupStatus`. */
  result: 'failed' | 'answered' | 'busy' | 'no answer' | 'not allowed' | 'unknown';
  duration: number;
  durationWaiting?: number;
  recordUrl?: string;
  /** The company's own number. */
  externalPhone?: string;
}

/** What happens to a call right now; it opens or closes a card before the managers named. */
export interface CallEvent {
  phone: string;
  type: CallDirection | 'hangup';
  codes?: readonly string[];
  userIds?: readonly number[];
  /** With `hangup`. Spelled unlike `CallRecord.result`. */
  hangupStatus?: 'answered' | 'busy' | 'cancel' | 'failed' | 'no answered';
  externalPhone?: string;
  /** The same as `CallRecord.externalId`. */
  callExternalId?: string;
}

/** A telephony module as it shall be; lists replace what stands there as a whole. */
export interface ModuleDraft {
  active: boolean;
  name: string;
  /** Address of an SVG; wanted for modules outside the marketplace. */
  logo: string;
  baseUrl: string;
  clientId: Secret;
  accountUrl?: string;
  telephony: {
    makeCallUrl?: string;
    changeUserStatusUrl?: string;
    /** Whether people may change these settings in RetailCRM. */
    allowEdit: boolean;
    additionalCodes: readonly { userId: number; code: string }[];
    externalPhones?: readonly { siteCode?: string | undefined; externalPhone: string }[];
  };
}

/** Fields that are undefined are left out by JSON, as RetailCRM wants them. */
export function customerWire({ phones, ...rest }: CustomerDraft) {
  return { ...rest, phones: phones?.map((number) => ({ number })) };
}

export function taskWire(task: TaskDraft, zone: string, site: string | undefined) {
  const { due, customerId, orderId, ...rest } = task;
  return {
    ...rest,
    datetime: due && toAccountMinute(due, zone),
    customer: customerId === undefined ? undefined : { id: customerId },
    order: orderId === undefined ? undefined : { id: orderId },
    phoneSite: task.phone === undefined ? undefined : site,
  };
}

export function orderWire({ customerId, ...rest }: OrderDraft) {
  return { ...rest, customer: customerId === undefined ? undefined : { id: customerId }, call: true };
}

export function callWire(call: CallRecord, zone: string, site: string | undefined) {
  return { ...call, date: toAccount(call.date, zone), site };
}

export function moduleWire(code: string, { clientId, telephony, ...rest }: ModuleDraft) {
  const events = { inputEventSupported: true, outputEventSupported: true, hangupEventSupported: true };
  return {
    code,
    integrationCode: code,
    ...rest,
    clientId: clientId.reveal(),
    integrations: { telephony: { ...telephony, ...events } },
  };
}
