import { configError } from '../base/errors.ts';
import type { Tx } from './database.ts';
import { setMetaOnce } from './meta.ts';

/** Binds the database to the account that it serves; another account with the same database is refused (78). */
export async function bindAccount(tx: Tx, system: string, account: string, now: Date): Promise<void> {
  const key = `binding:${system}`;
  const bound = await setMetaOnce(tx, key, account, now);
  if (bound === account) return;
  throw configError(
    'OTHER_ACCOUNT',
    `this database has served another ${system} account; its links would point at strangers' records`,
    `Give each account a database of its own (DATABASE_URL). If the account is the same and only its token is new: DELETE FROM meta WHERE key = '${key}'.`,
  );
}
