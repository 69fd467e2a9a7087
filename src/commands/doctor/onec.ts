import type { OnecMapping } from '../../config/mapping-onec-types.ts';
import type { CoreSettings } from '../../config/settings.ts';
import type { OnecDocument, OnecHead, OnecLocal } from '../../domain/onec.ts';
import { stageFor } from '../../domain/onec-status.ts';
import { foldName } from '../../domain/onec-text.ts';
import type { HttpCore } from '../../http/core.ts';
import { placeOf } from '../../jobs/onec-export-deal.ts';
import { withStateNames } from '../../jobs/onec-export-options.ts';
import { missingDefaults } from '../../jobs/onec-import-options.ts';
import type { Database } from '../../state/database.ts';
import type { OnecOdata, OnecReader } from '../../systems/onec/api.ts';
import type { OnecCache } from '../../systems/onec/memory.ts';
import { isNamed, onecReader, withoutMissing } from '../../systems/onec/reader.ts';
import type { OnecSettings } from '../../systems/onec/settings.ts';
import { fromLocal } from '../../systems/onec/time.ts';
import type { CommandContext } from '../define.ts';
import { onecParts } from '../onec-parts.ts';
import type { Findings } from './findings.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Kinds of documents that stand for deals. */
const DEAL_KINDS = ['workOrder', 'customerOrder'] as const;
/** Documents that tell which states and users are in use. */
const SAMPLE_DAYS = 7;
const SAMPLE = 60;
/** A clock that shows a change this far ahead is in another zone, the nearest of which is half an hour away. */
const AHEAD_MS = 15 * MINUTE_MS;
const REMEDY = 'docs/onec.md shows what is to be published and made in 1C; else correct the onec part of the mapping.';

export interface OnecAccessories {
  ctx: CommandContext;
  database: Database;
  core: HttpCore;
}

/** 1C as the mapping describes it, everything asked for anew: names, additional information, defaults, states, users, clock. */
export async function checkOnec(
  findings: Findings,
  settings: CoreSettings & OnecSettings,
  mapping: OnecMapping,
  { ctx, database, core }: OnecAccessories,
): Promise<void> {
  const { clock, log } = ctx;
  const { odata, zone, close } = onecParts({ settings, mapping, database, core, clock, log, dryRun: true });
  const readerOf = (by: OnecMapping) =>
    onecReader({ odata, mapping: by, zone, country: settings.DEFAULT_COUNTRY, cache: NO_CACHE, log });
  try {
    const names = await findings.attempt('1C', async () => {
      const value = await readerOf(mapping).checkNames({ fresh: true });
      return { value, message: 'answers, and takes our name and password' };
    });
    if (names === undefined) return;
    judgeNames(findings, names, mapping);
    const fitting = withoutMissing(mapping, [...names.missing, ...names.essential]);
    await checkContent(findings, { reader: readerOf(fitting), odata, mapping: fitting, zone, now: clock.now() });
  } finally {
    await close();
  }
}

function judgeNames(
  findings: Findings,
  { essential, missing }: { essential: readonly string[]; missing: readonly string[] },
  mapping: OnecMapping,
): void {
  const { documents } = mapping;
  // A kind of documents that is not published is left out while the other one is there, unless the operator named it.
  const kinds = DEAL_KINDS.filter((kind) => documents[kind] !== undefined);
  const isGone = (kind: string) => essential.some((fault) => fault.startsWith(`onec.documents.${kind}.set:`));
  const isOneLeft = !kinds.every(isGone);
  const isSpared = (fault: string) =>
    isOneLeft && !isNamed(mapping, fault) && kinds.some((kind) => fault.startsWith(`onec.documents.${kind}.set:`));
  for (const fault of essential.filter((one) => !isSpared(one))) findings.wrong('1C names', fault, REMEDY);
  for (const fault of [...essential.filter(isSpared), ...missing]) {
    findings.warn(
      '1C names',
      `${fault}; it is neither read nor written`,
      'Harmless where it is not needed; `null` in the mapping silences this.',
    );
  }
  if (essential.length + missing.length === 0) findings.ok('1C names', '1C has all that the mapping names');
}

/** What was true this morning is not what the operator asks about. */
const NO_CACHE: OnecCache = {
  cached: (_key, _maxAgeMs, load) => load(),
  fact: async () => undefined,
  setFact: async () => undefined,
  knownMark: async () => undefined,
};

interface Examined {
  reader: OnecReader;
  odata: OnecOdata;
  /** Without the names that 1C lacks. */
  mapping: OnecMapping;
  zone: string;
  now: Date;
}

async function checkContent(findings: Findings, examined: Examined): Promise<void> {
  await part(findings, '1C properties', () => checkProperties(findings, examined));
  await part(findings, '1C defaults', () => checkDefaults(findings, examined));
  await part(findings, '1C states', () => checkStates(findings, examined));
  const documents = await findings.attempt('1C documents', async () => {
    const value = await newestDocuments(examined);
    return { value, message: `${value.length} of the last ${SAMPLE_DAYS} days can be read` };
  });
  if (documents === undefined) return;
  checkUsedStates(findings, documents, await stageRows(examined));
  checkUsers(findings, documents, examined.mapping);
  checkZone(findings, documents, examined);
}

/** A part that cannot be asked is a failure of its own; the others are looked at all the same. */
async function part(findings: Findings, check: string, look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch (error) {
    findings.fail(check, error);
  }
}

async function checkProperties(findings: Findings, { reader, mapping }: Examined): Promise<void> {
  const { found, faults } = await reader.properties();
  for (const fault of faults) findings.wrong('1C properties', fault, REMEDY);
  const { writtenAt } = mapping.properties;
  if (mapping.changes.strategy[0] === 'property' && !found.has('writtenAt')) {
    findings.warn(
      '1C properties',
      `onec.properties.writtenAt: no additional information "${writtenAt}"; changes are told by the document itself`,
      'Nothing is lost; where an extension of 1C keeps the time of writing, name its property.',
    );
  }
  if (faults.length === 0) findings.ok('1C properties', `found: ${[...found.keys()].join(', ')}`);
}

/** Only an import needs them, and it says so itself before it makes anything; an export goes on without. */
async function checkDefaults(findings: Findings, { reader, mapping }: Examined): Promise<void> {
  const { refs, faults } = await reader.resolveDefaults();
  const missing = missingDefaults({ mapping }, faults);
  const all = [...new Set([...faults, ...missing])];
  for (const fault of all) {
    findings.warn(
      '1C defaults',
      fault,
      'onec:import needs it: complete onec.defaults in the mapping; mapping.example.yaml shows each.',
    );
  }
  if (all.length === 0) findings.ok('1C defaults', `${refs.size} can be resolved`);
}

async function checkStates(findings: Findings, { reader, mapping }: Examined): Promise<void> {
  const states = await reader.statesByName();
  const known = new Set([...states.keys()].map(foldName));
  const unknown = mapping.statuses.flatMap(({ state }, index) =>
    state === null || known.has(foldName(state)) ? [] : [`onec.statuses[${index}]: 1C has no state "${state}"`],
  );
  for (const fault of unknown) {
    findings.wrong('1C states', fault, 'Write the state as 1C shows it in its list of states, or its predefined name.');
  }
  if (mapping.statuses.length === 0) {
    findings.warn(
      '1C states',
      'onec.statuses has no rows: deals get no stages, and no deal becomes a document',
      'List in it which stage stands for which state; `sdelka amo:account` shows the ids.',
    );
  } else if (unknown.length === 0) {
    findings.ok('1C states', `${mapping.statuses.length} rows name states that 1C has`);
  }
}

async function stageRows({ reader, mapping }: Examined): Promise<OnecMapping['statuses']> {
  return withStateNames(mapping.statuses, await reader.statesByName());
}

async function newestDocuments({ reader, now }: Examined): Promise<OnecDocument[]> {
  const heads: OnecHead[] = [];
  for await (const page of reader.heads({ from: new Date(now.getTime() - SAMPLE_DAYS * DAY_MS), to: now })) {
    heads.push(...page);
  }
  heads.sort((a, b) => b.date.localeCompare(a.date, 'en'));
  const read = await reader.documents(heads.slice(0, SAMPLE));
  return [...read.values()].flatMap((document) => (document instanceof Error ? [] : [document]));
}

function checkUsedStates(findings: Findings, documents: readonly OnecDocument[], rows: OnecMapping['statuses']): void {
  const used = documents.filter(({ state }) => (state?.name ?? '') !== '');
  const stageless = used.filter((document) => stageFor(rows, placeOf(document)) === undefined);
  const names = [...new Set(stageless.map(({ state }) => state?.name ?? ''))];
  if (names.length === 0) {
    if (used.length > 0) findings.ok('1C states in use', 'each has a row in onec.statuses');
    return;
  }
  findings.warn(
    '1C states in use',
    `documents stand in states without a row in onec.statuses: ${quoted(names)}; their deals keep their stage`,
    'Add a row for each state that a deal should follow.',
  );
}

/** Who answers for a deal by default is told; names are people's, and stay on this terminal. */
function checkUsers(findings: Findings, documents: readonly OnecDocument[], { users }: OnecMapping): void {
  const known = new Set(Object.keys(users).map(foldName));
  const names = [...new Set(documents.flatMap(({ user }) => user?.name ?? []))];
  const unknown = names.filter((name) => name !== '' && !known.has(foldName(name)));
  if (unknown.length === 0) return;
  const message = `onec.users does not name ${quoted(unknown)}; their deals go to AMO_RESPONSIBLE_USER_ID`;
  if (known.size === 0) findings.ok('1C users', message);
  else findings.warn('1C users', message, 'Add them with the ids of amoCRM users; `sdelka amo:account` lists those.');
}

/** What 1C wrote a moment ago cannot lie ahead of its own clock, as it is in the zone that we take it to be in. */
function checkZone(findings: Findings, documents: readonly OnecDocument[], { odata, zone }: Examined): void {
  const local = odata.localNow();
  const newest = documents.reduce<OnecLocal>((last, { marks, writtenAt = '' }) => {
    const times = [last, writtenAt, marks.writtenAt ?? '', marks.exportedAt ?? ''];
    return times.reduce((a, b) => (a > b ? a : b));
  }, '');
  const aheadMs = newest === '' ? 0 : fromLocal(newest, zone).getTime() - fromLocal(local, zone).getTime();
  if (aheadMs <= AHEAD_MS) {
    findings.ok('1C zone', `${zone}: it is ${local.slice(0, 16).replace('T', ' ')} there`);
    return;
  }
  findings.warn(
    '1C zone',
    `a document was written at ${newest.replace('T', ' ')}, and by ${zone} it is only ${local.replace('T', ' ')} in 1C`,
    'Set ONEC_TIMEZONE (or onec.server.timeZone) to the zone of the 1C server: what was just written is not seen for hours.',
  );
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
