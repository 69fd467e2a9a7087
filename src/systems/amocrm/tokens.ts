import * as z from 'zod';
import { configError } from '../../base/errors.ts';
import { RemoteError } from '../../base/remote-error.ts';
import type { Secret } from '../../base/secret.ts';
import type { Authorization, SystemHttp } from '../../http/core.ts';
import { timesOfJwt } from './jwt.ts';
import {
  credentialsError,
  exchangeFailure,
  isAlreadyUsed,
  passingError,
  TOKEN_ROUTE,
  withOutcome,
} from './token-errors.ts';
import { type Pair, pairVault, type VaultOptions } from './token-vault.ts';

/** A lock that ends with its holder; `Database.lock` fits it. Undefined: not had within `waitMs`. */
type TakeLock = (name: string, options: { waitMs: number }) => Promise<{ release(): Promise<void> } | undefined>;

export interface AmoAuthorizationOptions extends VaultOptions {
  lock: TakeLock;
  /** To the account's host, without authorization of its own. */
  http: SystemHttp;
  /** Nothing is renewed, kept or locked. */
  dryRun: boolean;
  /** Told where work goes on although a renewal failed. */
  warn?(fields: Record<string, unknown>, message: string): void;
}

/** What access rests on and how long it holds. `expiresAt` is unknown for a long-lived token that cannot be read. */
interface TokenLife {
  kind: 'pair' | 'long-lived';
  expiresAt: Date | undefined;
  /** Rounded down to a tenth; below 0 = over. */
  hoursLeft: number | undefined;
}

export interface RefreshOutcome extends TokenLife {
  renewed: boolean;
  /** Half of its life is over (or `force` was given): in a dry run, what would be renewed. */
  due: boolean;
}

export interface AmoAuthorization extends Authorization {
  /** Renews the pair where half of its life is over, or at once with `force`; see `refreshTokens`. */
  refresh(options: { force: boolean }): Promise<RefreshOutcome>;
  /** Exchanges a one-time authorization code (20 minutes) for a pair and keeps it, whatever was kept before. */
  exchangeCode(code: string): Promise<TokenLife>;
  /** Without any request. Throws what `header` would where there is no access at all. */
  life(): Promise<TokenLife>;
}

/** The name of the lock around reading, exchanging and keeping the pair. */
export const TOKEN_LOCK = 'amo-token';
/** Longer than the slowest exchange: connect and answer time-outs together. */
const LOCK_WAIT_MS = 60_000;
/** A token is not used in its last minute: the request might arrive too late. */
const EXPIRY_MARGIN_MS = 60_000;
/** After a failed renewal, work goes on with the token at hand for this long before the next try. */
const RETRY_PAUSE_MS = 15 * 60_000;
/** A token this young that is refused is not too old: renewing it would only burn tokens, one each run. */
const YOUNG_MS = 5 * 60_000;
/** Retries within a run meet the same failure without another exchange. */
const FAILURE_KEPT_MS = 60_000;
/** "Already used" may mean that another program is just storing the new pair: it gets this long, this often. */
const REREAD_PAUSE_MS = 1000;
const REREADS = 2;

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1),
  /** Seconds. */
  expires_in: z.int().positive(),
});

/**
 * Access to amoCRM: a long-lived token, or the OAuth pair whose refresh token works once. The pair is renewed under a database lock, read again
 * once the lock is had, and kept durably before it is used. All errors are `RemoteError`s whose outcome says what they mean for the request
 * that wanted a token (`not-sent`, or `refused` after a 401), or configErrors. Source of the rules: facts of OAuth at amocrm.ru/developers, oauth/step-by-step.
 */
export function amoAuthorization(options: AmoAuthorizationOptions): AmoAuthorization {
  return options.settings.AMO_LONG_LIVED_TOKEN
    ? longLived(options, options.settings.AMO_LONG_LIVED_TOKEN)
    : oauthPair(options);
}

/**
 * The core of `amo:refresh-token`: renews where due and says how long access still holds. A lost answer keeps the old pair and is error 69 with
 * the hours left; a refusal is error 77. A long-lived token is only looked at. In a dry run nothing is asked: `due` says what would be done.
 */
export function refreshTokens(
  authorization: AmoAuthorization,
  options: { force?: boolean } = {},
): Promise<RefreshOutcome> {
  return authorization.refresh({ force: options.force ?? false });
}

function longLived(options: AmoAuthorizationOptions, secret: Secret): AmoAuthorization {
  const token = secret.reveal();
  const expiresAt = timesOfJwt(token)?.expiresAt ?? options.settings.AMO_LONG_LIVED_TOKEN_EXPIRES;
  const hint = 'Make a new one in the integration (tab "keys and scopes"), set AMO_LONG_LIVED_TOKEN, run again.';
  const life = (): TokenLife => ({ kind: 'long-lived', ...span(expiresAt, options.clock.now()) });
  const usable = (): void => {
    if (expiresAt !== undefined && expiresAt <= options.clock.now()) {
      const message = `the long-lived token of amoCRM ended at ${expiresAt.toISOString()}`;
      throw credentialsError('AMO_TOKEN_EXPIRED', message, hint, 'not-sent');
    }
  };
  return {
    header: async () => {
      usable();
      return bearer(token);
    },
    refused: async () => {
      throw credentialsError('AMO_TOKEN_REFUSED', 'amoCRM refused the long-lived token', hint, 'refused');
    },
    life: async () => life(),
    refresh: async () => {
      usable();
      return { ...life(), renewed: false, due: false };
    },
    exchangeCode: async () => {
      throw configError(
        'AMO_LONG_LIVED_TOKEN_SET',
        'AMO_LONG_LIVED_TOKEN is set, and it takes the place of a pair',
        'Remove AMO_LONG_LIVED_TOKEN to use the OAuth integration.',
      );
    },
  };
}

function oauthPair(options: AmoAuthorizationOptions): AmoAuthorization {
  const { clock, store } = options;
  const vault = pairVault(options);
  let known: Pair | undefined;
  let running: Promise<Pair> | undefined;
  let failure: { error: unknown; at: Date } | undefined;

  /** The pair to go by; one from the settings comes first, where it was never seen. */
  async function current(): Promise<Pair> {
    known ??= await adoptFromSettings();
    if (halfOver(known, clock.now())) known = (await vault.read()) ?? known;
    return known;
  }

  async function adoptFromSettings(): Promise<Pair> {
    const given = await vault.unseenInSettings();
    if (given && options.dryRun) return given;
    if (given) {
      await underLock(options, async () => {
        if (await vault.unseenInSettings()) await vault.keep(given);
      });
    }
    return (await vault.read()) ?? noAccess();
  }

  /** One renewal at a time in this process; the lock sees to the others. `from`: the pair that is not good enough. */
  function renew(from: Pair): Promise<Pair> {
    if (failure && clock.now().getTime() - failure.at.getTime() < FAILURE_KEPT_MS) return Promise.reject(failure.error);
    running ??= underLock(options, async () => {
      const stored = (await vault.read()) ?? from;
      // Whoever held the lock before us has renewed it: one exchange is enough for all.
      return stored.access === from.access ? exchange(stored) : stored;
    })
      .then(
        (pair) => {
          failure = undefined;
          known = pair;
          return pair;
        },
        (error: unknown) => {
          failure = { error, at: clock.now() };
          throw error;
        },
      )
      .finally(() => {
        running = undefined;
      });
    return running;
  }

  async function exchange(pair: Pair): Promise<Pair> {
    const before = await store.attemptedAt();
    await store.markAttempt(clock.now());
    try {
      const next = await requestPair(options, { grant_type: 'refresh_token', refresh_token: pair.refresh });
      await vault.keep(next, pair);
      return next;
    } catch (error) {
      const newer = isAlreadyUsed(error) ? await newerPair(pair) : undefined;
      if (newer) return newer;
      throw exchangeFailure(error, remaining(pair, clock.now()), before);
    }
  }

  /** Holding the lock, no sdelka on this database can have renewed it; a program that shares the database without the lock might have. */
  async function newerPair(used: Pair): Promise<Pair | undefined> {
    for (let look = 0; look < REREADS; look++) {
      await clock.sleep(REREAD_PAUSE_MS);
      const stored = await vault.read();
      if (stored && stored.refresh !== used.refresh) return stored;
    }
    return undefined;
  }

  /** Past half its life a pair is renewed; if that fails while it is still good, work goes on with it. */
  async function usablePair(): Promise<Pair> {
    const pair = await current();
    const now = clock.now();
    if (!halfOver(pair, now)) return pair;
    const good = stillGood(pair, now);
    if (options.dryRun) return good ? pair : expiredInDryRun(pair);
    if (good && (await triedLately(now))) return pair;
    try {
      return await renew(pair);
    } catch (error) {
      if (!good || !(error instanceof RemoteError)) throw error;
      const fields = { code: error.code, expiresAt: pair.expiresAt.toISOString(), hint: error.hint };
      options.warn?.(fields, 'amoCRM token not renewed; going on with the present one');
      return pair;
    }
  }

  async function triedLately(now: Date): Promise<boolean> {
    const at = await store.attemptedAt();
    return at !== undefined && now.getTime() - at.getTime() < RETRY_PAUSE_MS;
  }

  async function afterRefusal(used: string): Promise<boolean> {
    const stored = (await vault.read()) ?? known;
    if (stored && stored.access !== used) {
      known = stored;
      return true;
    }
    if (!stored || clock.now().getTime() - stored.issuedAt.getTime() < YOUNG_MS) return false;
    if (options.dryRun) return expiredInDryRun(stored);
    await renew(stored);
    return true;
  }

  return {
    header: async () => bearer((await usablePair()).access),
    refused: async (used) => {
      try {
        return await afterRefusal((used.authorization ?? '').replace(/^Bearer /, ''));
      } catch (error) {
        throw error instanceof RemoteError ? withOutcome(error, 'refused') : error;
      }
    },
    life: async () => lifeOf(await current(), clock.now()),
    refresh: async ({ force }) => {
      const pair = await current();
      const due = force || halfOver(pair, clock.now());
      if (!due || options.dryRun) return { ...lifeOf(pair, clock.now()), renewed: false, due };
      const renewed = await renew(pair);
      return { ...lifeOf(renewed, clock.now()), renewed: true, due };
    },
    exchangeCode: (code) =>
      underLock(options, async () => {
        const pair = await requestPair(options, { grant_type: 'authorization_code', code }).catch((error: unknown) => {
          throw exchangeFailure(error, 'the pair in the database is as it was');
        });
        await vault.keep(pair);
        known = pair;
        failure = undefined;
        return lifeOf(pair, clock.now());
      }),
  };
}

async function underLock<T>(options: AmoAuthorizationOptions, work: () => Promise<T>): Promise<T> {
  const lock = await options.lock(TOKEN_LOCK, { waitMs: LOCK_WAIT_MS });
  if (!lock) {
    throw passingError(
      'AMO_TOKEN_LOCKED',
      'another process has been renewing the amoCRM token for a minute',
      'Nothing to do if it passes; the lock ends with the process that holds it.',
    );
  }
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

type Grant =
  | { grant_type: 'refresh_token'; refresh_token: string }
  | { grant_type: 'authorization_code'; code: string };

/** `redirect_uri` is required in both grants and must equal the integration's to the letter (K:reference/get-token). */
async function requestPair(options: AmoAuthorizationOptions, grant: Grant): Promise<Pair> {
  const { AMO_CLIENT_ID, AMO_CLIENT_SECRET, AMO_REDIRECT_URI } = options.settings;
  if (AMO_CLIENT_ID === undefined || AMO_CLIENT_SECRET === undefined || AMO_REDIRECT_URI === undefined) {
    throw configError(
      'AMO_INTEGRATION_INCOMPLETE',
      'a token cannot be had without AMO_CLIENT_ID, AMO_CLIENT_SECRET and AMO_REDIRECT_URI',
      'Copy all three from the integration, or set AMO_LONG_LIVED_TOKEN instead.',
    );
  }
  // Reckoned from before the request, so that the time on the way shortens the life rather than lengthens it.
  const issuedAt = options.clock.now();
  const answer = await options.http.request({
    method: 'POST',
    path: '/oauth2/access_token',
    route: TOKEN_ROUTE,
    body: {
      client_id: AMO_CLIENT_ID,
      client_secret: AMO_CLIENT_SECRET.reveal(),
      ...grant,
      redirect_uri: AMO_REDIRECT_URI,
    },
    schema: tokenAnswer,
    repeatable: false,
  });
  const expiresAt = new Date(issuedAt.getTime() + answer.expires_in * 1000);
  return { access: answer.access_token, refresh: answer.refresh_token, issuedAt, expiresAt };
}

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

function halfOver(pair: Pair, now: Date): boolean {
  return now.getTime() >= (pair.issuedAt.getTime() + pair.expiresAt.getTime()) / 2;
}

function stillGood(pair: Pair, now: Date): boolean {
  return now.getTime() < pair.expiresAt.getTime() - EXPIRY_MARGIN_MS;
}

function lifeOf(pair: Pair, now: Date): TokenLife {
  return { kind: 'pair', ...span(pair.expiresAt, now) };
}

function span(expiresAt: Date | undefined, now: Date): Pick<TokenLife, 'expiresAt' | 'hoursLeft'> {
  if (expiresAt === undefined) return { expiresAt, hoursLeft: undefined };
  return { expiresAt, hoursLeft: Math.floor((expiresAt.getTime() - now.getTime()) / 360_000) / 10 };
}

function remaining(pair: Pair, now: Date): string {
  const { hoursLeft = 0 } = lifeOf(pair, now);
  return hoursLeft > 0 ? `the present access token serves for another ${hoursLeft} h` : 'the access token has ended';
}

function noAccess(): never {
  throw credentialsError(
    'AMO_NOT_CONNECTED',
    'sdelka has no access to amoCRM yet',
    'Run `sdelka amo:auth` and give access, or set AMO_ACCESS_TOKEN and AMO_REFRESH_TOKEN, or AMO_LONG_LIVED_TOKEN.',
    'not-sent',
  );
}

function expiredInDryRun(pair: Pair): never {
  throw credentialsError(
    'AMO_TOKEN_EXPIRED',
    `the amoCRM access token does not serve any more (its end: ${pair.expiresAt.toISOString()}), and a dry run renews none`,
    'Run `sdelka amo:refresh-token`, then the dry run again.',
    'not-sent',
  );
}
