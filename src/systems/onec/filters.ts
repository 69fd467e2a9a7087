import type { OnecLocal } from '../../domain/onec.ts';

/** OData literals; an apostrophe inside a text is doubled (1C developer's guide, 17.4). */
export const textLiteral = (text: string): string => `'${text.replaceAll("'", "''")}'`;
export const dateLiteral = (local: OnecLocal): string => `datetime'${local}'`;

/** More terms than this in one filter make URLs that web servers before 1C refuse (seen in the wild). */
export const BATCH = 20;

export function chunks<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size));
  return parts;
}

/** How names are compared: case, ё and runs of blanks do not tell two apart. */
export function fold(name: string): string {
  return name.trim().replace(/\s+/g, ' ').toLowerCase().replaceAll('ё', 'е');
}
