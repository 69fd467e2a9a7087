import { configError, ExitCode } from '../base/errors.ts';
import { cleanText } from '../base/redact.ts';
import type { OnecClient } from '../domain/onec.ts';
import { usableOnec } from '../jobs/onec-reading.ts';
import type { AmocrmClient } from '../systems/amocrm/client.ts';
import type { PeopleIndex } from '../systems/amocrm/effects/people-index.ts';
import type { AmoMemory, IndexedEntity } from '../systems/amocrm/memory.ts';
import type { OnecReader } from '../systems/onec/api.ts';
import { propertyOf, writeInformation } from '../systems/onec/effects/records.ts';
import type { CommandContext } from './define.ts';
import type { OnecAtHand } from './with-onec.ts';

const NEEDS = { kinds: ['workOrder', 'customerOrder'], properties: ['client'] } as const;
const BATCH = 250;
/** A log is read later: a line so often tells enough. */
const LOG_EVERY = 500;
const BAR = 30;

/** A counterparty of 1C and what was found for it. */
interface Match {
  ref: string;
  code: string;
  name: string;
  entity: IndexedEntity;
  amo_id: number;
  by: 'phone' | 'email';
}

/** Several fit, so that a person has to say. */
interface Ambiguous {
  ref: string;
  code: string;
  name: string;
  why: string;
}

interface Result {
  read: Record<string, number>;
  counterparties: number;
  /** They name a contact or company already. */
  known: number;
  matches: Match[];
  ambiguous: Ambiguous[];
  written: number;
}

/**
 * Writes the ids of contacts and companies to 1C's counterparties that have none, by phone and then by e-mail. Everything is
 * matched before anything is written: a contact that two counterparties could claim goes to neither. Writing an id that
 * stands there already changes nothing, so that a run that was cut off is simply started again.
 */
export async function matchCounterparties(
  ctx: CommandContext,
  { onec, amo }: OnecAtHand,
  read: Record<string, number>,
): Promise<ExitCode> {
  const { reader, mapping } = await usableOnec(onec, NEEDS, ctx.log);
  const { set } = mapping.catalogs.counterparty;
  const { open, taken, count } = await unmatched(ctx, reader, set);
  const found = await candidatesOf(open, amo.memory);
  const { matches, ambiguous } = await settle(found, taken, amo);
  const result: Result = { read, counterparties: count, known: count - open.length, matches, ambiguous, written: 0 };
  if (!ctx.globals.dryRun && !ctx.signal.aborted) {
    const property = await propertyOf({ reader, mapping }, 'client');
    if ('missing' in property) throw configError('ONEC_UNFIT', property.missing, 'docs/onec.md shows how it is made.');
    const report = progress(ctx, 'written', matches.length);
    for (const { ref, amo_id } of matches) {
      if (ctx.signal.aborted) break;
      await writeInformation({ odata: onec.odata, mapping }, { set, ref, property, value: amo_id });
      result.written += 1;
      report(result.written);
    }
  }
  await ctx.out.result({ ...(ctx.globals.dryRun ? { dry_run: true } : {}), ...result }, () => textOf(ctx, result));
  return ctx.signal.aborted ? ExitCode.Terminated : ExitCode.Ok;
}

/** Counterparties without an id, whole; `taken`: ids that others have. */
async function unmatched(ctx: CommandContext, reader: OnecReader, set: string) {
  const open: OnecClient[] = [];
  const taken = new Set<number>();
  let count = 0;
  const report = progress(ctx, 'counterparties read', undefined);
  for await (const refs of reader.counterparties()) {
    if (ctx.signal.aborted) break;
    const marks = await reader.marks(set, refs);
    for (const ref of refs) {
      const amoId = marks.get(ref)?.amoId;
      if (amoId !== undefined) taken.add(amoId);
    }
    const without = refs.filter((ref) => marks.get(ref)?.amoId === undefined);
    open.push(...(await reader.clients(without)).values());
    count += refs.length;
    report(count);
  }
  if (process.stderr.isTTY) process.stderr.write('\n');
  return { open, taken, count };
}

interface Candidates {
  client: OnecClient;
  entity: IndexedEntity;
  by: 'phone' | 'email';
  ids: number[];
}

/** Whom the index knows by a counterparty's phones, else by its e-mails. */
async function candidatesOf(clients: readonly OnecClient[], { index }: AmoMemory): Promise<Candidates[]> {
  const found: Candidates[] = [];
  for (const [entity, kind] of [
    ['contacts', 'person'],
    ['companies', 'company'],
  ] as const) {
    const own = clients.filter((client) => client.kind === kind);
    const byPhone = await index.find(
      entity,
      'phone',
      own.flatMap(({ phones }) => phones),
    );
    const byEmail = await index.find(
      entity,
      'email',
      own.flatMap(({ emails }) => emails),
    );
    for (const client of own) {
      const phoned = idsOf(byPhone, client.phones);
      const mailed = idsOf(byEmail, client.emails);
      if (phoned.length > 0) found.push({ client, entity, by: 'phone', ids: phoned });
      else if (mailed.length > 0) found.push({ client, entity, by: 'email', ids: mailed });
    }
  }
  return found;
}

function idsOf(index: ReadonlyMap<string, readonly number[]>, values: readonly string[]): number[] {
  return [...new Set(values.flatMap((value) => index.get(value) ?? []))];
}

/** Leaves the pairs of one counterparty and one person of amoCRM who still stands and still has that phone or e-mail. */
async function settle(
  candidates: readonly Candidates[],
  taken: ReadonlySet<number>,
  { client: api, index }: { client: AmocrmClient; index: PeopleIndex },
): Promise<{ matches: Match[]; ambiguous: Ambiguous[] }> {
  const living = await stillTrue(candidates, api, index);
  const claims = new Map<string, number>();
  for (const { entity, ids } of living) {
    for (const id of ids) claims.set(`${entity}:${id}`, (claims.get(`${entity}:${id}`) ?? 0) + 1);
  }
  const matches: Match[] = [];
  const ambiguous: Ambiguous[] = [];
  for (const { client, entity, by, ids } of living) {
    const [id] = ids;
    if (id === undefined) continue;
    // A client may be called by its phone.
    const said = { ref: client.ref, code: client.code, name: cleanText(client.name) };
    if (ids.length > 1) ambiguous.push({ ...said, why: `${entity} ${ids.join(', ')} have its ${by}` });
    else if (taken.has(id)) ambiguous.push({ ...said, why: `another counterparty names ${entity} ${id} already` });
    else if ((claims.get(`${entity}:${id}`) ?? 0) > 1) {
      ambiguous.push({ ...said, why: `another counterparty has the ${by} of ${entity} ${id}, too` });
    } else matches.push({ ...said, entity, amo_id: id, by });
  }
  return { matches, ambiguous };
}

/** The index does not see who was deleted or merged, so everybody is read once before an id is kept. */
async function stillTrue(
  candidates: readonly Candidates[],
  api: AmocrmClient,
  index: PeopleIndex,
): Promise<Candidates[]> {
  const standing = new Map<string, { phones: readonly string[]; emails: readonly string[] }>();
  for (const entity of ['contacts', 'companies'] as const) {
    const ids = [...new Set(candidates.filter((one) => one.entity === entity).flatMap((one) => one.ids))];
    for (let at = 0; at < ids.length; at += BATCH) {
      const some = ids.slice(at, at + BATCH);
      const people = await (entity === 'contacts' ? api.contactsByIds(some) : api.companiesByIds(some));
      for (const [id, person] of people) if (!person.isDeleted) standing.set(`${entity}:${id}`, index.indexed(person));
    }
  }
  return candidates.map((one) => ({
    ...one,
    ids: one.ids.filter((id) => {
      const person = standing.get(`${one.entity}:${id}`);
      return one.by === 'phone'
        ? one.client.phones.some((phone) => person?.phones.includes(phone))
        : one.client.emails.some((email) => person?.emails.includes(email));
    }),
  }));
}

async function textOf(ctx: CommandContext, result: Result): Promise<string> {
  const { counterparties, known, matches, ambiguous, written } = result;
  const parts = [
    `Counterparties: ${counterparties}; with an id before: ${known}; matched: ${matches.length}; ambiguous: ${ambiguous.length}`,
    ctx.globals.dryRun ? 'A rehearsal, nothing is written.' : `Written: ${written}.`,
  ];
  if (ctx.globals.dryRun && matches.length > 0) {
    const rows = matches.map(({ code, name, entity, amo_id, by }) => [code, name, `${entity} ${amo_id}`, by]);
    parts.push('', await ctx.out.table(['code', 'counterparty', 'would name', 'by'], rows));
  }
  for (const { code, name, why } of ambiguous) parts.push(`! ${code} ${name}: ${why}`);
  return parts.join('\n');
}

/** On a terminal a bar, or a count where the end is not known; in a log a line now and then. */
function progress(ctx: CommandContext, what: string, total: number | undefined): (done: number) => void {
  let told = 0;
  return (done) => {
    if (process.stderr.isTTY) {
      const share = total === undefined || total === 0 ? undefined : done / total;
      const bar = share === undefined ? '' : ` [${'#'.repeat(Math.round(share * BAR)).padEnd(BAR, '.')}]`;
      process.stderr.write(`\r${what}: ${done}${bar} ${done === total ? '\n' : ''}`);
      return;
    }
    if (Math.floor(done / LOG_EVERY) === Math.floor(told / LOG_EVERY) && done !== total) return;
    told = done;
    ctx.log.info({ done, ...(total === undefined ? {} : { total }) }, what);
  };
}
