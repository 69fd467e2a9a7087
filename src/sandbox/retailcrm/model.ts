/** A JSON object as it came or goes. */
export type Fields = Record<string, unknown>;

export interface Phone {
  /** As it was typed; RetailCRM does not normalise. */
  number: string;
}

export interface Customer {
  id: number;
  type: 'customer';
  externalId?: string;
  site: string;
  /** Local to the account's zone, `2025-08-03 14:30:00`, as all date-times here. */
  createdAt: string;
  managerId?: number;
  email: string;
  phones: Phone[];
  tags: { name: string }[];
  customFields: Fields;
  [field: string]: unknown;
}

export interface Order {
  id: number;
  number: string;
  externalId?: string;
  site: string;
  status: string;
  createdAt: string;
  statusUpdatedAt: string;
  managerId?: number;
  /** The customer's id; on the wire the customer itself. */
  customerId?: number;
  customFields: Fields;
  [field: string]: unknown;
}

export interface User {
  id: number;
  active: boolean;
  email: string;
  firstName: string;
  lastName: string;
  isAdmin: boolean;
  isManager: boolean;
  status: 'free' | 'busy' | 'dinner' | 'break';
  online: boolean;
  createdAt: string;
}

export interface Task {
  id: number;
  text: string;
  commentary?: string;
  /** Without seconds. */
  datetime?: string;
  createdAt: string;
  complete: boolean;
  performer: number;
  performerType: 'user';
  site?: string;
  customer?: { id: number };
  order?: { id: number };
  phone?: string;
  phoneSite?: string;
}

/** A call as uploaded, and whom the account tied it to by its phone and extension. */
export interface StoredCall {
  id: number;
  date: string;
  type: 'in' | 'out';
  phone: string;
  result?: string;
  externalId?: string;
  customerId?: number;
  managerId?: number;
  [field: string]: unknown;
}

/** A call event as it came, and when. */
export interface StoredEvent {
  at: string;
  phone: string;
  type: 'in' | 'out' | 'hangup';
  [field: string]: unknown;
}

export interface AdditionalCode {
  userId: number | string;
  code: string;
}

export interface IntegrationModule {
  code: string;
  active: boolean;
  integrations: { telephony?: Fields & { additionalCodes?: AdditionalCode[] } };
  [field: string]: unknown;
}

/** Who made a change; `api` is the key that asks, `otherKey` another one of the account. */
export type Actor = 'user' | 'api' | 'otherKey' | 'code' | 'rule';

export interface HistoryEntry {
  id: number;
  createdAt: string;
  source: 'user' | 'api' | 'code' | 'rule';
  field: string;
  oldValue: unknown;
  newValue: unknown;
  created?: true;
  deleted?: true;
  user?: { id: number };
  apiKey?: { current: boolean };
  customer?: Fields;
  order?: Fields;
  combinedTo?: { id: number };
}

export function asFields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

export function digitsOf(phone: string): string {
  return phone.replace(/\D/g, '');
}

const TAIL = 9;

/**
 * Two numbers with one key are one for the CRM's own matching: the last nine digits, so that 8, 80, +375 and +7 do not
 * count; shorter numbers must be equal. '' where there are no digits.
 */
export function phoneKey(phone: string): string {
  return digitsOf(phone).slice(-TAIL);
}

/** `firstName` of the interface is `first_name` in the history. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
