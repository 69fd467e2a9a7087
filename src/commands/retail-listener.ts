import type { Clock } from '../base/clock.ts';
import { AppError, ExitCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Secret } from '../base/secret.ts';
import { connectAmi } from '../systems/asterisk/ami.ts';
import { type CallEvents, callEvents, type EventRules, type RetailCallEvent } from '../systems/asterisk/ami-events.ts';

export interface Listening {
  ami: { host: string; port: number; user: string; secret: Secret };
  rules: EventRules;
  /** Takes the events of one call in their order; must not throw. */
  deliver: (event: RetailCallEvent, at: number) => void;
  /** Whether credentials that are refused from the start end it: nothing else is listened to. */
  isOnly: boolean;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  /** Told when a connection was made or lost. */
  onState: (isConnected: boolean) => void;
}

const LOGIN_MS = 10_000;
const PING_EVERY_MS = 30_000;
const PONG_WITHIN_MS = 10_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** A connection that stood that long begins a new series of pauses. */
const STABLE_MS = 60_000;

/**
 * Listens to one PBX until the signal is aborted: connects, and again after each loss, with growing pauses. Throws where the credentials
 * are refused at the first try and nothing else is listened to; later on they may be right again any minute.
 */
export async function listenTo(given: Listening): Promise<void> {
  const { clock, log, signal, isOnly } = given;
  const calls = callEvents(given.rules);
  let pauseMs = FIRST_PAUSE_MS;
  let hasListened = false;
  let told: string | undefined;
  while (!signal.aborted) {
    const began = clock.now().getTime();
    try {
      await session(given, calls, () => {
        hasListened = true;
        told = undefined;
      });
      if (signal.aborted) return;
      log.warn('the connection to the PBX was lost');
    } catch (error) {
      if (!(error instanceof AppError) || error.kind === 'bug') throw error;
      if (signal.aborted) return;
      if (isOnly && !hasListened && error.exit === ExitCode.CredentialsRefused) throw error;
      // Once for each reason: the PBX may be away for days.
      if (told !== error.message) log.warn({ err: error }, 'the PBX cannot be listened to; it is tried again');
      told = error.message;
    }
    if (clock.now().getTime() - began >= STABLE_MS) pauseMs = FIRST_PAUSE_MS;
    await clock.sleep(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** One connection, from its login to its loss. */
async function session(given: Listening, calls: CallEvents, onLogin: () => void): Promise<void> {
  const { ami, clock, log, signal, deliver, onState } = given;
  let timer: NodeJS.Timeout | undefined;
  const hand = (events: readonly RetailCallEvent[]) => {
    const at = clock.now().getTime();
    for (const event of events) deliver(event, at);
    const ripeAt = calls.ripeAt();
    clearTimeout(timer);
    if (ripeAt !== undefined) {
      timer = setTimeout(() => hand(calls.ripe(clock.now().getTime())), Math.max(1, ripeAt - at));
    }
  };
  calls.reset();
  const connection = await connectAmi({
    ...ami,
    ...{ timeoutMs: LOGIN_MS, signal, events: ['system', 'call', 'agent'] },
    onEvent: (event) => hand(calls.push(event, clock.now().getTime())),
  });
  const ended = new AbortController();
  try {
    onLogin();
    onState(true);
    log.info('listening to the PBX');
    const gone = connection.closed.then(() => ended.abort());
    while (!ended.signal.aborted) {
      await clock.sleep(PING_EVERY_MS, ended.signal);
      if (!ended.signal.aborted) await connection.action({ Action: 'Ping' }, PONG_WITHIN_MS);
    }
    await gone;
  } finally {
    clearTimeout(timer);
    connection.close();
    onState(false);
  }
}
