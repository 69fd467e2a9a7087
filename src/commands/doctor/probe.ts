import { AppError, ExitCode } from '../../base/errors.ts';
import type { CoreSettings } from '../../config/settings.ts';
import type { HttpCore } from '../../http/core.ts';
import { amoMemory } from '../../state/amo-memory.ts';
import type { Database } from '../../state/database.ts';
import type { AmoMemory } from '../../systems/amocrm/memory.ts';
import { askAccount, LAG_LIMIT_MS } from '../../systems/amocrm/probe.ts';
import {
  type FilterAnswer,
  keepAnswer,
  keepProbedAt,
  leastQuietMs,
  PROBE_QUESTIONS,
  type ProbeAnswers,
  probed,
  probedAt,
} from '../../systems/amocrm/probed.ts';
import type { AmoSettings } from '../../systems/amocrm/settings.ts';
import { TEST_DEAL_NAME, testDeal } from '../amo-check.ts';
import { amoParts } from '../amo-parts.ts';
import type { CommandContext } from '../define.ts';
import type { Findings } from './findings.ts';

const CHECK = 'amoCRM probe';
const DAY_MS = 86_400_000;
/** Accounts change their tariff and amoCRM its servers; twice a year is cheap enough to ask again. */
const STALE_DAYS = 180;
const FULL_PAGE = 250;

export interface ProbeAccess {
  ctx: Pick<CommandContext, 'clock' | 'log' | 'signal'>;
  database: Database;
  core: HttpCore;
}

/** Asks the account what the documentation leaves open, and keeps the answers. One process at a time: two would disturb each other's links. */
export async function probeAmo(
  findings: Findings,
  settings: CoreSettings & AmoSettings,
  access: ProbeAccess,
): Promise<void> {
  // The first failure may be that this is another account, or that its catalog lacks the article's field.
  if (findings.exit !== ExitCode.Ok) {
    findings.warn(CHECK, 'not done because of the failures above', 'Mend them first, then probe again.');
    return;
  }
  const questions = await findings.attempt(CHECK, async () => {
    const value = await underLock(access.database, () => ask(settings, access));
    return { value, message: `done; ${value} of ${PROBE_QUESTIONS.length} questions are settled` };
  });
  if (questions !== undefined) await checkProbe(findings, access.database, access.ctx);
}

async function underLock<T>(database: Database, work: () => Promise<T>): Promise<T> {
  const lock = await database.lock('doctor:probe');
  if (!lock) {
    throw new AppError({
      code: 'PROBE_RUNS',
      kind: 'transient',
      exit: ExitCode.Unavailable,
      message: 'another probe of this database is running',
      hint: 'Wait until it ends, half a minute at most; its answers are kept.',
    });
  }
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** How many questions the account settled. */
async function ask(settings: CoreSettings & AmoSettings, { ctx, database, core }: ProbeAccess): Promise<number> {
  const { clock, log, signal } = ctx;
  const { client, memory, bind } = amoParts({ settings, database, core, clock, log, signal, dryRun: false });
  await bind();
  const { id: accountId } = await client.getAccount();
  const { amo_lead_id: dealId } = await testDeal({ client, facts: memory, settings, dryRun: false }, accountId);
  if (dealId === undefined) return 0;
  let settled = 0;
  await askAccount({
    client,
    clock,
    signal,
    deal: { id: dealId, name: TEST_DEAL_NAME },
    catalogId: settings.AMO_CATALOG_ID,
    keep: async (question, answer) => {
      await keepAnswer(memory, question, answer, clock.now());
      settled += 1;
    },
  });
  await keepProbedAt(memory, clock.now());
  return settled;
}

/** What earlier probes have learnt, and what of it should worry the operator. Asks amoCRM nothing. */
export async function checkProbe(
  findings: Findings,
  database: Database,
  { clock }: Pick<CommandContext, 'clock'>,
): Promise<void> {
  const memory = amoMemory(database, clock);
  const at = await probedAt(memory);
  if (at === undefined) {
    findings.ok(CHECK, 'never done, so that the worst is assumed; `sdelka doctor --probe` asks the account');
    return;
  }
  const answers = await readAnswers(memory);
  const message = `of ${at.toISOString().slice(0, 10)}: ${summary(answers)}`;
  if (clock.now().getTime() - at.getTime() > STALE_DAYS * DAY_MS) {
    findings.warn(CHECK, `${message}; older than ${STALE_DAYS} days`, 'Ask again with `sdelka doctor --probe`.');
  } else {
    findings.ok(CHECK, message);
  }
  await checkAnswers(findings, answers, memory);
}

async function checkAnswers(findings: Findings, { lag, page }: Answers, memory: AmoMemory): Promise<void> {
  if (lag === 'beyond') {
    const minutes = (await leastQuietMs(memory)) / 60_000;
    findings.warn(
      CHECK,
      `a change did not show in a list within ${LAG_LIMIT_MS / 1000} s; what is in doubt now waits ${minutes} min before it is looked up`,
      'Probe again in an hour; if it stays so, ask the support of amoCRM why lists of the API lag.',
    );
  }
  if (page !== undefined && page < FULL_PAGE) {
    findings.warn(
      CHECK,
      `a page has ${page} rows although ${FULL_PAGE} are asked for; a look may end before it has seen everything`,
      'Ask the support of amoCRM for the limit of 250 that is documented; until then run `sdelka audit` daily.',
    );
  }
}

type Answers = { [Q in keyof ProbeAnswers]?: ProbeAnswers[Q] | undefined };

async function readAnswers(memory: AmoMemory): Promise<Answers> {
  return {
    'filters:deals': await probed(memory, 'filters:deals'),
    'filters:contacts': await probed(memory, 'filters:contacts'),
    order: await probed(memory, 'order'),
    lag: await probed(memory, 'lag'),
    relink: await probed(memory, 'relink'),
    page: await probed(memory, 'page'),
    next: await probed(memory, 'next'),
  };
}

const RELINK: Record<ProbeAnswers['relink'], string> = {
  replaces: 'sets the quantity',
  adds: 'adds to the quantity',
  keeps: 'changes nothing',
};

function summary(answers: Answers): string {
  const { order, lag, relink, page, next } = answers;
  const filter = (answer: FilterAnswer | undefined) => answer ?? 'unknown';
  return [
    `filters of deals ${filter(answers['filters:deals'])}, of contacts ${filter(answers['filters:contacts'])}`,
    `order ${order ?? 'unknown'}`,
    `lists show a change ${lag === undefined ? 'after an unknown time' : lag === 'beyond' ? 'late' : `after ${seconds(lag)} s`}`,
    `linking again ${relink === undefined ? 'unknown' : RELINK[relink]}`,
    `rows a page ${page ?? 'unknown'}`,
    `next page ${next === undefined ? 'unknown' : next === 'given' ? 'named' : 'not named'}`,
  ].join('; ');
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}
