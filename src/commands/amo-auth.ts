import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { configError } from '../base/errors.ts';
import type { AmoAuthorization } from '../systems/amocrm/tokens.ts';

/** Small facts kept as text between runs; `meta` fills it. */
export interface Facts {
  fact(key: string): Promise<string | undefined>;
  setFact(key: string, value: string): Promise<void>;
}

export interface AmoAuthContext {
  /** The account's address, from AMO_BASE_URL or AMO_SUBDOMAIN. */
  baseUrl: string;
  clientId: string | undefined;
  authorization: AmoAuthorization;
  facts: Facts;
  clock: Clock;
  dryRun: boolean;
}

export type AmoAuthResult =
  | { status: 'open'; address: string; next: string }
  | { status: 'success'; expires_at: string | undefined; hours_left: number | undefined }
  | { status: 'dry-run'; would: string };

/** Where `amo:auth` leaves the state that it gave out: JSON `{ state, made_at }`, single use, 20 minutes. */
export const OAUTH_STATE_FACT = 'oauth_state';

const STATE_BYTES = 24;

/**
 * Without a code: the address at which an administrator gives access. With one: exchanges it and keeps the pair.
 * A code is good for one exchange within 20 minutes (oauth/step-by-step). Errors: 77 for a code that is refused, 78 for an incomplete integration.
 */
export async function amoAuth(context: AmoAuthContext, options: { code?: string }): Promise<AmoAuthResult> {
  if (options.code !== undefined) return exchange(context, options.code.trim());
  if (context.clientId === undefined) {
    throw configError(
      'AMO_INTEGRATION_INCOMPLETE',
      'AMO_CLIENT_ID is not set, so there is no integration to give access to',
      'Set AMO_CLIENT_ID, AMO_CLIENT_SECRET and AMO_REDIRECT_URI, or AMO_LONG_LIVED_TOKEN instead of all three.',
    );
  }
  const state = randomBytes(STATE_BYTES).toString('base64url');
  if (!context.dryRun) {
    const kept = { state, made_at: context.clock.now().toISOString() };
    await context.facts.setFact(OAUTH_STATE_FACT, JSON.stringify(kept));
  }
  return {
    status: 'open',
    address: authorizationAddress(context.baseUrl, context.clientId, state),
    next: 'Open the address as an administrator of the account and give access; then run `sdelka amo:auth --code CODE` with the code from the redirect, within 20 minutes.',
  };
}

async function exchange(context: AmoAuthContext, code: string): Promise<AmoAuthResult> {
  if (context.dryRun) return { status: 'dry-run', would: 'exchange the code for a pair of tokens and keep it' };
  const life = await context.authorization.exchangeCode(code);
  return { status: 'success', expires_at: life.expiresAt?.toISOString(), hours_left: life.hoursLeft };
}

/** The page is on the `www` host of the brand, not on the account's own (amocrm-api-php, README). */
export function authorizationAddress(baseUrl: string, clientId: string, state: string): string {
  const host = new URL(baseUrl).hostname;
  const brand = host === 'kommo.com' || host.endsWith('.kommo.com') ? 'www.kommo.com' : 'www.amocrm.ru';
  const query = new URLSearchParams({ client_id: clientId, state, mode: 'post_message' });
  return `https://${brand}/oauth?${query}`;
}
