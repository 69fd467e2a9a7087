import { resolve } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { AppError, ExitCode, usageError } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/log.ts';
import { cleanValue } from '../base/redact.ts';
import type { CommandEntry, Globals } from '../commands/define.ts';
import type { Environment } from '../config/env.ts';
import { type FdWriter, fdWriter } from './fd.ts';
import type { GlobalSettings } from './log-setup.ts';
import { createOutput } from './output.ts';
import { type GlobalFlags, type Invocation, parseArguments } from './program.ts';
import { listenForStop } from './signals.ts';

const INTAKE_CGI = 'intake:cgi';

/** What is known of this start of the program so far: as much as a failure needs to be told well. */
interface Session {
  stdout: FdWriter;
  invocation?: Invocation;
  settings?: GlobalSettings;
  /** Loaded once, at its first use. */
  log: () => Promise<Logger>;
}

/** Runs the program with the arguments of this process and ends the process with the contract's exit code. */
export async function runCli(entries: readonly CommandEntry[]): Promise<never> {
  const session: Session = { stdout: fdWriter(1), log: once(() => openLog(session, [])) };
  let ending: Promise<ExitCode> | undefined;
  const lastResort = (error: unknown) => {
    ending ??= fail(session, error);
    void ending.then((code) => process.exit(code));
  };
  process.on('uncaughtException', lastResort);
  // Nothing left to wait for although the command has not ended: Node would exit 13 without a word.
  process.once('beforeExit', () => lastResort(new Error('The command stopped without an end')));
  const code = await perform(session, entries).catch((error: unknown) => fail(session, error));
  // Open sockets and timers must not keep a cron job alive; nothing waits in a buffer (see `fdWriter`).
  process.exit(ending === undefined ? code : await ending);
}

async function perform(session: Session, entries: readonly CommandEntry[]): Promise<ExitCode> {
  const argv = process.argv.slice(2);
  refuseUnderGateway(argv);
  const invocation = await parseArguments(argv, entries, (text) => session.stdout.write(text));
  if (invocation === undefined) {
    return ExitCode.Ok;
  }
  session.invocation = invocation;
  const { command, flags } = invocation;
  const { loadEnvironment } = await import('../config/env.ts');
  const environment = loadEnvironment({
    ...(flags.envFile === undefined ? {} : { envFile: flags.envFile }),
    processEnv: process.env,
    cwd: process.cwd(),
  });
  const groups = command.settings ?? [];
  const { readGlobalSettings, secretsOf } = await import('./log-setup.ts');
  session.log = once(() => openLog(session, secretsOf(environment, groups)));
  session.settings = readGlobalSettings(environment, groups);
  // It brings the whole of node:net with it, which help and usage errors can do without.
  const { isatty } = await import('node:tty');
  const globals = mergeGlobals(flags, session.settings, environment, isatty(1));
  const stopping = listenForStop();
  const context = {
    environment,
    globals,
    log: command.quiet ? silentLogger : await session.log(),
    clock: systemClock,
    signal: stopping.signal,
    out: createOutput({
      ...{ writer: session.stdout, terminal: isatty(1), json: globals.json },
      columns: () => process.stdout.columns,
    }),
    self: { node: process.execPath, script: resolve(process.argv[1] ?? 'sdelka') },
    entries,
  };
  const code = await command.run(context, invocation.args, invocation.options).catch((error: unknown) => {
    if (stopping.exitCode() === undefined || !isForeseen(error)) {
      throw error;
    }
    return fail(session, error);
  });
  return stopping.exitCode() ?? code ?? ExitCode.Ok;
}

/**
 * A web server that runs CGI programs puts what the visitor typed after `?` on the command line (RFC 3875, section 4.4), so
 * under it no command but the one made for it may be had, nor any option.
 */
function refuseUnderGateway(argv: readonly string[]): void {
  if (process.env.GATEWAY_INTERFACE !== undefined && argv[0] !== INTAKE_CGI) {
    throw usageError(
      `Under a web server (GATEWAY_INTERFACE is set) only ${INTAKE_CGI} may be run`,
      'Let the wrapper script pass fixed arguments, or unset GATEWAY_INTERFACE if no web server is involved.',
    );
  }
}

function mergeGlobals(
  flags: GlobalFlags,
  settings: GlobalSettings,
  environment: Environment,
  terminal: boolean,
): Globals {
  const mapping =
    flags.mapping !== undefined
      ? resolve(flags.mapping)
      : settings.MAPPING_FILE && resolve(environment.baseDir, settings.MAPPING_FILE);
  return {
    dryRun: flags.dryRun ?? settings.DRY_RUN,
    json: flags.json ?? false,
    lockWaitSeconds: flags.lockWait ?? settings.LOCK_WAIT_SECONDS,
    ...(mapping === undefined ? {} : { mappingFile: mapping }),
    color: terminal && flags.color && !settings.NO_COLOR,
  };
}

async function openLog(session: Session, secrets: readonly string[]): Promise<Logger> {
  const { setUpLog } = await import('./log-setup.ts');
  const { invocation, settings } = session;
  const log = await setUpLog(fdWriter(2), invocation?.flags, settings, secrets);
  if (invocation === undefined) {
    return log;
  }
  return log.child(invocation.entry.isJob ? { job: invocation.entry.name } : { command: invocation.entry.name });
}

/** Tells the operator what went wrong, in one log record, and gives the exit code. Never throws. */
async function fail(session: Session, error: unknown): Promise<ExitCode> {
  try {
    const log = await session.log();
    if (!isForeseen(error)) {
      const { reportDefect } = await import('./defect.ts');
      reportDefect(log, error, {
        keepReport: !(session.invocation?.flags.dryRun ?? session.settings?.DRY_RUN ?? false),
      });
      return ExitCode.Defect;
    }
    logFailure(log, error);
    return error.exit;
  } catch (failure) {
    const logging = failure instanceof Error ? failure.message : 'unknown';
    const record = {
      level: 60,
      time: new Date().toISOString(),
      logging,
      msg: 'sdelka failed, and its log cannot be written',
    };
    fdWriter(2).write(`${JSON.stringify(cleanValue(record))}\n`);
    return ExitCode.Defect;
  }
}

/** A failure that we foresaw, and that the operator or the next tick can mend; everything else is a defect. */
function isForeseen(error: unknown): error is AppError {
  return error instanceof AppError && error.kind !== 'bug';
}

function logFailure(log: Logger, error: AppError): void {
  log.error(
    {
      code: error.code,
      exit: error.exit,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.faults.length === 0 ? {} : { faults: error.faults }),
    },
    error.message,
  );
  log.debug({ err: error }, 'where it was thrown');
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
