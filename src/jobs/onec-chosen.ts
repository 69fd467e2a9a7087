import type { OnecHead } from '../domain/onec.ts';
import type { OnecReader } from '../systems/onec/api.ts';

/** What an operator's choice of documents came to. */
export interface Chosen {
  heads: readonly OnecHead[];
  /** Names that say no document, or not which one. */
  problems: readonly { name: string; reason: string }[];
}

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Documents by their numbers or references. Numbers begin anew each year, and each kind has its own: of one kind the newest
 * is meant, and where both kinds have the number, only a reference tells which.
 */
export async function chosenDocuments(reader: OnecReader, names: readonly string[]): Promise<Chosen> {
  const heads = new Map<string, OnecHead>();
  const problems: { name: string; reason: string }[] = [];
  for (const name of names) {
    const found = GUID.test(name) ? [await reader.head(name)] : newest(await reader.headsByNumber(name));
    const [head, other] = found.filter((one) => one !== undefined);
    if (head === undefined) problems.push({ name, reason: '1C has no such work order or customer order' });
    else if (other !== undefined) problems.push({ name, reason: severalText([head, other]) });
    else if (head.deletionMark) problems.push({ name, reason: 'the document is marked for deletion' });
    else heads.set(head.ref, head);
  }
  return { heads: [...heads.values()], problems };
}

function newest(heads: readonly OnecHead[]): OnecHead[] {
  const usable = heads.filter(({ deletionMark }) => !deletionMark);
  const ofType = (type: OnecHead['type']) =>
    (usable.length > 0 ? usable : heads).filter((head) => head.type === type).toSorted(byDate)[0] ?? [];
  return [ofType('workOrder'), ofType('customerOrder')].flat();
}

function byDate(a: OnecHead, b: OnecHead): number {
  return b.date.localeCompare(a.date, 'en');
}

function severalText(heads: readonly OnecHead[]): string {
  const said = heads.map(({ type, date, ref }) => `${type} of ${date.slice(0, 10)} is ${ref}`);
  return `both kinds have a document of this number; name it by its reference: ${said.join(', ')}`;
}
