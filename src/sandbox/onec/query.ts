import { OnecRefusal } from './model.ts';

/** Query options, decoded. `+` stays `+`: 1C does not take it for a blank (seen in live bases). */
export interface Query {
  filter: string | undefined;
  select: string[] | undefined;
  orderby: { path: string; descending: boolean }[];
  top: number | undefined;
  skip: number;
  count: boolean;
  allowedOnly: boolean;
  format: string;
  /** Arguments of virtual tables in the other spelling: `SliceLast?Period=…&Condition=…`. */
  period: string | undefined;
  condition: string | undefined;
}

const KNOWN = new Set(['filter', 'select', 'orderby', 'top', 'skip', 'inlinecount', 'format', 'allowedOnly']);

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new OnecRefusal(400, 6, 'Неверный URL: ошибка кодирования');
  }
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new OnecRefusal(400, 14, `Ошибка при разборе опции запроса "$${name}": "${text}"`);
  return Number(text);
}

/** Throws an `OnecRefusal` for an option that is not understood; `$expand` is one of them. */
export function parseQuery(raw: string): Query {
  const given = new Map<string, string>();
  for (const pair of raw.split('&').filter(Boolean)) {
    const at = pair.indexOf('=');
    const name = decode(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? '' : decode(pair.slice(at + 1));
    const bare = name.replace(/^\$/, '');
    if (name.startsWith('$') && !KNOWN.has(bare)) {
      throw new OnecRefusal(501, 0, `Опция запроса "${name}" не поддерживается`);
    }
    given.set(bare, value);
  }
  const list = (name: string) =>
    given
      .get(name)
      ?.split(',')
      .map((part) => part.trim())
      .filter(Boolean);
  const orderby = (list('orderby') ?? []).map((part) => {
    const [, path = '', direction] = /^(\S+)(?:\s+(asc|desc))?$/.exec(part) ?? [];
    if (path === '') throw new OnecRefusal(400, 14, `Ошибка при разборе опции запроса "$orderby": "${part}"`);
    return { path, descending: direction === 'desc' };
  });
  return {
    filter: given.get('filter'),
    select: list('select'),
    orderby,
    top: wholeNumber('top', given.get('top')),
    skip: wholeNumber('skip', given.get('skip')) ?? 0,
    count: given.get('inlinecount') === 'allpages',
    allowedOnly: given.get('allowedOnly') === 'true',
    format: given.get('format') ?? '',
    period: given.get('Period'),
    condition: given.get('Condition'),
  };
}
