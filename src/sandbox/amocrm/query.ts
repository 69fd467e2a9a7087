import type { FieldValues } from './model.ts';

/** A query string's brackets as a tree: `filter[id][]=1&filter[id][]=2` is filter → id → {0: "1", 1: "2"}. */
export type QueryNode = string | { [key: string]: QueryNode };

export function queryTree(query: URLSearchParams): { [key: string]: QueryNode } {
  const root: { [key: string]: QueryNode } = {};
  for (const [name, value] of query) {
    const head = name.split('[', 1)[0] ?? name;
    const keys: string[] = [head, ...[...name.matchAll(/\[([^\]]*)\]/g)].map((match) => match[1] ?? '')];
    place(root, keys, value);
  }
  return root;
}

function place(node: { [key: string]: QueryNode }, keys: readonly string[], value: string): void {
  const [first, ...rest] = keys;
  const key = first === '' || first === undefined ? String(Object.keys(node).length) : first;
  if (rest.length === 0) {
    node[key] = value;
    return;
  }
  const below = node[key];
  const child = typeof below === 'object' ? below : {};
  node[key] = child;
  place(child, rest, value);
}

export function at(node: QueryNode | undefined, ...keys: string[]): QueryNode | undefined {
  let here = node;
  for (const key of keys) here = typeof here === 'object' ? here[key] : undefined;
  return here;
}

/** One value or a list of them, as strings; undefined where the key is absent. */
export function strings(node: QueryNode | undefined): string[] | undefined {
  if (node === undefined) return undefined;
  if (typeof node === 'string') return [node];
  return Object.values(node).flatMap((value) => (typeof value === 'string' ? [value] : []));
}

/** The same, where a comma parts values too. */
export function commaStrings(node: QueryNode | undefined): string[] | undefined {
  return strings(node)?.flatMap((value) => value.split(','));
}

/** A test of numbers against `[from]` and `[to]`, both inclusive; undefined where neither is given. */
export function within(node: QueryNode | undefined): ((value: number | null) => boolean) | undefined {
  const from = at(node, 'from');
  const to = at(node, 'to');
  if (typeof from !== 'string' && typeof to !== 'string') return undefined;
  const low = typeof from === 'string' ? Number(from) : Number.NEGATIVE_INFINITY;
  const high = typeof to === 'string' ? Number(to) : Number.POSITIVE_INFINITY;
  return (value) => value !== null && value >= low && value <= high;
}

/** `filter[custom_fields_values]`: numeric keys filter, any other key is silently ignored, as integrators found. */
export function fieldTests(node: QueryNode | undefined): ((fields: FieldValues) => boolean)[] {
  if (typeof node !== 'object') return [];
  return Object.entries(node).flatMap(([key, wanted]) => {
    const id = Number(key);
    if (!Number.isInteger(id)) return [];
    const range = within(wanted);
    if (range) return [(fields: FieldValues) => (fields[id] ?? []).some((one) => range(Number(one.value)))];
    const values = new Set(strings(wanted));
    return [
      (fields: FieldValues) =>
        (fields[id] ?? []).some((one) => values.has(String(one.value)) || values.has(String(one.enum_id))),
    ];
  });
}

/** `order[key]=asc|desc` of the keys allowed; by ascending id otherwise. Ties go by id in the same direction. */
export function ordered<T extends { id: number }>(
  rows: T[],
  order: QueryNode | undefined,
  keys: readonly (keyof T & string)[],
): T[] {
  const key = keys.find((one) => typeof at(order, one) === 'string');
  const sign = key !== undefined && at(order, key) === 'desc' ? -1 : 1;
  return rows.sort((a, b) => {
    const difference = key === undefined ? 0 : Number(a[key]) - Number(b[key]);
    return sign * (difference === 0 ? a.id - b.id : difference);
  });
}
