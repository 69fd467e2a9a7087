import { ExitCode } from '../../base/errors.ts';
import { RemoteError, type RequestOutcome } from '../../base/remote-error.ts';

const SYSTEM = 'amocrm';
/** The token endpoint's name in errors. */
export const TOKEN_ROUTE = 'oauth.token';

/** What the token endpoint says in `hint`; the rest of its body is localised, so this alone may be branched on. */
const ALREADY_USED = 'Token has been revoked';

const ANEW = 'Run `sdelka amo:auth` and give access anew.';

/** What to do about each `hint` seen in the wild (amocrm-api-php issues 83, 123, 315; ufee/amoapi issue 26). */
const REMEDIES: Readonly<Record<string, string>> = {
  [ALREADY_USED]: `The refresh token was used elsewhere, or access was withdrawn. ${ANEW}`,
  'Authorization code has been revoked': 'This code was used already. Take a new one: run `sdelka amo:auth`.',
  'Authorization code has expired': 'A code lives for 20 minutes. Take a new one: run `sdelka amo:auth`.',
  'Cannot decrypt the authorization code': 'The code is not whole. Copy it again, all of it: run `sdelka amo:auth`.',
  'Check the `client_id` parameter': 'Check AMO_CLIENT_ID.',
  'Check the `client_secret` parameter': 'Check AMO_CLIENT_SECRET.',
  'Redirect URI is not associated with client':
    'AMO_REDIRECT_URI must equal the address in the integration to the letter, the last slash too.',
  'Invalid account': 'AMO_BASE_URL names another account than the one that gave access.',
};
const UNTOLD_REMEDY = `Check that AMO_CLIENT_ID, AMO_CLIENT_SECRET and AMO_REDIRECT_URI belong to one integration; else ${ANEW.charAt(0).toLowerCase()}${ANEW.slice(1)}`;

/** Credentials that no retry can mend: exit 77. `outcome` is what it means for the request that needed them. */
export function credentialsError(code: string, message: string, hint: string, outcome: RequestOutcome): RemoteError {
  return new RemoteError({
    code,
    kind: 'operator',
    exit: ExitCode.CredentialsRefused,
    message,
    hint,
    system: SYSTEM,
    route: TOKEN_ROUTE,
    outcome,
  });
}

/** May pass by itself: exit 69. */
export function passingError(code: string, message: string, hint: string): RemoteError {
  return new RemoteError({
    code,
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message,
    hint,
    system: SYSTEM,
    route: TOKEN_ROUTE,
    outcome: 'not-sent',
  });
}

/** The refresh token was exchanged before: by another process, by another program, or by us in a request whose answer was lost. */
export function isAlreadyUsed(error: unknown): boolean {
  return refusalHint(error) === ALREADY_USED;
}

function refusalHint(error: unknown): string | undefined {
  if (!(error instanceof RemoteError) || (error.status !== 400 && error.status !== 401)) return undefined;
  const answer = error.answer;
  if (typeof answer !== 'object' || answer === null || !('hint' in answer)) return '';
  return typeof answer.hint === 'string' ? answer.hint : '';
}

/**
 * What a failed exchange means. 400 and 401 stay until a person acts (77). A 403 page, 429, 5xx and silence pass (69);
 * where the answer was lost, the old refresh token may be dead and the new one with it, so `remaining` says how long the access token still serves.
 * `before`: an earlier exchange was begun then, and how it ended is not known.
 */
export function exchangeFailure(error: unknown, remaining: string, before?: Date): unknown {
  if (!(error instanceof RemoteError)) return error;
  const hint = refusalHint(error);
  if (hint !== undefined) {
    const told = Object.hasOwn(REMEDIES, hint) ? `: ${hint}` : '';
    const lost = before === undefined ? '' : `; the answer to a renewal begun at ${before.toISOString()} was lost`;
    return credentialsError(
      hint === ALREADY_USED ? 'AMO_TOKEN_REVOKED' : 'AMO_TOKEN_REFUSED',
      `amoCRM refused to give a token (HTTP ${error.status}${told})${lost}; ${remaining}`,
      REMEDIES[hint] ?? UNTOLD_REMEDY,
      'not-sent',
    );
  }
  if (error.kind !== 'transient') return asNotSent(error);
  if (error.outcome !== 'in-doubt') {
    return passingError('AMO_RENEWAL_FAILED', `${error.message}; no token was renewed; ${remaining}`, error.hint ?? '');
  }
  return passingError(
    'AMO_RENEWAL_IN_DOUBT',
    `amoCRM's answer to the token request was lost (${error.message}); the pair in the database is kept; ${remaining}`,
    'The next run tries the old refresh token again. If that one is used up by now, run `sdelka amo:auth` before the time is over.',
  );
}

/** The request that wanted a token never left, whatever became of the exchange itself. */
function asNotSent(error: RemoteError): RemoteError {
  return withOutcome(error, 'not-sent');
}

/** The same failure, as it concerns a request of another outcome. */
export function withOutcome(error: RemoteError, outcome: RequestOutcome): RemoteError {
  return new RemoteError({
    code: error.code,
    kind: error.kind,
    exit: error.exit,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    system: error.system,
    route: error.route,
    ...(error.status === undefined ? {} : { status: error.status }),
    ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
    outcome,
  });
}
