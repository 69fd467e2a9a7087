import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

type Told = Record<string, unknown>;

interface Message {
  id?: number;
  method?: string;
  params?: Told;
  result?: Told;
  error?: { message: string };
}

const ANSWER_MS = 30_000;

/** One tab of a headless Chromium that reaches no host, over the DevTools protocol on a pipe (chromedevtools.github.io). */
export interface Browser {
  ask(method: string, params?: Told): Promise<Told>;
  /** The value of a JavaScript expression in the page; promises are awaited. */
  value<T>(expression: string): Promise<T>;
  /** Loads an address and waits until it is drawn. */
  open(url: string): Promise<void>;
  /** Addresses asked for, and whatever the console, the log or an uncaught error said, since it was started. */
  requests: string[];
  complaints: string[];
  close(): Promise<void>;
}

export async function startBrowser(program: string): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'sdelka-chromium-'));
  const child = spawn(
    program,
    [
      ...['--headless=new', '--remote-debugging-pipe', `--user-data-dir=${profile}`, '--no-first-run', '--disable-gpu'],
      ...['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-sync'],
      ...['--disable-component-update', '--host-resolver-rules=MAP * 0.0.0.0', 'about:blank'],
    ],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH ?? '', HOME: profile } },
  );
  const ended = once(child, 'exit');
  const [, , , orders, answers] = child.stdio as unknown as [null, null, null, Writable, Readable];
  orders.on('error', () => undefined);
  const waiting = new Map<number, (message: Message) => void>();
  const listeners = new Map<string, () => void>();
  const requests: string[] = [];
  const complaints: string[] = [];
  let rest = '';
  let last = 0;
  let session: string | undefined;

  function take(message: Message): void {
    const { id, method = '', params = {} } = message;
    if (id !== undefined) waiting.get(id)?.(message);
    listeners.get(method)?.();
    if (method === 'Network.requestWillBeSent') requests.push((params.request as { url: string }).url);
    if (/^(Log\.entryAdded|Runtime\.(consoleAPICalled|exceptionThrown))$/.test(method)) {
      complaints.push(JSON.stringify(params));
    }
  }
  answers.setEncoding('utf8').on('data', (piece: string) => {
    const whole = `${rest}${piece}`.split('\0');
    rest = whole.pop() ?? '';
    for (const one of whole) take(JSON.parse(one));
  });

  async function ask(method: string, params: Told = {}): Promise<Told> {
    last += 1;
    const id = last;
    const answer = new Promise<Message>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer of Chromium`)), ANSWER_MS);
      waiting.set(id, (message) => {
        clearTimeout(timer);
        resolve(message);
      });
    });
    orders.write(`${JSON.stringify({ id, method, params, ...(session && { sessionId: session }) })}\0`);
    const { result = {}, error } = await answer;
    waiting.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  async function value<T>(expression: string): Promise<T> {
    const given = await ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (given.exceptionDetails) throw new Error(JSON.stringify(given.exceptionDetails));
    return (given.result as { value: T }).value;
  }

  async function open(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => listeners.set('Page.loadEventFired', resolve));
    const { errorText } = await ask('Page.navigate', { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
    await loaded;
    await value('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');
  }

  async function close(): Promise<void> {
    child.kill('SIGKILL');
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }

  try {
    const { targetInfos } = (await ask('Target.getTargets')) as { targetInfos: { type: string; targetId: string }[] };
    const targetId = targetInfos.find(({ type }) => type === 'page')?.targetId;
    const attached = await ask('Target.attachToTarget', { targetId, flatten: true });
    session = String(attached.sessionId);
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await ask(`${domain}.enable`);
  } catch (error) {
    await close();
    throw error;
  }
  return { ask, value, open, requests, complaints, close };
}
