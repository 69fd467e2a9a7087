import type { Tx } from './database.ts';
import { chunks } from './outbox.ts';

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
}

export async function seenDocuments(tx: Tx, refs: readonly string[]): Promise<Map<string, SeenDocument>> {
  const seen = new Map<string, SeenDocument>();
  for (const chunk of chunks(refs, 900)) {
    const rows = await tx.selectFrom('onec_seen').selectAll().where('ref', 'in', chunk).execute();
    for (const { ref, type, number, dated, written_at, state, signature } of rows) {
      seen.set(ref, {
        ref,
        type,
        number,
        dated,
        ...(written_at === null ? {} : { writtenAt: written_at }),
        state,
        signature,
      });
    }
  }
  return seen;
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

/** Documents by their number; numbers of customer orders begin anew each year, so that there may be several. */
export async function documentsByNumber(tx: Tx, number: string): Promise<{ ref: string; dated: string }[]> {
  return tx
    .selectFrom('onec_seen')
    .select(['ref', 'dated'])
    .where('number', '=', number)
    .orderBy('dated', 'desc')
    .execute();
}
