import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { registerSecret } from '../base/redact.ts';
import type { CoreSettings } from '../config/settings.ts';
import type { EffectHandler } from '../domain/handler.ts';
import { breakerOpen } from '../http/classify.ts';
import type { HttpCore, SystemHttp } from '../http/core.ts';
import { amoMemory, overlayMemory } from '../state/amo-memory.ts';
import { bindAccount } from '../state/bindings.ts';
import type { Database } from '../state/database.ts';
import { sharedGate } from '../state/gate.ts';
import { tokenStore } from '../state/tokens.ts';
import { type AmocrmClient, amocrmClient } from '../systems/amocrm/client.ts';
import { amoEffects } from '../systems/amocrm/effects/index.ts';
import { type PeopleIndex, peopleIndex } from '../systems/amocrm/effects/people-index.ts';
import type { AmoMemory } from '../systems/amocrm/memory.ts';
import { leastQuietMs, mayFilter } from '../systems/amocrm/probed.ts';
import { type AmoSettings, amoBaseUrl } from '../systems/amocrm/settings.ts';
import { type AmoAuthorization, amoAuthorization } from '../systems/amocrm/tokens.ts';

const DAY_MS = 86_400_000;
const TIMEOUT_MS = 15_000;

export interface AmoParts {
  client: AmocrmClient;
  authorization: AmoAuthorization;
  memory: AmoMemory;
  /** Refuses a database that served another account; asks at most once a day. */
  bind(): Promise<void>;
  index: PeopleIndex;
  effects(): EffectHandler[];
  /** The least quiet time before a look, by the lag that a probe has measured. */
  leastQuietMs(): Promise<number>;
}

export interface AmoOptions {
  settings: CoreSettings & AmoSettings;
  database: Database;
  core: HttpCore;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  dryRun: boolean;
}

/** amoCRM put together: token store, shared budget, client, effects. Loaded only where amoCRM is needed. */
export function amoParts({ settings, database, core, clock, log, signal, dryRun }: AmoOptions): AmoParts {
  const baseUrl = amoBaseUrl(settings);
  const common = {
    system: 'amocrm',
    baseUrl,
    timeoutMs: settings.HTTP_TIMEOUT_MS ?? TIMEOUT_MS,
    credentials: settings.AMO_LONG_LIVED_TOKEN ? 'AMO_LONG_LIVED_TOKEN' : 'the amoCRM integration (sdelka amo:auth)',
    limit: { requests: settings.AMO_RPS, perMs: 1000 },
    ...(dryRun ? {} : { gate: sharedGate(database, 'amocrm', settings.AMO_RPS, clock, breakerOpen) }),
  };
  const authorization = amoAuthorization({
    settings,
    store: tokenStore(database, 'amocrm'),
    clock,
    lock: (name, options) => database.lock(name, options),
    http: core.for(common),
    dryRun,
    onSecret: registerSecret,
    warn: (fields, message) => log.warn(fields, message),
    ...(settings.SECRET_KEY === undefined ? {} : { secretKey: settings.SECRET_KEY }),
  });
  const http: SystemHttp = core.for({ ...common, authorization });
  const durable = amoMemory(database, clock);
  const memory: AmoMemory = dryRun ? overlayMemory(durable) : durable;
  const client = amocrmClient(http, (rows) => mayFilter(memory, rows));
  const country = settings.DEFAULT_COUNTRY;
  const index = peopleIndex({ client, memory, country, now: () => clock.now(), signal });
  const place = createHash('sha256').update(baseUrl).digest('hex').slice(0, 12);
  return {
    client,
    authorization,
    memory,
    bind: async () => {
      const account = await memory.cached(
        `amocrm:account:${place}`,
        DAY_MS,
        async () => (await client.getAccount()).id,
      );
      if (!dryRun) await database.transaction((tx) => bindAccount(tx, 'amocrm', String(account), clock.now()));
    },
    index,
    effects: () => amoEffects({ client, memory, index, country, zone: settings.TIMEZONE }),
    leastQuietMs: () => leastQuietMs(memory),
  };
}
