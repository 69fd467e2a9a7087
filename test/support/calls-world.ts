import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FIRM_STAFF, FIRM_ZONE, knownCallers, staffRetailcrm } from '../../src/sandbox/calls-firm.ts';
import {
  type CallTruth,
  type CdrOptions,
  type CdrRecord,
  type CdrScript,
  generateCdr,
  writeCdrSqlite,
} from '../../src/sandbox/cdr.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import {
  RETAILCRM_SANDBOX_KEY,
  type RetailcrmOptions,
  type RetailcrmStandin,
  retailcrmStandin,
} from '../../src/sandbox/retailcrm.ts';
import { atEachEnd } from './ends.ts';
import type { World } from './world.ts';

export interface FirmOptions {
  /** `enterprise_number`; default `0001`. Variables of others end in `_` and the number. */
  number?: string;
  /** Paces are off; those of the account stand in the stand-in's defaults. */
  crm?: Partial<RetailcrmOptions>;
  /** Beside `from` and `to`, which are the 23 hours before the account's now. */
  cdr?: Partial<CdrOptions>;
  /** How many of the callers are customers from the start. */
  known?: number;
  /** Lines of the mapping's enterprise beside the usual ones, e.g. `missed: { task: true, due: 15m }`. */
  lines?: readonly string[];
  /** False: the records' file is there, its table is empty. */
  written?: boolean;
}

type Crm = RunningStandin<RetailcrmStandin>;

/** One firm: its PBX's records, and its account. */
export interface CallsFirm {
  crm: Crm;
  script: CdrScript;
  cdrFile: string;
  /** Of the firm alone: neither a database nor a mapping file stands in it. */
  env: Record<string, string>;
  /** The firm's entry in `calls.enterprises`. */
  mapping: string;
  /** Adds rows to the records, such as those of `script.late`. */
  append(records: readonly CdrRecord[]): void;
  held: Held;
  /** What is wrong with what the account holds, each call and customer in a line; nothing if it is as the calls were. */
  truthAgainst(options?: TruthOptions): string[];
  close(): Promise<void>;
}

/** What the account holds; doubles show. */
export interface Held {
  calls(externalId: string): ReturnType<RetailcrmStandin['calls']>;
  /** By E.164, however it is spelt there. */
  customers(phone: string): ReturnType<RetailcrmStandin['customers']>;
  tasks(): ReturnType<RetailcrmStandin['tasks']>;
  orders(): ReturnType<RetailcrmStandin['orders']>;
}

export interface TruthOptions {
  /** Whether the rows that come late have come, and in what way: before the first pass, since then, or not yet. */
  late?: 'at once' | 'since' | 'not yet';
  /** Calls after whose first contact a customer is there; default all. */
  makesCustomer?: (call: CallTruth) => boolean;
}

/** The whole `calls` part of a mapping. */
export function callsMapping(firms: readonly Pick<CallsFirm, 'mapping'>[]): string {
  return `calls:\n  enterprises:\n${firms.map(({ mapping }) => mapping).join('')}`;
}

/** A pass a little later still reads it all with a look-back of one day. */
const SPAN_MS = 23 * 3_600_000;
const firms: CallsFirm[] = [];

atEachEnd('file', async () => {
  await Promise.all(firms.splice(0).map((firm) => firm.close()));
});

/** A firm with an account and some calls of its last day. It ends with the test file at the latest. */
export async function callsFirm(options: FirmOptions = {}): Promise<CallsFirm> {
  const number = options.number ?? '0001';
  const now = options.crm?.now ?? Date.now;
  const standin = retailcrmStandin({ rps: 0, telephonyRps: 0, ...options.crm });
  const script = generateCdr({
    ...{ calls: 40, from: now() - SPAN_MS, to: now(), zone: FIRM_ZONE, host: `pbx${Number(number)}` },
    extensions: FIRM_STAFF.map(({ extension }) => extension),
    ...options.cdr,
  });
  staffRetailcrm(standin);
  knownCallers(standin, script, options.known ?? 3);
  const crm = await serve(standin);
  const dir = mkdtempSync(join(tmpdir(), 'sdelka-calls-'));
  const cdrFile = join(dir, 'cdr.db');
  const append = (records: readonly CdrRecord[]) => writeCdrSqlite(cdrFile, records);
  append(options.written === false ? [] : script.records);
  let isOpen = true;
  const firm: CallsFirm = {
    ...{ crm, script, cdrFile, append, held: heldBy(standin) },
    env: envOf(number, crm.url, cdrFile),
    mapping: entryOf(number, script, options.lines ?? []),
    truthAgainst: (given) => truthAgainst(standin, script.truth, given),
    close: async () => {
      if (!isOpen) return;
      isOpen = false;
      await crm.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  firms.push(firm);
  return firm;
}

const attached = new WeakMap<World, CallsFirm[]>();

/** Firms beside a world's other systems, on its clock; their variables and mapping take the place of what it had. They end with the world. */
export async function attachFirms(one: World, ...options: readonly FirmOptions[]): Promise<CallsFirm[]> {
  const now = () => one.clock.now().getTime();
  const made: CallsFirm[] = [];
  for (const given of options.length === 0 ? [{}] : options) {
    made.push(await callsFirm({ ...given, crm: { now, ...given.crm } }));
  }
  Object.assign(one.environment, ...made.map(({ env }) => env));
  await one.remap(callsMapping(made));
  attached.set(one, made);
  const { close } = one;
  one.close = async () => {
    await Promise.all(made.map((firm) => firm.close()));
    await close();
  };
  return made;
}

/** The first firm that was attached to a world. */
export function firmOf(one: World): CallsFirm {
  const [firm] = attached.get(one) ?? [];
  if (!firm) throw new Error('no firm stands beside this world');
  return firm;
}

/** What the account of a world's firm holds, by names: ids and times of writing may differ between two equal accounts. */
export function accountOf(firm: CallsFirm): unknown {
  const { standin } = firm.crm;
  const customers = standin.customers();
  const nameOf = new Map(customers.map(({ id, phones }) => [id, phones.map(({ number }) => number).join(' ')]));
  const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
  return {
    calls: sorted(standin.calls().map(({ id: _id, customerId = 0, ...call }) => [nameOf.get(customerId), call])),
    customers: sorted(
      customers.map(({ externalId, firstName, phones, managerId }) => [externalId, firstName, phones, managerId]),
    ),
    tasks: sorted(
      standin.tasks().map(({ id: _id, createdAt: _at, customer, ...task }) => [nameOf.get(customer?.id ?? 0), task]),
    ),
    orders: sorted(
      standin.orders().map(({ externalId, phone, status, orderMethod, managerId }) => {
        return [externalId, phone, status, orderMethod, managerId];
      }),
    ),
  };
}

function envOf(number: string, url: string, cdrFile: string): Record<string, string> {
  const tail = number === '0001' ? '' : `_${number}`;
  return {
    [`RETAILCRM_API_URL${tail}`]: url,
    [`RETAILCRM_API_KEY${tail}`]: RETAILCRM_SANDBOX_KEY,
    [`CDR_URL${tail}`]: `sqlite:${cdrFile}`,
    [`RECORDINGS_BASE_URL${tail}`]: 'https://pbx.firm.example/recordings/',
  };
}

function entryOf(number: string, { options }: CdrScript, lines: readonly string[]): string {
  const tail = number === '0001' ? '' : `_${number}`;
  const people = FIRM_STAFF.map(({ extension, email }) => `"${extension}": ${email}`).join(', ');
  const usual = [
    `number: "${number}"`,
    `country: ${options.country}`,
    `retailcrm: { url_env: RETAILCRM_API_URL${tail}, key_env: RETAILCRM_API_KEY${tail}, site: shop }`,
    `cdr: { url_env: CDR_URL${tail}, host: ${options.host}, timezone: ${options.zone} }`,
    `recordings: { base_url_env: RECORDINGS_BASE_URL${tail} }`,
    `extensions: { ${people} }`,
    `trunks: ["${options.trunk}"]`,
    `outbound_prefix: "${options.outboundPrefix}"`,
  ];
  const keyOf = (line: string) => line.split(':')[0];
  const kept = usual.filter((line) => !lines.some((own) => keyOf(own) === keyOf(line)));
  return [...kept, ...lines].map((line, nth) => `    ${nth === 0 ? '-' : ' '} ${line}\n`).join('');
}

/** The last nine digits, by which the stand-in itself knows a number again. */
function tailOf(phone: string): string {
  return phone.replace(/\D/g, '').slice(-9);
}

function heldBy(standin: RetailcrmStandin): Held {
  return {
    calls: (externalId) => standin.calls().filter((call) => call.externalId === externalId),
    customers: (phone) =>
      standin.customers().filter(({ phones }) => phones.some(({ number }) => tailOf(number) === tailOf(phone))),
    tasks: () => standin.tasks(),
    orders: () => standin.orders(),
  };
}

/** Node 20 has no `Map.groupBy`. */
function grouped<T>(list: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

function truthAgainst(
  standin: RetailcrmStandin,
  truth: readonly CallTruth[],
  { late = 'at once', makesCustomer = () => true }: TruthOptions = {},
): string[] {
  const expected = truth.filter(
    (call) =>
      call.direction !== 'internal' && call.phone !== undefined && !(late === 'not yet' && call.late === 'whole'),
  );
  const calls = grouped(standin.calls(), ({ externalId }) => externalId ?? '');
  const owners = grouped(
    standin.customers().flatMap(({ id, phones }) => phones.map(({ number }) => ({ id, tail: tailOf(number) }))),
    ({ tail }) => tail,
  );
  const ownersOf = ({ phone = '' }: CallTruth) => new Set((owners.get(tailOf(phone)) ?? []).map(({ id }) => id));
  const faults: string[] = [];
  for (const call of expected) {
    const name = `${call.kind} ${call.externalId}`;
    const [held, ...doubles] = calls.get(call.externalId) ?? [];
    if (!held || doubles.length > 0) faults.push(`${name}: is there ${held ? doubles.length + 1 : 0} times`);
    else {
      // What was uploaded before its last row came stays as it was.
      const isWhole = late === 'at once' || call.late !== 'part';
      const wrong = isWhole ? differences(call, held) : [];
      faults.push(...wrong.map((fault) => `${name}: ${fault}`));
    }
    if (!call.whole || !makesCustomer(call)) continue;
    const customers = ownersOf(call);
    if (customers.size !== 1) faults.push(`${name}: its client is ${customers.size} customers`);
    else if (held && !customers.has(held.customerId ?? 0)) faults.push(`${name}: is tied to another customer`);
  }
  const known = new Set(expected.map(({ externalId }) => externalId));
  const strange = [...calls.keys()].filter((name) => !known.has(name));
  const phones = new Set(expected.flatMap((call) => (call.whole ? [tailOf(call.phone ?? '')] : [])));
  const strangers = [...owners.keys()].filter((tail) => !phones.has(tail));
  return [
    ...faults,
    ...strange.map((name) => `${name}: is no call for the CRM`),
    ...strangers.map(() => 'a customer is no client'),
  ];
}

/** What an uploaded call says otherwise than the truth. */
function differences(truth: CallTruth, held: ReturnType<RetailcrmStandin['calls']>[number]): string[] {
  const user = FIRM_STAFF.find(({ extension }) => extension === truth.lastExtension)?.userId;
  const told: [name: string, held: unknown, wanted: unknown][] = [
    ['type', held.type, truth.direction],
    ['phone', held.phone.replace(/\D/g, ''), truth.phone?.replace(/\D/g, '')],
    ['result', held.result, truth.result],
    ['extension', held.code, truth.lastExtension],
    ['manager', held.managerId, user],
    ['own number', held.externalPhone, truth.did],
    ['recording', held.recordUrl === undefined, truth.recording === undefined],
    ...(truth.exact ? ([['wait', held.durationWaiting, truth.waitSeconds]] as const) : []),
    ...(truth.exact ? ([['talk', held.duration, truth.talkSeconds]] as const) : []),
  ].map(([name, is, wanted]) => [String(name), is, wanted]);
  return told
    .filter(([, is, wanted]) => is !== wanted)
    .map(([name, is, wanted]) => `${name} ${is} instead of ${wanted}`);
}
