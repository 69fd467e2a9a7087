import type { SandboxAnswer, SandboxRequest } from '../kit.ts';
import { problem } from './answers.ts';
import type { Call } from './batch.ts';
import { getCard, getCards, patchCard, patchCards, postCards, postComplex } from './cards.ts';
import {
  getCatalog,
  getCatalogs,
  getElement,
  getElements,
  patchElement,
  patchElements,
  postElements,
} from './catalogs.ts';
import { getEvents } from './events.ts';
import { getLinks, postLinks, postUnlinks } from './link-routes.ts';
import { getNote, getNotes, patchNotes, postNotes } from './notes.ts';
import {
  deleteWebhook,
  getAccount,
  getField,
  getFields,
  getLossReasons,
  getPipeline,
  getPipelines,
  getStatus,
  getStatuses,
  getTags,
  getUser,
  getUsers,
  getWebhooks,
  postFields,
  postTags,
  postWebhook,
} from './reference.ts';
import { getTask, getTasks, patchTask, patchTasks, postTasks } from './tasks.ts';

type RouteHandler = (call: Call) => SandboxAnswer;

interface Route {
  method: string;
  /** As counted: `GET /api/v4/leads/{id}` for deals, contacts and companies apart. */
  template: string;
  pattern: RegExp;
  handler: RouteHandler;
}

/** `{type}` stands for a kind of card, any other name for a number. */
function route(line: string, handler: RouteHandler): Route {
  const [method = '', path = ''] = line.split(' ');
  const template = `/api/v4${path}`;
  const source = template.replace(/\{(\w+)\}/g, (_, name: string) =>
    name === 'type' ? '(?<type>leads|contacts|companies)' : `(?<${name}>\\d+)`,
  );
  return { method, template, pattern: new RegExp(`^${source}$`), handler };
}

const ROUTES: readonly Route[] = [
  route('GET /account', getAccount),
  route('GET /{type}', getCards),
  route('POST /{type}', postCards),
  route('PATCH /{type}', patchCards),
  route('POST /leads/complex', postComplex),
  route('GET /{type}/{id}', getCard),
  route('PATCH /{type}/{id}', patchCard),
  route('POST /{type}/link', postLinks),
  route('POST /{type}/unlink', postUnlinks),
  route('GET /{type}/links', getLinks),
  route('POST /{type}/{id}/link', postLinks),
  route('POST /{type}/{id}/unlink', postUnlinks),
  route('GET /{type}/{id}/links', getLinks),
  route('GET /{type}/notes', getNotes),
  route('POST /{type}/notes', postNotes),
  route('PATCH /{type}/notes', patchNotes),
  route('GET /{type}/notes/{note}', getNote),
  route('GET /{type}/{id}/notes', getNotes),
  route('POST /{type}/{id}/notes', postNotes),
  route('GET /{type}/{id}/notes/{note}', getNote),
  route('GET /{type}/tags', getTags),
  route('POST /{type}/tags', postTags),
  route('GET /{type}/custom_fields', getFields),
  route('POST /{type}/custom_fields', postFields),
  route('GET /{type}/custom_fields/{field}', getField),
  route('GET /leads/pipelines', getPipelines),
  route('GET /leads/pipelines/{id}', getPipeline),
  route('GET /leads/pipelines/{id}/statuses', getStatuses),
  route('GET /leads/pipelines/{id}/statuses/{status}', getStatus),
  route('GET /leads/loss_reasons', getLossReasons),
  route('GET /users', getUsers),
  route('GET /users/{id}', getUser),
  route('GET /catalogs', getCatalogs),
  route('GET /catalogs/{id}', getCatalog),
  route('GET /catalogs/{id}/custom_fields', getFields),
  route('POST /catalogs/{id}/custom_fields', postFields),
  route('GET /catalogs/{id}/custom_fields/{field}', getField),
  route('GET /catalogs/{id}/elements', getElements),
  route('POST /catalogs/{id}/elements', postElements),
  route('PATCH /catalogs/{id}/elements', patchElements),
  route('GET /catalogs/{id}/elements/{element}', getElement),
  route('PATCH /catalogs/{id}/elements/{element}', patchElement),
  route('GET /tasks', getTasks),
  route('POST /tasks', postTasks),
  route('PATCH /tasks', patchTasks),
  route('GET /tasks/{id}', getTask),
  route('PATCH /tasks/{id}', patchTask),
  route('GET /events', getEvents),
  route('GET /webhooks', getWebhooks),
  route('POST /webhooks', postWebhook),
  route('DELETE /webhooks', deleteWebhook),
];

export interface Matched {
  /** The name under which the request is counted. */
  name: string;
  params: Record<string, string>;
  handler: RouteHandler;
}

/** The route of a request; for an unknown path or method, one that says so. */
export function matchRoute(request: SandboxRequest): Matched {
  let known = false;
  for (const one of ROUTES) {
    const match = one.pattern.exec(request.path);
    if (!match) continue;
    known = true;
    if (one.method !== request.method) continue;
    const params = { ...match.groups };
    const name = one.template.replace('{type}', params.type ?? '{type}');
    return { name: `${one.method} ${name}`, params, handler: one.handler };
  }
  const refusal = known ? problem(405, 'Method Not Allowed') : problem(404, `Cannot ${request.method} ${request.path}`);
  return { name: `${request.method} (unknown)`, params: {}, handler: () => refusal };
}
