import { ExitCode } from '../../base/errors.ts';
import { cleanText } from '../../base/redact.ts';
import { RemoteError, type RemoteErrorInit } from '../../base/remote-error.ts';
import type { Where } from '../../http/classify.ts';

/** What an operator mends where RetailCRM refuses the key. */
export const CREDENTIALS = 'RETAILCRM_API_KEY';

/** Part of a batch was taken (vendor's Go client, read 2026-11). */
export const PARTLY_DONE = 460;

const LONGEST_WORDS = 300;
/** Statuses of a refusal that concerns the one thing asked about; the runner takes each for a refused item. */
const ONE_ITEM: ReadonlySet<number> = new Set([400, 404, 413, 422]);
/** What stands for all the others, such as 200 with `success: false`: understood, and not carried out. */
const UNPROCESSABLE = 422;

/**
 * What RetailCRM says of a refusal: `errorMsg`, then `errors`, which is a map of fields to texts or a list of texts (both in
 * the vendor's Go client). One line, shortened, phones and e-mails masked; undefined where the body is none of RetailCRM's.
 */
export function wordsOf(answer: unknown): string | undefined {
  if (!isObject(answer)) return undefined;
  const { success, errorMsg, errors } = answer;
  if (success !== false && typeof errorMsg !== 'string') return undefined;
  const main = typeof errorMsg === 'string' ? errorMsg.trim() : '';
  return shown([main, detailsOf(errors).join('; ')].filter((part) => part !== '').join(': ') || 'without a word');
}

/** The reason that a map of errors gives under this key, masked; undefined where there is none. */
export function wordsUnder(answer: unknown, key: string): string | undefined {
  const errors = isObject(answer) && isObject(answer.errors) && Object.hasOwn(answer.errors, key) ? answer.errors : {};
  const details = detailsOf(errors[key]);
  return details.length > 0 ? shown(details.join('; ')) : undefined;
}

function detailsOf(errors: unknown): string[] {
  if (typeof errors === 'string') return errors.trim() === '' ? [] : [errors.trim()];
  if (Array.isArray(errors)) return errors.flatMap(detailsOf);
  if (!isObject(errors)) return [];
  return Object.entries(errors).flatMap(([field, inner]) => detailsOf(inner).map((text) => `${field}: ${text}`));
}

/** Masked before it is cut, or half a phone would pass for none. */
function shown(words: string): string {
  const line = cleanText(words.replace(/\s+/g, ' '));
  return line.length <= LONGEST_WORDS ? line : `${line.slice(0, LONGEST_WORDS - 1)}…`;
}

/** RetailCRM itself refused to answer this question: not for the key as such, not for haste, and no page of something in between. */
export function isWithheld(error: unknown): error is RemoteError {
  if (!(error instanceof RemoteError) || error.outcome !== 'refused') return false;
  const words = wordsOf(error.answer);
  return words !== undefined && !/"apiKey"|^account does not exist/i.test(words);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * What a refusal of RetailCRM means, for the core's `classify`, and for `success: false` in an answer of 200; undefined where
 * its status says enough (401, 402, 408, and 5xx: the outcome of a write is unknown). Pure. Every error of it but 460 is
 * `refused`; only those with a status are about the one thing asked for.
 */
export function classifyRetailcrm(where: Where, status: number, answer: unknown): RemoteError | undefined {
  // The limit of requests is told by 503 as a rule, and the vendor's clients repeat writes after either (Go client, read 2026-11).
  if (status === 503 || status === 429) return busy(where, status);
  if (status >= 500 || status === 401 || status === 402 || status === 408) return undefined;
  const words = wordsOf(answer);
  if (words === undefined) {
    return [400, 403, 404, 405, 406, 411, 414].includes(status) || (status >= 300 && status < 400)
      ? notRetailcrm(where, `HTTP ${status}`)
      : undefined;
  }
  if (status === 403 || /"apiKey"|^access denied/i.test(words)) return wrongKey(where, status, words, answer);
  if (status === 405 || /^(?:account does not exist|API method not found)/i.test(words)) {
    return notRetailcrm(where, `HTTP ${status}, "${words}"`, { answer });
  }
  if (/^rate limit exceeded/i.test(words)) return busy(where, status);
  return status === PARTLY_DONE ? partly(where, words, answer) : refusal(where, status, words, answer);
}

type Case = Partial<RemoteErrorInit> & { message: string; hint: string };

function remoteError(where: Where, given: Case): RemoteError {
  return new RemoteError({
    system: where.system,
    route: where.route,
    ...(where.requestId === undefined ? {} : { requestId: where.requestId }),
    code: 'REMOTE_REFUSED',
    kind: 'operator',
    exit: ExitCode.Unavailable,
    outcome: 'refused',
    ...given,
  });
}

function busy(where: Where, status: number): RemoteError {
  return remoteError(where, {
    code: 'REMOTE_BUSY',
    kind: 'transient',
    status,
    message: `RetailCRM says that we ask too fast (HTTP ${status}; ${where.route})`,
    hint: 'sdelka waits by itself. If it lasts, other programs may use the same key: give each one its own.',
  });
}

function wrongKey(where: Where, status: number, words: string, answer: unknown): RemoteError {
  return remoteError(where, {
    code: 'REMOTE_FORBIDDEN',
    answer,
    exit: ExitCode.CredentialsRefused,
    status,
    message: `RetailCRM refused our key: ${words} (HTTP ${status}; ${where.route})`,
    hint: `Check ${CREDENTIALS}, and that the key is active and may use this method and store; then run the job again.`,
  });
}

/** Not RetailCRM's own answer, or not this account's: says nothing about the item, hence no status, and the run ends. */
function notRetailcrm(where: Where, what: string, more: Partial<RemoteErrorInit> = {}): RemoteError {
  return remoteError(where, {
    ...more,
    message: `there is no RetailCRM API at this address (${what}; ${where.route})`,
    hint: 'Check that RETAILCRM_API_URL is the address of the account, such as https://example.retailcrm.ru, and that the account exists.',
  });
}

/** A web page with 200. Whatever gave it, that a write was not carried out is not certain. */
export function webPage(where: Where): RemoteError {
  return notRetailcrm(where, 'a web page', { outcome: 'in-doubt' });
}

/** The body tells which items were taken; who cannot read it knows nothing of any. */
function partly(where: Where, words: string, answer: unknown): RemoteError {
  return remoteError(where, {
    status: PARTLY_DONE,
    answer,
    outcome: 'in-doubt',
    message: `RetailCRM took only a part: ${words} (HTTP 460; ${where.route})`,
    hint: 'What was not taken is named in the failed records; correct it, and it is tried again.',
  });
}

/** A batch that was not taken whole, and nobody knows which of it: refused as one, so that it is sent again in halves. */
export function unexplained(where: Where, message: string): RemoteError {
  return remoteError(where, {
    status: UNPROCESSABLE,
    message,
    hint: 'What was not taken is found by sending smaller parts, and named in the failed records.',
  });
}

function refusal(where: Where, status: number, words: string, answer: unknown): RemoteError {
  if (/telephony not enabled/i.test(words)) {
    return remoteError(where, {
      message: `RetailCRM takes no calls: ${words} (${where.route})`,
      hint: 'Run `sdelka retail:register`, which registers the telephony module and switches it on; calls wait until then.',
    });
  }
  if (/parameter 'site' is missing/i.test(words)) {
    return remoteError(where, {
      message: `RetailCRM wants to know the store: ${words} (${where.route})`,
      hint: 'Set RETAILCRM_SITE to the symbolic code of the store, for the key sees more than one.',
    });
  }
  return remoteError(where, {
    status: ONE_ITEM.has(status) ? status : UNPROCESSABLE,
    answer,
    message: `RetailCRM refused it: ${words}`,
    hint: `It said so with HTTP ${status} (${where.route}). Correct it in RetailCRM or in the mapping, and it is tried again.`,
  });
}
