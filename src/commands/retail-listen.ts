import { AppError, configError, ExitCode } from '../base/errors.ts';
import type { Database, Lock } from '../state/database.ts';
import { setHeartbeat } from '../state/meta.ts';
import type { RetailCallEvent } from '../systems/asterisk/ami-events.ts';
import { type CommandContext, defineCommand } from './define.ts';
import { eventDelivery, shown } from './retail-deliver.ts';
import { type Listening, listenTo } from './retail-listener.ts';
import type { EnterpriseParts } from './retail-parts.ts';
import { type RetailAtHand, withRetail } from './with-retail.ts';

const NAME = 'retail:listen';
const HEARTBEAT_MS = 60_000;
/** How long a stop waits for what is on its way to RetailCRM. */
const LAST_EVENTS_MS = 3000;

type Reachable = EnterpriseParts & { settings: { ami: Listening['ami'] } };

export const retailListenCommand = defineCommand({
  name: NAME,
  summary: 'Stays beside a PBX: its events become RetailCRM call events at once, so that cards pop up',
  details:
    'Stays in the foreground until SIGINT or SIGTERM; let systemd or the like start it again. It connects anew whenever the PBX goes away. Calls themselves are uploaded by retail:sync-calls. With --dry-run it prints the events that it would send.',
  examples: ['retail:listen', '--dry-run retail:listen'],
  run: (ctx) =>
    withRetail(ctx, { readOnly: ctx.globals.dryRun, needs: ['crm', 'asterisk'] }, async (given) => {
      const reachable = given.enterprises.filter(hasAmi);
      if (reachable.length === 0) throw noAmi();
      for (const { enterprise } of given.enterprises.filter((one) => !hasAmi(one))) {
        ctx.log.warn({ enterprise: enterprise.number }, 'this enterprise has no AMI settings and is not listened to');
      }
      if (ctx.globals.dryRun) await listenAll(ctx, reachable, printing(ctx));
      else await locked(ctx, given, reachable);
      return undefined;
    }),
});

function hasAmi(one: EnterpriseParts): one is Reachable {
  return one.settings.ami !== undefined;
}

function noAmi(): AppError {
  return configError(
    'AMI_NOT_SET',
    'There is no AMI to listen to',
    'Set ASTERISK_AMI_HOST, ASTERISK_AMI_USER and ASTERISK_AMI_SECRET; over ASTERISK_SSH nothing can be listened to.',
  );
}

/** Two of them would make every card pop up twice. */
async function locked(ctx: CommandContext, { database }: RetailAtHand, reachable: readonly Reachable[]): Promise<void> {
  const { globals, signal, log } = ctx;
  const waitMs = globals.lockWaitSeconds * 1000;
  const lock = await database.lock(NAME, { waitMs, signal });
  if (lock === undefined) {
    if (waitMs > 0 && !signal.aborted) throw lockNotHad(globals.lockWaitSeconds);
    log.info('skipped: locked');
    return;
  }
  try {
    await listenAll(ctx, reachable, sending(ctx), { database, lock });
  } finally {
    await lock.release();
  }
}

function lockNotHad(seconds: number): AppError {
  return new AppError({
    code: 'LOCK_WAIT',
    kind: 'transient',
    exit: ExitCode.LockWait,
    message: `another ${NAME} still holds the lock after ${seconds} s`,
    hint: 'One is enough for all enterprises of a database.',
  });
}

/** What becomes of an enterprise's events. */
type Outlet = (one: Reachable) => { deliver: (event: RetailCallEvent, at: number) => void; settled(): Promise<void> };

function sending({ clock, log }: CommandContext): Outlet {
  return ({ crm, enterprise }) => eventDelivery(crm, clock, log.child({ enterprise: enterprise.number }));
}

function printing({ out }: CommandContext): Outlet {
  return ({ enterprise }) => ({
    deliver: (event) => out.line(JSON.stringify({ dry_run: true, enterprise: enterprise.number, ...shown(event) })),
    settled: async () => undefined,
  });
}

/** Listens to all of them; what ends one for good ends all, for a person has to look. */
async function listenAll(
  ctx: CommandContext,
  reachable: readonly Reachable[],
  outlet: Outlet,
  kept?: { database: Database; lock: Lock },
): Promise<void> {
  const { clock, log } = ctx;
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  let connected = 0;
  const listeners = reachable.map(async (one) => {
    const { deliver, settled } = outlet(one);
    await listenTo({
      ...{ ami: one.settings.ami, rules: rulesOf(one), deliver, isOnly: reachable.length === 1, clock, signal },
      log: log.child({ enterprise: one.enterprise.number }),
      onState: (isConnected) => {
        connected += isConnected ? 1 : -1;
      },
    });
    await Promise.race([settled(), clock.sleep(LAST_EVENTS_MS)]);
  });
  const beating = kept === undefined ? [] : [beat(ctx, kept, signal, () => connected === reachable.length)];
  const endings = [...listeners, ...beating].map((work) =>
    work.catch((error: unknown) => {
      stop.abort();
      throw error;
    }),
  );
  const failed = (await Promise.allSettled(endings)).find((ending) => ending.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Shows in `status` that all PBXes are listened to, and that the lock is still ours. */
async function beat(
  { clock, log }: CommandContext,
  { database, lock }: { database: Database; lock: Lock },
  signal: AbortSignal,
  isWell: () => boolean,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(HEARTBEAT_MS, signal);
    if (signal.aborted) return;
    await lock.ping();
    if (!isWell()) continue;
    const noted = database.transaction((tx) => setHeartbeat(tx, NAME, clock.now()));
    await noted.catch((error: unknown) => log.warn({ err: error }, 'the heartbeat could not be noted'));
  }
}

function rulesOf({ enterprise, country }: Reachable): Listening['rules'] {
  const { cdr, extensions, trunks, internalLength, outboundPrefix } = enterprise;
  return {
    ...{ host: cdr.host, country, trunks, internalLength, outboundPrefix },
    extensions: new Set(extensions.keys()),
  };
}
