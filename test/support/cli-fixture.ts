import { AppError, ExitCode } from '../../src/base/errors.ts';
import { registerSecret } from '../../src/base/log.ts';
import { runCli } from '../../src/cli/run.ts';
import { type Command, type CommandContext, defineCommand } from '../../src/commands/define.ts';

/** Runs as a process of its own: the real command line over commands that do what real ones should never do. */

const LARGE_ROWS = 40_000;

function misbehaving(name: string, run: (ctx: CommandContext) => Promise<ExitCode | undefined>): Command {
  return defineCommand({ name, summary: name, examples: [name], run });
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    // The timer stands for work in hand; without it the process would have nothing to wait for.
    const working = setInterval(() => undefined, 1000);
    signal.addEventListener('abort', () => {
      clearInterval(working);
      resolve();
    });
  });

const commands = [
  misbehaving('orderly', async ({ signal, out }) => {
    out.line('ready');
    await aborted(signal);
    out.line('finished the item in hand');
    return undefined;
  }),
  misbehaving('stubborn', async ({ signal, out }) => {
    out.line('ready');
    await aborted(signal);
    out.line('asked once');
    return await new Promise(() => setInterval(() => undefined, 1000));
  }),
  misbehaving('defect', async () => {
    throw new TypeError('a tripped wire; the buyer was +77011234567');
  }),
  misbehaving('stray', async () => {
    void Promise.reject(new RangeError('nobody awaits this'));
    return await new Promise(() => setInterval(() => undefined, 1000));
  }),
  misbehaving('endless', () => new Promise(() => undefined)),
  misbehaving('some-failed', async () => ExitCode.SomeFailed),
  misbehaving('large', async ({ out }) => {
    await out.result(Array.from({ length: LARGE_ROWS }, (_, id) => ({ id, text: 'a row of the result' })));
    return undefined;
  }),
  misbehaving('leak', async ({ log, environment }) => {
    const token = environment.values.KASPI_API_TOKEN ?? '';
    registerSecret('read-later-from-the-database');
    log.warn(
      { token, encoded: Buffer.from(token).toString('base64'), deep: [{ url: encodeURIComponent(token) }] },
      token,
    );
    log.child({ phone: '+7 701 123-45-67' }).info({ later: 'Bearer read-later-from-the-database' }, 'to 87011234567');
    log.error({ err: new Error(`refused ${token} of buyer@shop.example.kz`) }, 'failed');
    throw new AppError({
      code: 'REFUSED',
      kind: 'operator',
      exit: ExitCode.CredentialsRefused,
      message: `Kaspi refused ${token}`,
      hint: 'Call +375 29 123-45-67',
    });
  }),
];

await runCli(commands.map((command) => ({ name: command.name, summary: command.summary, load: async () => command })));
