import { Command as Commander, CommanderError, Option } from 'commander';
import packageFile from '../../package.json' with { type: 'json' };
import { AppError, usageError } from '../base/errors.ts';
import { type LogLevel, logLevels } from '../base/log.ts';
import {
  type ArgumentSpec,
  type Command,
  type CommandEntry,
  type OptionSpecs,
  oneOf,
  text,
  wholeNumber,
} from '../commands/define.ts';

/** The global options as typed; what is absent is left to the environment. */
export interface GlobalFlags {
  envFile?: string;
  mapping?: string;
  dryRun?: true;
  json?: true;
  logLevel?: LogLevel;
  logPretty?: true;
  /** false = `--no-color`. */
  color: boolean;
  lockWait?: number;
}

/** What the arguments ask for. */
export interface Invocation {
  entry: CommandEntry;
  command: Command;
  args: readonly string[];
  options: Readonly<Record<string, unknown>>;
  flags: GlobalFlags;
}

const LONGEST_LOCK_WAIT_SECONDS = 86_400;
const HELP_WIDTH = 100;

/**
 * Parses the arguments (without node and script). Gives undefined where help or the version was asked for and has been
 * printed. Throws a usage error (64) for whatever cannot be understood. Loads the one command that is named, no other.
 */
export async function parseArguments(
  argv: readonly string[],
  entries: readonly CommandEntry[],
  print: (text: string) => void,
): Promise<Invocation | undefined> {
  try {
    const program = createProgram(print);
    const entry = findEntry(program, argv, entries);
    if (entry !== undefined) {
      return await parseCommand(program, entry, argv);
    }
    listCommands(program, entries);
    await program.parseAsync(argv, { from: 'user' });
    return undefined;
  } catch (error) {
    return refuse(error);
  }
}

/** Which command is named, wherever the global options stand. They are parsed again with the command's own. */
function findEntry(program: Commander, argv: readonly string[], entries: readonly CommandEntry[]) {
  const { operands } = program.parseOptions([...argv]);
  const name = operands[0] === 'help' ? operands[1] : operands[0];
  return entries.find((entry) => entry.name === name);
}

async function parseCommand(program: Commander, entry: CommandEntry, argv: readonly string[]) {
  const command = await entry.load();
  let invocation: Invocation | undefined;
  addCommand(program, command).action((...given: unknown[]) => {
    const parsed = given.at(-1);
    if (parsed instanceof Commander) {
      // A name that is both a global option and the command's own is the global one everywhere.
      invocation = { entry, command, args: parsed.args, options: parsed.opts(), flags: program.opts<GlobalFlags>() };
    }
  });
  await program.parseAsync(argv, { from: 'user' });
  return invocation;
}

/** Nothing is printed to stderr and nothing exits: what commander has to say comes as an error. */
function createProgram(print: (text: string) => void): Commander {
  const program = new Commander('sdelka')
    .exitOverride()
    .configureOutput({
      writeOut: print,
      writeErr: () => undefined,
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .description('Brings orders, calls, documents, requests and payments into the CRM, once each.')
    .usage('[global options] <command> [options]')
    .version(packageFile.version, '--version', 'print the version')
    .helpOption('-h, --help', 'show what a command does, with examples')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', examplesText(['migrate', '--dry-run kaspi:poll', 'status --json', 'help kaspi:poll']));
  return addGlobalOptions(program);
}

function addGlobalOptions(program: Commander): Commander {
  return program
    .addOption(valueOption('--env-file <path>', 'settings file; default .env here (SDELKA_ENV_FILE)', text))
    .addOption(valueOption('--mapping <path>', 'mapping file; default mapping.yaml beside it (MAPPING_FILE)', text))
    .option('--dry-run', 'read everything, write nothing anywhere, print the plan (DRY_RUN=true)')
    .option('--json', "the command's result as one JSON document on stdout")
    .addOption(valueOption('--log-level <level>', `${logLevels.join(', ')} (LOG_LEVEL)`, oneOf(logLevels)))
    .option('--log-pretty', 'readable logs; default where stderr is a terminal (LOG_PRETTY=true)')
    .option('--no-color', 'no colours (NO_COLOR)')
    .addOption(
      valueOption(
        '--lock-wait <seconds>',
        "wait that long for the job's lock; default 0 (LOCK_WAIT_SECONDS)",
        wholeNumber(0, LONGEST_LOCK_WAIT_SECONDS),
      ),
    );
}

function listCommands(program: Commander, entries: readonly CommandEntry[]): void {
  for (const entry of entries) {
    program
      .command(entry.name)
      .description(entry.summary)
      .helpGroup(entry.isJob ? 'Jobs (what cron runs):' : 'Commands:');
  }
}

function addCommand(program: Commander, command: Command): Commander {
  const added = program.command(command.name).description([command.summary, command.details ?? ''].join('\n\n').trim());
  for (const argument of command.arguments ?? []) {
    added.argument(argumentSyntax(argument), argument.description);
  }
  for (const option of optionsOf(command.options ?? {})) {
    added.addOption(option);
  }
  return added.helpOption('-h, --help', 'show this').addHelpText('after', examplesText(command.examples));
}

function argumentSyntax({ name, required = true, variadic = false }: ArgumentSpec): string {
  const inner = variadic ? `${name}...` : name;
  return required ? `<${inner}>` : `[${inner}]`;
}

function optionsOf(specs: OptionSpecs): Option[] {
  return Object.entries(specs).map(([name, spec]) => {
    const long = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (!('parse' in spec)) {
      return new Option(spec.long === undefined ? long : `--${spec.long}`, spec.description).default(false);
    }
    const option = valueOption(`${long} <${spec.value}>`, spec.description, spec.parse);
    return 'fallback' in spec ? option.default(spec.fallback) : option;
  });
}

/** An option whose parser's complaint is told with the option's name in front. */
function valueOption(flags: string, description: string, parse: (text: string) => unknown): Option {
  const option = new Option(flags, description);
  return option.argParser((value) => {
    try {
      return parse(value);
    } catch (error) {
      throw error instanceof AppError ? usageError(`${option.long}: ${error.message}`, error.hint) : error;
    }
  });
}

function examplesText(examples: readonly string[]): string {
  return `\nExamples:\n${examples.map((example) => `  $ sdelka ${example}`).join('\n')}`;
}

/** Turns commander's way of stopping into ours: help and version are no failure; everything else is wrong usage. */
function refuse(error: unknown): undefined {
  if (!(error instanceof CommanderError)) {
    throw error;
  }
  if (error.exitCode === 0) {
    return undefined;
  }
  if (error.code === 'commander.help') {
    throw usageError('No command was given', 'sdelka --help lists them.');
  }
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const hint =
    suggestion?.replace(/^\((.*)\)$/, '$1') ?? 'sdelka --help and sdelka <command> --help say what may be given.';
  throw usageError(`${message.charAt(0).toUpperCase()}${message.slice(1)}`, hint);
}
