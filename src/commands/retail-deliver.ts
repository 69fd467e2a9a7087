import type { Clock } from '../base/clock.ts';
import { AppError, ExitCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { maskPhone } from '../domain/phone.ts';
import type { RetailCallEvent } from '../systems/asterisk/ami-events.ts';
import type { RetailcrmClient } from '../systems/retailcrm/client.ts';

/** A card that pops up later than that is worse than none: the call may be over. One that stands must go, if late. */
const LATEST_MS: Readonly<Record<RetailCallEvent['type'], number>> = { in: 5000, out: 5000, hangup: 60_000 };
/** Events that wait or are on their way; more than that and RetailCRM is not answering. */
const MOST_WAITING = 500;

export interface Delivery {
  /** Sends the event after those of the same call; `at` is when it happened, ms. */
  deliver(event: RetailCallEvent, at: number): void;
  /** When all that was taken is sent or given up. */
  settled(): Promise<void>;
}

/**
 * Posts events to RetailCRM, those of one call one after the other, each within five seconds (a hang-up: a minute) or not at all: the
 * calls themselves come by their records. Trouble is told when it begins and when it ends, an extension that RetailCRM does not know once.
 */
export function eventDelivery(crm: Pick<RetailcrmClient, 'callEvent'>, clock: Clock, log: Logger): Delivery {
  const chains = new Map<string, Promise<void>>();
  const unknown = new Set<string>();
  let waiting = 0;
  let lost = 0;

  async function post(event: RetailCallEvent, at: number): Promise<void> {
    const inTime = async () => {
      if (clock.now().getTime() - at > LATEST_MS[event.type]) throw tooLate();
    };
    try {
      await inTime();
      const { notExistCodes } = await crm.callEvent(event, inTime);
      log.info(shown(event), 'call event sent');
      if (lost > 0) log.info({ lost }, 'RetailCRM takes call events again');
      lost = 0;
      tellUnknown(notExistCodes);
    } catch (error) {
      if (!(error instanceof AppError) || error.kind === 'bug') throw error;
      lose(event, error);
    }
  }

  function lose(event: RetailCallEvent, error: AppError): void {
    lost += 1;
    if (lost === 1) log.warn({ ...shown(event), err: error }, 'a call event was not delivered');
    else log.debug({ ...shown(event), err: error }, 'a call event was not delivered');
  }

  function tellUnknown(codes: readonly string[]): void {
    const news = codes.filter((code) => !unknown.has(code));
    for (const code of news) unknown.add(code);
    if (news.length === 0) return;
    const hint = 'Put them into calls.enterprises[].extensions of the mapping and run `sdelka retail:register`.';
    log.warn({ extensions: news, hint }, 'RetailCRM does not know these extensions: their cards do not pop up');
  }

  return {
    deliver: (event, at) => {
      if (waiting >= MOST_WAITING) {
        lose(event, tooLate());
        return;
      }
      const id = event.callExternalId;
      waiting += 1;
      const sent = (chains.get(id) ?? Promise.resolve())
        .then(() => post(event, at))
        .finally(() => {
          waiting -= 1;
          if (chains.get(id) === sent) chains.delete(id);
        });
      chains.set(id, sent);
    },
    settled: async () => {
      while (chains.size > 0) await Promise.all(chains.values());
    },
  };
}

/** For logs and dry runs. */
export function shown(event: RetailCallEvent): Record<string, unknown> {
  const { type, phone, codes, hangupStatus, callExternalId } = event;
  return {
    ...{ event: type, phone: maskPhone(phone), codes },
    ...(hangupStatus === undefined ? {} : { status: hangupStatus }),
    call: callExternalId,
  };
}

function tooLate(): AppError {
  return new AppError({
    code: 'EVENT_LATE',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: 'RetailCRM did not take a call event in time',
    hint: 'Nothing is lost but the card: retail:sync-calls uploads the call itself.',
  });
}
