import type { SandboxAnswer } from '../kit.ts';
import { hal, noContent, page, problem, selfLink } from './answers.ts';
import { type Call, idParam, inAnswerOrder, readBatch } from './batch.ts';
import { parseUser } from './card-draft.ts';
import { typeParam } from './cards.ts';
import { TOKEN_USER } from './defaults.ts';
import { type EntityType, EVENT_ENTITY, type Note } from './model.ts';
import { at, ordered, queryTree, strings, within } from './query.ts';
import { isObject, type Reader } from './reader.ts';
import { liveCard, type World } from './world.ts';

/** The text keys that each type must have; what else stands in `params` is kept as it came. */
const REQUIRED: Record<string, readonly string[]> = {
  common: ['text'],
  call_in: ['uniq', 'duration', 'source', 'phone'],
  call_out: ['uniq', 'duration', 'source', 'phone'],
  service_message: ['service', 'text'],
  extended_service_message: ['service', 'text'],
  invoice_paid: ['service', 'text'],
  bill_paid: ['service', 'text'],
  message_cashier: ['status', 'text'],
  sms_in: ['text', 'phone'],
  sms_out: ['text', 'phone'],
  geolocation: ['text', 'address'],
  site_visit: ['url'],
  attachment: ['file_uuid', 'file_name'],
};

const NOTE_KEYS = [
  'id',
  'entity_id',
  'note_type',
  'params',
  'request_id',
  'created_by',
  'updated_by',
  'created_at',
  'updated_at',
  'responsible_user_id',
  'is_need_to_trigger_digital_pipeline',
];

const NO_CHOICE = 'The value you selected is not a valid choice.';

/** What a new note is made of. */
interface NoteDraft {
  entity_id: number;
  note_type: string;
  params: Record<string, unknown>;
  responsible_user_id: number | undefined;
  created_by: number | undefined;
  created_at: number | undefined;
  triggers: boolean;
}

function parseNote(call: Call, item: Reader): NoteDraft | undefined {
  item.only(NOTE_KEYS);
  const type = typeParam(call);
  const entityId = call.params.id === undefined ? item.integer('entity_id') : idParam(call);
  if (entityId === undefined || !liveCard(call.world, type, entityId))
    item.fault('NotSupportedChoice', 'entity_id', NO_CHOICE);
  const noteType = item.string('note_type');
  const required = noteType === undefined ? undefined : REQUIRED[noteType];
  if (!required) item.fault('NotSupportedChoice', 'note_type', NO_CHOICE);
  const params = parseParams(item, required ?? []);
  if (entityId === undefined || noteType === undefined || !params) return undefined;
  return {
    entity_id: entityId,
    note_type: noteType,
    params,
    responsible_user_id: parseUser(call.world, item, 'responsible_user_id', false),
    created_by: parseUser(call.world, item, 'created_by', true),
    created_at: item.integer('created_at'),
    triggers: item.boolean('is_need_to_trigger_digital_pipeline') ?? true,
  };
}

function parseParams(item: Reader, required: readonly string[]): Record<string, unknown> | undefined {
  const params = item.raw('params');
  if (!isObject(params)) {
    item.fault('InvalidType', 'params', 'This value should be of type object.');
    return undefined;
  }
  for (const key of required) {
    const value = params[key];
    const filled = key === 'duration' ? Number.isInteger(value) : typeof value === 'string' && value !== '';
    if (!filled) item.fault('InvalidType', `params.${key}`, 'This value should not be blank.');
  }
  return params;
}

/** Stores a note; an identical one beside it changes nothing about that. */
function createNote(world: World, type: EntityType, draft: NoteDraft): Note {
  const now = world.seconds();
  const by = draft.created_by ?? TOKEN_USER;
  const note: Note = {
    id: world.nextId('notes'),
    entity_type: type,
    entity_id: draft.entity_id,
    note_type: draft.note_type,
    params: draft.params,
    responsible_user_id: draft.responsible_user_id ?? TOKEN_USER,
    created_by: by,
    updated_by: by,
    created_at: draft.created_at ?? now,
    updated_at: now,
    triggers_digital_pipeline: draft.triggers,
  };
  world.notes.put(note);
  const kind = note.note_type === 'common' ? 'common_note_added' : 'service_note_added';
  const value = [{ note: { id: note.id } }];
  world.record({ type: kind, entityType: EVENT_ENTITY[type], entityId: note.entity_id, by, after: value });
  return note;
}

function renderNote(call: Call, note: Note): unknown {
  const { triggers_digital_pipeline: _, entity_type: type, ...rest } = note;
  return {
    ...rest,
    group_id: 0,
    account_id: call.world.options.accountId,
    _links: selfLink(call.request, `/api/v4/${type}/${note.entity_id}/notes/${note.id}`),
  };
}

export function getNotes(call: Call): SandboxAnswer {
  const type = typeParam(call);
  const tree = queryTree(call.request.query);
  const filter = at(tree, 'filter');
  const own = call.params.id;
  const sets = {
    id: strings(at(filter, 'id')),
    entity_id: own === undefined ? strings(at(filter, 'entity_id')) : [own],
    note_type: strings(at(filter, 'note_type')),
  };
  const range = within(at(filter, 'updated_at'));
  const rows = call.world.notes
    .listed(call.world.options.listLagMs)
    .filter(
      (note) =>
        note.entity_type === type &&
        (!sets.id || sets.id.includes(String(note.id))) &&
        (!sets.entity_id || sets.entity_id.includes(String(note.entity_id))) &&
        (!sets.note_type || sets.note_type.includes(note.note_type)) &&
        (!range || range(note.updated_at)),
    );
  const sorted = ordered(rows, at(tree, 'order'), ['updated_at', 'id']);
  return page(call.request, 'notes', sorted, (note) => renderNote(call, note), call.world.options);
}

export function getNote(call: Call): SandboxAnswer {
  const note = call.world.notes.get(idParam(call, 'note'));
  return note && note.entity_type === typeParam(call) ? hal(renderNote(call, note)) : noContent();
}

export function postNotes(call: Call): SandboxAnswer {
  const type = typeParam(call);
  const batch = readBatch(call, 250, (item) => parseNote(call, item));
  if ('refused' in batch) return batch.refused;
  const made = batch.items.map(({ draft, requestId }) => {
    const note = createNote(call.world, type, draft);
    const path = `/api/v4/${type}/${note.entity_id}/notes/${note.id}`;
    return { id: note.id, entity_id: note.entity_id, request_id: requestId, _links: selfLink(call.request, path) };
  });
  return hal({
    _links: selfLink(call.request, call.request.path),
    _embedded: { notes: inAnswerOrder(call.world, made) },
  });
}

export function patchNotes(call: Call): SandboxAnswer {
  const type = typeParam(call);
  const batch = readBatch(call, 250, (item) => {
    item.only(NOTE_KEYS);
    const note = call.world.notes.get(item.integer('id') ?? 0);
    if (!note || note.entity_type !== type) {
      item.fault('NotSupportedChoice', 'id', NO_CHOICE);
      return undefined;
    }
    const params = item.has('params') ? parseParams(item, REQUIRED[note.note_type] ?? []) : note.params;
    return params && { ...note, params, updated_at: call.world.seconds() };
  });
  if ('refused' in batch) return batch.refused;
  const done = batch.items.map(({ draft, requestId }) => {
    call.world.notes.put(draft);
    return { id: draft.id, entity_id: draft.entity_id, updated_at: draft.updated_at, request_id: requestId };
  });
  if (done.length === 0) return problem(400, 'Nothing to change');
  return hal({
    _links: selfLink(call.request, call.request.path),
    _embedded: { notes: inAnswerOrder(call.world, done) },
  });
}
