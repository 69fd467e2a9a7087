import type { EntityType, Link, LinkTarget } from './model.ts';

/** Links between cards and to elements. A link stands under both of its ends, so that it is found from either. */
export interface LinkStore {
  of(type: LinkTarget, id: number): readonly Link[];
  add(link: Link): void;
  remove(link: Link): void;
  all(): Link[];
}

const RANK: Record<LinkTarget, number> = { leads: 0, contacts: 1, companies: 2, catalog_elements: 3 };

/** Which end owns the link; undefined where the two can't be linked. */
export function linkEnds(
  type: EntityType,
  id: number,
  toType: LinkTarget,
  toId: number,
): Pick<Link, 'from_type' | 'from_id' | 'to_type' | 'to_id'> | undefined {
  if (type === toType) return undefined;
  if (toType === 'catalog_elements' || RANK[type] < RANK[toType]) {
    return { from_type: type, from_id: id, to_type: toType, to_id: toId };
  }
  return { from_type: toType, from_id: toId, to_type: type, to_id: id };
}

export function linkStore(): LinkStore {
  const index = new Map<string, Set<Link>>();
  const all = new Set<Link>();
  const keys = (link: Link) => [`${link.from_type}:${link.from_id}`, `${link.to_type}:${link.to_id}`];
  return {
    of: (type, id) => [...(index.get(`${type}:${id}`) ?? [])],
    add: (link) => {
      all.add(link);
      for (const key of keys(link)) {
        const under = index.get(key);
        if (under) under.add(link);
        else index.set(key, new Set([link]));
      }
    },
    remove: (link) => {
      all.delete(link);
      for (const key of keys(link)) index.get(key)?.delete(link);
    },
    all: () => [...all],
  };
}
