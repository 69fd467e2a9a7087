import type { Clock } from '../base/clock.ts';
import { type ExitCode, usageError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Environment } from '../config/env.ts';
import type { AnyGroup } from '../config/settings.ts';

export type Cell = string | number;

/** Where results go: stdout. Everything written here is out when the call ends. */
export interface Output {
  /** Whether a person is looking: stdout is a terminal and `--json` was not given. */
  readonly isTerminal: boolean;
  /** Whether `--json` was given. */
  readonly json: boolean;
  /** Columns of the terminal; 80 where it does not tell. */
  readonly width: number;
  /** The command's result: what `render` makes of it for a terminal, else one line of JSON. */
  result(value: unknown, render?: () => string | Promise<string>): Promise<void>;
  /** Raw text, for what is meant to be copied or piped on (a crontab, an env file), whatever stdout is. */
  line(text: string): void;
  /** A table as text, without a trailing newline. Its library is loaded at the first call: call it inside `render`. */
  table(head: readonly string[], rows: readonly (readonly Cell[])[]): Promise<string>;
}

/** The global options, after the environment had its say. */
export interface Globals {
  dryRun: boolean;
  json: boolean;
  /** 0 = do not wait for a lock. */
  lockWaitSeconds: number;
  /** Absolute; absent where neither `--mapping` nor `MAPPING_FILE` names one. */
  mappingFile?: string;
  color: boolean;
}

export interface CommandContext {
  environment: Environment;
  globals: Globals;
  log: Logger;
  clock: Clock;
  /** Aborted by the first SIGINT or SIGTERM. */
  signal: AbortSignal;
  out: Output;
  /** How this program was started: absolute paths, for commands that write crontabs and units. */
  self: { node: string; script: string };
  /** Everything that the program can run, for commands that speak of the others. */
  entries: readonly CommandEntry[];
}

/** An option without a value. */
export interface FlagSpec {
  description: string;
  /** Where its name does not give it: `match-1c` for `match1c`. */
  long?: string;
}

/** An option with a value. `parse` throws a usage error for a bad one. */
export interface ValueSpec<T> {
  /** What stands between the angle brackets in the help. */
  value: string;
  description: string;
  parse: (text: string) => T;
  fallback?: T;
}

export type OptionSpecs = Readonly<Record<string, FlagSpec | ValueSpec<unknown>>>;

/** What `run` gets: flags are true or false; values are undefined where neither given nor with a fallback. */
export type OptionValues<S extends OptionSpecs> = {
  readonly [K in keyof S]: S[K] extends { parse: (text: string) => infer T }
    ? S[K] extends { fallback: unknown }
      ? T
      : T | undefined
    : boolean;
};

export interface ArgumentSpec {
  name: string;
  description: string;
  /** Default true. */
  required?: boolean;
  /** Takes all that follow; only for the last one. */
  variadic?: boolean;
}

export interface CommandDefinition<S extends OptionSpecs> {
  name: string;
  summary: string;
  /** Further paragraphs of the help. */
  details?: string;
  arguments?: readonly ArgumentSpec[];
  /** By name: `createTestLead` is `--create-test-lead`. */
  options?: S;
  /** At least one; what follows `sdelka `. */
  examples: readonly [string, ...string[]];
  /** The settings that it reads beside the core ones, so that their faults are listed together and their secrets never logged. */
  settings?: readonly AnyGroup[];
  /** All that it needs to be configured, where that depends on the mapping; `settings` are among them. */
  settingsFor?: (environment: Environment, mappingFile?: string) => Promise<readonly AnyGroup[]>;
  /** Logs nothing of its own: the logger is then loaded for a failure only, which is felt in a quick command. */
  quiet?: boolean;
  /** Gives the exit code where it is not 0; throws an `AppError` for whatever the operator should read. */
  run(ctx: CommandContext, args: readonly string[], options: OptionValues<S>): Promise<ExitCode | undefined>;
}

/** A command as the program takes it: the types of its own options stay inside. */
export interface Command extends Omit<CommandDefinition<OptionSpecs>, 'run'> {
  run(
    ctx: CommandContext,
    args: readonly string[],
    options: Readonly<Record<string, unknown>>,
  ): Promise<ExitCode | undefined>;
}

/** A line of the registry. `load` imports the command's module, so that starting the program costs nothing of it. */
export interface CommandEntry {
  name: string;
  summary: string;
  /** What cron runs: listed apart in the help, and named `job` in the log. */
  isJob?: boolean;
  load: () => Promise<Command>;
}

/** The program gives `run` exactly the values that the specs describe; hence the one widening of types here. */
export function defineCommand<const S extends OptionSpecs = Record<never, never>>(
  definition: CommandDefinition<S>,
): Command {
  return { ...definition, run: (ctx, args, options) => definition.run(ctx, args, options as OptionValues<S>) };
}

/** Takes any text but an empty one. */
export function text(value: string): string {
  if (value.trim() === '') {
    throw usageError('an empty text will not do');
  }
  return value;
}

/** Takes names that commas divide, each once. */
export function names(value: string): readonly string[] {
  const found = [...new Set(value.split(',').map((name) => name.trim()))].filter((name) => name !== '');
  if (found.length === 0) throw usageError('expected one or more, divided by commas');
  return found;
}

/** Takes whole numbers from `min` to `max`. */
export function wholeNumber(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (Number.isNaN(number) || number < min || number > max) {
      throw usageError(`expected a whole number from ${min} to ${max}`);
    }
    return number;
  };
}

/** Takes one of the given words. */
export function oneOf<const T extends string>(words: readonly T[]): (value: string) => T {
  return (value) => {
    const found = words.find((word) => word === value);
    if (found === undefined) {
      throw usageError(`expected one of ${words.join(', ')}`);
    }
    return found;
  };
}
