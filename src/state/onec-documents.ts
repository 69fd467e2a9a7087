import type { Tx } from './database.ts';
import { chunks, OPEN } from './outbox.ts';

/** A 1C document as it was last seen. Times are ISO-8601 UTC, turned from 1C's local ones by the job. */
export interface SeenDocument {
  ref: string;
  /** workOrder or customerOrder. */
  type: string;
  number: string;
  dated: string;
  writtenAt?: string;
  /** The state's name. */
  state: string;
  /** Says, by equality alone, whether the document has changed since. */
  signature: string;
  /** The state that an import has written there since, by name; read, never stored. */
  importedState?: string;
}

export async function seenDocuments(tx: Tx, refs: readonly string[]): Promise<Map<string, SeenDocument>> {
  const seen = new Map<string, SeenDocument>();
  for (const chunk of chunks(refs, 900)) {
    const rows = await tx.selectFrom('onec_seen').selectAll().where('ref', 'in', chunk).execute();
    const imported = await importedStates(tx, rows);
    for (const { ref, type, number, dated, written_at, state, signature } of rows) {
      const importedState = imported.get(ref);
      seen.set(ref, {
        ref,
        type,
        number,
        dated,
        ...(written_at === null ? {} : { writtenAt: written_at }),
        state,
        signature,
        ...(importedState === undefined ? {} : { importedState }),
      });
    }
  }
  return seen;
}

/** What an import's links say of documents, where it is newer than what an export has seen. */
async function importedStates(
  tx: Tx,
  seen: readonly { ref: string; updated_at: string }[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  if (seen.length === 0) return found;
  const seenAt = new Map(seen.map(({ ref, updated_at }) => [ref, updated_at]));
  const rows = await tx
    .selectFrom('links')
    .select(['remote_id', 'applied', 'updated_at'])
    .where('kind', 'in', ['onec.work-order', 'onec.customer-order'])
    .where('remote_id', 'in', [...seenAt.keys()])
    .execute();
  for (const { remote_id, applied, updated_at } of rows) {
    const { state } = (JSON.parse(applied ?? 'null') ?? {}) as { state?: string };
    if (state !== undefined && updated_at > (seenAt.get(remote_id) ?? '')) found.set(remote_id, state);
  }
  return found;
}

/** Keeps what was last seen; a row that says the same already is left alone. Returns how many changed. */
export async function saveSeenDocuments(tx: Tx, documents: readonly SeenDocument[], now: Date): Promise<number> {
  const at = now.toISOString();
  let changed = 0;
  for (const chunk of chunks(documents, 90)) {
    const rows = await tx
      .insertInto('onec_seen')
      .values(
        chunk.map(({ ref, type, number, dated, writtenAt, state, signature }) => ({
          ref,
          type,
          number,
          dated,
          written_at: writtenAt ?? null,
          state,
          signature,
          created_at: at,
          updated_at: at,
        })),
      )
      .onConflict((conflict) =>
        conflict
          .column('ref')
          .doUpdateSet((eb) => ({
            number: eb.ref('excluded.number'),
            dated: eb.ref('excluded.dated'),
            written_at: eb.ref('excluded.written_at'),
            state: eb.ref('excluded.state'),
            signature: eb.ref('excluded.signature'),
            updated_at: at,
          }))
          .where((eb) =>
            eb.or([
              eb('onec_seen.signature', '!=', eb.ref('excluded.signature')),
              eb('onec_seen.state', '!=', eb.ref('excluded.state')),
            ]),
          ),
      )
      .returning('ref')
      .execute();
    changed += rows.length;
  }
  return changed;
}

const DEAL_PREFIX = 'amocrm:deal:onec:';

/** The documents that stand for these deals: those that were exported, and those that were made for them. */
export async function documentsOfDeals(tx: Tx, dealIds: readonly number[]): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const chunk of chunks(dealIds, 800)) {
    const rows = await tx
      .selectFrom('links')
      .select(['key', 'remote_id'])
      .where('kind', '=', 'amocrm.deal')
      .where('remote_id', 'in', chunk.map(String))
      .where('key', 'like', `${DEAL_PREFIX}%`)
      .execute();
    for (const { key, remote_id } of rows) found.set(Number(remote_id), key.slice(DEAL_PREFIX.length));
  }
  return found;
}

/**
 * Names of the deals that an export of 1C's documents has sent and not settled yet: amoCRM may show such a deal before anything
 * binds it to its document.
 */
export async function dealsUnderWay(tx: Tx): Promise<Set<string>> {
  const rows = await tx
    .selectFrom('outbox')
    .select('payload')
    .where('job', '=', 'onec:export')
    .where('kind', '=', 'amocrm.deal')
    .where(OPEN)
    .where((eb) => eb.or([eb('state', 'in', ['claimed', 'sending', 'doubt']), eb('sent_at', 'is not', null)]))
    .execute();
  return new Set(rows.map(({ payload }) => ((JSON.parse(payload ?? 'null') ?? {}) as { name?: string }).name ?? ''));
}

/** Deals of which an import has not written the date of exchange yet, which is the last thing that it writes of a new document. */
export async function dealsImported(tx: Tx): Promise<Set<number>> {
  const rows = await tx
    .selectFrom('outbox')
    .select('record_key')
    .where('job', '=', 'onec:import')
    .where('kind', '=', 'onec.mark')
    .where(OPEN)
    .where('state', '!=', 'failed')
    .where('key', 'not like', '%#%')
    .execute();
  return new Set(rows.map(({ record_key }) => Number(record_key)));
}

/** Documents by their number; numbers of customer orders begin anew each year, so that there may be several. */
export async function documentsByNumber(tx: Tx, number: string): Promise<{ ref: string; dated: string }[]> {
  return tx
    .selectFrom('onec_seen')
    .select(['ref', 'dated'])
    .where('number', '=', number)
    .orderBy('dated', 'desc')
    .execute();
}
