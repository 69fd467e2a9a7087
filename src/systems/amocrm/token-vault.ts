import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { configError } from '../../base/errors.ts';
import { sealer } from '../../base/seal.ts';
import type { Secret } from '../../base/secret.ts';
import { timesOfJwt } from './jwt.ts';

/** A pair as it is stored; the tokens may be sealed texts. Times are ISO-8601 UTC with milliseconds. */
interface StoredPair {
  accessToken: string;
  refreshToken: string;
  issuedAt: string;
  expiresAt: string;
}

/** Where the pair lives between runs; `state/` fills this port. */
interface TokenStore {
  /** Read anew each time: another process may have renewed the pair. */
  read(): Promise<StoredPair | undefined>;
  /** Keeps the pair and the hashes in one transaction that is durable when this ends; forgets the attempt. */
  save(pair: StoredPair, hashes: readonly string[], now: Date): Promise<void>;
  /** Whether a token of this hash was ever kept. */
  seen(hash: string): Promise<boolean>;
  /** When a renewal was last begun whose end is not known to be good. */
  attemptedAt(): Promise<Date | undefined>;
  markAttempt(at: Date): Promise<void>;
}

/** The amo group's settings that concern access. */
export interface AmoAccessSettings {
  AMO_CLIENT_ID?: string | undefined;
  AMO_CLIENT_SECRET?: Secret | undefined;
  AMO_REDIRECT_URI?: string | undefined;
  AMO_ACCESS_TOKEN?: Secret | undefined;
  AMO_REFRESH_TOKEN?: Secret | undefined;
  AMO_LONG_LIVED_TOKEN?: Secret | undefined;
  AMO_LONG_LIVED_TOKEN_EXPIRES?: Date | undefined;
}

export interface VaultOptions {
  settings: AmoAccessSettings;
  store: TokenStore;
  clock: Clock;
  /** Encrypts the pair at rest; without it the pair is stored as it is. */
  secretKey?: Secret | undefined;
  /** Told of every token that comes up, so that the log can keep it out. */
  onSecret?(text: string): void;
}

/** The pair in the clear. */
export interface Pair {
  access: string;
  refresh: string;
  issuedAt: Date;
  expiresAt: Date;
}

/** What an access token lives (K:reference/get-token); used only where a pair from the settings says nothing itself. */
const ACCESS_LIFE_MS = 86_400_000;

const ACCESS_LABEL = 'amocrm:access';
const REFRESH_LABEL = 'amocrm:refresh';

/** Reads and keeps pairs: sealed at rest, with the hash of every token that ever was. */
export function pairVault(options: VaultOptions) {
  const { store, clock, settings } = options;
  const seal = sealer(options.secretKey);
  const open = async (stored: string, label: string): Promise<string> => {
    const text = await seal.open(stored, label);
    if (text !== undefined) return text;
    throw configError(
      'SECRET_KEY_MISMATCH',
      'the amoCRM tokens in the database were encrypted with another SECRET_KEY',
      'Put the old SECRET_KEY back, or run `sdelka amo:auth` to get a new pair.',
    );
  };
  const noted = (pair: Pair): Pair => {
    for (const token of tokensOf(pair)) options.onSecret?.(token);
    return pair;
  };
  return {
    read: async (): Promise<Pair | undefined> => {
      const stored = await store.read();
      if (!stored) return undefined;
      return noted({
        access: await open(stored.accessToken, ACCESS_LABEL),
        refresh: await open(stored.refreshToken, REFRESH_LABEL),
        issuedAt: new Date(stored.issuedAt),
        expiresAt: new Date(stored.expiresAt),
      });
    },
    keep: async (pair: Pair, replaced?: Pair): Promise<void> => {
      noted(pair);
      const tokens = [pair, ...(replaced ? [replaced] : [])].flatMap(tokensOf);
      const stored = {
        accessToken: await seal.seal(pair.access, ACCESS_LABEL),
        refreshToken: await seal.seal(pair.refresh, REFRESH_LABEL),
        issuedAt: pair.issuedAt.toISOString(),
        expiresAt: pair.expiresAt.toISOString(),
      };
      await store.save(stored, tokens.map(hashOf), clock.now());
    },
    /** The refresh token tells pairs apart: it is the part that works once, so a seen one must never come back. */
    unseenInSettings: async (): Promise<Pair | undefined> => {
      const refresh = settings.AMO_REFRESH_TOKEN?.reveal();
      if (refresh === undefined || (await store.seen(hashOf(refresh)))) return undefined;
      return noted(pairOf(settings.AMO_ACCESS_TOKEN?.reveal() ?? '', refresh, clock.now()));
    },
  };
}

function tokensOf(pair: Pair): string[] {
  return [pair.access, pair.refresh].filter((token) => token !== '');
}

/** A pair of unknown age counts as old: it is renewed at the first use, after which its times are known. A refresh token alone serves too. */
function pairOf(access: string, refresh: string, now: Date): Pair {
  const never = new Date(0);
  if (access === '') return { access, refresh, issuedAt: never, expiresAt: never };
  const times = timesOfJwt(access) ?? { expiresAt: new Date(now.getTime() + ACCESS_LIFE_MS) };
  return { access, refresh, issuedAt: times.issuedAt ?? never, expiresAt: times.expiresAt };
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
