import type { SandboxAnswer } from '../kit.ts';
import { hal, noContent, page, problem, selfLink } from './answers.ts';
import { type Call, idParam, inAnswerOrder, readBatch, readSingle } from './batch.ts';
import { matchesText } from './card-list.ts';
import { TOKEN_USER } from './defaults.ts';
import { applyFields, type FieldChanges, parseFields, renderFields } from './fields.ts';
import type { Catalog, CatalogElement, FieldOwner } from './model.ts';
import { at, ordered, queryTree, strings } from './query.ts';
import type { Reader } from './reader.ts';
import { liveElement, type World } from './world.ts';

export function catalogOwner(catalogId: number): FieldOwner {
  return `catalog:${catalogId}`;
}

function renderCatalog(call: Call, catalog: Catalog): unknown {
  return {
    ...catalog,
    can_add_elements: true,
    can_show_in_cards: false,
    can_link_multiple: true,
    can_be_deleted: catalog.type === 'regular',
    sdk_widget_code: null,
    created_by: TOKEN_USER,
    updated_by: TOKEN_USER,
    account_id: call.world.options.accountId,
    _links: selfLink(call.request, `/api/v4/catalogs/${catalog.id}`),
  };
}

export function getCatalogs(call: Call): SandboxAnswer {
  const type = call.request.query.get('type');
  const rows = call.world.catalogs.filter((catalog) => type === null || catalog.type === type);
  return page(call.request, 'catalogs', rows, (catalog) => renderCatalog(call, catalog), call.world.options);
}

function catalogOf(call: Call): Catalog | undefined {
  return call.world.catalogs.find((catalog) => catalog.id === idParam(call));
}

export function getCatalog(call: Call): SandboxAnswer {
  const catalog = catalogOf(call);
  return catalog ? hal(renderCatalog(call, catalog)) : noContent();
}

function renderElement(call: Call, element: CatalogElement): Record<string, unknown> {
  const path = `/api/v4/catalogs/${element.catalog_id}/elements/${element.id}`;
  return {
    id: element.id,
    catalog_id: element.catalog_id,
    name: element.name,
    created_by: element.created_by,
    updated_by: element.updated_by,
    created_at: element.created_at,
    updated_at: element.updated_at,
    is_deleted: element.is_deleted,
    custom_fields_values: renderFields(call.world, catalogOwner(element.catalog_id), element.fields),
    account_id: call.world.options.accountId,
    _links: selfLink(call.request, path),
  };
}

/** Elements have no filter but the ids; any other is silently ignored. */
export function getElements(call: Call): SandboxAnswer {
  const { world, request } = call;
  const catalog = catalogOf(call);
  if (!catalog) return noContent();
  const query = request.query.get('query') ?? '';
  const { listLagMs, searchLagMs } = world.options;
  const ids = strings(at(queryTree(request.query), 'filter', 'id'));
  const wanted = ids && new Set(ids);
  const seen = world.elements.listed(query === '' ? listLagMs : Math.max(listLagMs, searchLagMs));
  const rows = seen.filter(
    (element) =>
      element.catalog_id === catalog.id &&
      !element.is_deleted &&
      (!wanted || wanted.has(String(element.id))) &&
      (query === '' || matchesText(element, query)),
  );
  return page(
    request,
    'elements',
    ordered(rows, undefined, []),
    (element) => renderElement(call, element),
    world.options,
  );
}

export function getElement(call: Call): SandboxAnswer {
  const element = liveElement(call.world, idParam(call, 'element'), idParam(call));
  return element ? hal(renderElement(call, element)) : noContent();
}

/** What a POST or PATCH asks of an element. */
export interface ElementDraft {
  name: string | undefined;
  fields: FieldChanges | undefined;
  before: CatalogElement | undefined;
}

const ELEMENT_KEYS = ['id', 'name', 'custom_fields_values', 'request_id', 'created_by', 'updated_by', 'currency_id'];

function parseElement(call: Call, item: Reader, catalogId: number, before?: CatalogElement): ElementDraft {
  item.only(ELEMENT_KEYS);
  const name = item.string('name');
  if (!before && !name) item.fault('InvalidType', 'name', 'This value should not be blank.');
  return { name, fields: parseFields(call.world, catalogOwner(catalogId), item), before };
}

/** Stores a new or changed element. */
export function putElement(world: World, catalogId: number, draft: ElementDraft, by = TOKEN_USER): CatalogElement {
  const now = world.seconds();
  const id = draft.before?.id ?? world.nextId('elements');
  const before = draft.before && (world.elements.get(id) ?? draft.before);
  const element: CatalogElement = {
    ...(before ?? { id, catalog_id: catalogId, created_by: by, created_at: now, is_deleted: false }),
    name: draft.name ?? before?.name ?? '',
    updated_by: by,
    updated_at: now,
    fields: applyFields(before?.fields ?? {}, draft.fields),
  };
  world.elements.put(element);
  return element;
}

export function postElements(call: Call): SandboxAnswer {
  const catalog = catalogOf(call);
  if (!catalog) return problem(404, 'Catalog not found');
  return writeElements(call, catalog, (item) => parseElement(call, item, catalog.id));
}

export function patchElements(call: Call): SandboxAnswer {
  const catalog = catalogOf(call);
  if (!catalog) return problem(404, 'Catalog not found');
  return writeElements(call, catalog, (item) => {
    const id = item.integer('id');
    const before = id === undefined ? undefined : liveElement(call.world, id, catalog.id);
    if (before) return parseElement(call, item, catalog.id, before);
    item.fault('NotSupportedChoice', 'id', 'The value you selected is not a valid choice.');
    return undefined;
  });
}

function writeElements(call: Call, catalog: Catalog, parse: (item: Reader) => ElementDraft | undefined): SandboxAnswer {
  const batch = readBatch(call, 250, parse);
  if ('refused' in batch) return batch.refused;
  const done = batch.items.map(({ draft, requestId }) => ({
    ...renderElement(call, putElement(call.world, catalog.id, draft)),
    request_id: requestId,
  }));
  return hal({
    _links: selfLink(call.request, call.request.path),
    _embedded: { elements: inAnswerOrder(call.world, done) },
  });
}

export function patchElement(call: Call): SandboxAnswer {
  const catalogId = idParam(call);
  const before = liveElement(call.world, idParam(call, 'element'), catalogId);
  if (!before) return problem(404, 'Element not found');
  const single = readSingle(call, (item) => parseElement(call, item, catalogId, before));
  if ('refused' in single) return single.refused;
  return hal(renderElement(call, putElement(call.world, catalogId, single.draft)));
}
