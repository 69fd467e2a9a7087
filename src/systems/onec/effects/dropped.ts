import { RemoteError } from '../../../base/remote-error.ts';
import type { OnecMapping } from '../../../config/mapping-onec-types.ts';
import type { Report } from '../../../domain/handler.ts';
import type { OnecEntity } from '../api.ts';
import { METADATA_FACT } from '../names.ts';
import { type Difference, differences } from './body.ts';
import type { OnecWriter } from './context.ts';

/** So many objects of each set are read back after the first writes, and again after a change of the configuration. */
const READ_BACK = 3;

interface Written {
  set: string;
  ref: string;
  sent: OnecEntity;
  answer: OnecEntity;
}

const WORDS: Record<Difference['how'], string> = {
  absent: 'does not show it: the property is unknown there, or not published',
  cut: 'has cut it: the text is too long for it',
  empty: 'shows it empty: the value does not fit its type, or 1C has cleared it',
  other: 'shows another value than was sent',
};

/**
 * What 1C has dropped of a new object, with an answer of success: told once for a property. The answer is compared always; the
 * first objects are read again as well, for an answer may echo what was not stored.
 */
export async function readBack(writer: OnecWriter, written: Written): Promise<Report[]> {
  const found = new Map<string, Difference>();
  for (const one of differences(written.sent, written.answer)) found.set(one.property, one);
  const stored = await storedObject(writer, written);
  for (const one of stored === undefined ? [] : differences(written.sent, stored)) found.set(one.property, one);
  const expected = recomputed(writer.mapping, written.set);
  return [...found.values()]
    .filter(({ property, how }) => !(how === 'other' && expected.has(property)))
    .map(({ property, how }) => ({
      kind: 'onec_dropped',
      subject: `${written.set}.${property}`,
      message: `1C: ${written.set}.${property} was sent, but 1C ${WORDS[how]}; check it in the mapping with \`sdelka doctor\``,
    }));
}

async function storedObject({ odata, memory }: OnecWriter, { set, ref }: Written): Promise<OnecEntity | undefined> {
  const key = `onec_read_back:${set}`;
  const hash = (await memory.fact(METADATA_FACT)) ?? '';
  const [of, times] = ((await memory.fact(key)) ?? ':0').split(':');
  const count = of === hash ? Number(times) : 0;
  if (count >= READ_BACK) return undefined;
  try {
    const stored = await odata.get(set, ref);
    await memory.setFact(key, `${hash}:${count + 1}`);
    return stored;
  } catch (error) {
    // The object stands and its answer was whole: a failing read must not put that in doubt. A later object is read instead.
    if (error instanceof RemoteError) return undefined;
    throw error;
  }
}

/** What 1C sets by itself: the author to its current user, the sum from the rows (seen in Alfa-Auto 6.1). */
function recomputed({ documents }: OnecMapping, set: string): ReadonlySet<string> {
  const mapping = Object.values(documents).find((one) => one?.set === set);
  return new Set([mapping?.author, mapping?.amount].filter((name) => name !== undefined));
}
