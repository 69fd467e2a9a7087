import { castRef, type OnecEntity } from './api.ts';
import { type ReaderContext, unlessRefused } from './context.ts';
import { refOf, typeOf } from './schema.ts';

/**
 * Whether 1C finds records of a register by a composite reference: a form of filter that it does not understand gives an empty
 * answer and no error (seen in the wild). Asked once with a record that is known to stand there, and remembered for this base.
 */
export async function trustsCast(context: ReaderContext, set: string, dimension: string): Promise<boolean> {
  return context.once(`trust:${set}:${dimension}`, async () => {
    const key = `onec:cast:${context.hash}:${set}:${dimension}`;
    const known = await context.cache.fact(key);
    if (known !== undefined) return known === 'yes';
    const select = [dimension, `${dimension}_Type`];
    const [sample] = await context.odata.list(set, { select, top: 1 });
    // Nothing stands there, so nothing can be overlooked.
    if (sample === undefined) return true;
    const [ref, type] = [refOf(sample, dimension), typeOf(sample, dimension)];
    if (ref === undefined || type === '') return false;
    const query = { filter: `${dimension} eq ${castRef(ref, type)}`, select, top: 1 };
    const rows: OnecEntity[] = (await unlessRefused(context.odata.list(set, query))) ?? [];
    const honest = rows.some((row) => refOf(row, dimension) === ref);
    await context.cache.setFact(key, honest ? 'yes' : 'no');
    return honest;
  });
}
