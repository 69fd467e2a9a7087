import type { SandboxAnswer, SandboxRequest } from '../kit.ts';

/** One fault of one item of a body; `path` is relative to the item. */
export interface Issue {
  code: 'FieldNotExpected' | 'NotSupportedChoice' | 'InvalidType';
  path: string;
  detail: string;
}

export interface ItemIssues {
  requestId: string;
  issues: readonly Issue[];
}

const PROBLEM = { 'content-type': 'application/problem+json' };
const HAL = { 'content-type': 'application/hal+json' };
const HTML = { 'content-type': 'text/html' };

const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
};

export function problem(status: number, detail: string, extra: Record<string, unknown> = {}): SandboxAnswer {
  return {
    status,
    headers: PROBLEM,
    body: { ...extra, title: TITLES[status] ?? 'Error', type: `https://httpstatus.es/${status}`, status, detail },
  };
}

/** The refusal of a whole batch for the sake of the items named. */
export function validationProblem(items: readonly ItemIssues[]): SandboxAnswer {
  return problem(400, 'Request validation failed', {
    'validation-errors': items.map((item) => ({ request_id: item.requestId, errors: item.issues })),
  });
}

/** The token endpoint's refusal. Titles are localised as on amocrm.ru: nobody may lean on them. */
export function oauthProblem(
  status: 400 | 401,
  hint: string | undefined,
  title = 'Некорректный запрос',
): SandboxAnswer {
  return {
    status,
    headers: PROBLEM,
    body: {
      ...(hint === undefined ? {} : { hint }),
      title,
      type: 'https://developers.amocrm.ru/v3/errors/OAuthProblemJson',
      status,
      detail: 'В запросе отсутствует ряд параметров или параметры невалидны',
    },
  };
}

export function html(status: number, title: string): SandboxAnswer {
  const heading = `${status} ${title}`;
  return {
    status,
    headers: HTML,
    body: `<html>\r\n<head><title>${heading}</title></head>\r\n<body>\r\n<center><h1>${heading}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n`,
  };
}

export function hal(body: unknown, status = 200): SandboxAnswer {
  return { status, headers: HAL, body };
}

/** The answer to an empty list, an unknown id, and to whatever was deleted or unlinked. */
export function noContent(): SandboxAnswer {
  return { status: 204, headers: HAL };
}

function origin(request: SandboxRequest): string {
  return `http://${request.headers.host ?? 'localhost'}`;
}

export function selfLink(request: SandboxRequest, path: string): { self: { href: string } } {
  return { self: { href: `${origin(request)}${path}` } };
}

export interface PageRules {
  /** Most rows of a page: 250, of events 100. */
  max?: number;
  /** `_links.next` stays away although there is more. */
  omitNext?: boolean;
}

/** One page of a list in the HAL envelope; 204 where the page holds nothing. */
export function page<T>(
  request: SandboxRequest,
  name: string,
  rows: readonly T[],
  render: (row: T) => unknown,
  rules: PageRules = {},
): SandboxAnswer {
  const max = rules.max ?? 250;
  const limit = Number(request.query.get('limit') ?? 50);
  const number = Number(request.query.get('page') ?? 1);
  if (!Number.isInteger(limit) || limit < 1 || limit > max) return problem(400, `limit must be between 1 and ${max}`);
  if (!Number.isInteger(number) || number < 1) return problem(400, 'page must be a positive number');
  const first = (number - 1) * limit;
  const shown = rows.slice(first, first + limit);
  if (shown.length === 0) return noContent();
  const href = (wanted: number) => {
    const query = new URLSearchParams(request.query);
    query.set('page', String(wanted));
    query.set('limit', String(limit));
    return `${origin(request)}${request.path}?${query}`;
  };
  const next = first + limit < rows.length && !rules.omitNext;
  return hal({
    _page: number,
    _links: {
      self: { href: href(number) },
      ...(next ? { next: { href: href(number + 1) } } : {}),
      ...(number > 1 ? { prev: { href: href(number - 1) } } : {}),
    },
    _embedded: { [name]: shown.map(render) },
  });
}
