import type { SandboxAnswer } from '../kit.ts';
import { page, problem, selfLink } from './answers.ts';
import type { Call } from './batch.ts';
import type { EventRow } from './model.ts';
import { at, commaStrings, type QueryNode, queryTree, within } from './query.ts';
import { isObject } from './reader.ts';

type EventTest = (event: EventRow) => boolean;

const MOST_A_PAGE = 100;

/** A string that sorts as the events happened, in the shape of the real ids. */
export function eventId(event: EventRow): string {
  return `01${event.id.toString(32).toUpperCase().padStart(24, '0')}`;
}

function renderEvent(call: Call, event: EventRow): unknown {
  const id = eventId(event);
  return {
    id,
    type: event.type,
    entity_id: event.entity_id,
    entity_type: event.entity_type,
    created_by: event.created_by,
    created_at: event.created_at,
    value_after: event.value_after,
    value_before: event.value_before,
    account_id: call.world.options.accountId,
    _links: selfLink(call.request, `/api/v4/events/${id}`),
    _embedded: { entity: { id: event.entity_id } },
  };
}

/** Newest first, 100 a page at most. */
export function getEvents(call: Call): SandboxAnswer {
  const filter = at(queryTree(call.request.query), 'filter');
  if (at(filter, 'entity_id') !== undefined && at(filter, 'entity') === undefined) {
    return problem(400, 'filter[entity_id] is allowed only together with filter[entity]');
  }
  const types = commaStrings(at(filter, 'type'));
  if (types && types.length > 1 && types.some((type) => FIELD_TYPE.test(type))) {
    return problem(400, 'custom_field_{id}_value_changed must be the only type');
  }
  const tests = eventTests(filter, types);
  const { world } = call;
  const rows = world.events
    .listed(world.options.listLagMs)
    .filter((event) => tests.every((test) => test(event)))
    .sort((a, b) => b.id - a.id);
  return page(call.request, 'events', rows, (event) => renderEvent(call, event), {
    max: MOST_A_PAGE,
    omitNext: world.options.omitNext,
  });
}

const FIELD_TYPE = /^custom_field_(\d+)_value_changed$/;

function eventTests(filter: QueryNode | undefined, types: string[] | undefined): EventTest[] {
  const tests: EventTest[] = [];
  const among = (node: QueryNode | undefined, value: (event: EventRow) => string) => {
    const wanted = commaStrings(node);
    if (wanted) tests.push((event) => wanted.includes(value(event)));
  };
  among(at(filter, 'id'), eventId);
  among(at(filter, 'entity'), (event) => event.entity_type);
  among(at(filter, 'entity_id'), (event) => String(event.entity_id));
  among(at(filter, 'created_by'), (event) => String(event.created_by));
  if (types) tests.push((event) => types.some((type) => isOfType(event, type)));
  const since = at(filter, 'created_at');
  const range = typeof since === 'string' ? within({ from: since }) : within(since);
  if (range) tests.push((event) => range(event.created_at));
  for (const side of ['value_before', 'value_after'] as const) {
    const pairs = at(filter, side, 'leads_statuses');
    if (typeof pairs === 'object')
      tests.push((event) => Object.values(pairs).some((pair) => atStage(event[side], pair)));
  }
  return tests;
}

function isOfType(event: EventRow, type: string): boolean {
  const field = FIELD_TYPE.exec(type)?.[1];
  if (field === undefined) return event.type === type;
  const values = [...event.value_after, ...event.value_before];
  return event.type === 'custom_field_value_changed' && values.some((value) => fieldOf(value) === Number(field));
}

function fieldOf(value: unknown): unknown {
  const changed = isObject(value) ? value.custom_field_value : undefined;
  return isObject(changed) ? changed.field_id : undefined;
}

function atStage(values: readonly unknown[], pair: QueryNode): boolean {
  return values.some((value) => {
    const stage = isObject(value) ? value.lead_status : undefined;
    if (!isObject(stage)) return false;
    return String(stage.id) === at(pair, 'status_id') && String(stage.pipeline_id) === at(pair, 'pipeline_id');
  });
}
