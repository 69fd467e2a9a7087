import { AppError } from './errors.ts';
import { cleanValue, registerSecret } from './redact.ts';

export { registerSecret } from './redact.ts';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export type LogFields = Record<string, unknown>;

export interface LogMethod {
  (fields: LogFields, message: string): void;
  (message: string): void;
}

/** What every part of the program logs to. From `warn` up the message is constant and the facts are fields. */
export interface Logger {
  trace: LogMethod;
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
  /** A logger that adds `fields` to each of its records. */
  child(fields: LogFields): Logger;
}

/** Takes finished lines, newline included. Writes them before it returns: the process may end right after. */
export interface LogSink {
  write(line: string): void;
}

export interface LoggerOptions {
  level: LogLevel;
  /** Readable lines instead of JSON. */
  pretty: boolean;
  /** Colours in readable lines. */
  color?: boolean;
  destination: LogSink;
  /** Joins the secrets that are known already, see `registerSecret`. */
  secrets?: Iterable<string>;
}

const ignore = () => undefined;

/** For commands that have nothing to log: costs nothing. */
export const silentLogger: Logger = {
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
};

/**
 * The program's logger: JSON lines with a numeric `level` and `time` in ISO-8601 UTC. pino is loaded here and not with this
 * module, for it costs more than a whole quick command. Every finished record is cleaned of secrets, phones and e-mails
 * on its way out, whatever put them there.
 */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  for (const secret of options.secrets ?? []) {
    registerSecret(secret);
  }
  // The bundle gives a CommonJS package as its default export alone.
  const { default: pino } = await import('pino');
  const format = options.pretty ? await prettyFormat(options.color ?? false) : jsonFormat;
  const describe = (value: unknown) =>
    value instanceof Error ? errorFields(value, options.level === 'debug' || options.level === 'trace') : value;
  const logger: Logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describe, error: describe },
    },
    { write: (line: string) => options.destination.write(format(cleanLine(line))) },
  );
  return logger;
}

function cleanLine(line: string): LogFields {
  return cleanValue(JSON.parse(line)) as LogFields;
}

function jsonFormat(record: LogFields): string {
  return `${JSON.stringify(record)}\n`;
}

/** Faults and advice stand on lines of their own, for they are what an operator at a terminal looks for. */
async function prettyFormat(color: boolean): Promise<(record: LogFields) => string> {
  const { default: pretty } = await import('pino-pretty');
  const format = pretty.prettyFactory({ colorize: color, translateTime: 'SYS:HH:MM:ss', ignore: 'faults,hint' });
  return (record) => {
    const faults = Array.isArray(record.faults) ? record.faults.map((fault) => `    - ${fault}\n`) : [];
    const hint = typeof record.hint === 'string' ? `    ${record.hint}\n` : '';
    return `${format(record) ?? ''}${faults.join('')}${hint}`;
  };
}

/** An error as log fields; the stack only where somebody looks for a defect. */
export function errorFields(error: Error, withStack: boolean): LogFields {
  const known = error instanceof AppError;
  return {
    type: error.name,
    ...(known ? { code: error.code } : {}),
    message: error.message,
    ...(known && error.hint !== undefined ? { hint: error.hint } : {}),
    ...(known && error.faults.length > 0 ? { faults: error.faults } : {}),
    ...(withStack ? { stack: error.stack, ...causeOf(error) } : {}),
  };
}

function causeOf(error: Error): LogFields {
  return error.cause instanceof Error ? { cause: errorFields(error.cause, true) } : {};
}
