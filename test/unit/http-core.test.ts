import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Clock } from '../../src/base/clock.ts';
import { ExitCode } from '../../src/base/errors.ts';
import { RemoteError } from '../../src/base/remote-error.ts';
import {
  type Authorization,
  type Gate,
  type HttpCore,
  httpCore,
  type RequestOptions,
  type SystemOptions,
} from '../../src/http/core.ts';

const TOKEN = 'tok-5f1c9a7e-never-shown';
const AGENT = 'sdelka-test/1.0';
const HTML = '<html><body><h1>403 Forbidden</h1></body></html>';

type Answerer = (request: IncomingMessage, response: ServerResponse, attempt: number) => void;

const cleanUp: (() => void)[] = [];

afterEach(() => {
  for (const undo of cleanUp.splice(0)) undo();
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A real server on loopback; gives its address and what it was asked. */
async function remote(answer: Answerer) {
  const seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
    answer(request, response, seen.length);
  });
  const port = await listening(server);
  cleanUp.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${port}`, seen };
}

function says(status: number, body: string, headers: Record<string, string> = {}): Answerer {
  return (_, response) => response.writeHead(status, headers).end(body);
}

/** A TCP port that takes connections and never says a word. */
async function mutePort(): Promise<number> {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
  });
  const port = await listening(server);
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return port;
}

async function closedPort(): Promise<number> {
  const server = createTcpServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Bench {
  core: HttpCore;
  slept: number[];
  ask<T>(options?: Partial<RequestOptions<T>>): Promise<T>;
}

/** One system at `baseUrl`, with a clock whose sleeps are noted and over at once. */
function bench(baseUrl: string, system: Partial<SystemOptions> = {}): Bench {
  const slept: number[] = [];
  const clock: Clock = {
    now: () => new Date('2026-05-01T10:00:00Z'),
    sleep: async (ms) => {
      slept.push(ms);
    },
  };
  const core = httpCore({ clock, signal: new AbortController().signal, userAgent: AGENT, retryDelayMs: 1 });
  cleanUp.push(() => core.close());
  const http = core.for({
    system: 'shop',
    baseUrl,
    headers: { 'x-auth-token': TOKEN },
    timeoutMs: 4000,
    credentials: 'SHOP_TOKEN',
    ...system,
  });
  return {
    core,
    slept,
    ask: <T>(options: Partial<RequestOptions<T>> = {}) =>
      http.request<T>({
        method: 'GET',
        path: '/orders',
        route: 'orders.list',
        schema: { parse: (input) => input as T },
        ...options,
      }),
  };
}

async function failure(work: Promise<unknown>): Promise<RemoteError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RemoteError);
  return error as RemoteError;
}

const write = { method: 'POST', body: { name: 'x' } } as const;

test('a form is sent as it is, under its own type', async () => {
  const { url, seen } = await remote(says(200, '{"n":1}'));
  expect(await bench(url).ask({ method: 'POST', form: 'phone=%2B1&task=%7B%7D' })).toEqual({ n: 1 });
  expect(seen[0]).toMatchObject({
    body: 'phone=%2B1&task=%7B%7D',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-auth-token': TOKEN },
  });
});

describe('what an answer means for a write', () => {
  test.each([
    [400, 'REMOTE_REFUSED', 'operator', ExitCode.Unavailable, 'refused'],
    [401, 'REMOTE_UNAUTHORIZED', 'operator', ExitCode.CredentialsRefused, 'refused'],
    [402, 'REMOTE_UNPAID', 'operator', ExitCode.Unavailable, 'refused'],
    [403, 'REMOTE_FORBIDDEN', 'operator', ExitCode.CredentialsRefused, 'refused'],
    [404, 'REMOTE_REFUSED', 'operator', ExitCode.Unavailable, 'refused'],
    [405, 'REMOTE_REFUSED', 'operator', ExitCode.Unavailable, 'in-doubt'],
    [408, 'REMOTE_FAILING', 'transient', ExitCode.Unavailable, 'in-doubt'],
    [409, 'REMOTE_REFUSED', 'operator', ExitCode.Unavailable, 'in-doubt'],
    [413, 'REMOTE_REFUSED', 'operator', ExitCode.Unavailable, 'refused'],
    [422, 'REMOTE_REFUSED', 'operator', ExitCode.Unavailable, 'refused'],
    [429, 'REMOTE_BUSY', 'transient', ExitCode.Unavailable, 'refused'],
    [500, 'REMOTE_FAILING', 'transient', ExitCode.Unavailable, 'in-doubt'],
    [502, 'REMOTE_FAILING', 'transient', ExitCode.Unavailable, 'in-doubt'],
    [504, 'REMOTE_FAILING', 'transient', ExitCode.Unavailable, 'in-doubt'],
  ])('%i is %s', async (status, code, kind, exit, outcome) => {
    const { url } = await remote(says(status, '{"detail":"no"}', { 'x-request-id': 'req-7' }));
    const error = await failure(bench(url).ask(write));
    expect(error).toMatchObject({ code, kind, exit, outcome, status, requestId: 'req-7', answer: { detail: 'no' } });
    expect(error.hint).toBeTruthy();
  });

  test('an HTML 403 is a block and opens the breaker; a JSON or an empty one is about rights', async () => {
    const struck: string[] = [];
    const gate: Gate = {
      take: async () => undefined,
      strike: async (kind) => {
        struck.push(kind);
      },
      relax: async () => undefined,
    };
    const html = await remote(says(403, HTML));
    expect(await failure(bench(html.url, { gate }).ask())).toMatchObject({ code: 'REMOTE_BLOCKED', kind: 'transient' });
    expect(html.seen).toHaveLength(1);
    expect(struck).toEqual(['blocked']);
    for (const body of ['{"title":"Forbidden"}', '']) {
      const plain = await remote(says(403, body));
      expect((await failure(bench(plain.url, { gate }).ask())).code).toBe('REMOTE_FORBIDDEN');
    }
    expect(struck).toEqual(['blocked']);
  });

  test.each([
    ['HTML', HTML],
    ['cut JSON', '{"id": 1'],
  ])('a 200 with %s leaves a write in doubt', async (_, body) => {
    const { url, seen } = await remote(says(200, body));
    expect(await failure(bench(url).ask(write))).toMatchObject({ code: 'REMOTE_ODD_ANSWER', outcome: 'in-doubt' });
    expect(seen).toHaveLength(1);
  });

  test('an answer without a body is undefined to the schema, with 200 as with 204', async () => {
    for (const status of [200, 204]) {
      const { url } = await remote(says(status, ''));
      expect(await bench(url).ask({ schema: { parse: (input) => ({ given: input }) } })).toEqual({ given: undefined });
    }
  });

  test('a redirect is not followed, and leaves a write in doubt', async () => {
    const elsewhere = await remote(says(200, '{}'));
    const { url } = await remote(says(302, '', { location: elsewhere.url }));
    expect(await failure(bench(url).ask(write))).toMatchObject({ status: 302, outcome: 'in-doubt' });
    expect(elsewhere.seen).toEqual([]);
  });
});

describe('connections that fail', () => {
  test('a refused connection and an unknown host: no byte has left', async () => {
    const refused = await failure(bench(`http://127.0.0.1:${await closedPort()}`).ask(write));
    expect(refused).toMatchObject({ code: 'REMOTE_UNREACHABLE', kind: 'transient', outcome: 'not-sent' });
    // `.invalid` never resolves (RFC 2606); without a name server the look-up fails as well.
    const unknown = await failure(bench('http://shop.invalid').ask(write));
    expect(unknown).toMatchObject({ code: 'REMOTE_UNREACHABLE', outcome: 'not-sent' });
  });

  test('a deadline before TLS stood: no byte of the request has left', async () => {
    const error = await failure(bench(`https://127.0.0.1:${await mutePort()}`, { timeoutMs: 60 }).ask(write));
    expect(error).toMatchObject({ code: 'REMOTE_UNREACHABLE', outcome: 'not-sent' });
  });

  test('a reset while TLS is made: no byte of the request has left', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.resetAndDestroy());
    });
    const port = await listening(server);
    cleanUp.push(() => server.close());
    expect(await failure(bench(`https://127.0.0.1:${port}`).ask(write))).toMatchObject({ outcome: 'not-sent' });
  });

  test('a server that speaks no TLS: no byte of the request has left', async () => {
    const { url } = await remote(says(200, '{}'));
    const error = await failure(bench(url.replace('http:', 'https:')).ask(write));
    expect(error).toMatchObject({ code: 'REMOTE_UNREACHABLE', outcome: 'not-sent' });
  });

  test('a deadline after the request was written leaves it in doubt, on a fresh and on a kept connection', async () => {
    const { url, seen } = await remote((_, response, attempt) => {
      if (attempt === 2) response.end('{}');
    });
    const { ask } = bench(url);
    expect(await failure(ask({ ...write, timeoutMs: 60 }))).toMatchObject({ outcome: 'in-doubt' });
    await ask();
    expect(await failure(ask({ ...write, timeoutMs: 60 }))).toMatchObject({ outcome: 'in-doubt' });
    expect(seen).toHaveLength(3);
  });

  test.each<[string, Answerer]>([
    ['a reset', (request) => request.socket.destroy()],
    [
      'a cut body',
      (request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"id"', () => request.socket.destroy());
      },
    ],
    [
      'a cut body of a refusal',
      (request, response) => {
        response.writeHead(400, { 'content-length': '100' });
        response.write('{"id"', () => request.socket.destroy());
      },
    ],
  ])('%s leaves a write in doubt and it is not sent again', async (_, answer) => {
    const { url, seen } = await remote(answer);
    expect(await failure(bench(url).ask(write))).toMatchObject({ code: 'REMOTE_UNREACHABLE', outcome: 'in-doubt' });
    expect(seen).toHaveLength(1);
  });
});

describe('repetitions', () => {
  const failing: Answerer = (_, response) => response.writeHead(500).end('{}');

  test('a read is tried four times, and ends with the first good answer', async () => {
    const ill = await remote(failing);
    await failure(bench(ill.url).ask());
    expect(ill.seen).toHaveLength(4);
    const well = await remote((_, response, attempt) => response.writeHead(attempt < 3 ? 503 : 200).end('{"n":1}'));
    expect(await bench(well.url).ask()).toEqual({ n: 1 });
    expect(well.seen).toHaveLength(3);
  });

  test('a read is repeated after a reset and an odd answer too, and not after a refusal', async () => {
    const flaky = await remote((request, response, attempt) => {
      if (attempt === 1) request.socket.destroy();
      else response.end(attempt === 2 ? HTML : '{"n":1}');
    });
    expect(await bench(flaky.url).ask()).toEqual({ n: 1 });
    for (const status of [400, 401, 402, 403, 404]) {
      const refusing = await remote(says(status, '{}'));
      await failure(bench(refusing.url).ask());
      expect(refusing.seen).toHaveLength(1);
    }
  });

  test('a write is repeated after 429 and where it was not sent, never where it is in doubt', async () => {
    const busy = await remote((_, response, attempt) => response.writeHead(attempt === 1 ? 429 : 200).end('{"n":1}'));
    expect(await bench(busy.url).ask(write)).toEqual({ n: 1 });
    const ill = await remote(failing);
    await failure(bench(ill.url).ask(write));
    expect(ill.seen).toHaveLength(1);
    const absent = bench(`http://127.0.0.1:${await closedPort()}`);
    await failure(absent.ask(write));
    expect(absent.core.sent.get('shop')).toBe(4);
  });

  test('a write that is declared safe to repeat is repeated, a read that is not is not', async () => {
    const first = await remote(failing);
    await failure(bench(first.url).ask({ ...write, repeatable: true }));
    expect(first.seen).toHaveLength(4);
    const second = await remote(failing);
    await failure(bench(second.url).ask({ repeatable: false }));
    expect(second.seen).toHaveLength(1);
  });

  test('Retry-After is obeyed up to half a minute, and not slept where nothing is repeated', async () => {
    const busy = await remote((_, response, attempt) => {
      if (attempt === 3) response.end('{}');
      else response.writeHead(429, { 'retry-after': attempt === 1 ? '7' : '3600' }).end('{}');
    });
    const patient = bench(busy.url);
    await patient.ask(write);
    expect(patient.slept).toEqual([7000, 30_000]);
    const ill = await remote(says(503, '{}', { 'retry-after': '20' }));
    const hasty = bench(ill.url);
    await failure(hasty.ask(write));
    expect(hasty.slept).toEqual([]);
  });

  test('`onSend` runs once an attempt, after the slot was had and before the request is there', async () => {
    const order: string[] = [];
    const { url } = await remote((_, response, attempt) => {
      order.push('request');
      response.writeHead(attempt === 1 ? 429 : 200).end('{}');
    });
    const gate: Gate = {
      take: async () => {
        order.push('slot');
      },
      strike: async (kind) => {
        order.push(kind);
      },
      relax: async () => undefined,
    };
    await bench(url, { gate }).ask({
      ...write,
      onSend: async () => {
        order.push('mark');
      },
    });
    expect(order).toEqual(['slot', 'mark', 'request', 'rate', 'slot', 'mark', 'request']);
  });

  test('a write whose mark cannot be stored is not sent', async () => {
    const { url, seen } = await remote(says(200, '{}'));
    const asked = bench(url).ask({ ...write, onSend: () => Promise.reject(new Error('the disk is full')) });
    await expect(asked).rejects.toThrow('the disk is full');
    expect(seen).toEqual([]);
  });

  test('every attempt is counted, by system', async () => {
    const { url } = await remote(failing);
    const { core, ask } = bench(url);
    await failure(ask());
    await failure(ask(write));
    expect([...core.sent]).toEqual([['shop', 5]]);
  });
});

describe('credentials', () => {
  function rotating(tokens: readonly string[]): Authorization & { told: string[] } {
    let at = 0;
    const told: string[] = [];
    return {
      told,
      header: async () => ({ authorization: `Bearer ${tokens[at]}` }),
      refused: async (used) => {
        told.push(used.authorization ?? '');
        at += 1;
        return at < tokens.length;
      },
    };
  }
  const onlyTakes =
    (token: string): Answerer =>
    (request, response) =>
      response.writeHead(request.headers.authorization === `Bearer ${token}` ? 200 : 401).end('{"n":1}');

  test('a 401 asks for newer credentials and tries once more, for writes too', async () => {
    const { url, seen } = await remote(onlyTakes('new'));
    const authorization = rotating(['old', 'new']);
    expect(await bench(url, { authorization }).ask(write)).toEqual({ n: 1 });
    expect(authorization.told).toEqual(['Bearer old']);
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new']);
  });

  test('a second 401 is the end', async () => {
    const { url, seen } = await remote(onlyTakes('none'));
    const error = await failure(bench(url, { authorization: rotating(['a', 'b', 'c']) }).ask());
    expect(error).toMatchObject({ code: 'REMOTE_UNAUTHORIZED', exit: ExitCode.CredentialsRefused });
    expect(error.hint).toContain('SHOP_TOKEN');
    expect(seen).toHaveLength(2);
  });

  test('without newer credentials there is no second try', async () => {
    const { url, seen } = await remote(onlyTakes('none'));
    await failure(bench(url, { authorization: rotating(['a']) }).ask());
    expect(seen).toHaveLength(1);
  });
});

describe('what is shown', () => {
  test('our own User-Agent and the JSON type go along', async () => {
    const { url, seen } = await remote(says(200, '{}'));
    await bench(url).ask({ ...write, query: 'page[number]=0' });
    expect(seen[0]).toMatchObject({
      url: '/orders?page[number]=0',
      headers: { 'user-agent': AGENT, 'content-type': 'application/json', 'x-auth-token': TOKEN },
      body: '{"name":"x"}',
    });
  });

  const secretive = { path: `/orders/${TOKEN}`, query: `phone=77011234567&key=${TOKEN}` };

  test.each<[string, Answerer]>([
    ['a refusal that repeats the token', says(400, JSON.stringify({ token: TOKEN, phone: '77011234567' }))],
    ['an error page', says(500, `<p>${TOKEN}</p>`)],
    ['a reset', (request) => request.socket.destroy()],
    ['a time-out', () => undefined],
    ['an odd answer', says(200, `not JSON ${TOKEN}`)],
  ])('%s shows neither address nor header nor body', async (_, answer) => {
    const { url } = await remote(answer);
    const error = await failure(bench(url, { timeoutMs: 200 }).ask({ ...write, ...secretive }));
    const shown = [
      inspect(error, { depth: 20 }),
      JSON.stringify(error),
      String(error.stack),
      JSON.stringify(Object.entries(error)),
      inspect(error.cause, { depth: 20, showHidden: true }),
    ].join('\n');
    for (const hidden of [TOKEN, '77011234567', url, 'x-auth-token']) expect(shown).not.toContain(hidden);
    expect(error.message).toContain('shop');
    expect(error.message).toContain('orders.list');
  });

  test('an answer of another shape is named by its path, without the value', async () => {
    const { url } = await remote(says(200, JSON.stringify({ rows: [{ id: 1 }, { id: '+77011234567' }] })));
    const schema = z.object({ rows: z.array(z.object({ id: z.number() })) });
    const error = await failure(bench(url).ask({ ...write, schema }));
    expect(error).toMatchObject({ code: 'REMOTE_ODD_ANSWER', outcome: 'in-doubt' });
    expect(error.message).toContain('rows.1.id');
    expect(error.message).not.toContain('7701');
  });
});

describe('what a system says for itself', () => {
  const words = { parse: (input: unknown) => input };

  test('text is given to the schema as it came, a refusal is still read as JSON', async () => {
    const xml = await remote(says(200, '<edmx/>'));
    expect(await bench(xml.url).ask({ text: true, schema: words })).toBe('<edmx/>');
    const refusing = await remote(says(404, '{"code":"8"}'));
    const error = await failure(bench(refusing.url).ask({ text: true, schema: words }));
    expect(error.answer).toEqual({ code: '8' });
  });

  test('every answer is shown with its status and headers, a repeated one too', async () => {
    const { url } = await remote((_, response, attempt) =>
      response.writeHead(attempt === 1 ? 502 : 200, { 'set-cookie': `session=${attempt}` }).end('{}'),
    );
    const shown: unknown[] = [];
    await bench(url).ask({ onAnswer: ({ status, headers }) => shown.push([status, headers['set-cookie']]) });
    expect(shown).toEqual([
      [502, ['session=1']],
      [200, ['session=2']],
    ]);
  });

  function own(where: { system: string; route: string }, outcome: 'refused' | 'not-sent') {
    const common = { code: 'REMOTE_REFUSED', kind: 'transient', exit: ExitCode.Unavailable } as const;
    return new RemoteError({ ...where, ...common, message: 'no such thing', outcome });
  }

  test('its own reading of a refusal comes before the core’s, and is not repeated even where it is passing', async () => {
    const { url, seen } = await remote(says(500, '{"code":"-1"}'));
    const asked: unknown[] = [];
    const error = await failure(
      bench(url, {
        classify: (where, status, answer) => {
          asked.push([where.route, status, answer]);
          return own(where, 'not-sent');
        },
      }).ask(),
    );
    expect(error).toMatchObject({ message: 'no such thing', outcome: 'not-sent' });
    expect(asked).toEqual([['orders.list', 500, { code: '-1' }]]);
    expect(seen).toHaveLength(1);
  });

  test('an HTML refusal that it reads strikes no gate', async () => {
    const struck: string[] = [];
    const gate: Gate = {
      take: async () => undefined,
      strike: async (kind) => {
        struck.push(kind);
      },
      relax: async () => undefined,
    };
    const { url } = await remote(says(403, HTML));
    const error = await failure(bench(url, { gate, classify: (where) => own(where, 'refused') }).ask());
    expect([error.message, struck]).toEqual(['no such thing', []]);
  });

  test('what it leaves alone is read as ever, and an answer in good order is not shown to it', async () => {
    const { url, seen } = await remote((_, response, attempt) =>
      response.writeHead(attempt === 1 ? 502 : 200).end('{"n":1}'),
    );
    const asked: number[] = [];
    const classify = (_: unknown, status: number) => {
      asked.push(status);
      return undefined;
    };
    expect(await bench(url, { classify }).ask()).toEqual({ n: 1 });
    expect(asked).toEqual([502]);
    expect(seen).toHaveLength(2);
  });
});
