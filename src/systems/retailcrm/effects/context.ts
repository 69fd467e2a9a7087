import { cleanText } from '../../../base/redact.ts';
import type { Delivery, Report } from '../../../domain/handler.ts';
import type { RetailcrmClient } from '../client.ts';
import type { RetailMemory } from '../memory.ts';
import type { User } from '../schema.ts';
import type { UserRef } from './payloads.ts';

const USERS_MAX_AGE_MS = 3_600_000;

export interface RetailEffectOptions {
  /** Number of the enterprise, as the mapping has it. */
  enterprise: string;
  crm: RetailcrmClient;
  memory: RetailMemory;
  /** ISO 3166-1 alpha-2: for phones stored without a country code. */
  country: string;
  now: () => Date;
  log?: { info(fields: Record<string, unknown>, message: string): void };
  /** Aborted: lists are not read on, and nobody is looked up any more. */
  signal: AbortSignal;
}

/** All users of the account, at most an hour old. */
export function usersOf({ crm, memory }: RetailEffectOptions): Promise<User[]> {
  return memory.cached('users', USERS_MAX_AGE_MS, () => crm.users());
}

/** The id of a user whom the mapping names by id or e-mail; undefined where no user has that e-mail. */
export async function userIdOf(options: RetailEffectOptions, ref: UserRef | undefined): Promise<number | undefined> {
  return (await userIdsOf(options, [ref]))(ref);
}

/** The same for a whole batch; users are read once, and only where one is named by e-mail. */
export async function userIdsOf(
  options: RetailEffectOptions,
  refs: readonly (UserRef | undefined)[],
): Promise<(ref: UserRef | undefined) => number | undefined> {
  const users = refs.some((ref) => typeof ref === 'string') ? await usersOf(options) : [];
  const ids = new Map(users.map(({ email, id }) => [email?.toLowerCase(), id]));
  return (ref) => (typeof ref === 'string' ? ids.get(ref.trim().toLowerCase()) : ref);
}

/**
 * The customer whom an effect needs, as the table of phones has him now: since he was bound he may have been merged into another, and
 * of one who is gone there is nothing to be tied to.
 */
export async function customerIdOf(
  { memory }: Pick<RetailEffectOptions, 'memory'>,
  { row, ids }: Delivery,
): Promise<number | undefined> {
  const { phone, customerKey } = row.payload as unknown as { phone: string; customerKey?: string };
  // Not bound: he was refused for good, and then the phone alone says who it is.
  if (customerKey === undefined || !ids.has(customerKey)) return undefined;
  return (await memory.customers([phone])).get(phone);
}

/**
 * RetailCRM does not take this customer any more. Merged into another, his phone is the other's from now on: true. False: he is
 * gone, and nothing is to be tied to him.
 */
export async function followMerge(
  { crm, memory }: Pick<RetailEffectOptions, 'crm' | 'memory'>,
  phone: string,
  customerId: number | undefined,
): Promise<boolean> {
  const survivor = customerId === undefined ? undefined : await crm.customerById(customerId);
  await memory.drop([phone]);
  if (survivor === undefined || survivor.id === customerId) return false;
  await memory.put([{ customerId: survivor.id, phones: [phone] }]);
  return true;
}

/** For people: an id, or an e-mail that shows no more than whose it may be. */
export function shownUser(ref: UserRef | undefined): string | null {
  return ref === undefined ? null : cleanText(String(ref));
}

/** A user of the mapping who is not in the account; `subject` tells one such place from another. */
export function noUserReport(enterprise: string, subject: string, where: string, instead: string): Report {
  return {
    kind: 'retail_user',
    subject: `${enterprise}:${subject}`,
    message: `enterprise ${enterprise}: RetailCRM has no user as the mapping names for ${where}; ${instead}`,
  };
}
