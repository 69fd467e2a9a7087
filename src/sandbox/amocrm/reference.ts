import type { SandboxAnswer } from '../kit.ts';
import { hal, noContent, page, problem, selfLink } from './answers.ts';
import { type Call, idParam, readBatch } from './batch.ts';
import { tagByName } from './card-apply.ts';
import { typeParam } from './cards.ts';
import { catalogOwner } from './catalogs.ts';
import { TOKEN_USER } from './defaults.ts';
import type { CustomField, FieldOwner, Pipeline, Status, User } from './model.ts';
import { at, queryTree, strings } from './query.ts';
import type { Reader } from './reader.ts';
import { fieldsOf } from './world.ts';

export function getAccount(call: Call): SandboxAnswer {
  const { options } = call.world;
  const parts = new Set((call.request.query.get('with') ?? '').split(','));
  const enabled =
    options.apiFilterEnabled === 'auto' ? options.filters === 'honoured' : options.apiFilterEnabled === 'yes';
  return hal({
    id: options.accountId,
    name: 'Демо',
    subdomain: options.subdomain,
    current_user_id: TOKEN_USER,
    country: 'KZ',
    currency: 'KZT',
    currency_symbol: '₸',
    customers_mode: 'disabled',
    is_unsorted_on: true,
    is_loss_reason_enabled: true,
    ...(parts.has('is_api_filter_enabled') ? { is_api_filter_enabled: enabled } : {}),
    ...(parts.has('version') ? { version: 14 } : {}),
    _links: selfLink(call.request, '/api/v4/account'),
    _embedded: {
      ...(parts.has('datetime_settings')
        ? { datetime_settings: { date_pattern: 'd.m.Y H:i', timezone: options.timezone, timezone_offset: '+05:00' } }
        : {}),
      ...(parts.has('task_types')
        ? {
            task_types: [
              { id: 1, name: 'Связаться' },
              { id: 2, name: 'Встреча' },
            ],
          }
        : {}),
      ...(parts.has('users_groups') ? { users_groups: [{ id: 0, name: 'Отдел продаж' }] } : {}),
      ...(parts.has('invoices_settings') ? { invoices_settings: { lang: 'ru', invoices_catalog_id: null } } : {}),
    },
  });
}

function renderStatus(call: Call, pipeline: Pipeline, status: Status): unknown {
  return {
    ...status,
    pipeline_id: pipeline.id,
    account_id: call.world.options.accountId,
    _links: selfLink(call.request, `/api/v4/leads/pipelines/${pipeline.id}/statuses/${status.id}`),
  };
}

function renderPipeline(call: Call, pipeline: Pipeline): unknown {
  const { statuses, ...rest } = pipeline;
  return {
    ...rest,
    account_id: call.world.options.accountId,
    _links: selfLink(call.request, `/api/v4/leads/pipelines/${pipeline.id}`),
    _embedded: { statuses: statuses.map((status) => renderStatus(call, pipeline, status)) },
  };
}

/** Reference lists come whole, with their number. */
function whole(call: Call, name: string, rows: readonly unknown[]): SandboxAnswer {
  if (rows.length === 0) return noContent();
  return hal({
    _total_items: rows.length,
    _links: selfLink(call.request, call.request.path),
    _embedded: { [name]: rows },
  });
}

export function getPipelines(call: Call): SandboxAnswer {
  return whole(
    call,
    'pipelines',
    call.world.pipelines.map((pipeline) => renderPipeline(call, pipeline)),
  );
}

function pipelineOf(call: Call): Pipeline | undefined {
  return call.world.pipelines.find((pipeline) => pipeline.id === idParam(call));
}

export function getPipeline(call: Call): SandboxAnswer {
  const pipeline = pipelineOf(call);
  return pipeline ? hal(renderPipeline(call, pipeline)) : noContent();
}

export function getStatuses(call: Call): SandboxAnswer {
  const pipeline = pipelineOf(call);
  return pipeline
    ? whole(
        call,
        'statuses',
        pipeline.statuses.map((status) => renderStatus(call, pipeline, status)),
      )
    : noContent();
}

export function getStatus(call: Call): SandboxAnswer {
  const pipeline = pipelineOf(call);
  const status = pipeline?.statuses.find((one) => one.id === idParam(call, 'status'));
  return pipeline && status ? hal(renderStatus(call, pipeline, status)) : noContent();
}

export function getLossReasons(call: Call): SandboxAnswer {
  return page(call.request, 'loss_reasons', call.world.lossReasons, (reason) => reason, call.world.options);
}

function renderUser(call: Call, user: User): unknown {
  return {
    id: user.id,
    name: user.name,
    email: user.email,
    lang: 'ru',
    rights: {
      is_admin: user.is_admin,
      is_free: false,
      is_active: user.is_active,
      group_id: null,
      role_id: null,
      catalog_access: user.is_admin,
    },
    _links: selfLink(call.request, `/api/v4/users/${user.id}`),
  };
}

export function getUsers(call: Call): SandboxAnswer {
  return page(call.request, 'users', call.world.users, (user) => renderUser(call, user), call.world.options);
}

export function getUser(call: Call): SandboxAnswer {
  const user = call.world.users.find((one) => one.id === idParam(call));
  return user ? hal(renderUser(call, user)) : noContent();
}

/** The custom fields' owner that the path names: a kind of card, or the catalog of that id. */
function ownerOf(call: Call): FieldOwner {
  return call.params.type === undefined ? catalogOwner(idParam(call)) : typeParam(call);
}

function renderField(call: Call, field: CustomField): unknown {
  const { owner, enums, ...rest } = field;
  return {
    ...rest,
    entity_type: owner.startsWith('catalog:') ? 'catalogs' : owner,
    is_predefined: field.code !== null,
    is_deletable: field.code === null,
    is_visible: true,
    is_required: false,
    is_computed: false,
    group_id: null,
    required_statuses: [],
    hidden_statuses: [],
    enums: enums.length > 0 ? enums : null,
    account_id: call.world.options.accountId,
    _links: selfLink(call.request, `${call.request.path}/${field.id}`),
  };
}

export function getFields(call: Call): SandboxAnswer {
  const types = strings(at(queryTree(call.request.query), 'filter', 'type'));
  const rows = fieldsOf(call.world, ownerOf(call)).filter((field) => !types || types.includes(field.type));
  return page(call.request, 'custom_fields', rows, (field) => renderField(call, field), call.world.options);
}

export function getField(call: Call): SandboxAnswer {
  const field = fieldsOf(call.world, ownerOf(call)).find((one) => one.id === idParam(call, 'field'));
  return field ? hal(renderField(call, field)) : noContent();
}

function parseField(call: Call, item: Reader): CustomField {
  item.only(['name', 'type', 'code', 'is_api_only', 'sort', 'enums', 'group_id', 'request_id']);
  const name = item.string('name') ?? '';
  const type = item.string('type') ?? '';
  if (name === '') item.fault('InvalidType', 'name', 'This value should not be blank.');
  if (type === '') item.fault('InvalidType', 'type', 'This value should not be blank.');
  const enums = item.objects('enums') ?? [];
  return {
    id: 0,
    owner: ownerOf(call),
    name,
    type,
    code: item.string('code') ?? null,
    sort: item.integer('sort') ?? 500,
    is_api_only: item.boolean('is_api_only') ?? false,
    enums: enums.map((one, i) => ({ id: 0, value: one.string('value') ?? '', sort: one.integer('sort') ?? i + 1 })),
  };
}

export function postFields(call: Call): SandboxAnswer {
  const batch = readBatch(call, 250, (item) => parseField(call, item));
  if ('refused' in batch) return batch.refused;
  const made = batch.items.map(({ draft, requestId }) => {
    const id = call.world.nextId('fields');
    const field = { ...draft, id, enums: draft.enums.map((one) => ({ ...one, id: call.world.nextId('fields') })) };
    call.world.fields.push(field);
    return { ...(renderField(call, field) as object), request_id: requestId };
  });
  return hal({ _total_items: made.length, _embedded: { custom_fields: made } }, 201);
}

export function getTags(call: Call): SandboxAnswer {
  const tree = queryTree(call.request.query);
  const ids = strings(at(tree, 'filter', 'id'));
  const names = strings(at(tree, 'filter', 'name'));
  const query = call.request.query.get('query') ?? '';
  const rows = call.world.tags[typeParam(call)].filter(
    (tag) =>
      (!ids || ids.includes(String(tag.id))) &&
      (!names || names.includes(tag.name)) &&
      tag.name.toLowerCase().includes(query.toLowerCase()),
  );
  return page(call.request, 'tags', rows, (tag) => ({ ...tag, color: null }), call.world.options);
}

export function postTags(call: Call): SandboxAnswer {
  const batch = readBatch(call, 250, (item) => {
    item.only(['name', 'color', 'request_id']);
    const name = item.string('name');
    if (!name) item.fault('InvalidType', 'name', 'This value should not be blank.');
    return name;
  });
  if ('refused' in batch) return batch.refused;
  const made = batch.items.map(({ draft, requestId }) => ({
    ...tagByName(call.world, typeParam(call), draft),
    request_id: requestId,
  }));
  return hal({ _total_items: made.length, _embedded: { tags: made } });
}

export function getWebhooks(call: Call): SandboxAnswer {
  const wanted = strings(at(queryTree(call.request.query), 'filter', 'destination'));
  const rows = call.world.webhooks.filter((hook) => !wanted || wanted.includes(hook.destination));
  return whole(
    call,
    'webhooks',
    rows.map((hook) => renderWebhook(call, hook)),
  );
}

function renderWebhook(call: Call, hook: (typeof call.world.webhooks)[number]): unknown {
  return { ...hook, account_id: call.world.options.accountId, created_by: TOKEN_USER, disabled: false };
}

/** Registers a destination, or changes the one of the same address. Nothing is delivered from here. */
export function postWebhook(call: Call): SandboxAnswer {
  const body = call.request.body as { destination?: unknown; settings?: unknown; sort?: unknown } | undefined;
  const destination = body?.destination;
  const settings = body?.settings;
  if (
    typeof destination !== 'string' ||
    !URL.canParse(destination) ||
    !Array.isArray(settings) ||
    settings.length === 0
  ) {
    return problem(400, 'destination and settings are required');
  }
  const { world } = call;
  const now = world.seconds();
  const known = world.webhooks.find((hook) => hook.destination === destination);
  const hook = {
    id: known?.id ?? world.nextId('webhooks'),
    destination,
    settings: settings.map(String),
    sort: typeof body?.sort === 'number' ? body.sort : 10,
    created_at: known?.created_at ?? now,
    updated_at: now,
  };
  world.webhooks = [...world.webhooks.filter((one) => one !== known), hook];
  return hal(renderWebhook(call, hook), 201);
}

export function deleteWebhook(call: Call): SandboxAnswer {
  const body = call.request.body as { destination?: unknown } | undefined;
  const left = call.world.webhooks.filter((hook) => hook.destination !== body?.destination);
  if (left.length === call.world.webhooks.length) return problem(404, 'Webhook not found');
  call.world.webhooks = left;
  return noContent();
}
