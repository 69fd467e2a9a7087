import { html, problem } from './amocrm/answers.ts';
import { accept, type PartialWrite } from './amocrm/control.ts';
import { limiter } from './amocrm/limiter.ts';
import type { EntityType, Task } from './amocrm/model.ts';
import { oauth, type TokenPair } from './amocrm/oauth.ts';
import { type AmocrmOptions, DEFAULT_OPTIONS } from './amocrm/options.ts';
import { type Changes, edit, linkElement, merge, remove, type Target, unlinkElement } from './amocrm/person.ts';
import { matchRoute } from './amocrm/routes.ts';
import { type SeedContent, type SeededIds, seedContent } from './amocrm/seed.ts';
import {
  type AmocrmSnapshot,
  type CompanyView,
  type ContactView,
  companyViews,
  contactViews,
  type DealView,
  dealViews,
  type ElementView,
  type EventView,
  elementViews,
  eventViews,
  type LinkView,
  linkViews,
  type NoteView,
  noteViews,
  snapshotOf,
} from './amocrm/snapshot.ts';
import { createWorld } from './amocrm/world.ts';
import type { SandboxAnswer, SandboxRequest, Standin } from './kit.ts';

/** What a client has to be told to come in: the integration, a fresh pair, a code not yet used, and a long-lived token. */
interface AmocrmCredentials {
  client_id: string;
  client_secret: string;
  redirect_uri: string;
  code: string;
  access_token: string;
  refresh_token: string;
  long_lived_token: string;
}

/** amoCRM on loopback, written from what is known of the live system and from nothing of our client. */
export interface AmocrmStandin extends Standin {
  snapshot(): AmocrmSnapshot;
  /** The same strings at every call, until they are spent. */
  credentials(): AmocrmCredentials;
  issueCode(): string;
  issuePair(): TokenPair;
  /** `seconds` to live. */
  issueLongLived(seconds: number): string;
  /** Kills an access or refresh token at once. */
  revoke(token: string): void;
  /** Successful exchanges at the token endpoint. */
  exchanges(): { authorization_code: number; refresh_token: number };
  /** Puts content in and gives its ids; silent, as if it had always been there. */
  add(content: SeedContent): SeededIds;
  /** A person at the keyboard. `by` is the author, else the user that the tokens belong to. */
  edit(target: Target, set: Changes, by?: number): void;
  remove(target: Target, by?: number): void;
  merge(type: EntityType, ids: readonly number[], by?: number): void;
  link(lead: number, element: number, quantity: number, by?: number): void;
  unlink(lead: number, element: number, by?: number): void;
  /** Moves the account's clock: past a lag, a token's life, a block. */
  advance(ms: number): void;
  /** The next write that matches is applied in its first `count` items only, then answered 504. */
  partial(write: PartialWrite): void;
  unblock(): void;
  deals(): DealView[];
  contacts(): ContactView[];
  companies(): CompanyView[];
  elements(catalogId?: number): ElementView[];
  links(): LinkView[];
  notes(): NoteView[];
  tasks(): Task[];
  events(): EventView[];
  /** Requests that reached a route, by `METHOD /path` with `{id}` for ids; refused by 401, 403 or 429: not among them. */
  counts(): Record<string, number>;
  /** Answers of 429 and of 403 so far. */
  refusals(): { tooMany: number; blocked: number };
}

const TOKEN_PATH = '/oauth2/access_token';
const LONG_LIVED_SECONDS = 5 * 365 * 86_400;

export function amocrmStandin(options: Partial<AmocrmOptions> = {}): AmocrmStandin {
  const world = createWorld({ ...DEFAULT_OPTIONS, ...options });
  const auth = oauth(world);
  const limit = limiter(world);
  const counts = new Map<string, number>();
  const partials: PartialWrite[] = [];
  const ports = {
    world,
    partial: (write: PartialWrite) => {
      partials.push(write);
    },
    revoke: auth.revoke,
    unblock: limit.unblock,
  };
  const pair = auth.issuePair();
  const credentials: AmocrmCredentials = {
    client_id: world.options.clientId,
    client_secret: world.options.clientSecret,
    redirect_uri: world.options.redirectUri,
    code: auth.issueCode(),
    access_token: pair.access_token,
    refresh_token: pair.refresh_token,
    long_lived_token: auth.issueLongLived(LONG_LIVED_SECONDS),
  };

  function tally(name: string): void {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }

  function handle(request: SandboxRequest): SandboxAnswer {
    const blocked = limit.blocked();
    if (blocked) return blocked;
    if (request.path === TOKEN_PATH) {
      tally(`${request.method} ${TOKEN_PATH}`);
      return request.method === 'POST' ? auth.exchange(request) : problem(405, 'Method Not Allowed');
    }
    const bearer = auth.bearer(request);
    if ('refused' in bearer) return bearer.refused;
    return limit.admit(bearer.token) ?? dispatch(request);
  }

  function dispatch(request: SandboxRequest): SandboxAnswer {
    const { name, params, handler } = matchRoute(request);
    tally(name);
    const cut = takePartial(request);
    if (!cut || !Array.isArray(request.body)) return handler({ world, request, params });
    handler({ world, request: { ...request, body: request.body.slice(0, cut.count) }, params });
    return html(504, 'Gateway Time-out');
  }

  function takePartial(request: SandboxRequest): PartialWrite | undefined {
    const at = partials.findIndex((write) => `${request.method} ${request.path}`.includes(write.match));
    return at < 0 ? undefined : partials.splice(at, 1)[0];
  }

  return {
    name: 'amocrm',
    handle,
    snapshot: () => snapshotOf(world),
    configure: (given) => accept(ports, given),
    seed: (given) => accept(ports, given),
    credentials: () => ({ ...credentials }),
    issueCode: auth.issueCode,
    issuePair: auth.issuePair,
    issueLongLived: auth.issueLongLived,
    revoke: auth.revoke,
    exchanges: auth.exchanges,
    add: (content) => seedContent(world, content),
    edit: (target, set, by) => edit(world, target, set, by),
    remove: (target, by) => remove(world, target, by),
    merge: (type, ids, by) => merge(world, type, ids, by),
    link: (lead, element, quantity, by) => linkElement(world, lead, element, quantity, by),
    unlink: (lead, element, by) => unlinkElement(world, lead, element, by),
    advance: world.advance,
    partial: ports.partial,
    unblock: limit.unblock,
    deals: () => dealViews(world),
    contacts: () => contactViews(world),
    companies: () => companyViews(world),
    elements: (catalogId) => elementViews(world, catalogId),
    links: () => linkViews(world),
    notes: () => noteViews(world),
    tasks: () => world.tasks.all(),
    events: () => eventViews(world),
    counts: () => Object.fromEntries(counts),
    refusals: limit.refusals,
  };
}

export type { AmocrmOptions, AmocrmSnapshot };
