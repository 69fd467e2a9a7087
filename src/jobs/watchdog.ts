import { AppError, ExitCode } from '../base/errors.ts';
import type { AlertChannel, AlertMessage, AlertNews } from '../domain/alert.ts';
import type { JobContext } from '../runner/job.ts';
import { defineJob } from './define.ts';

/** What the watchdog does its work with. */
export interface WatchdogClients {
  health: {
    /** Judges the whole, opens and closes alerts in one transaction. `open`: how many are open then, whoever opened them. */
    check(now: Date): Promise<{ opened: number; closed: number; open: number }>;
  };
  alerts: {
    /** What this channel has still to be told. */
    untold(channel: string, now: Date): Promise<AlertNews[]>;
    compose(news: readonly AlertNews[]): AlertMessage;
    told(channel: string, news: readonly AlertNews[]): Promise<void>;
  };
  channels: readonly AlertChannel[];
}

type Context = JobContext<WatchdogClients, unknown, unknown>;

export const watchdog = defineJob({
  name: 'watchdog',
  summary: 'Heartbeats, failures, backlog, freshness and tokens checked; alerts sent and cleared',
  systems: ['telegram', 'mail'],
  overlapMs: 0,
  sliceMs: 86_400_000,
  run: async (context: Context) => {
    const { clients, counts, log, now } = context;
    const { opened, closed, open } = await clients.health.check(now);
    counts.created += opened;
    counts.updated += closed;
    if (clients.channels.length === 0) {
      if (open > 0) log.warn({ open }, 'alerts are open and no channel is configured to tell them; see sdelka status');
      return;
    }
    await tell(context);
  },
});

/**
 * First rows, then words: what could not be sent stands in the database and is sent by a later pass. A channel that fails keeps
 * no other one back, and its news wait for it alone.
 */
async function tell({ clients, counts, log, now, signal }: Context): Promise<void> {
  const failures: AppError[] = [];
  for (const channel of clients.channels) {
    if (signal.aborted) return;
    const news = await clients.alerts.untold(channel.name, now);
    if (news.length === 0) continue;
    const failure = await send(channel, clients.alerts.compose(news), signal);
    if (failure === undefined) {
      await clients.alerts.told(channel.name, news);
      log.info({ channel: channel.name, alerts: news.length }, 'alerts told');
      continue;
    }
    failures.push(failure);
    counts.failed += news.length;
    const { code, message: reason, hint } = failure;
    log.error(
      { channel: channel.name, waiting: news.length, code, reason, hint },
      'alerts could not be told; kept for the next pass',
    );
  }
  const [first] = failures;
  if (first !== undefined && failures.length === clients.channels.length) throw unreached(failures, first);
}

async function send(channel: AlertChannel, message: AlertMessage, signal: AbortSignal): Promise<AppError | undefined> {
  try {
    await channel.send(message, signal);
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError) || error.kind === 'bug') throw error;
    return error;
  }
}

/** Refused credentials everywhere will not pass by themselves; anything else may. */
function unreached(failures: readonly AppError[], first: AppError): AppError {
  const isRefused = failures.every(({ exit }) => exit === ExitCode.CredentialsRefused);
  return new AppError({
    code: 'ALERTS_NOT_TOLD',
    kind: isRefused ? 'operator' : 'transient',
    exit: isRefused ? ExitCode.CredentialsRefused : ExitCode.Unavailable,
    message: `no channel took the alerts: ${failures.map(({ message }) => message).join('; ')}`,
    hint: first.hint ?? 'Try `sdelka alerts:test`.',
  });
}
