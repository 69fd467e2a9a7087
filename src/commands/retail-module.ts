import { randomBytes } from 'node:crypto';
import { configError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import type { RetailUser } from '../config/mapping-calls-types.ts';
import type { IntegrationModule, User } from '../systems/retailcrm/schema.ts';
import type { ModuleDraft } from '../systems/retailcrm/write.ts';

export interface Code {
  userId: number;
  code: string;
}

/** What became of the extensions: `codes` is the whole list, for RetailCRM replaces it with each edit. */
export interface MergedCodes {
  codes: Code[];
  added: Code[];
  /** The extension belonged to another user before. */
  moved: Code[];
  /** Extensions whose user RetailCRM does not know, or whom it keeps as inactive. */
  unknown: string[];
}

/** The mapping's extensions put into those that stand there; extensions that the mapping does not name are left as they are. Pure. */
export function mergeCodes(
  standing: readonly Code[],
  extensions: ReadonlyMap<string, RetailUser>,
  users: readonly User[],
): MergedCodes {
  const byCode = new Map(standing.map(({ code, userId }) => [code, userId]));
  const result: MergedCodes = { codes: [], added: [], moved: [], unknown: [] };
  for (const [code, user] of extensions) {
    const found = users.find(({ id, email }) => id === user || email?.toLowerCase() === String(user).toLowerCase());
    if (found === undefined || found.active === false) {
      result.unknown.push(code);
      continue;
    }
    const before = byCode.get(code);
    if (before === undefined) result.added.push({ code, userId: found.id });
    else if (before !== found.id) result.moved.push({ code, userId: found.id });
    byCode.set(code, found.id);
  }
  result.codes = [...byCode].map(([code, userId]) => ({ userId, code }));
  return result;
}

export interface ModuleSettings {
  name: string;
  logo: string | undefined;
  publicUrl: string | undefined;
  clientId: Secret | undefined;
}

/** The proof of a click-to-call: as set, else as it stands at RetailCRM, else as it was made here before, else a new one. */
export function clientIdOf(set: Secret | undefined, standing: Secret | undefined, kept: string | undefined): Secret {
  return set ?? standing ?? new Secret(kept ?? randomBytes(24).toString('base64url'));
}

/** The module as it shall stand. A new one needs an address of ours; of one that stands there the address may be left alone. */
export function moduleDraft(
  { name, logo, publicUrl }: ModuleSettings,
  clientId: Secret,
  codes: readonly Code[],
  standing: IntegrationModule | undefined,
): ModuleDraft {
  const baseUrl = publicUrl?.replace(/\/+$/, '') ?? standing?.baseUrl;
  if (baseUrl === undefined) {
    throw configError(
      'PUBLIC_URL_MISSING',
      'RetailCRM wants to know an address of the telephony module, and none is set',
      'Set PUBLIC_URL to the https address at which this host is reached from outside (or will be), and run it again.',
      ['PUBLIC_URL: missing; expected an address that begins with https://'],
    );
  }
  const telephony = standing?.telephony;
  const clicks = publicUrl === undefined ? telephony?.makeCallUrl : `${baseUrl}/api/makecallexternal`;
  const lines = telephony?.externalPhones ?? [];
  return {
    active: true,
    name,
    logo: logo ?? standing?.logo ?? `${baseUrl}/logo.svg`,
    baseUrl,
    clientId,
    ...(standing?.accountUrl === undefined ? {} : { accountUrl: standing.accountUrl }),
    telephony: {
      ...(clicks === undefined ? {} : { makeCallUrl: clicks }),
      ...(telephony?.changeUserStatusUrl === undefined ? {} : { changeUserStatusUrl: telephony.changeUserStatusUrl }),
      allowEdit: false,
      additionalCodes: codes,
      ...(lines.length === 0 ? {} : { externalPhones: lines }),
    },
  };
}
