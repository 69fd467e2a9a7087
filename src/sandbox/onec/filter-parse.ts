import { OnecRefusal } from './model.ts';

export type Operator = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le';

/** A filter as a tree. */
export type FilterNode =
  | { kind: 'and' | 'or'; left: FilterNode; right: FilterNode }
  | { kind: 'not'; of: FilterNode }
  | { kind: 'compare'; operator: Operator; left: FilterNode; right: FilterNode }
  | { kind: 'call'; name: string; args: FilterNode[] }
  | { kind: 'lambda'; name: 'any' | 'all'; table: string; alias: string; body: FilterNode | undefined }
  | { kind: 'path'; parts: string[] }
  | { kind: 'literal'; type: 'string' | 'number' | 'bool' | 'date' | 'guid'; value: string | number | boolean };

const KNOWN_CALLS = new Set(['startswith', 'endswith', 'substringof', 'cast', 'isof']);
/** Functions that 1C names as not supported (facts: 1C developer's guide 17.4). */
const REFUSED_CALLS = new Set([
  'length',
  'indexof',
  'replace',
  'tolower',
  'toupper',
  'trim',
  'floor',
  'ceiling',
  'contains',
]);
const OPERATORS: ReadonlySet<string> = new Set(['eq', 'ne', 'gt', 'ge', 'lt', 'le']);
const DEPTH_LIMIT = 400;

export function badFilter(what: string): OnecRefusal {
  return new OnecRefusal(400, 14, `Ошибка при разборе опции запроса "$filter": ${what}`);
}

type Token = { kind: 'word' | 'sign' | 'string' | 'number' | 'guid' | 'date' | 'end'; text: string };

const TOKEN =
  /\s*(?:(?<guid>guid'[^']*')|(?<date>datetime'[^']*')|(?<string>'(?:[^']|'')*')|(?<number>-?\d+(?:\.\d+)?)(?![\p{L}_])|(?<word>[\p{L}_][\p{L}\p{N}_]*)|(?<sign>[(),/:]))/uy;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const body = text.trimEnd();
  let at = 0;
  while (at < body.length) {
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(body)?.groups;
    if (!groups) throw badFilter(`непонятный символ в позиции ${at + 1}`);
    at = TOKEN.lastIndex;
    const [kind = 'end', found = ''] = Object.entries(groups).find(([, value]) => value !== undefined) ?? [];
    tokens.push({ kind: kind as Token['kind'], text: found });
  }
  tokens.push({ kind: 'end', text: '' });
  return tokens;
}

function literalOf({ kind, text }: Token): FilterNode | undefined {
  if (kind === 'string') return { kind: 'literal', type: 'string', value: text.slice(1, -1).replaceAll("''", "'") };
  if (kind === 'number') return { kind: 'literal', type: 'number', value: Number(text) };
  if (kind === 'guid') {
    const value = text.slice(5, -1).toLowerCase();
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) {
      throw new OnecRefusal(400, 1, `Значение "${value}" не может быть преобразовано к типу Edm.Guid`);
    }
    return { kind: 'literal', type: 'guid', value };
  }
  if (kind === 'date') {
    const value = text.slice(9, -1);
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(value)) {
      throw new OnecRefusal(400, 1, `Значение "${value}" не может быть преобразовано к типу Edm.DateTime`);
    }
    return { kind: 'literal', type: 'date', value };
  }
  if (kind === 'word' && (text === 'true' || text === 'false')) {
    return { kind: 'literal', type: 'bool', value: text === 'true' };
  }
  return undefined;
}

/** A place among the tokens, which moves on as they are read. */
interface Cursor {
  peek(): Token;
  next(): Token;
  /** Whether a word or a sign stands next. */
  isNext(word: string): boolean;
  /** Steps over the word if it stands next. */
  skip(word: string): boolean;
  take(word: string): void;
}

function cursorOver(tokens: readonly Token[]): Cursor {
  let at = 0;
  const peek = (): Token => tokens[at] ?? { kind: 'end', text: '' };
  const isNext = (word: string) => peek().text === word && (peek().kind === 'word' || peek().kind === 'sign');
  const skip = (word: string) => {
    const found = isNext(word);
    if (found) at++;
    return found;
  };
  return {
    peek,
    isNext,
    skip,
    next() {
      const token = peek();
      at++;
      return token;
    },
    take(word) {
      if (!skip(word)) throw badFilter(`ожидалось "${word}", найдено "${peek().text}"`);
    },
  };
}

function either(cursor: Cursor, depth: number): FilterNode {
  if (depth > DEPTH_LIMIT) throw badFilter('слишком сложное выражение');
  let left = both(cursor, depth);
  while (cursor.skip('or')) left = { kind: 'or', left, right: both(cursor, depth) };
  return left;
}

function both(cursor: Cursor, depth: number): FilterNode {
  let left = negation(cursor, depth);
  while (cursor.skip('and')) left = { kind: 'and', left, right: negation(cursor, depth) };
  return left;
}

function negation(cursor: Cursor, depth: number): FilterNode {
  if (depth > DEPTH_LIMIT) throw badFilter('слишком сложное выражение');
  if (cursor.skip('not')) return { kind: 'not', of: negation(cursor, depth + 1) };
  const left = operand(cursor, depth);
  if (cursor.peek().kind !== 'word' || !OPERATORS.has(cursor.peek().text)) return left;
  const operator = cursor.next().text as Operator;
  return { kind: 'compare', operator, left, right: operand(cursor, depth) };
}

function operand(cursor: Cursor, depth: number): FilterNode {
  if (cursor.skip('(')) {
    const inner = either(cursor, depth + 1);
    cursor.take(')');
    return inner;
  }
  const token = cursor.next();
  const literal = literalOf(token);
  if (literal) return literal;
  if (token.kind !== 'word') throw badFilter(token.text === '' ? 'неожиданный конец' : `лишнее "${token.text}"`);
  return cursor.isNext('(') ? call(cursor, token.text, depth) : path(cursor, token.text, depth);
}

function call(cursor: Cursor, name: string, depth: number): FilterNode {
  if (REFUSED_CALLS.has(name)) throw new OnecRefusal(400, 21, `Функция "${name}" не поддерживается`);
  if (!KNOWN_CALLS.has(name)) throw badFilter(`функция "${name}" не найдена`);
  cursor.take('(');
  const args = [operand(cursor, depth + 1)];
  while (cursor.skip(',')) args.push(operand(cursor, depth + 1));
  cursor.take(')');
  return { kind: 'call', name, args };
}

function path(cursor: Cursor, first: string, depth: number): FilterNode {
  const parts = [first];
  while (cursor.skip('/')) {
    const token = cursor.next();
    if (token.kind !== 'word') throw badFilter(`лишнее "${token.text}"`);
    if (cursor.isNext('(') && (token.text === 'any' || token.text === 'all')) {
      return lambda(cursor, token.text, parts, depth);
    }
    parts.push(token.text);
  }
  return { kind: 'path', parts };
}

function lambda(cursor: Cursor, name: 'any' | 'all', parts: readonly string[], depth: number): FilterNode {
  const [table = ''] = parts;
  if (parts.length !== 1) throw badFilter('лямбда-выражение допустимо только для табличной части');
  cursor.take('(');
  if (cursor.skip(')')) {
    if (name === 'all') throw badFilter('all без условия');
    return { kind: 'lambda', name, table, alias: '', body: undefined };
  }
  const alias = cursor.next();
  if (alias.kind !== 'word') throw badFilter(`лишнее "${alias.text}"`);
  cursor.take(':');
  const body = either(cursor, depth + 1);
  cursor.take(')');
  return { kind: 'lambda', name, table, alias: alias.text, body };
}

/**
 * Reads a filter of OData v3 as far as the stand-in goes: comparisons, `and` `or` `not`, brackets, `startswith` `endswith`
 * `substringof` `cast` `isof`, `Table/any(…)` and `all`. Throws an `OnecRefusal`: 400/14, and 400/21 for functions that 1C lacks.
 */
export function parseFilter(text: string): FilterNode {
  const cursor = cursorOver(tokensOf(text));
  const tree = either(cursor, 0);
  if (cursor.peek().kind !== 'end') throw badFilter(`лишнее "${cursor.peek().text}"`);
  return tree;
}
