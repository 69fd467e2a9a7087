import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError, ExitCode } from '../base/errors.ts';
import { type Running, sandboxEnv, startSandbox } from '../sandbox/index.ts';
import { type CommandContext, defineCommand } from './define.ts';

const MAPPING = `kaspi:
  deal:
    fields: { 900101: "{code}", 900102: "{deliveryAddress.formattedAddress}" }
    external_id_field: 900101
  stages:
    - { when: { status: COMPLETED }, status: 142 }
    - { when: { state: KASPI_DELIVERY, assembled: true }, status: 80953560 }
    - { when: { status: ACCEPTED_BY_MERCHANT }, status: 80953555 }
`;

/** So many orders are issued to their buyers between polling and reconciling. */
const ISSUED = 2;
const WON = 142;

interface Step {
  command: string;
  exit_code: number;
  result: unknown;
}

/** Runs this very program, as cron would, against stand-ins of its own, and shows what amoCRM holds then. */
export const demoCommand = defineCommand({
  name: 'demo',
  summary: 'A sandbox, a temporary SQLite database and real passes against them, in one go',
  details: 'Needs no settings, reaches nothing outside this machine, leaves nothing behind.',
  examples: ['demo', 'demo --json'],
  run: async (ctx) => {
    const folder = await mkdtemp(join(tmpdir(), 'sdelka-demo-'));
    const sandbox = await startSandbox();
    try {
      sandbox.kaspi.standin.seed({ generate: { orders: 8, lines: 12, skus: 6, buyers: 6, hours: 20, seed: 1 } });
      await writeFile(join(folder, '.env'), sandboxEnv(sandbox));
      await writeFile(join(folder, 'mapping.yaml'), MAPPING);
      const steps: Step[] = [];
      for (const command of ['migrate', 'kaspi:poll', 'kaspi:poll']) steps.push(await step(ctx, folder, command));
      for (const { attributes } of sandbox.kaspi.standin.orders().slice(0, ISSUED)) {
        sandbox.kaspi.standin.edit(String(attributes.code), { state: 'ARCHIVE', status: 'COMPLETED' });
      }
      steps.push(await step(ctx, folder, 'kaspi:reconcile'));
      return await show(ctx, sandbox, steps);
    } finally {
      await sandbox.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
});

async function step(ctx: CommandContext, folder: string, command: string): Promise<Step> {
  const { node, script } = ctx.self;
  const child = spawn(node, [script, '--env-file', join(folder, '.env'), '--json', command], {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
    signal: ctx.signal,
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? ExitCode.Defect));
  });
  return { command, exit_code: exitCode, result: text.trim() === '' ? null : JSON.parse(text) };
}

async function show(ctx: CommandContext, sandbox: Running, steps: readonly Step[]): Promise<ExitCode> {
  const { amo } = sandbox;
  const contacts = new Map(amo.standin.contacts().map((contact) => [contact.id, contact.name]));
  const deals = amo.standin.deals().map((deal) => ({
    id: deal.id,
    name: deal.name,
    price: deal.price,
    contact: deal.contacts.map((id) => contacts.get(id)).join(', '),
    goods: amo.standin.links().filter((link) => link.lead_id === deal.id).length,
    tags: deal.tags.join(', '),
    won: deal.status_id === WON,
  }));
  const figures = steps.map(({ result }) => (result ?? {}) as { created?: number; updated?: number });
  const made = figures.map(({ created }) => created ?? 0);
  const changed = figures.map(({ updated }) => updated ?? 0);
  await ctx.out.result({ steps, deals }, async () => {
    const head = ['deal', 'name', 'budget, ₸', 'contact', 'goods', 'tags', 'won'];
    const rows = deals.map(({ id, name, price, contact, goods, tags, won }) => [
      id,
      name,
      price,
      contact,
      goods,
      tags,
      won ? 'yes' : '',
    ]);
    return [
      `The first pass of kaspi:poll made ${made[1]} deals from ${made[1]} Kaspi orders.`,
      `The second pass made ${made[2]}: every order is known, so amoCRM was not even asked.`,
      `Then ${ISSUED} orders were issued to their buyers, and kaspi:reconcile moved ${changed[3]} deals to the stage "won":`,
      await ctx.out.table(head, rows),
      `amoCRM was asked ${amo.journal.length} times in all.`,
    ].join('\n');
  });
  const failed = steps.find((one) => one.exit_code !== 0);
  if (failed === undefined && made[2] === 0 && changed[3] === ISSUED) return ExitCode.Ok;
  throw new AppError({
    code: 'DEMO_FAILED',
    kind: 'bug',
    exit: ExitCode.Defect,
    message: `the demo's ${failed?.command ?? 'passes'} did not end as they should`,
  });
}
