import type { Environment } from '../config/env.ts';
import { timesOfJwt } from '../systems/amocrm/jwt.ts';
import { amoSettings } from '../systems/amocrm/settings.ts';

/**
 * When amoCRM's long-lived token ends; undefined where there is none or nobody can tell. Read by itself, so that a fault
 * elsewhere in amoCRM's settings silences nothing.
 */
export function longLivedToken({ values }: Environment): { system: string; expiresAt: Date } | undefined {
  const { AMO_LONG_LIVED_TOKEN, AMO_LONG_LIVED_TOKEN_EXPIRES } = amoSettings.variables;
  const token = AMO_LONG_LIVED_TOKEN.read(values.AMO_LONG_LIVED_TOKEN);
  if (!('value' in token) || token.value === undefined) return undefined;
  const given = AMO_LONG_LIVED_TOKEN_EXPIRES.read(values.AMO_LONG_LIVED_TOKEN_EXPIRES);
  const expiresAt = timesOfJwt(token.value.reveal())?.expiresAt ?? ('value' in given ? given.value : undefined);
  return expiresAt === undefined ? undefined : { system: 'amocrm', expiresAt };
}
