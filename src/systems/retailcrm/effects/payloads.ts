import type { Json } from '../../../base/schema.ts';

/** A user of RetailCRM: by id, or by the e-mail that he logs in with. */
export type UserRef = number | string;

/**
 * One kind for each enterprise, since each has its own account: a batch goes to one account, and one that fails keeps the
 * others' going.
 */
export const retailKinds = (enterprise: string) => ({
  customer: `retailcrm.customer@${enterprise}`,
  call: `retailcrm.call@${enterprise}`,
  task: `retailcrm.task@${enterprise}`,
  taskDone: `retailcrm.task-done@${enterprise}`,
  order: `retailcrm.order@${enterprise}`,
});

/** Idempotency keys of creates; `phone` is E.164, `externalId` a call's. */
export const retailKeys = {
  customer: (enterprise: string, phone: string) => `retailcrm:customer:${enterprise}:${phone}`,
  call: (externalId: string) => `retailcrm:call:${externalId}`,
  task: (externalId: string) => `retailcrm:task:${externalId}`,
  order: (externalId: string) => `retailcrm:order:${externalId}`,
};

export interface CustomerPayload {
  /** `tel-` and the digits of the phone: RetailCRM's own idempotency key within a store. */
  externalId: string;
  /** E.164. */
  phone: string;
  /** Shown as the name until a person writes another one. */
  firstName: string;
  /** Only where a talk took place. */
  manager?: UserRef;
}

export interface CallPayload {
  externalId: string;
  /** ISO-8601 UTC. */
  date: string;
  type: 'in' | 'out';
  /** E.164, or as the PBX wrote it where it is no full number. */
  phone: string;
  /** The manager's extension. */
  code?: string;
  /** The manager as the mapping names him. */
  user?: UserRef;
  result: 'answered' | 'no answer' | 'busy' | 'failed' | 'unknown';
  /** Talk, seconds. */
  duration: number;
  /** Seconds until a person answered, or until the end. */
  durationWaiting: number;
  recordUrl?: string;
  /** Our own number that was called. */
  externalPhone?: string;
}

export interface TaskPayload {
  text: string;
  /** Found in the task's commentary, for a look-up after a lost answer. */
  marker: string;
  /** ISO-8601 UTC. */
  due: string;
  /** When the missed call began, ISO-8601 UTC: the task cannot be older. */
  calledAt?: string;
  /** E.164, or as the PBX wrote it. */
  phone: string;
  performer?: UserRef;
  /** Key of the effect whose remote id is the customer's; also among the effect's needs. */
  customerKey?: string;
}

/** Completes a task: the client was called back before it was due. */
export interface TaskDonePayload {
  /** Key of the effect whose remote id is the task's; also among the effect's needs. */
  taskKey: string;
}

export interface OrderPayload {
  externalId: string;
  phone: string;
  firstName: string;
  comment: string;
  manager?: UserRef;
  method?: string;
  status?: string;
  customerKey?: string;
}

export function asJson(payload: CustomerPayload | CallPayload | TaskPayload | TaskDonePayload | OrderPayload): Json {
  return { ...payload } as unknown as Json;
}
