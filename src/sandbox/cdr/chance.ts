export interface Chance {
  /** 0 to below 1. */
  next(): number;
  /** 0 to limit − 1. */
  below(limit: number): number;
  /** Whole, both ends included. */
  between(least: number, most: number): number;
  pick<T>(items: readonly T[], fallback: T): T;
}

/** Mulberry32: the same on every machine, which `Math.random` is not. */
export function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    next,
    below,
    between: (least, most) => least + below(most - least + 1),
    pick: (items, fallback) => items[below(items.length)] ?? fallback,
  };
}

/** Items with weights; those of weight 0 never come. */
export function wheel<T>(weights: readonly (readonly [item: T, weight: number])[], fallback: T): (random: Chance) => T {
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return (random) => {
    let at = random.next() * total;
    for (const [item, weight] of weights) {
      at -= weight;
      if (at < 0) return item;
    }
    return fallback;
  };
}
