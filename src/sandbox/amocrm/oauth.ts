import { randomBytes, randomUUID } from 'node:crypto';
import type { SandboxAnswer, SandboxRequest } from '../kit.ts';
import { oauthProblem, problem } from './answers.ts';
import { TOKEN_USER } from './defaults.ts';
import { isObject } from './reader.ts';
import type { World } from './world.ts';

export interface TokenPair {
  token_type: 'Bearer';
  /** Seconds. */
  expires_in: number;
  access_token: string;
  refresh_token: string;
  server_time: number;
}

/** Who may come in, and the exchange of codes and single-use refresh tokens. */
export interface Oauth {
  /** `POST /oauth2/access_token`. */
  exchange(request: SandboxRequest): SandboxAnswer;
  /** The bearer token of a request, or the 401. */
  bearer(request: SandboxRequest): { token: string } | { refused: SandboxAnswer };
  issueCode(): string;
  issuePair(): TokenPair;
  /** An access token of a private integration: no refresh token, `seconds` to live. */
  issueLongLived(seconds: number): string;
  /** Kills an access or a refresh token, as the account's admin can. */
  revoke(token: string): void;
  /** How many exchanges succeeded, by grant. */
  exchanges(): { authorization_code: number; refresh_token: number };
}

interface Credential {
  expiresAt: number;
  dead: boolean;
  /** Of refresh tokens: the access token of the same pair. */
  access?: string;
}

export function oauth(world: World): Oauth {
  const codes = new Map<string, Credential>();
  const refreshes = new Map<string, Credential>();
  const accesses = new Map<string, Credential>();
  const done = { authorization_code: 0, refresh_token: 0 };

  function opaque(store: Map<string, Credential>, seconds: number, access?: string): string {
    const value = `def502${randomBytes(48).toString('hex')}`;
    const expiresAt = world.seconds() + seconds;
    store.set(value, { expiresAt, dead: false, ...(access === undefined ? {} : { access }) });
    return value;
  }

  function issueAccess(seconds: number): string {
    const { accountId, clientId } = world.options;
    const now = world.seconds();
    const claims = {
      aud: clientId,
      jti: randomUUID(),
      iat: now,
      nbf: now,
      exp: now + seconds,
      sub: String(TOKEN_USER),
      grant_type: '',
      account_id: accountId,
      base_domain: 'amocrm.ru',
      version: 2,
      scopes: ['crm', 'files', 'notifications'],
      hash_uuid: randomUUID(),
      api_domain: 'api-b.amocrm.ru',
    };
    const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
    // Nothing but its shape is promised to the client, so the signature is mere noise.
    const token = `${encode({ typ: 'JWT', alg: 'RS256' })}.${encode(claims)}.${randomBytes(64).toString('base64url')}`;
    accesses.set(token, { expiresAt: claims.exp, dead: false });
    return token;
  }

  function issuePair(): TokenPair {
    const seconds = world.options.accessTokenSeconds;
    const access = issueAccess(seconds);
    const refresh = opaque(refreshes, world.options.refreshTokenSeconds, access);
    return {
      token_type: 'Bearer',
      expires_in: seconds,
      access_token: access,
      refresh_token: refresh,
      server_time: world.seconds(),
    };
  }

  function checkClient(body: Record<string, unknown>): SandboxAnswer | undefined {
    const { clientId, clientSecret, redirectUri } = world.options;
    for (const key of ['client_id', 'client_secret', 'redirect_uri']) {
      if (typeof body[key] !== 'string' || body[key] === '') return oauthProblem(400, `Check the \`${key}\` parameter`);
    }
    if (body.client_id !== clientId || body.client_secret !== clientSecret) {
      return oauthProblem(401, undefined, 'Некорректный клиент');
    }
    return body.redirect_uri === redirectUri
      ? undefined
      : oauthProblem(400, 'Redirect URI is not associated with client');
  }

  function spendCode(code: unknown): SandboxAnswer | undefined {
    const known = typeof code === 'string' ? codes.get(code) : undefined;
    if (!known) return oauthProblem(400, 'Cannot decrypt the authorization code');
    if (known.dead) return oauthProblem(400, 'Authorization code has been revoked');
    if (known.expiresAt <= world.seconds()) return oauthProblem(400, 'Authorization code has expired');
    known.dead = true;
    done.authorization_code += 1;
    return undefined;
  }

  function spendRefresh(token: unknown): SandboxAnswer | undefined {
    const known = typeof token === 'string' ? refreshes.get(token) : undefined;
    if (!known) return oauthProblem(401, 'Cannot decrypt the refresh token');
    if (known.dead) return oauthProblem(401, 'Token has been revoked');
    if (known.expiresAt <= world.seconds()) return oauthProblem(401, 'Token has expired');
    known.dead = true;
    if (world.options.refreshRevokesAccess && known.access) revoke(known.access);
    done.refresh_token += 1;
    return undefined;
  }

  function exchange(request: SandboxRequest): SandboxAnswer {
    const body = request.body;
    if (!isObject(body)) return oauthProblem(400, 'Check the `grant_type` parameter');
    const refused = checkClient(body) ?? spend(body);
    return refused ?? { status: 200, body: issuePair() };
  }

  function spend(body: Record<string, unknown>): SandboxAnswer | undefined {
    if (body.grant_type === 'authorization_code') return spendCode(body.code);
    if (body.grant_type === 'refresh_token') return spendRefresh(body.refresh_token);
    return oauthProblem(400, 'Check the `grant_type` parameter');
  }

  function revoke(token: string): void {
    const known = accesses.get(token) ?? refreshes.get(token);
    if (known) known.dead = true;
  }

  function bearer(request: SandboxRequest): { token: string } | { refused: SandboxAnswer } {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const known = token === undefined ? undefined : accesses.get(token);
    if (token !== undefined && known && !known.dead && known.expiresAt > world.seconds()) return { token };
    return { refused: problem(401, 'Неверный логин или пароль') };
  }

  return {
    exchange,
    bearer,
    issuePair,
    issueCode: () => opaque(codes, world.options.codeSeconds),
    issueLongLived: issueAccess,
    revoke,
    exchanges: () => ({ ...done }),
  };
}
