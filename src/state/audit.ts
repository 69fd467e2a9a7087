import type { Clock } from '../base/clock.ts';
import { type Audit, type AuditBook, DIFFERENCE_KINDS, type KnownOrder, trimAudit } from '../domain/audit.ts';
import { closeAlert, openAlert } from './alerts.ts';
import type { Database, Tx } from './database.ts';
import { getHeartbeat, getMeta, setMeta } from './meta.ts';
import { chunks } from './outbox.ts';

/** The owner of outbox rows of deals that another integrator made. */
export const ADOPTER = 'adopt kaspi';

const ALERT = 'audit';
const metaKey = (stream: Audit['stream']) => `audit:${stream}`;

export interface KeptAudits extends AuditBook {
  /** The audit that this process made, for the command that shows it. */
  kept(): Audit | undefined;
}

/** Audits in the database; with `dryRun` nothing is written, and the audit is only handed on. */
export function auditBook(database: Database, clock: Clock, dryRun: boolean): KeptAudits {
  let kept: Audit | undefined;
  return {
    last: (stream) => lastAuditOf(database.db, stream),
    heartbeat: async (job) => {
      const at = await getHeartbeat(database.db, job);
      return at === undefined ? undefined : new Date(at);
    },
    known: (recordKind, orders) => knownOrders(database.db, recordKind, orders),
    keep: async (audit, messages) => {
      kept = trimAudit(audit);
      if (dryRun) return;
      const now = clock.now();
      await database.transaction(async (tx) => {
        await setMeta(tx, metaKey(audit.stream), JSON.stringify(kept), now);
        for (const kind of DIFFERENCE_KINDS) {
          const message = messages.get(kind);
          if (message === undefined) await closeAlert(tx, ALERT, kind, now);
          else await tellOf(tx, kind, message, now);
        }
      });
    },
    kept: () => kept,
  };
}

/** One alert a kind, told once; while it is open its text follows the newest audit. */
async function tellOf(tx: Tx, subject: string, message: string, now: Date): Promise<void> {
  if (await openAlert(tx, ALERT, subject, message, now)) return;
  await tx
    .updateTable('alerts')
    .set({ message })
    .where('kind', '=', ALERT)
    .where('subject', '=', subject)
    .where('closed_at', 'is', null)
    .execute();
}

export async function lastAuditOf(tx: Tx, stream: Audit['stream']): Promise<Audit | undefined> {
  const text = await getMeta(tx, metaKey(stream));
  return text === undefined ? undefined : (JSON.parse(text) as Audit);
}

async function knownOrders(
  tx: Tx,
  recordKind: string,
  orders: readonly { code: string; dealKey: string }[],
): Promise<Map<string, KnownOrder>> {
  const known = new Map<string, KnownOrder>();
  const conflicts = await openConflicts(tx, recordKind);
  for (const chunk of chunks(orders, 400)) {
    const codes = chunk.map(({ code }) => code);
    for (const { code } of chunk) known.set(code, blank(conflicts.get(code) ?? []));
    await addLinks(tx, chunk, known);
    await addOutbox(tx, recordKind, chunk, known);
    await addFailed(tx, recordKind, codes, known);
    await addSeen(tx, codes, known);
  }
  return known;
}

function blank(conflicts: string[]): KnownOrder {
  return { planned: false, adopted: false, underWay: false, setAside: false, conflicts };
}

async function addLinks(tx: Tx, orders: readonly { code: string; dealKey: string }[], known: Map<string, KnownOrder>) {
  const codeOf = new Map(orders.map(({ code, dealKey }) => [dealKey, code]));
  const rows = await tx
    .selectFrom('links')
    .select(['key', 'remote_id', 'updated_at'])
    .where('key', 'in', [...codeOf.keys()])
    .execute();
  for (const row of rows) {
    const one = known.get(codeOf.get(row.key) ?? '');
    if (one) Object.assign(one, { dealId: Number(row.remote_id), boundAt: row.updated_at });
  }
}

async function addOutbox(
  tx: Tx,
  recordKind: string,
  orders: readonly { code: string; dealKey: string }[],
  known: Map<string, KnownOrder>,
) {
  const dealKeys = new Set(orders.map(({ dealKey }) => dealKey));
  const rows = await tx
    .selectFrom('outbox')
    .select(['key', 'job', 'state', 'record_key'])
    .where('record_kind', '=', recordKind)
    .where(
      'record_key',
      'in',
      orders.map(({ code }) => code),
    )
    .execute();
  for (const { key, job, state, record_key } of rows) {
    const one = known.get(record_key);
    if (!one) continue;
    if (!['done', 'superseded', 'ignored'].includes(state)) one.underWay = true;
    if (!dealKeys.has(key)) continue;
    one.planned = true;
    one.adopted = job === ADOPTER;
    if (state === 'ignored') one.setAside = true;
  }
}

async function addFailed(tx: Tx, recordKind: string, codes: readonly string[], known: Map<string, KnownOrder>) {
  const rows = await tx
    .selectFrom('failed_records')
    .select(['key', 'ignored_at'])
    .where('kind', '=', recordKind)
    .where('key', 'in', [...codes])
    .execute();
  for (const { key, ignored_at } of rows) {
    const one = known.get(key);
    if (one) Object.assign(one, ignored_at === null ? { underWay: true } : { setAside: true });
  }
}

async function addSeen(tx: Tx, codes: readonly string[], known: Map<string, KnownOrder>) {
  const rows = await tx
    .selectFrom('kaspi_orders')
    .select(['order_code', 'state', 'status', 'total_price', 'created_at', 'updated_at'])
    .where('order_code', 'in', [...codes])
    .execute();
  for (const { order_code, state, status, total_price, created_at, updated_at } of rows) {
    const one = known.get(order_code);
    if (!one) continue;
    one.seen = { state, status, totalMinor: Math.round(total_price * 100) };
    if (updated_at > created_at) one.seen.changedAt = updated_at;
  }
}

/** Conflict alerts have the subject `kind:key:what`. */
async function openConflicts(tx: Tx, recordKind: string): Promise<Map<string, string[]>> {
  const rows = await tx
    .selectFrom('alerts')
    .select('subject')
    .where('kind', '=', 'conflict')
    .where('closed_at', 'is', null)
    .execute();
  const found = new Map<string, string[]>();
  for (const { subject } of rows) {
    const [kind, key = '', ...what] = subject.split(':');
    if (kind === recordKind) found.set(key, [...(found.get(key) ?? []), what.join(':')]);
  }
  return found;
}
