import type { CdrRow } from '../../../domain/call.ts';
import { compare, textOf } from '../rows.ts';

/** Order of time; rows that start at once in an order of their own that is always the same. */
export function inOrder(one: CdrRow, other: CdrRow): number {
  return (
    +one.start - +other.start ||
    compare(one.uniqueid, other.uniqueid) ||
    (one.sequence ?? 0) - (other.sequence ?? 0) ||
    compare(textOf(one), textOf(other))
  );
}

/** Rows that wait for their turn: in the hour that comes twice the order of local times is not that of time. */
export class Pending {
  #rows: CdrRow[] = [];

  add(rows: readonly CdrRow[]): void {
    for (const row of rows) this.#rows.push(row);
  }

  /** Rows that start up to an instant, sorted; nothing that comes later may be earlier. Yields no empty chunk. */
  *upTo(instantMs: number): Generator<readonly CdrRow[]> {
    this.#rows.sort(inOrder);
    const first = this.#rows.findIndex(({ start }) => +start > instantMs);
    const due = first === -1 ? this.#rows : this.#rows.slice(0, first);
    this.#rows = first === -1 ? [] : this.#rows.slice(first);
    if (due.length > 0) yield due;
  }
}
