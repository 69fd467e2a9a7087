import type { SandboxAnswer } from '../kit.ts';
import { problem } from './answers.ts';
import type { Call } from './batch.ts';
import { cardWith } from './card-render.ts';
import type { Card, CatalogElement, EntityType, FieldValues } from './model.ts';
import { at, fieldTests, ordered, type QueryNode, queryTree, strings, within } from './query.ts';

type CardTest = (card: Card) => boolean;

const SCALARS = ['id', 'name', 'pipeline_id', 'created_by', 'updated_by', 'responsible_user_id'] as const;
const RANGES = ['price', 'created_at', 'updated_at', 'closed_at'] as const;

/** The rows that a list shows, in their order, before paging: behind by the account's lag, filtered as far as the account honours filters. */
export function listCards(call: Call, type: EntityType): { rows: Card[] } | { refused: SandboxAnswer } {
  const { world, request } = call;
  const tree = queryTree(request.query);
  const filter = at(tree, 'filter');
  const { filters, listLagMs, searchLagMs, orderHonoured } = world.options;
  if (filter !== undefined && filters === 'error')
    return { refused: problem(400, 'Invalid filter for current account') };
  const query = request.query.get('query') ?? '';
  const tests = filter !== undefined && filters === 'honoured' ? cardTests(type, filter) : [];
  if (query !== '') tests.push((card) => matchesText(card, query));
  const deleted = cardWith(call).has('only_deleted');
  const seen = world.cards[type].listed(query === '' ? listLagMs : Math.max(listLagMs, searchLagMs));
  const rows = seen.filter((card) => card.is_deleted === deleted && tests.every((test) => test(card)));
  return { rows: ordered(rows, orderHonoured ? at(tree, 'order') : undefined, ['created_at', 'updated_at', 'id']) };
}

/** Unknown filter keys change nothing, as in the real lists. */
function cardTests(type: EntityType, filter: QueryNode): CardTest[] {
  const tests: CardTest[] = fieldTests(at(filter, 'custom_fields_values')).map((test) => (card) => test(card.fields));
  for (const key of SCALARS) {
    const wanted = strings(at(filter, key));
    if (wanted === undefined) continue;
    const set = new Set(wanted);
    tests.push((card) => set.has(String(card[key])));
  }
  for (const key of RANGES) {
    const range = within(at(filter, key));
    if (range) tests.push((card) => range(card[key]));
  }
  return type === 'leads' ? [...tests, ...statusTests(at(filter, 'statuses'))] : tests;
}

/** Pairs of pipeline and status; a pair that lacks one of them names nothing. */
function statusTests(node: QueryNode | undefined): CardTest[] {
  if (typeof node !== 'object') return [];
  const pairs = Object.values(node).flatMap((pair) => {
    const [pipeline, status] = [at(pair, 'pipeline_id'), at(pair, 'status_id')];
    return typeof pipeline === 'string' && typeof status === 'string' ? [`${pipeline}:${status}`] : [];
  });
  const wanted = new Set(pairs);
  return wanted.size === 0 ? [] : [(card) => wanted.has(`${card.pipeline_id}:${card.status_id}`)];
}

/** Rows are never changed in place, so what they say can be kept beside them. */
const texts = new WeakMap<object, string>();

function textOf(row: Pick<Card, 'name'> & { fields: FieldValues }): string {
  const known = texts.get(row);
  if (known !== undefined) return known;
  const values = Object.values(row.fields).flatMap((list) => list.map((one) => String(one.value)));
  const digits = values.map((value) => value.replace(/\D/g, '')).filter((value) => value.length >= 6);
  const text = [row.name, ...values, ...digits].join('\n').toLowerCase();
  texts.set(row, text);
  return text;
}

/** Full text over the name and every filled field: it also finds a stranger whose other field holds the same digits. */
export function matchesText(row: Card | CatalogElement, query: string): boolean {
  const wanted = query.trim().toLowerCase();
  const digits = wanted.replace(/\D/g, '');
  const phone = digits.length >= 6 && /^[\d\s()+-]+$/.test(wanted);
  return textOf(row).includes(wanted) || (phone && textOf(row).includes(digits));
}
