import type { Database } from './database.ts';
import { deleteMeta, getMeta, setMeta } from './meta.ts';

/** A pair of tokens as a row: the tokens may be sealed texts, the times are ISO-8601 UTC with milliseconds. */
interface TokenRow {
  accessToken: string;
  refreshToken: string;
  issuedAt: string;
  expiresAt: string;
}

/**
 * The tokens of one system. What is kept here is worth more than any other row: a refresh token works once, so that
 * `save` is one transaction, durable when it ends (SQLite runs with synchronous=FULL).
 */
export function tokenStore(database: Database, system: string) {
  const attemptKey = `token-attempt:${system}`;
  return {
    read: async (): Promise<TokenRow | undefined> => {
      const row = await database.db.selectFrom('tokens').selectAll().where('system', '=', system).executeTakeFirst();
      if (!row || row.refresh_token === null) return undefined;
      return {
        accessToken: row.access_token,
        refreshToken: row.refresh_token,
        issuedAt: row.issued_at,
        expiresAt: row.expires_at,
      };
    },

    /** Keeps the pair and the hashes of tokens ever seen, and forgets the attempt that led to it. */
    save: (pair: TokenRow, hashes: readonly string[], now: Date): Promise<void> =>
      database.transaction(async (tx) => {
        const values = {
          access_token: pair.accessToken,
          refresh_token: pair.refreshToken,
          issued_at: pair.issuedAt,
          expires_at: pair.expiresAt,
          updated_at: now.toISOString(),
        };
        await tx
          .insertInto('tokens')
          .values({ system, ...values })
          .onConflict((conflict) => conflict.column('system').doUpdateSet(values))
          .execute();
        for (const hash of hashes) {
          await tx
            .insertInto('token_hashes')
            .values({ hash, seen_at: now.toISOString() })
            .onConflict((conflict) => conflict.column('hash').doNothing())
            .execute();
        }
        await deleteMeta(tx, attemptKey);
      }),

    seen: async (hash: string): Promise<boolean> => {
      const row = await database.db
        .selectFrom('token_hashes')
        .select('hash')
        .where('hash', '=', hash)
        .executeTakeFirst();
      return row !== undefined;
    },

    /** When a renewal was last begun whose good end is not known. */
    attemptedAt: async (): Promise<Date | undefined> => {
      const at = await getMeta(database.db, attemptKey);
      return at === undefined ? undefined : new Date(at);
    },

    markAttempt: (at: Date): Promise<void> =>
      database.transaction((tx) => setMeta(tx, attemptKey, at.toISOString(), at)),
  };
}
