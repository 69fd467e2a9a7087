import { createHash } from 'node:crypto';
import type { OnecMetadata } from './api.ts';

/**
 * Types and properties in the order in which they stand. The document of a trade configuration weighs up to 17 MB with some
 * four thousand types, of which only names are wanted: a scan over the text needs no tree and no library.
 */
const NAMED =
  /<(?:\w+:)?(EntityType|ComplexType|Property|NavigationProperty)\s(?:[^>]*?\s)?Name\s*=\s*["']([^"']+)["']/g;

/** A table part's rows: `Document_X_Товары_RowType`, a type of its own beside the read-only set `Document_X_Товары`. */
const ROW_TYPE = /_RowType$/;

/** The names that 1C's $metadata declares. Throws where the text is no such document. Pure. */
export function parseMetadata(xml: string): OnecMetadata {
  if (!/<(?:\w+:)?(?:Edmx|Schema)\b/i.test(xml.slice(0, 4096))) throw new Error('not a metadata document');
  const sets = new Map<string, Set<string>>();
  let current: Set<string> | undefined;
  for (const [, element = '', name = ''] of xml.matchAll(NAMED)) {
    if (element.endsWith('Type')) {
      const set = name.replace(ROW_TYPE, '');
      current = sets.get(set) ?? new Set();
      sets.set(set, current);
    } else current?.add(name);
  }
  return { hash: createHash('sha256').update(xml).digest('hex'), sets };
}
