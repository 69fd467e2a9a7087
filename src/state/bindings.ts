import { type AppError, configError } from '../base/errors.ts';
import type { Tx } from './database.ts';
import { getMeta, setMetaOnce } from './meta.ts';

/** Binds the database to the account that it serves; another account with the same database is refused (78). */
export async function bindAccount(tx: Tx, system: string, account: string, now: Date): Promise<void> {
  const key = `binding:${system}`;
  const bound = await setMetaOnce(tx, key, account, now);
  if (bound !== account) throw otherAccount(system, key);
}

/** Refuses another account than the one that the database is bound to; binds nothing, for the credentials may be mistyped. */
export async function refuseOtherAccount(tx: Tx, system: string, account: string): Promise<void> {
  const key = `binding:${system}`;
  const bound = await getMeta(tx, key);
  if (bound !== undefined && bound !== account) throw otherAccount(system, key);
}

function otherAccount(system: string, key: string): AppError {
  return configError(
    'OTHER_ACCOUNT',
    `this database has served another ${system} account; its links would point at strangers' records`,
    `Give each account a database of its own (DATABASE_URL). If the account is the same and only its token is new: DELETE FROM meta WHERE key = '${key}'.`,
  );
}
