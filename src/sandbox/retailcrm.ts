import type { SandboxAnswer, SandboxRequest, Standin } from './kit.ts';
import type {
  Customer,
  HistoryEntry,
  IntegrationModule,
  Order,
  StoredCall,
  StoredEvent,
  Task,
  User,
} from './retailcrm/model.ts';
import { DEFAULT_OPTIONS, mergeOptions, type RetailcrmOptions } from './retailcrm/options.ts';
import { ROUTES } from './retailcrm/routes.ts';
import { applyEdit, type RetailcrmSeed, type RetailEdit, seedWorld } from './retailcrm/seed.ts';
import { formOf, RetailRefusal, refusalAnswer } from './retailcrm/wire.ts';
import { createWorld, type HistoryKind, type MergedCustomer, type World } from './retailcrm/world.ts';

export { RETAILCRM_SANDBOX_KEY, type RetailcrmOptions } from './retailcrm/options.ts';
export type { RetailcrmSeed, RetailEdit } from './retailcrm/seed.ts';

/** All that the account holds. Customers that were merged into others stand apart. */
interface RetailcrmSnapshot {
  users: User[];
  customers: Customer[];
  merged: MergedCustomer[];
  orders: Order[];
  tasks: Task[];
  calls: StoredCall[];
  events: StoredEvent[];
  modules: IntegrationModule[];
  history: Record<HistoryKind, HistoryEntry[]>;
}

/** RetailCRM's stand-in, with what tests look at. What it hands out are copies. */
export interface RetailcrmStandin extends Standin {
  customers(): Customer[];
  orders(): Order[];
  tasks(): Task[];
  /** Calls as uploaded, each with the customer and manager it was tied to. */
  calls(): StoredCall[];
  events(): StoredEvent[];
  module(code: string): IntegrationModule | undefined;
  /** Changes a customer or an order behind the client's back; the history tells of it. */
  edit(edit: RetailEdit): void;
  /** Requests that were refused because they came too fast. */
  refusals(): number;
  seed(content: RetailcrmSeed): void;
  snapshot(): RetailcrmSnapshot;
}

const WINDOW_MS = 1000;
const TELEPHONY = '/api/v5/telephony/';

/** Ten requests a second, forty below `/telephony`, counted apart. Refused requests take no place in the window. */
function paceGuard(options: RetailcrmOptions): (path: string) => boolean {
  const windows = { telephony: [] as number[], other: [] as number[] };
  return (path) => {
    const kind = path.startsWith(TELEPHONY) ? 'telephony' : 'other';
    const most = kind === 'telephony' ? options.telephonyRps : options.rps;
    if (most === 0) return true;
    const now = options.paceNow();
    windows[kind] = windows[kind].filter((at) => now - at < WINDOW_MS);
    if (windows[kind].length >= most) return false;
    windows[kind].push(now);
    return true;
  };
}

function tooFast({ busyStatus, retryAfterSeconds }: RetailcrmOptions): SandboxAnswer {
  return {
    status: busyStatus,
    body: { success: false, errorMsg: 'Rate limit exceeded' },
    ...(retryAfterSeconds > 0 ? { headers: { 'retry-after': String(retryAfterSeconds) } } : {}),
  };
}

/** What a subdomain without an account answers; the status of a read is a guess. */
function noAccount(method: string): SandboxAnswer {
  const headers = { 'content-type': 'text/html; charset=UTF-8' };
  return { status: method === 'POST' ? 405 : 404, body: '<!DOCTYPE html><html><body>Account</body></html>', headers };
}

function decoded(params: Record<string, string>): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    throw new RetailRefusal(404, 'API method not found');
  }
}

function dispatch(world: World, request: SandboxRequest): SandboxAnswer {
  const form = formOf(request);
  const key = request.headers['x-api-key'] ?? request.query.get('apiKey') ?? form.get('apiKey') ?? '';
  if (key === '') throw new RetailRefusal(403, '"apiKey" is missing.');
  if (key !== world.options.apiKey) throw new RetailRefusal(403, 'Wrong "apiKey" value.');
  for (const route of ROUTES) {
    const match = route.method === request.method ? route.pattern.exec(request.path) : null;
    if (!match) continue;
    if (route.scope !== '' && !world.options.scopes.includes(route.scope)) {
      throw new RetailRefusal(403, 'Access denied.');
    }
    return route.handler({ world, request, form, params: decoded({ ...match.groups }) });
  }
  throw new RetailRefusal(404, 'API method not found');
}

/**
 * A stand-in of RetailCRM's API v5, written from the vendor's guides, from what its own clients send and expect, and from
 * what integrators saw. Its address is what `RETAILCRM_API_URL` takes. Telephony is refused until a module with telephony is
 * registered, over the API or by a seed.
 */
export function retailcrmStandin(given: Partial<RetailcrmOptions> = {}): RetailcrmStandin {
  const options: RetailcrmOptions = { ...DEFAULT_OPTIONS };
  mergeOptions(options, given);
  const world = createWorld(options);
  const mayPass = paceGuard(options);
  let refusals = 0;

  function isTooFast(path: string): boolean {
    const burst = options.busyTimes > 0;
    if (burst) options.busyTimes -= 1;
    return burst || !mayPass(path);
  }

  async function handle(request: SandboxRequest): Promise<SandboxAnswer> {
    if (options.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, options.delayMs));
    if (options.accountMissing) return noAccount(request.method);
    if (isTooFast(request.path)) {
      refusals += 1;
      return tooFast(options);
    }
    world.settle();
    try {
      return dispatch(world, request);
    } catch (error) {
      if (error instanceof RetailRefusal) return refusalAnswer(error, options);
      throw error;
    }
  }

  /** A copy of what stands there now, with all that has fallen due. */
  function look<T>(read: () => Iterable<T>): T[] {
    world.settle();
    return structuredClone([...read()]);
  }

  const standin: RetailcrmStandin = {
    name: 'retailcrm',
    handle,
    configure: (changes) => mergeOptions(options, changes),
    seed: (content: RetailcrmSeed) => seedWorld(world, content),
    edit: (edit) => applyEdit(world, edit),
    customers: () => look(() => world.customers.values()),
    orders: () => look(() => world.orders.values()),
    tasks: () => look(() => world.tasks.values()),
    calls: () => look(() => world.calls),
    events: () => look(() => world.events),
    module: (code) => structuredClone(world.modules.get(code)),
    refusals: () => refusals,
    snapshot: () => ({
      users: look(() => world.users.values()),
      customers: standin.customers(),
      merged: look(() => world.merged.values()),
      orders: standin.orders(),
      tasks: standin.tasks(),
      calls: standin.calls(),
      events: standin.events(),
      modules: look(() => world.modules.values()),
      history: structuredClone(world.history),
    }),
  };
  return standin;
}
