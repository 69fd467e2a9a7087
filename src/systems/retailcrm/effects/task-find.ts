import type { Look } from '../../../domain/handler.ts';
import type { Task } from '../orders.ts';
import type { RetailEffectOptions } from './context.ts';

const MAX_PAGES = 50;

interface Wanted {
  /** Words, of which a person may have written others before and after. */
  marker: string;
  customerId: number | undefined;
}

/**
 * Looks tasks up by the marker in their commentary. What `filter[customer]` means is not documented: its answer settles what it
 * shows, and shows that something is not there only if it shows others of that very customer. For everything else the whole list is walked.
 */
export function taskFinder({ crm, signal }: RetailEffectOptions) {
  async function find(wanted: readonly Wanted[], since: Date): Promise<(marker: string) => Look> {
    const ids = new Map<string, number>();
    const absent = new Set<string>();
    const visit = (task: Task) => {
      const marker = wanted.find((one) => isIn(task.commentary ?? '', one.marker))?.marker;
      if (marker !== undefined) ids.set(marker, Math.min(task.id, ids.get(marker) ?? task.id));
    };
    for (const [customerId, markers] of byCustomer(wanted)) {
      if (markers.every((marker) => ids.has(marker))) continue;
      let control = false;
      const isWhole = await walk(customerId, since, (task) => {
        control ||= task.customerId === customerId;
        visit(task);
      });
      if (isWhole && control) for (const marker of markers) absent.add(marker);
    }
    const open = wanted.some(({ marker }) => !ids.has(marker) && !absent.has(marker));
    const isWhole = open && (await walk(undefined, since, visit));
    return (marker) => {
      const id = ids.get(marker);
      if (id !== undefined) return { state: 'found', remoteId: String(id) };
      if (isWhole || absent.has(marker)) return { state: 'absent' };
      return { state: 'unknown', reason: `the list of tasks is longer than ${MAX_PAGES} pages` };
    };
  }

  /** True where all tasks made since then were seen: the list came to its end, or runs from the newest back to before. */
  async function walk(customerId: number | undefined, since: Date, visit: (task: Task) => void): Promise<boolean> {
    let pages = 0;
    let last: Task | undefined;
    let isNewestFirst = true;
    for await (const { rows } of crm.tasksOf(customerId)) {
      for (const task of rows) {
        visit(task);
        isNewestFirst &&= last === undefined || task.id < last.id;
        last = task;
      }
      pages += 1;
      const isPast = last?.createdAt !== undefined && last.createdAt < since;
      if (isNewestFirst && isPast) return true;
      if (pages >= MAX_PAGES && rows.length > 0) return false;
      if (signal.aborted) return false;
    }
    return true;
  }

  return { find };
}

/** `pbx1:17` is none of `pbx1:171`'s, and blanks may have become others. */
function isIn(text: string, marker: string): boolean {
  return ` ${text.replace(/\s+/g, ' ')} `.includes(` ${marker} `);
}

function byCustomer(wanted: readonly Wanted[]): Map<number, string[]> {
  const groups = new Map<number, string[]>();
  for (const { marker, customerId } of wanted) {
    if (customerId !== undefined) groups.set(customerId, [...(groups.get(customerId) ?? []), marker]);
  }
  return groups;
}
