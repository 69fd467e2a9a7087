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
