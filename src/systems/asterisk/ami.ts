import { connect as tcpConnect } from 'node:net';
import { assert, ExitCode } from '../../base/errors.ts';
import { RemoteError, type RequestOutcome } from '../../base/remote-error.ts';
import type { Secret } from '../../base/secret.ts';
import { type AmiFields, type AmiMessage, amiParser, field, packetText } from './ami-wire.ts';

export type { AmiMessage } from './ami-wire.ts';

const SYSTEM = 'asterisk';

export interface AmiOptions {
  host: string;
  port: number;
  user: string;
  secret: Secret;
  /** For connecting and logging in together, and by default for each action. */
  timeoutMs: number;
  /** Aborted: the connection is closed. */
  signal: AbortSignal;
  /** Classes of events that are wanted, such as `call`; absent: none. */
  events?: readonly string[];
  onEvent?: (event: AmiMessage) => void;
}

export interface AmiConnection {
  /**
   * Sends one action and gives its answer. Throws `RemoteError`: refused (`REMOTE_REFUSED`, or 77 where the right is missing), or no
   * answer in time or a lost connection (69, in doubt). Values of more than one line are refused before a byte is written.
   */
  action(fields: AmiFields, timeoutMs?: number): Promise<AmiMessage>;
  close(): void;
  /** Settles, never rejecting, when the connection is gone for whatever reason. */
  closed: Promise<void>;
}

interface Waiting {
  resolve(answer: AmiMessage): void;
  reject(error: RemoteError): void;
}

/**
 * Connects to Asterisk's manager interface and logs in. Throws `RemoteError`: unreachable or not AMI (69), refused (77).
 * Source: Asterisk's manager documentation and main/manager.c, read 2026-11.
 */
export async function connectAmi(options: AmiOptions): Promise<AmiConnection> {
  const link = openLink(options);
  try {
    await deadline(link.ready, options.timeoutMs, () => unreachable('connect', 'time-out', 'not-sent'));
    const login = {
      ...{ Action: 'Login', Username: options.user, Secret: options.secret.reveal() },
      Events: options.events === undefined ? 'off' : options.events.join(','),
    };
    await link.action(login, options.timeoutMs).catch((error: unknown) => {
      throw error instanceof RemoteError && error.outcome === 'refused' ? refusedLogin() : error;
    });
  } catch (error) {
    link.close();
    throw error;
  }
  return {
    action: (fields, timeoutMs) => link.action(fields, timeoutMs ?? options.timeoutMs),
    close: link.close,
    closed: link.closed,
  };
}

interface Link {
  /** When the banner has come. */
  ready: Promise<void>;
  action(fields: AmiFields, timeoutMs: number): Promise<AmiMessage>;
  close(): void;
  closed: Promise<void>;
}

function openLink({ host, port, signal, onEvent }: AmiOptions): Link {
  const waiting = new Map<string, Waiting>();
  let count = 0;
  let why = 'connection closed';
  let isOpen = true;
  const socket = tcpConnect({ host, port, noDelay: true });
  socket.setEncoding('utf8');
  const close = () => void socket.destroy();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const ready = new Promise<void>((resolve, reject) => {
    const parser = amiParser(() => resolve(), receive);
    socket.on('data', (text: Buffer | string) => {
      try {
        parser.push(String(text));
      } catch {
        why = 'no AMI is spoken there';
        close();
      }
    });
    socket.on('error', (error: Error & { code?: string }) => {
      why = error.code ?? 'socket error';
    });
    socket.once('close', () => {
      isOpen = false;
      signal.removeEventListener('abort', close);
      reject(unreachable('connect', why, 'not-sent'));
      for (const { reject: refuse } of waiting.values()) refuse(unreachable('action', why, 'in-doubt'));
      waiting.clear();
    });
  });
  // Whoever waits for it is told; nobody may be waiting any more.
  ready.catch(() => undefined);
  if (signal.aborted) close();
  else signal.addEventListener('abort', close, { once: true });

  function receive(message: AmiMessage): void {
    if (message.has('event')) {
      onEvent?.(message);
      return;
    }
    const id = field(message, 'actionid');
    const asked = waiting.get(id);
    if (asked === undefined) return;
    waiting.delete(id);
    if (/^(error|failure)$/i.test(field(message, 'response'))) asked.reject(refusal(field(message, 'message')));
    else asked.resolve(message);
  }

  async function action(fields: AmiFields, timeoutMs: number): Promise<AmiMessage> {
    const route = `${String(fields.Action)}`.toLowerCase();
    const id = typeof fields.ActionID === 'string' ? fields.ActionID : `sdelka-${++count}`;
    const text = packetFor({ ...fields, ActionID: id });
    if (!isOpen) throw unreachable(route, why, 'not-sent');
    const answered = new Promise<AmiMessage>((resolve, reject) => waiting.set(id, { resolve, reject }));
    socket.write(text);
    return await deadline(answered, timeoutMs, () => unreachable(route, 'time-out', 'in-doubt')).finally(() =>
      waiting.delete(id),
    );
  }

  return { ready, action, close, closed };
}

function packetFor(fields: AmiFields): string {
  let text: string | undefined;
  try {
    text = packetText(fields);
  } catch {
    text = undefined;
  }
  assert(text !== undefined, 'a field for AMI holds more than one line, or its name is none');
  return text;
}

/** The promise's value, or the error where it takes longer. Says nothing of what goes on after that. */
async function deadline<T>(promise: Promise<T>, ms: number, late: () => RemoteError): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

function unreachable(route: string, why: string, outcome: RequestOutcome): RemoteError {
  return new RemoteError({
    ...{ system: SYSTEM, route, outcome, code: 'REMOTE_UNREACHABLE', kind: 'transient', exit: ExitCode.Unavailable },
    message: `asterisk gave no answer (${route}: ${why})`,
    hint: 'Look at ASTERISK_AMI_HOST and ASTERISK_AMI_PORT, and in manager.conf at enabled, bindaddr and port.',
  });
}

function refusedLogin(): RemoteError {
  return new RemoteError({
    ...{ system: SYSTEM, route: 'login', outcome: 'refused', code: 'REMOTE_UNAUTHORIZED' },
    ...{ kind: 'operator', exit: ExitCode.CredentialsRefused },
    message: 'asterisk refused our credentials (login)',
    hint: "Set ASTERISK_AMI_USER and ASTERISK_AMI_SECRET as in manager.conf; its permit must cover this host's address.",
  });
}

/** What Asterisk says of an originate or of an action as such; other texts might hold what was sent (main/manager.c, read 2026-11). */
const KNOWN_REFUSALS = [
  'Channel not specified',
  'Invalid channel',
  'Invalid priority',
  'Invalid timeout',
  'Extension does not exist.',
  "Originate with 'Exten' requires 'Context' and 'Priority'",
  'Originate Access Forbidden: app or data blacklisted',
  'Originate failed',
  'Missing action in request',
];

function refusal(said: string): RemoteError {
  if (/^permission denied/i.test(said)) {
    return new RemoteError({
      ...{ system: SYSTEM, route: 'action', outcome: 'refused', code: 'REMOTE_FORBIDDEN' },
      ...{ kind: 'operator', exit: ExitCode.CredentialsRefused },
      message: "asterisk does not allow this to the manager's user",
      hint: 'Give the user write=originate and read=call in manager.conf, then `asterisk -rx "manager reload"`.',
    });
  }
  return new RemoteError({
    ...{ system: SYSTEM, route: 'action', outcome: 'refused', code: 'REMOTE_REFUSED' },
    ...{ kind: 'operator', exit: ExitCode.Config },
    message: `asterisk refused: ${KNOWN_REFUSALS.find((known) => said.startsWith(known)) ?? 'for a reason of its own'}`,
    hint: "Compare asterisk.channel, asterisk.context and asterisk.dial of the mapping with the PBX's dialplan.",
  });
}
