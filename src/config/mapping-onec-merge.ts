import { type OnecPreset, onecBase, onecPresets } from './onec-presets.ts';
import { isMap } from './shape.ts';

type Written = Record<string, unknown>;

/** The ways in which a thing of a catalog is found. */
export const WAYS = ['guid', 'code', 'description', 'predefined'] as const;

/** The preset where the operator names none; the edition that this exchange was first made for. */
export const USUAL_PRESET = 'alfa-auto-6';

/**
 * What the operator wrote, laid over the names of the preset key by key, to be read as if all of it stood in the file.
 * `null` takes a name of the preset away; a whole part that was left empty is left to the preset.
 */
export function laidOver(own: unknown): unknown {
  if (!isMap(own)) return own;
  const preset = presetOf(own.preset);
  const parts = Object.fromEntries(Object.entries(own).filter(([, part]) => part !== null));
  return merged(merged(onecBase, preset.source), withSets(parts, preset.sets));
}

/** Parts of the mapping that hold names of 1C. */
const NAMES = ['documents', 'catalogs', 'properties'] as const;

/** Where the operator's names are not the preset's; `usual`: the names of properties that hold for every preset. */
export function namedByOperator(own: unknown, usual: Readonly<Record<string, unknown>>): string[] {
  if (!isMap(own)) return [];
  const before = laidOver({ preset: own.preset });
  const after = laidOver(own);
  if (!isMap(before) || !isMap(after)) return [];
  return NAMES.flatMap((part) =>
    changedLeaves(part === 'properties' ? merged(usual, before[part]) : before[part], after[part], `onec.${part}`),
  );
}

function changedLeaves(before: unknown, after: unknown, path: string): string[] {
  if (isMap(after)) {
    return Object.entries(after).flatMap(([key, value]) =>
      changedLeaves(isMap(before) ? ownOf(before, key) : undefined, value, `${path}.${key}`),
    );
  }
  return typeof after === 'string' && after !== before ? [path] : [];
}

/** A preset that there is not is a fault of its own, and no reason to call every name missing. */
function presetOf(name: unknown): OnecPreset {
  const known = Object.entries(onecPresets).find(([one]) => one === name);
  return known?.[1] ?? onecPresets[USUAL_PRESET];
}

function merged(base: unknown, own: unknown): unknown {
  if (own === undefined) return base;
  if (!isMap(base)) return own;
  // `maker: Catalog_X` is short for `maker: { set: Catalog_X }`, all else as in the preset.
  if (typeof own === 'string' && 'set' in base && !hasWay(base)) return { ...base, set: own };
  if (!isMap(own)) return own;
  // Another way of finding a thing, or another kind of state, stands instead of the preset's, never beside it.
  if (hasWay(own)) return 'set' in base ? { set: base.set, ...own } : own;
  if ('kind' in own && own.kind !== base.kind) return own;
  const keys = [...new Set([...Object.keys(base), ...Object.keys(own)])];
  return Object.fromEntries(keys.map((key) => [key, merged(ownOf(base, key), ownOf(own, key))]));
}

function ownOf(map: Written, key: string): unknown {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function hasWay(map: Written): boolean {
  return WAYS.some((way) => Object.hasOwn(map, way));
}

/** Says of every default where it stands, unless the operator did; an operation may be given by its predefined name alone. */
function withSets(parts: Written, sets: OnecPreset['sets']): Written {
  if (!isMap(parts.defaults)) return parts;
  const { operation, ...roles } = parts.defaults;
  const places: Readonly<Record<string, string | undefined>> = sets;
  const defaults: Written = Object.fromEntries(
    Object.entries(roles).map(([role, found]) => [role, inSet(found, ownOf(places, role))]),
  );
  if (isMap(operation)) {
    defaults.operation = Object.fromEntries(
      Object.entries(operation).map(([type, found]) => [
        type,
        inSet(typeof found === 'string' ? { predefined: found } : found, sets.operation),
      ]),
    );
  } else if (operation !== undefined) {
    defaults.operation = operation;
  }
  return { ...parts, defaults };
}

function inSet(found: unknown, set: unknown): unknown {
  return isMap(found) && typeof set === 'string' ? { set, ...found } : found;
}
