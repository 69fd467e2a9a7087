import type { OnecDocumentMapping, OnecState } from '../../config/mapping-onec-types.ts';
import { EMPTY_DATE, type OnecDocumentType, type OnecLocal, type OnecRef } from '../../domain/onec.ts';
import { castRef, type OnecEntity } from './api.ts';
import { collect, DAY_MS, onecRef, type ReaderContext, type ThingReader } from './context.ts';
import { BATCH, chunks, dateLiteral } from './filters.ts';
import { DOCUMENT_TYPES } from './heads.ts';
import { dateOf, flagOf, refOf, textOf, typeOf } from './schema.ts';
import { trustsCast } from './trust.ts';

interface StateRow extends OnecRef {
  predefined: string;
  marked: boolean;
}

const PERIOD = 'Period';

/** States of documents, which stand in a field or are the latest record of a register. */
export function stateReader(context: ReaderContext, things: ThingReader) {
  const { odata, mapping } = context;

  const listed = (catalog: string): Promise<StateRow[]> =>
    context.once(`states:${catalog}`, () =>
      context.cache.cached(`onec:states:${context.hash}:${catalog}`, DAY_MS, async () => {
        const rows = await collect(odata.pages(catalog, { orderby: 'Description', pageSize: 200 }));
        return rows.flatMap((row) => {
          const ref = refOf(row, 'Ref_Key');
          if (ref === undefined || flagOf(row, 'IsFolder')) return [];
          return [
            {
              ...onecRef(ref, row),
              predefined: textOf(row, 'PredefinedDataName'),
              marked: flagOf(row, 'DeletionMark'),
            },
          ];
        });
      }),
    );

  /** Names of states; one that was added after the catalog was read is asked for by itself. */
  async function named(catalog: string, refs: ReadonlySet<string>): Promise<Map<string, OnecRef>> {
    const found = new Map<string, OnecRef>();
    if (refs.size === 0) return found;
    for (const { ref, code, name } of await listed(catalog)) if (refs.has(ref)) found.set(ref, { ref, code, name });
    const unknown = [...refs].filter((ref) => !found.has(ref));
    for (const [ref, row] of await things(catalog, unknown)) found.set(ref, onecRef(ref, row));
    return found;
  }

  /** The state of each of these rows of documents; absent where a document has none. */
  async function statesOf(names: OnecDocumentMapping, rows: readonly OnecEntity[]): Promise<Map<string, OnecRef>> {
    const { state } = names;
    const states = new Map<string, OnecRef>();
    if (state === undefined || rows.length === 0) return states;
    const values =
      state.kind === 'field'
        ? rows.map((row) => [refOf(row, 'Ref_Key'), row[state.field]] as const)
        : await latest(state, names, rows);
    const refs = new Set(values.flatMap(([, value]) => refOf({ value: value ?? null }, 'value') ?? []));
    const catalog = await named(state.catalog, refs);
    for (const [document, value] of values) {
      if (document === undefined) continue;
      const ref = refOf({ value: value ?? null }, 'value');
      const known = ref === undefined ? undefined : catalog.get(ref);
      // States may be an enumeration, whose values OData gives by their names (1C developer's guide, 17.4).
      const text =
        ref === undefined && state.kind === 'field' && !state.field.endsWith('_Key')
          ? textOf({ value: value ?? null }, 'value')
          : '';
      if (known !== undefined) states.set(document, known);
      else if (text !== '') states.set(document, { ref: text, code: '', name: text });
    }
    return states;
  }

  async function latest(
    state: OnecState & { kind: 'register' },
    names: OnecDocumentMapping,
    rows: readonly OnecEntity[],
  ) {
    const refs = rows.flatMap((row) => refOf(row, 'Ref_Key') ?? []);
    const wanted = new Set(refs);
    const newest = new Map<string, { at: OnecLocal; value: OnecEntity[string] }>();
    for (const record of await recordsOf(state, names, rows, refs)) {
      const [ref, at] = [refOf(record, state.object), dateOf(record, PERIOD) ?? ''];
      const type = typeOf(record, state.object);
      if (ref === undefined || !wanted.has(ref) || (type !== '' && type !== names.set)) continue;
      const known = newest.get(ref);
      if (known === undefined || at >= known.at) newest.set(ref, { at, value: record[state.value] ?? null });
    }
    return [...newest].map(([ref, { value }]) => [ref, value] as const);
  }

  async function recordsOf(
    state: OnecState & { kind: 'register' },
    names: OnecDocumentMapping,
    rows: readonly OnecEntity[],
    refs: readonly string[],
  ): Promise<OnecEntity[]> {
    const single = state.object.endsWith('_Key');
    const select = [PERIOD, state.object, ...(single ? [] : [`${state.object}_Type`]), state.value];
    const records: OnecEntity[] = [];
    if (single || (await trustsCast(context, state.set, state.object))) {
      for (const some of chunks(refs, BATCH)) {
        const terms = some.map((ref) => `${state.object} eq ${single ? `guid'${ref}'` : castRef(ref, names.set)}`);
        records.push(...(await odata.list(state.set, { filter: terms.join(' or '), select })));
      }
      return records;
    }
    // A state is not older than its document, and its period is the document's date at the earliest (seen in Alfa-Auto 6.1).
    const [oldest = EMPTY_DATE] = rows.flatMap((row) => dateOf(row, names.date) ?? []).sort();
    const query = { filter: `${PERIOD} ge ${dateLiteral(oldest)}`, select, orderby: PERIOD, pageSize: 1000 };
    return collect(odata.pages(state.set, query));
  }

  return {
    statesOf,
    states: async (type: OnecDocumentType, refs: readonly string[]) => {
      const names = mapping.documents[type];
      const found = new Map<
        string,
        { state: OnecRef | undefined; dataVersion: string; posted: boolean; deletionMark: boolean }
      >();
      if (names === undefined || refs.length === 0) return found;
      const field = names.state?.kind === 'field' ? [names.state.field] : [];
      const select = [...new Set(['Ref_Key', 'DataVersion', 'DeletionMark', names.posted, names.date, ...field])];
      const rows = await odata.byRefs(names.set, [...new Set(refs)], select);
      const states = await statesOf(names, [...rows.values()]);
      for (const [ref, row] of rows) {
        found.set(ref, {
          state: states.get(ref),
          dataVersion: textOf(row, 'DataVersion'),
          posted: flagOf(row, names.posted),
          deletionMark: flagOf(row, 'DeletionMark'),
        });
      }
      return found;
    },
    /** By name and by predefined name in lower case; a marked state only where no other is called so. */
    statesByName: async (): Promise<ReadonlyMap<string, OnecRef>> => {
      const found = new Map<string, OnecRef>();
      const states = DOCUMENT_TYPES.flatMap((type) => mapping.documents[type]?.state ?? []);
      for (const catalog of new Set(states.map((state) => state.catalog).filter((set) => set !== ''))) {
        const rows = [...(await listed(catalog))].sort((a, b) => Number(a.marked) - Number(b.marked));
        for (const key of ['name', 'predefined'] as const) {
          for (const row of rows) {
            const name = row[key].toLowerCase();
            if (name !== '' && !found.has(name)) found.set(name, { ref: row.ref, code: row.code, name: row.name });
          }
        }
      }
      const enumerated = states.some((state) => state.kind === 'field' && !state.field.endsWith('_Key'));
      for (const { state } of enumerated ? mapping.statuses : []) {
        const name = state?.toLowerCase();
        if (state !== null && name !== undefined && !found.has(name))
          found.set(name, { ref: state, code: '', name: state });
      }
      return found;
    },
  };
}

export type StateReader = ReturnType<typeof stateReader>;
