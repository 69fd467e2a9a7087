import { searchArticle } from '../../domain/onec.ts';
import type { OnecEntity } from './api.ts';
import { byRef, onecRef, type ReaderContext, type ThingReader } from './context.ts';
import { fold, textLiteral } from './filters.ts';
import type { MarkReader } from './marks.ts';
import { orFilters } from './query.ts';
import { flagOf, refOf, textOf } from './schema.ts';

/** An item of goods. `unit` is the unit's name, `unitRef` what rows of documents refer to. */
export interface OnecItem {
  ref: string;
  code: string;
  article: string;
  maker: string;
  name: string;
  unit: string;
  unitRef?: string;
}

export interface OnecWork {
  ref: string;
  code: string;
  article: string;
  name: string;
}

/** Items and works of documents, and the look for ones that exist already. */
export function itemReader(context: ReaderContext, things: ThingReader, marks: MarkReader) {
  const { odata, mapping } = context;
  const { item, work, maker, unit } = mapping.catalogs;
  const ids = new Map<string, number | undefined>();

  /** Ids of amoCRM, asked for once a run. */
  async function amoIds(set: string, refs: readonly string[]): Promise<Map<string, number>> {
    const missing = refs.filter((ref) => !ids.has(ref));
    const known = await marks.marks(set, missing);
    for (const ref of missing) ids.set(ref, known.get(ref)?.amoId);
    const found = new Map<string, number>();
    for (const ref of refs) {
      const id = ids.get(ref);
      if (id !== undefined) found.set(ref, id);
    }
    return found;
  }

  async function namesOf(set: string | undefined, refs: Iterable<string | undefined>): Promise<Map<string, string>> {
    const rows = set === undefined ? [] : await things(set, refs);
    return new Map([...rows].map(([ref, row]) => [ref, textOf(row, 'Description')]));
  }

  /** An item whose maker 1C would not show cannot be told from others of its article: it is not shown either. */
  async function described(rows: ReadonlyMap<string, OnecEntity>): Promise<Map<string, OnecItem>> {
    const makers = await namesOf(
      maker?.set,
      [...rows.values()].map((row) => refOf(row, item.maker)),
    );
    for (const [ref, row] of rows) {
      const refusal = context.hidden.get(refOf(row, item.maker) ?? '');
      if (refusal !== undefined) context.hidden.set(ref, refusal);
    }
    const units = await namesOf(
      unit?.set,
      [...rows.values()].map((row) => refOf(row, item.unit)),
    );
    const items = new Map<string, OnecItem>();
    for (const [ref, row] of [...rows].filter(([one]) => !context.hidden.has(one))) {
      const unitRef = refOf(row, item.lineUnit ?? item.unit);
      items.set(ref, {
        ...onecRef(ref, row),
        article: textOf(row, item.article),
        maker: makers.get(refOf(row, item.maker) ?? '') ?? '',
        unit: units.get(refOf(row, item.unit) ?? '') ?? '',
        ...(unitRef === undefined ? {} : { unitRef }),
      });
    }
    return items;
  }

  /** What may stand for something already: one that is not shown may be the very one, so that nothing can be decided. */
  async function candidates(rows: readonly OnecEntity[]): Promise<OnecItem[]> {
    const items = await described(byRef(rows));
    const refusal = [...byRef(rows).keys()].map((ref) => context.hidden.get(ref)).find((one) => one !== undefined);
    if (refusal !== undefined) throw refusal;
    return oldestFirst(items.values());
  }

  /** Rows of a catalog that fit one of the terms; folders and marked ones left out. `fits` checks what 1C's filter should have. */
  async function search(
    set: string,
    terms: Iterable<string>,
    fits: (row: OnecEntity) => boolean,
  ): Promise<OnecEntity[]> {
    const rows: OnecEntity[] = [];
    for (const filter of orFilters([...new Set(terms)])) rows.push(...(await odata.list(set, { filter })));
    return rows.filter((row) => !flagOf(row, 'IsFolder') && !flagOf(row, 'DeletionMark') && fits(row));
  }

  /** By the article's search form, which 1C keeps beside it; where it was never filled, by the article as it is written. */
  async function itemsByArticle(articles: readonly string[]): Promise<OnecItem[]> {
    const wanted = new Map(articles.map((article) => [searchArticle(article), article]));
    wanted.delete('');
    const formOf = (row: OnecEntity) => searchArticle(textOf(row, item.article) || textOf(row, item.searchArticle));
    const fits = (row: OnecEntity) => wanted.has(formOf(row));
    const rows: OnecEntity[] = [];
    if (item.searchArticle !== undefined) {
      const terms = [...wanted.keys()].map((form) => `${item.searchArticle} eq ${textLiteral(form)}`);
      rows.push(...(await search(item.set, terms, fits)));
    }
    const found = new Set(rows.map(formOf));
    const left = [...wanted].filter(([form]) => !found.has(form));
    if (item.article !== undefined) {
      const terms = left.flatMap(([form, article]) =>
        [...new Set([article.trim(), form])].map((text) => `${item.article} eq ${textLiteral(text)}`),
      );
      rows.push(...(await search(item.set, terms, fits)));
    }
    return candidates(rows);
  }

  /** By article or by code, which stands for a work's article where it has none. */
  async function worksByArticle(articles: readonly string[]): Promise<OnecEntity[]> {
    const wanted = new Set(articles.map((article) => article.trim()).filter((article) => article !== ''));
    const forms = new Set([...wanted].map(searchArticle));
    const fits = (row: OnecEntity) =>
      wanted.has(textOf(row, 'Code')) || forms.has(searchArticle(textOf(row, work.article)));
    const fields = ['Code', ...(work.article === undefined ? [] : [work.article])];
    const terms = [...wanted].flatMap((article) => fields.map((name) => `${name} eq ${textLiteral(article)}`));
    const rows = await search(work.set, terms, fits);
    const found = new Set(rows.map((row) => textOf(row, 'Code')));
    const articlesFound = new Set(rows.map((row) => searchArticle(textOf(row, work.article))));
    const left = [...wanted].filter((article) => !found.has(article) && !articlesFound.has(searchArticle(article)));
    // Codes of fixed length are filled with blanks, which some bases compare and some do not.
    rows.push(
      ...(await search(
        work.set,
        left.map((article) => `startswith(Code,${textLiteral(article)})`),
        fits,
      )),
    );
    return rows;
  }

  const byName = (set: string, names: readonly string[]) => {
    const wanted = new Set(names.map(fold).filter((name) => name !== ''));
    const terms = names
      .filter((name) => name.trim() !== '')
      .map((name) => `Description eq ${textLiteral(name.trim())}`);
    return search(set, terms, (row) => wanted.has(fold(textOf(row, 'Description'))));
  };

  return {
    amoIds,
    namesOf,
    items: async (refs: Iterable<string | undefined>) => {
      const names = [item.article, item.maker, item.unit, item.lineUnit].filter((name) => name !== undefined);
      return described(await things(item.set, refs, ['Ref_Key', 'Code', 'Description', ...names]));
    },
    workItems: async (refs: Iterable<string | undefined>): Promise<Map<string, OnecWork>> => {
      const select = ['Ref_Key', 'Code', 'Description', ...(work.article === undefined ? [] : [work.article])];
      const rows = await things(work.set, refs, select);
      return new Map([...rows].map(([ref, row]) => [ref, workFrom(context, ref, row)]));
    },
    itemsByArticle,
    itemsByName: async (names: readonly string[]) => candidates(await byName(item.set, names)),
    works: async (wanted: { articles: readonly string[]; names: readonly string[] }): Promise<OnecWork[]> => {
      const rows = [...(await worksByArticle(wanted.articles)), ...(await byName(work.set, wanted.names))];
      return oldestFirst([...byRef(rows)].map(([ref, row]) => workFrom(context, ref, row)));
    },
    /** By the name as it was asked for. */
    makersByName: async (names: readonly string[]): Promise<Map<string, string>> => {
      const rows = maker === undefined ? [] : await byName(maker.set, names);
      const refs = new Map<string, string>();
      for (const { name, ref } of oldestFirst([...byRef(rows)].map(([key, row]) => onecRef(key, row)))) {
        if (!refs.has(fold(name))) refs.set(fold(name), ref);
      }
      return new Map(
        names.flatMap((name) => {
          const ref = refs.get(fold(name));
          return ref === undefined ? [] : [[name, ref] as const];
        }),
      );
    },
  };
}

export type ItemReader = ReturnType<typeof itemReader>;

function workFrom({ mapping }: ReaderContext, ref: string, row: OnecEntity): OnecWork {
  return { ...onecRef(ref, row), article: textOf(row, mapping.catalogs.work.article) };
}

function oldestFirst<T extends { code: string; ref: string }>(things: Iterable<T>): T[] {
  return [...things].sort((a, b) => a.code.localeCompare(b.code, 'en') || a.ref.localeCompare(b.ref, 'en'));
}
