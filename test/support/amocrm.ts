import type { Clock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import { type Authorization, type HttpCore, httpCore, type SystemHttp } from '../../src/http/core.ts';
import { type AmocrmOptions, type AmocrmStandin, amocrmStandin } from '../../src/sandbox/amocrm.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import type { Database } from '../../src/state/database.ts';
import { tokenStore } from '../../src/state/tokens.ts';
import type { AmoAccessSettings } from '../../src/systems/amocrm/token-vault.ts';
import {
  type AmoAuthorization,
  type AmoAuthorizationOptions,
  amoAuthorization,
} from '../../src/systems/amocrm/tokens.ts';

/** A clock that only a test moves; `sleep` moves it and lets go of the thread, so that nothing waits. */
interface TestClock extends Clock {
  advance(ms: number): void;
  slept: number[];
}

function testClock(start = '2026-05-01T10:00:00.000Z'): TestClock {
  let now = new Date(start).getTime();
  const slept: number[] = [];
  return {
    slept,
    now: () => new Date(now),
    advance: (ms) => {
      now += ms;
    },
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
  };
}

export interface AmoWorld {
  amo: RunningStandin<AmocrmStandin>;
  clock: TestClock;
  core: HttpCore;
  /** To the stand-in; with `authorization` as given. */
  http(authorization?: Authorization): SystemHttp;
  /** The settings of its OAuth integration, first pair included. */
  settings(): AmoAccessSettings;
  /** Access over this database, as one process would have it. */
  access(database: Database, options?: Partial<AmoAuthorizationOptions>): AmoAuthorization;
  close(): Promise<void>;
}

/** An amoCRM stand-in on the test's clock, without rate limits, and the parts that a process would put together. */
export async function amoWorld(options: Partial<AmocrmOptions> = {}): Promise<AmoWorld> {
  const clock = testClock();
  const amo = await serve(amocrmStandin({ now: clock.now, rps: 0, searchLagMs: 0, ...options }));
  const core = httpCore({ clock, signal: new AbortController().signal, userAgent: 'sdelka-test', retryDelayMs: 1 });
  const http: AmoWorld['http'] = (authorization) =>
    core.for({
      system: 'amocrm',
      baseUrl: amo.url,
      timeoutMs: 5000,
      limit: { requests: 1000, perMs: 1000 },
      credentials: 'AMO_ACCESS_TOKEN',
      ...(authorization ? { authorization } : {}),
    });
  const settings = (): AmoAccessSettings => {
    const given = amo.standin.credentials();
    return {
      AMO_CLIENT_ID: given.client_id,
      AMO_CLIENT_SECRET: new Secret(given.client_secret),
      AMO_REDIRECT_URI: given.redirect_uri,
      AMO_ACCESS_TOKEN: new Secret(given.access_token),
      AMO_REFRESH_TOKEN: new Secret(given.refresh_token),
    };
  };
  return {
    amo,
    clock,
    core,
    http,
    settings,
    access: (database, changes = {}) =>
      amoAuthorization({
        settings: settings(),
        store: tokenStore(database, 'amocrm'),
        lock: database.lock,
        http: http(),
        clock,
        dryRun: false,
        ...changes,
      }),
    close: async () => {
      core.close();
      await amo.close();
    },
  };
}

/** Nothing but a header: for tests that are not about access. */
export function bearerOf(token: string): Authorization {
  return { header: async () => ({ authorization: `Bearer ${token}` }), refused: async () => false };
}
