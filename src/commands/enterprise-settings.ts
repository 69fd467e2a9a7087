import { resolve } from 'node:path';
import { assert } from '../base/errors.ts';
import { registerSecret } from '../base/redact.ts';
import { Secret } from '../base/secret.ts';
import type { Environment } from '../config/env.ts';
import { readMappingFile } from '../config/mapping.ts';
import type { Enterprise } from '../config/mapping-calls-types.ts';
import type { AnyGroup } from '../config/settings.ts';
import { isMap } from '../config/shape.ts';
import { optional, required, token, type Variable, withDefault } from '../config/variables.ts';
import {
  amiHost,
  amiPort,
  amiSecret,
  amiUser,
  asteriskSettings,
  cdrUrl,
  recordingsUrl,
  sshTarget,
} from '../systems/asterisk/settings.ts';
import { accountUrl, moduleSettings, retailcrmSettings } from '../systems/retailcrm/settings.ts';

/** What a command has to do with an enterprise: its account, its call records, orders to its PBX, its telephony module. */
export type EnterpriseNeed = 'crm' | 'cdr' | 'asterisk' | 'module';

/** One enterprise's settings, found by the names that the mapping gives them. What the command did not need is absent. */
export interface EnterpriseSettings {
  /** Without `/api/v5` and without a slash at its end. */
  apiUrl: string;
  apiKey: Secret;
  /** The mapping's, else RETAILCRM_SITE. */
  site: string | undefined;
  cdrUrl: Secret | undefined;
  /** As written: it may end in a slash, or in `?file=`. */
  recordingsBaseUrl: string | undefined;
  /** PBX_TIMEZONE; the mapping's own zone of an enterprise goes before it. */
  pbxZone: string | undefined;
  /** What RetailCRM sends with a click-to-call. */
  clientId: Secret | undefined;
  ami: { host: string; port: number; user: string; secret: Secret } | undefined;
  /** `user@host` */
  ssh: string | undefined;
}

type Variables = Record<string, Variable<unknown>>;
type Given = (name: string) => boolean;

const VARIABLES: Readonly<Record<EnterpriseNeed, (enterprise: Enterprise) => Variables>> = {
  crm: ({ retailcrm }) => ({
    [retailcrm.urlEnv]: required(accountUrl()),
    [retailcrm.keyEnv]: required(token()),
    RETAILCRM_SITE: retailcrmSettings.variables.RETAILCRM_SITE,
  }),
  cdr: ({ cdr, recordings }) => ({
    [cdr.urlEnv]: required(cdrUrl()),
    [recordings.baseUrlEnv]: optional(recordingsUrl()),
    PBX_TIMEZONE: asteriskSettings.variables.PBX_TIMEZONE,
  }),
  asterisk: ({ asterisk }) => ({
    [asterisk.hostEnv]: optional(amiHost()),
    [asterisk.portEnv]: withDefault('5038', amiPort()),
    [asterisk.userEnv]: optional(amiUser()),
    [asterisk.secretEnv]: optional(amiSecret()),
    [asterisk.sshEnv]: optional(sshTarget()),
  }),
  module: ({ clientIdEnv }) => {
    const { RETAILCRM_CLIENT_ID, ...shared } = moduleSettings.variables;
    return { ...shared, [clientIdEnv]: RETAILCRM_CLIENT_ID };
  },
};

/**
 * The variables that these enterprises need, by their own names, for `readSettings`; those of a need not named are left
 * out. PBX_TIMEZONE and RETAILCRM_SITE are read besides, for enterprises without their own. Of AMI host, user and secret
 * must be there together, or else the target of SSH; that no enterprise has either is a fault that names both ways.
 */
export function enterpriseGroup(enterprises: readonly Enterprise[], needs: readonly EnterpriseNeed[]): AnyGroup {
  const variables: Variables = {};
  for (const need of needs) {
    for (const enterprise of enterprises) Object.assign(variables, VARIABLES[need](enterprise));
  }
  return { variables, check: (given) => (needs.includes('asterisk') ? wayFaults(enterprises, given) : []) };
}

/** How orders reach the PBXes. One firm's PBX may be out of reach by design, half a set of variables is a slip. */
function wayFaults(enterprises: readonly Enterprise[], given: Given): readonly string[] {
  const ways = enterprises.map(({ asterisk }) => ({
    ami: [asterisk.hostEnv, asterisk.userEnv, asterisk.secretEnv],
    ssh: asterisk.sshEnv,
  }));
  const faults = ways.flatMap(({ ami }) =>
    ami
      .filter((name) => ami.some(given) && !given(name))
      .map((name) => `${name}: missing; ${ami.join(', ')} must be there together`),
  );
  if (faults.length > 0 || ways.some(({ ami, ssh }) => ami.every(given) || given(ssh))) return [...new Set(faults)];
  return ways.slice(0, 1).map(({ ami, ssh }) => `${ami[0]}: missing; set ${ami.join(', ')} for AMI, or ${ssh} for SSH`);
}

/**
 * One enterprise's settings out of what `readSettings` gave for a group that had the need `crm`. Makes its secrets known to
 * the logs, for the mapping may give their variables any name.
 */
export function enterpriseSettings(
  enterprise: Enterprise,
  values: Readonly<Record<string, unknown>>,
): EnterpriseSettings {
  const { retailcrm, cdr, recordings, asterisk } = enterprise;
  const text = (name: string) => textOf(values[name]);
  const secret = (name: string) => secretOf(values[name]);
  const [apiUrl, apiKey] = [text(retailcrm.urlEnv), secret(retailcrm.keyEnv)];
  assert(apiUrl !== undefined && apiKey !== undefined, 'an enterprise is used whose account was not read');
  return {
    apiUrl,
    apiKey,
    site: retailcrm.site ?? text('RETAILCRM_SITE'),
    cdrUrl: secret(cdr.urlEnv),
    recordingsBaseUrl: text(recordings.baseUrlEnv),
    pbxZone: text('PBX_TIMEZONE'),
    clientId: secret(enterprise.clientIdEnv),
    ami: amiOf(asterisk, values),
    ssh: text(asterisk.sshEnv),
  };
}

function amiOf(
  { hostEnv, portEnv, userEnv, secretEnv }: Enterprise['asterisk'],
  values: Readonly<Record<string, unknown>>,
): EnterpriseSettings['ami'] {
  const [host, port, user] = [textOf(values[hostEnv]), values[portEnv], textOf(values[userEnv])];
  const secret = secretOf(values[secretEnv]);
  return host === undefined || typeof port !== 'number' || user === undefined || secret === undefined
    ? undefined
    : { host, port, user, secret };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function secretOf(value: unknown): Secret | undefined {
  if (!(value instanceof Secret)) return undefined;
  const revealed = value.reveal();
  registerSecret(revealed);
  for (const password of passwordsIn(revealed)) registerSecret(password);
  return value;
}

/** As it stands in an address, and as it is. */
function passwordsIn(address: string): string[] {
  const password = URL.canParse(address) ? new URL(address).password : '';
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

/**
 * The enterprises whose variables must be there, before anything else of the mapping is read: those of the file, or the one
 * of the environment where the file has no such part. Of a part with a fault nothing is known, so that there are none:
 * whoever loads the mapping tells of the fault, and no variable is called missing in its place.
 */
export async function peekEnterprises(
  environment: Environment,
  mappingFile: string | undefined,
): Promise<readonly Enterprise[]> {
  const path = resolve(environment.baseDir, mappingFile ?? 'mapping.yaml');
  return await enterprisesIn(await readMappingFile(path, false).catch(() => undefined));
}

/** The same of a mapping's text. */
export async function enterprisesIn(mapping: string | undefined): Promise<readonly Enterprise[]> {
  const part = await callsPart(mapping);
  const { defaultEnterprise, readCallsMapping } = await import('../config/mapping-calls.ts');
  if (part === undefined || part === null) return [defaultEnterprise()];
  let faults = 0;
  const read = readCallsMapping(part, [], () => {
    faults += 1;
  });
  return read === undefined || faults > 0 ? [] : read.enterprises;
}

/** To load the YAML parser takes longer than all the rest, and most files have no such part. */
async function callsPart(mapping: string | undefined): Promise<unknown> {
  if (!mapping?.includes('calls')) return undefined;
  const { readYaml } = await import('../config/mapping-yaml.ts');
  const { value, faults } = readYaml(mapping);
  if (faults.length > 0) return /^["']?calls["']?\s*:/m.test(mapping) ? 'unreadable' : undefined;
  return isMap(value) ? value.calls : undefined;
}
