import type { Clock } from '../base/clock.ts';
import { configError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Mapping } from '../config/mapping.ts';
import type { OnecMapping } from '../config/mapping-onec-types.ts';
import type { CoreSettings } from '../config/settings.ts';
import type { EffectHandler } from '../domain/handler.ts';
import type { HttpCore } from '../http/core.ts';
import type { Database } from '../state/database.ts';
import { onecMemory } from '../state/onec-memory.ts';
import type { OnecOdata, OnecReader } from '../systems/onec/api.ts';
import { onecEffects } from '../systems/onec/effects/index.ts';
import { onecOdata, onecSystem } from '../systems/onec/odata.ts';
import { onecReader } from '../systems/onec/reader.ts';
import type { OnecSettings } from '../systems/onec/settings.ts';

/** The first request after a pause may wake the base up, which takes tens of seconds (seen with УТ 11 behind IIS). */
const FIRST_REQUEST_S = 180;
const REQUEST_S = 60;
const QUIET_S = 300;

export interface OnecParts {
  odata: OnecOdata;
  /** `mapping`: in the place of the operator's, without the names that this base lacks. */
  reader(mapping?: OnecMapping): Promise<OnecReader>;
  mapping: OnecMapping;
  /** IANA name of the zone of 1C's local times. */
  zone: string;
  effects(): EffectHandler[];
  /** Ends the session at 1C, so that its licence is free at once. */
  close(): Promise<void>;
}

export interface OnecOptions {
  settings: CoreSettings & OnecSettings;
  mapping: OnecMapping;
  database: Database;
  core: HttpCore;
  clock: Clock;
  log: Logger;
  dryRun: boolean;
}

export function onecZone(settings: CoreSettings & OnecSettings, mapping: OnecMapping): string {
  return mapping.server.timeZone ?? settings.ONEC_TIMEZONE ?? settings.TIMEZONE;
}

/** 1C put together: session, reader, effects. */
export function onecParts({ settings, mapping, database, core, clock, log, dryRun }: OnecOptions): OnecParts {
  const { HTTP_TIMEOUT_MS: timeoutMs, ONEC_ODATA_URL, ONEC_USER, ONEC_PASSWORD } = settings;
  const requestTimeoutMs = timeoutMs ?? (mapping.server.requestTimeoutSec ?? REQUEST_S) * 1000;
  const firstRequestTimeoutMs = timeoutMs ?? (mapping.server.firstRequestTimeoutSec ?? FIRST_REQUEST_S) * 1000;
  const zone = onecZone(settings, mapping);
  const system = onecSystem(ONEC_ODATA_URL, ONEC_USER, ONEC_PASSWORD);
  const odata = onecOdata(core.for(system), {
    now: () => clock.now(),
    zone,
    skewMs: () => core.skewMs.get(system.system),
    sleep: (ms) => clock.sleep(ms),
    requestTimeoutMs,
    firstRequestTimeoutMs,
  });
  const memory = onecMemory(database, clock, dryRun);
  const country = settings.DEFAULT_COUNTRY;
  const open = (by: OnecMapping) =>
    onecReader({ odata, mapping: by, zone, country, cache: memory, log, login: ONEC_USER, source: ONEC_ODATA_URL });
  // What was opened last goes by the names that this base really has, and holds what the job has read already.
  let used = { reader: open(mapping), mapping };
  const quietMs = (settings.DOUBT_QUIET_SECONDS ?? QUIET_S) * 1000;
  return {
    odata,
    mapping,
    zone,
    reader: async (by) => {
      if (by !== undefined) used = { reader: open(by), mapping: by };
      return used.reader;
    },
    // A pass reads before it writes, so that no write is the request that wakes 1C up.
    effects: () => onecEffects({ odata, ...used, memory, zone, quietMs, requestMs: requestTimeoutMs }),
    close: () => odata.close(),
  };
}

/** The `onec` part of the mapping; a mapping without it configures no such stream (78). */
export function onecMapping(mapping: Mapping | undefined): OnecMapping {
  if (mapping?.onec !== undefined) return mapping.onec;
  throw configError(
    'ONEC_NOT_MAPPED',
    'The mapping file has no part `onec`, so that the exchange with 1C is not configured',
    'Add `onec:` to mapping.yaml; mapping.example.yaml and docs/onec.md show how.',
  );
}
