import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError, ExitCode } from '../base/errors.ts';

/** What a stand-in's route gets: the parsed request. Query keys keep their brackets (`filter[id][]`). */
export interface SandboxRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  /** As it came, without the `?`: for systems to which `+` is no blank. */
  rawQuery: string;
  headers: Record<string, string>;
  /** The JSON body; undefined where there is none, a string where it is not JSON. */
  body: unknown;
  rawBody: string;
}

/** What a stand-in answers. `body` undefined = no body; a string is sent as it is; anything else as JSON. */
export interface SandboxAnswer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
  /** Never answer; the client sits until its own deadline. */
  hang?: boolean;
}

/**
 * A fault on demand. It strikes requests whose `METHOD /path`, as it came or decoded, contains `match`, from the `nth` such request on
 * (1 = the next one, default), `times` times (default 1; 0 = for ever).
 * `reset`: socket destroyed before the request takes effect. `lost`: takes effect, then the socket is destroyed.
 * `status`: answered with `status` before it takes effect (HTML body unless `body` is given). `status-after`: same, after it took effect.
 * `cut`: takes effect, half of the answer's body is sent, then the socket is destroyed. `slow`: answered after `delayMs`.
 * `hang`: takes no effect and is never answered. `hang-after`: takes effect and is never answered. `html`: 200 with an HTML body, no effect.
 */
export interface Fault {
  match: string;
  kind: 'reset' | 'lost' | 'status' | 'status-after' | 'cut' | 'slow' | 'hang' | 'hang-after' | 'html';
  nth?: number;
  times?: number;
  status?: number;
  body?: string;
  delayMs?: number;
}

export interface JournalEntry {
  at: string;
  method: string;
  path: string;
  query: string;
  status: number | 'reset' | 'hang';
  fault?: Fault['kind'];
}

export type SandboxHandler = (request: SandboxRequest) => SandboxAnswer | Promise<SandboxAnswer>;

/** One stand-in: its rules, its state for tests, and what may be set and seeded over HTTP. */
export interface Standin {
  name: string;
  handle: SandboxHandler;
  /** Everything a test or `demo` may want to look at, as JSON. */
  snapshot(): unknown;
  /** Switches of behaviour, merged into the current ones. */
  configure(options: Record<string, unknown>): void;
  /** Puts content in, in the stand-in's own words. */
  seed(content: Record<string, unknown>): void;
}

export interface RunningStandin<S extends Standin = Standin> {
  standin: S;
  url: string;
  journal: JournalEntry[];
  faults: Fault[];
  fault(fault: Fault): void;
  close(): Promise<void>;
}

const HTML_ERROR =
  '<html><head><title>Error</title></head><body><center><h1>Error</h1></center><hr><center>nginx</center></body></html>';

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(raw: string): unknown {
  if (raw === '') return undefined;
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}

/** A line with its address decoded; as it is where that cannot be done. */
function readable(line: string): string {
  try {
    return decodeURIComponent(line);
  } catch {
    return line;
  }
}

/**
 * Serves a stand-in on loopback. Beside its own routes: `GET /__sandbox/state`, `GET /__sandbox/journal`,
 * `POST /__sandbox/fault`, `/__sandbox/configure`, `/__sandbox/seed`, `/__sandbox/reset` (faults and journal), for use from another process.
 */
export async function serve<S extends Standin>(standin: S, port = 0): Promise<RunningStandin<S>> {
  const journal: JournalEntry[] = [];
  const faults: Fault[] = [];
  const server: Server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (error instanceof AppError && error.exit === ExitCode.Usage) {
        response.writeHead(400, { 'content-type': 'text/plain' });
        response.end(error.message);
        return;
      }
      response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(`stand-in defect: ${error instanceof Error ? error.stack : String(error)}`);
    });
  });
  server.keepAliveTimeout = 60_000;

  function strike(line: string): Fault | undefined {
    for (const fault of faults) {
      if (!line.includes(fault.match) && !readable(line).includes(fault.match)) continue;
      const nth = fault.nth ?? 1;
      if (nth > 1) {
        fault.nth = nth - 1;
        continue;
      }
      const times = fault.times ?? 1;
      if (times === 1) faults.splice(faults.indexOf(fault), 1);
      else if (times > 1) fault.times = times - 1;
      return fault;
    }
    return undefined;
  }

  function control(path: string, body: unknown, response: ServerResponse): void {
    const given = (body ?? {}) as Record<string, unknown>;
    if (path === '/__sandbox/fault') faults.push({ ...(given as unknown as Fault) });
    if (path === '/__sandbox/configure') standin.configure(given);
    if (path === '/__sandbox/seed') standin.seed(given);
    if (path === '/__sandbox/reset') {
      faults.length = 0;
      journal.length = 0;
    }
    const answer =
      path === '/__sandbox/state' ? standin.snapshot() : path === '/__sandbox/journal' ? journal : { ok: true };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer));
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const method = request.method ?? 'GET';
    const rawBody = await readBody(request);
    const body = parseBody(rawBody);
    if (url.pathname.startsWith('/__sandbox/')) {
      control(url.pathname, body, response);
      return;
    }
    const fault = strike(`${method} ${url.pathname}`);
    const entry: JournalEntry = {
      at: new Date().toISOString(),
      method,
      path: url.pathname,
      query: url.search,
      status: 0 as number | 'reset' | 'hang',
      ...(fault ? { fault: fault.kind } : {}),
    };
    journal.push(entry);
    const destroy = () => {
      entry.status = 'reset';
      request.socket.destroy();
    };
    if (fault?.kind === 'reset') return destroy();
    if (fault?.kind === 'hang') {
      entry.status = 'hang';
      return;
    }
    if (fault?.kind === 'status' || fault?.kind === 'html') {
      entry.status = fault.kind === 'html' ? 200 : (fault.status ?? 500);
      response.writeHead(entry.status, { 'content-type': 'text/html' });
      response.end(fault.body ?? HTML_ERROR);
      return;
    }
    const result = await standin.handle({
      method,
      path: url.pathname,
      query: url.searchParams,
      rawQuery: url.search.slice(1),
      headers: Object.fromEntries(
        Object.entries(request.headers).map(([k, v]) => [k, Array.isArray(v) ? v.join(',') : (v ?? '')]),
      ),
      body,
      rawBody,
    });
    if (fault?.kind === 'lost') return destroy();
    if (fault?.kind === 'hang-after' || result.hang) {
      entry.status = 'hang';
      return;
    }
    if (fault?.kind === 'status-after') {
      entry.status = fault.status ?? 502;
      response.writeHead(entry.status, { 'content-type': 'text/html' });
      response.end(fault.body ?? HTML_ERROR);
      return;
    }
    if (fault?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, fault.delayMs ?? 1000));
    const text =
      result.body === undefined ? '' : typeof result.body === 'string' ? result.body : JSON.stringify(result.body);
    entry.status = result.status;
    const headers: Record<string, string> = { 'content-type': 'application/json', ...result.headers };
    if (result.status !== 204) headers['content-length'] = String(Buffer.byteLength(text));
    response.writeHead(result.status, headers);
    if (fault?.kind === 'cut') {
      response.write(text.slice(0, Math.floor(text.length / 2)), () => request.socket.destroy());
      return;
    }
    // As bytes: beside a string, Node would write the headers in UTF-8 too, and raw bytes in them would be encoded twice.
    response.end(result.status === 204 ? undefined : Buffer.from(text, 'utf8'));
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  return {
    standin,
    url: `http://127.0.0.1:${actual}`,
    journal,
    faults,
    fault: (fault) => {
      faults.push({ ...fault });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
