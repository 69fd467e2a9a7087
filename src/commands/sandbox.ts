import { rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { usageError } from '../base/errors.ts';
import { type Running, sandboxEnv, startSandbox } from '../sandbox/index.ts';
import { type CommandContext, defineCommand, text, wholeNumber } from './define.ts';

const DEFAULT_ORDERS = 12;
const DEFAULT_DOCUMENTS = 8;
const DEFAULT_CALLS = 60;

/** Stays in the foreground until it is told to stop; what it prints first is an env file. */
export const sandboxCommand = defineCommand({
  name: 'sandbox',
  summary: 'Local stand-ins of every remote system; prints the env file that points sdelka at them',
  details:
    'Stays in the foreground until SIGINT or SIGTERM. Faults and content on demand: POST {"match":"/leads","kind":"lost"} to <stand-in>/__sandbox/fault, content to /__sandbox/seed, switches to /__sandbox/configure; GET /__sandbox/state shows what it holds.',
  options: {
    orders: {
      value: 'number',
      description: 'Kaspi orders to begin with',
      parse: wholeNumber(0, 100_000),
      fallback: DEFAULT_ORDERS,
    },
    oddities: { description: 'add orders of every odd kind' },
    write: { value: 'file', description: 'write the env file there too', parse: text },
    kaspiPort: { value: 'port', description: 'default: a free one', parse: wholeNumber(0, 65_535), fallback: 0 },
    amoPort: { value: 'port', description: 'default: a free one', parse: wholeNumber(0, 65_535), fallback: 0 },
    onecPort: { value: 'port', description: 'default: a free one', parse: wholeNumber(0, 65_535), fallback: 0 },
    retailPort: { value: 'port', description: 'default: a free one', parse: wholeNumber(0, 65_535), fallback: 0 },
    documents: {
      value: 'number',
      description: '1C documents to begin with, half of them work orders',
      parse: wholeNumber(0, 100_000),
      fallback: DEFAULT_DOCUMENTS,
    },
    calls: {
      value: 'number',
      description: "calls of the last day in the PBX's records",
      parse: wholeNumber(0, 200_000),
      fallback: DEFAULT_CALLS,
    },
    cdr: { value: 'file', description: 'where the call records shall stand (SQLite); removed at the end', parse: text },
  },
  examples: ['sandbox', 'sandbox --orders 1000 --write /tmp/sandbox/.env', 'sandbox --oddities'],
  run: async (ctx, _args, { orders, oddities, write, documents, cdr, ...places }) => {
    const cdrFile = cdr === undefined ? undefined : resolve(cdr);
    const running = await startSandbox({ ...places, cdrFile });
    try {
      seed(running, orders, oddities);
      if (documents > 0) seedDocuments(running, documents);
      const env = sandboxEnv(running);
      if (write !== undefined) await writeNew(write, env);
      ctx.out.line(env);
      await untilStopped(ctx);
      if (write !== undefined) await rm(write, { force: true });
    } finally {
      await running.close();
    }
    return undefined;
  },
});

/** An operator's own settings file must not be lost to a rehearsal. */
async function writeNew(file: string, env: string): Promise<void> {
  await writeFile(file, env, { mode: 0o600, flag: 'wx' }).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw usageError(`--write: ${file} cannot be made (${code})`, 'Name a file that does not exist yet.');
  });
}

function seed(running: Running, orders: number, oddities: boolean): void {
  if (orders > 0) {
    const kinds = Math.max(1, Math.ceil(orders / 5));
    const buyers = Math.max(1, Math.ceil(orders * 0.7));
    running.kaspi.standin.seed({
      generate: { orders, lines: Math.ceil(orders * 1.5), skus: kinds, buyers, hours: 20, seed: 1 },
    });
  }
  if (oddities) running.kaspi.standin.seed({ scenario: 'oddities' });
}

function seedDocuments({ onec }: Running, documents: number): void {
  const workOrders = Math.ceil(documents / 2);
  onec.standin.seed({ workOrders, customerOrders: documents - workOrders });
}

async function untilStopped(ctx: CommandContext): Promise<void> {
  ctx.log.info('the sandbox is running; stop it with Ctrl-C');
  while (!ctx.signal.aborted) await ctx.clock.sleep(3_600_000, ctx.signal);
}
