import type { Delivery } from '../../../domain/handler.ts';
import { type OnecLocal, searchArticle } from '../../../domain/onec.ts';
import { fold } from '../filters.ts';
import { groupBy, idOf, type OnecWriter } from './context.ts';
import type { CreatePayload } from './payloads.ts';

type Rule<By> = Extract<CreatePayload['find'], { by: By }>;
type Wish<By> = { id: number; delivery: Delivery; find: Rule<By> };

export function createOf(delivery: Delivery): CreatePayload {
  return delivery.row.payload as CreatePayload;
}

function wishes<By extends CreatePayload['find']['by']>(deliveries: readonly Delivery[], by: By): Wish<By>[] {
  return deliveries.flatMap((delivery) => {
    const { find } = createOf(delivery);
    return find.by === by ? [{ id: delivery.row.id, delivery, find: find as Rule<By> }] : [];
  });
}

/**
 * What stands in 1C for these effects by the rules by which people would know it: row id → references, the best one first.
 * Rows of which nothing is found are absent. A request for each kind of rule and each twenty values.
 */
export async function findStanding(
  writer: OnecWriter,
  deliveries: readonly Delivery[],
): Promise<Map<number, readonly string[]>> {
  const found = [
    ...(await findClients(writer, wishes(deliveries, 'contact'))),
    ...(await findItems(writer, wishes(deliveries, 'article'))),
    ...(await findWorks(writer, wishes(deliveries, 'work'))),
    ...(await findContracts(writer, wishes(deliveries, 'owner'))),
    ...(await findDocuments(writer, wishes(deliveries, 'marker'))),
  ];
  return new Map(found.filter(([, refs]) => refs.length > 0));
}

type Hits = [number, readonly string[]][];

async function findClients({ reader }: OnecWriter, wanted: readonly Wish<'contact'>[]): Promise<Hits> {
  const phones = wanted.flatMap(({ find }) => find.phone ?? []);
  const emails = wanted.flatMap(({ find }) => find.email ?? []);
  if (phones.length + emails.length === 0) return [];
  const index = await reader.clientsByContact({ phones, emails });
  return wanted.map(({ id, find }) => {
    const byPhone = find.phone === undefined ? [] : (index.phone.get(find.phone) ?? []);
    const byEmail = find.email === undefined ? [] : (index.email.get(find.email) ?? []);
    // The phone says more than the e-mail, which a family or an office may share.
    return [id, byPhone.length > 0 ? byPhone : byEmail];
  });
}

async function findItems({ reader, mapping }: OnecWriter, wanted: readonly Wish<'article'>[]): Promise<Hits> {
  if (wanted.length === 0) return [];
  const articles = wanted.map(({ find }) => find.article).filter(Boolean);
  const names = wanted.filter(({ find }) => find.article === '').map(({ find }) => find.name);
  const byArticle = articles.length === 0 ? [] : await reader.itemsByArticle([...new Set(articles)]);
  const byName = names.length === 0 ? [] : await reader.itemsByName([...new Set(names)]);
  return wanted.map(({ id, find }) => {
    if (find.article === '') return [id, refsOf(byName.filter(({ name }) => fold(name) === fold(find.name)))];
    const same = byArticle.filter(({ article }) => searchArticle(article) === searchArticle(find.article));
    const ofMaker = same.filter(({ maker }) => fold(maker) === fold(find.maker));
    const strict = mapping.export.matchItemsBy === 'article+maker' && find.maker !== '';
    return [id, refsOf(strict || ofMaker.length > 0 ? ofMaker : same)];
  });
}

/** By article or code, for a work's code stands for its article; else by name. */
async function findWorks({ reader }: OnecWriter, wanted: readonly Wish<'work'>[]): Promise<Hits> {
  if (wanted.length === 0) return [];
  const works = await reader.works({
    articles: [...new Set(wanted.map(({ find }) => find.article).filter(Boolean))],
    names: [...new Set(wanted.map(({ find }) => find.name).filter(Boolean))],
  });
  return wanted.map(({ id, find }) => {
    const article = searchArticle(find.article);
    const byArticle = works.filter(
      (work) => article !== '' && [work.article, work.code].map(searchArticle).includes(article),
    );
    const byName = works.filter(({ name }) => fold(name) === fold(find.name));
    return [id, refsOf(byArticle.length > 0 ? byArticle : byName)];
  });
}

async function findContracts({ reader }: OnecWriter, wanted: readonly Wish<'owner'>[]): Promise<Hits> {
  if (wanted.length === 0) return [];
  const owners = new Map(wanted.map(({ id, delivery, find }) => [id, idOf(delivery, find.clientKey)]));
  // 1C may have made one by itself together with the client, so that even new clients are asked for theirs.
  const contracts = await reader.contractsOf([...new Set(owners.values())]);
  return [...owners].map(([id, owner]) => [id, contracts.get(owner) ?? []]);
}

async function findDocuments(writer: OnecWriter, wanted: readonly Wish<'marker'>[]): Promise<Hits> {
  const hits: Hits = [];
  for (const [type, group] of groupBy(wanted, ({ find }) => find.type)) {
    const set = writer.mapping.documents[type]?.set;
    if (set === undefined) continue;
    const marked = await writer.reader.markedDocuments(type, earliest(group.map(({ find }) => find.from)));
    const refs = group.flatMap(({ find }) => marked.get(find.dealId) ?? []);
    const standing = await writer.living.of(refs.map((ref) => ({ set, ref })));
    for (const { id, find } of group)
      hits.push([id, [marked.get(find.dealId) ?? ''].filter((ref) => standing.has(ref))]);
  }
  return hits;
}

/** Local times compare as text. */
export function earliest(times: readonly OnecLocal[]): OnecLocal {
  return [...times].sort()[0] ?? '';
}

function refsOf(things: readonly { ref: string }[]): string[] {
  return things.map(({ ref }) => ref);
}
