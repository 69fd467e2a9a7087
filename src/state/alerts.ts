import { sql } from 'kysely';
import type { AlertEvent, AlertNews } from '../domain/alert.ts';
import type { Tx } from './database.ts';

/** Opens an alert once; while it is open, the same kind and subject open no second one. */
export async function openAlert(tx: Tx, kind: string, subject: string, message: string, now: Date): Promise<boolean> {
  const open = await tx
    .selectFrom('alerts')
    .select('id')
    .where('kind', '=', kind)
    .where('subject', '=', subject)
    .where('closed_at', 'is', null)
    .executeTakeFirst();
  if (open) return false;
  await tx.insertInto('alerts').values({ kind, subject, message, opened_at: now.toISOString() }).execute();
  return true;
}

/** Closes an open alert; nothing where none is open. */
export async function closeAlert(tx: Tx, kind: string, subject: string, now: Date): Promise<void> {
  await tx
    .updateTable('alerts')
    .set({ closed_at: now.toISOString() })
    .where('kind', '=', kind)
    .where('subject', '=', subject)
    .where('closed_at', 'is', null)
    .execute();
}

/** A fault that holds now. */
export interface AlertFinding {
  kind: string;
  subject: string;
  message: string;
}

/** What a comparison of findings with the open alerts changed. */
export interface AlertChanges {
  opened: number;
  closed: number;
}

/** Opens what was found and closes what was not, among alerts of these kinds; whoever calls it owns the kinds. */
export async function settleAlerts(
  tx: Tx,
  kinds: readonly string[],
  found: readonly AlertFinding[],
  now: Date,
): Promise<AlertChanges> {
  const open = await tx
    .selectFrom('alerts')
    .select(['kind', 'subject'])
    .where('kind', 'in', [...kinds])
    .where('closed_at', 'is', null)
    .execute();
  const name = ({ kind, subject }: { kind: string; subject: string }) => JSON.stringify([kind, subject]);
  const holding = new Set(found.map(name));
  const gone = open.filter((alert) => !holding.has(name(alert)));
  for (const { kind, subject } of gone) await closeAlert(tx, kind, subject, now);
  let opened = 0;
  for (const { kind, subject, message } of found) {
    if (await openAlert(tx, kind, subject, message, now)) opened += 1;
  }
  return { opened, closed: gone.length };
}

/** Closes alerts of effects (`subject` is the effect's key) that are in doubt no more. Returns how many. */
export async function closeSettledDoubts(tx: Tx, now: Date): Promise<number> {
  const rows = await tx
    .updateTable('alerts')
    .set({ closed_at: now.toISOString() })
    .where('kind', '=', 'in_doubt')
    .where('closed_at', 'is', null)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('outbox')
            .select('outbox.id')
            .whereRef('outbox.key', '=', 'alerts.subject')
            .where('outbox.state', 'in', ['doubt', 'sending']),
        ),
      ),
    )
    .returning('id')
    .execute();
  return rows.length;
}

/** Closes alerts that report an event and have nothing that could clear them, so that the same event can be reported anew. */
export async function closeOldAlerts(tx: Tx, kinds: readonly string[], openedBefore: Date, now: Date): Promise<void> {
  await tx
    .updateTable('alerts')
    .set({ closed_at: now.toISOString() })
    .where('kind', 'in', [...kinds])
    .where('closed_at', 'is', null)
    .where('opened_at', '<', openedBefore.toISOString())
    .execute();
}

export async function countOpenAlerts(tx: Tx): Promise<number> {
  const row = await tx
    .selectFrom('alerts')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('closed_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(row.n);
}

export interface UntoldOptions {
  channel: string;
  /** Alerts that closed before are history: a channel that is new or was away for long is not told of them. */
  closedAfter: Date;
  /** Kinds that report an event: their closing is no news. */
  eventKinds: readonly string[];
}

/** What this channel has not been told yet, oldest first. */
export async function untoldAlerts(tx: Tx, { channel, closedAfter, eventKinds }: UntoldOptions): Promise<AlertNews[]> {
  const told = (event: AlertEvent) =>
    sql<number>`EXISTS (SELECT 1 FROM alert_deliveries d WHERE d.alert_id = alerts.id AND d.channel = ${channel} AND d.event = ${event})`;
  const columns = ['id', 'kind', 'subject', 'message', 'opened_at', 'closed_at'] as const;
  const open = await tx
    .selectFrom('alerts')
    .select(columns)
    .where('closed_at', 'is', null)
    .where(sql<boolean>`NOT ${told('opened')}`)
    .execute();
  const closed = await tx
    .selectFrom('alerts')
    .select([...columns, told('opened').as('told_opened'), told('closed').as('told_closed')])
    .where('closed_at', 'is not', null)
    .where('closed_at', '>', closedAfter.toISOString())
    .where(sql<boolean>`NOT (${told('opened')} AND ${told('closed')})`)
    .execute();
  const rows = [
    ...open.map((row) => ({ ...row, events: ['opened'] as AlertEvent[] })),
    ...closed.map((row) => ({
      ...row,
      events: [
        ...(row.told_opened ? [] : ['opened' as const]),
        ...(row.told_closed || eventKinds.includes(row.kind) ? [] : ['closed' as const]),
      ],
    })),
  ];
  return rows
    .filter(({ events }) => events.length > 0)
    .sort((a, b) => a.opened_at.localeCompare(b.opened_at) || a.id - b.id)
    .map((row) => ({
      id: row.id,
      kind: row.kind,
      subject: row.subject,
      message: row.message,
      openedAt: row.opened_at,
      closedAt: row.closed_at,
      events: row.events,
    }));
}

/** Keeps that a channel took the news; to be called after the sending, for silence is worse than a repetition. */
export async function markTold(tx: Tx, channel: string, news: readonly AlertNews[], at: Date): Promise<void> {
  const rows = news.flatMap(({ id, events }) =>
    events.map((event) => ({ alert_id: id, channel, event, sent_at: at.toISOString() })),
  );
  for (let from = 0; from < rows.length; from += 200) {
    await tx
      .insertInto('alert_deliveries')
      .values(rows.slice(from, from + 200))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}
