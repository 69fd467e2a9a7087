/** When a token was issued and when it ends. */
export interface TokenTimes {
  issuedAt?: Date;
  expiresAt: Date;
}

/**
 * Reads `iat` and `exp` of an amoCRM access or long-lived token (a JWT, unix seconds); undefined where it is none.
 * The signature is not checked: the claims serve to warn in time and to renew in time, nothing is granted on them.
 */
export function timesOfJwt(token: string): TokenTimes | undefined {
  const [, claims, signature] = token.split('.');
  if (claims === undefined || signature === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'));
    const expiresAt = instant(parsed, 'exp');
    const issuedAt = instant(parsed, 'iat');
    if (expiresAt === undefined) return undefined;
    return issuedAt === undefined ? { expiresAt } : { issuedAt, expiresAt };
  } catch {
    // Not JSON: a token of another make, whose times we do not know.
    return undefined;
  }
}

function instant(claims: unknown, name: 'iat' | 'exp'): Date | undefined {
  if (typeof claims !== 'object' || claims === null || !(name in claims)) return undefined;
  const seconds = (claims as Record<typeof name, unknown>)[name];
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds <= 0 || seconds > 8e12) return undefined;
  return new Date(seconds * 1000);
}
