import type { SandboxAnswer } from '../kit.ts';
import { hal, noContent, page, problem, selfLink } from './answers.ts';
import { type Call, idParam, inAnswerOrder, readBatch, readSingle } from './batch.ts';
import { parseUser } from './card-draft.ts';
import { TOKEN_USER } from './defaults.ts';
import { ENTITY_TYPES, type EntityType, EVENT_ENTITY, type Task } from './model.ts';
import { at, ordered, queryTree, strings, within } from './query.ts';
import type { Reader } from './reader.ts';
import { liveCard, type World } from './world.ts';

const TASK_KEYS = [
  'id',
  'text',
  'complete_till',
  'entity_id',
  'entity_type',
  'task_type_id',
  'responsible_user_id',
  'duration',
  'is_completed',
  'result',
  'created_by',
  'updated_by',
  'created_at',
  'updated_at',
  'request_id',
];

const NO_CHOICE = 'The value you selected is not a valid choice.';

function blankTask(world: World): Task {
  const now = world.seconds();
  return {
    id: 0,
    entity_type: null,
    entity_id: null,
    text: '',
    complete_till: now,
    task_type_id: 1,
    responsible_user_id: TOKEN_USER,
    duration: 0,
    is_completed: false,
    result: null,
    created_by: TOKEN_USER,
    updated_by: TOKEN_USER,
    created_at: now,
    updated_at: now,
  };
}

function parseTarget(world: World, item: Reader, before: Task): Pick<Task, 'entity_type' | 'entity_id'> {
  const id = item.integer('entity_id');
  const type = item.string('entity_type');
  if (id === undefined && type === undefined) return { entity_type: before.entity_type, entity_id: before.entity_id };
  const known = ENTITY_TYPES.find((one) => one === type);
  if (!known) item.fault('NotSupportedChoice', 'entity_type', NO_CHOICE);
  if (!known || id === undefined || !liveCard(world, known, id))
    item.fault('NotSupportedChoice', 'entity_id', NO_CHOICE);
  return { entity_type: known ?? null, entity_id: id ?? null };
}

/** `before` undefined: a new task, which needs its text and its term. */
function parseTask(world: World, item: Reader, known: Task | undefined): Task {
  item.only(TASK_KEYS);
  const before = known ?? blankTask(world);
  if (!known && !item.string('text')) item.fault('InvalidType', 'text', 'This value should not be blank.');
  if (!known && !item.has('complete_till'))
    item.fault('InvalidType', 'complete_till', 'This value should not be blank.');
  const result = item.object('result')?.string('text');
  return {
    ...before,
    ...parseTarget(world, item, before),
    text: item.string('text') ?? before.text,
    complete_till: item.integer('complete_till') ?? before.complete_till,
    task_type_id: item.integer('task_type_id') ?? before.task_type_id,
    responsible_user_id: parseUser(world, item, 'responsible_user_id', false) ?? before.responsible_user_id,
    duration: item.integer('duration') ?? before.duration,
    is_completed: item.boolean('is_completed') ?? before.is_completed,
    result: result === undefined ? before.result : { text: result },
    created_by: parseUser(world, item, 'created_by', true) ?? before.created_by,
    updated_by: parseUser(world, item, 'updated_by', true) ?? TOKEN_USER,
    created_at: item.integer('created_at') ?? before.created_at,
    updated_at: world.seconds(),
  };
}

/** Stores a task; without an id it gets one. */
function putTask(world: World, draft: Task): Task {
  const before = world.tasks.get(draft.id);
  const task = before ? draft : { ...draft, id: world.nextId('tasks') };
  world.tasks.put(task);
  const type = before ? (task.is_completed && !before.is_completed ? 'task_completed' : undefined) : 'task_added';
  if (type && task.entity_type && task.entity_id !== null) {
    world.record({ type, entityType: EVENT_ENTITY[task.entity_type], entityId: task.entity_id, by: task.updated_by });
  }
  return task;
}

function renderTask(call: Call, task: Task): unknown {
  return {
    ...task,
    group_id: 0,
    result: task.result ?? [],
    account_id: call.world.options.accountId,
    _links: selfLink(call.request, `/api/v4/tasks/${task.id}`),
  };
}

export function getTasks(call: Call): SandboxAnswer {
  const tree = queryTree(call.request.query);
  const filter = at(tree, 'filter');
  const type = strings(at(filter, 'entity_type')) as EntityType[] | undefined;
  // The real list takes entity ids only together with their type.
  const sets: [keyof Task, string[] | undefined][] = [
    ['id', strings(at(filter, 'id'))],
    ['entity_type', type],
    ['entity_id', type && strings(at(filter, 'entity_id'))],
    ['responsible_user_id', strings(at(filter, 'responsible_user_id'))],
    ['task_type_id', strings(at(filter, 'task_type_id')) ?? strings(at(filter, 'task_type'))],
    ['is_completed', strings(at(filter, 'is_completed'))?.map((one) => String(one === '1' || one === 'true'))],
  ];
  const range = within(at(filter, 'updated_at'));
  const rows = call.world.tasks
    .listed(call.world.options.listLagMs)
    .filter(
      (task) =>
        sets.every(([key, wanted]) => !wanted || wanted.includes(String(task[key]))) &&
        (!range || range(task.updated_at)),
    );
  const sorted = ordered(rows, at(tree, 'order'), ['created_at', 'complete_till', 'id']);
  return page(call.request, 'tasks', sorted, (task) => renderTask(call, task), call.world.options);
}

export function getTask(call: Call): SandboxAnswer {
  const task = call.world.tasks.get(idParam(call));
  return task ? hal(renderTask(call, task)) : noContent();
}

export function postTasks(call: Call): SandboxAnswer {
  return writeTasks(call, (item) => parseTask(call.world, item, undefined));
}

export function patchTasks(call: Call): SandboxAnswer {
  return writeTasks(call, (item) => {
    const known = call.world.tasks.get(item.integer('id') ?? 0);
    if (known) return parseTask(call.world, item, known);
    item.fault('NotSupportedChoice', 'id', NO_CHOICE);
    return undefined;
  });
}

function writeTasks(call: Call, parse: (item: Reader) => Task | undefined): SandboxAnswer {
  const batch = readBatch(call, 250, parse);
  if ('refused' in batch) return batch.refused;
  const done = batch.items.map(({ draft, requestId }) => {
    const { id, updated_at } = putTask(call.world, draft);
    return { id, updated_at, request_id: requestId, _links: selfLink(call.request, `/api/v4/tasks/${id}`) };
  });
  return hal({
    _links: selfLink(call.request, call.request.path),
    _embedded: { tasks: inAnswerOrder(call.world, done) },
  });
}

export function patchTask(call: Call): SandboxAnswer {
  const known = call.world.tasks.get(idParam(call));
  if (!known) return problem(404, 'Task not found');
  const single = readSingle(call, (item) => parseTask(call.world, item, known));
  if ('refused' in single) return single.refused;
  const { id, updated_at } = putTask(call.world, single.draft);
  return hal({ id, updated_at, _links: selfLink(call.request, `/api/v4/tasks/${id}`) });
}
