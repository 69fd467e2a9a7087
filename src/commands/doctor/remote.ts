import type { Clock } from '../../base/clock.ts';
import type { Mapping } from '../../config/mapping.ts';
import type { CoreSettings } from '../../config/settings.ts';
import type { HttpCore } from '../../http/core.ts';
import type { Database } from '../../state/database.ts';
import type { AmoSettings } from '../../systems/amocrm/settings.ts';
import { kaspiClient, kaspiHeaders } from '../../systems/kaspi/client.ts';
import type { KaspiSettings } from '../../systems/kaspi/settings.ts';
import { type AccountMap, readAccountMap } from '../amo-account.ts';
import { amoParts } from '../amo-parts.ts';
import type { CommandContext } from '../define.ts';
import type { Findings } from './findings.ts';
import { idFaults } from './ids.ts';

const TIMEOUT_MS = 15_000;
const DAY_MS = 86_400_000;
const SECOND_MS = 1000;
/** A poll reads up to "now", so that a clock this far behind sees orders late. */
const SKEW_WARNING_MS = 30 * SECOND_MS;
/** Looks walk back past the time of sending by this much; beyond it they would miss what stands there, and it would be made twice. */
const SKEW_FAILURE_MS = 300 * SECOND_MS;

export async function checkKaspi(
  findings: Findings,
  settings: KaspiSettings,
  core: CoreSettings,
  http: HttpCore,
  clock: Clock,
): Promise<void> {
  await findings.attempt('kaspi', async () => {
    const client = kaspiClient(
      http.for({
        system: 'kaspi',
        baseUrl: settings.KASPI_API_URL,
        headers: kaspiHeaders(settings.KASPI_API_TOKEN),
        timeoutMs: core.HTTP_TIMEOUT_MS ?? TIMEOUT_MS,
        credentials: 'KASPI_API_TOKEN',
      }),
      { pageSize: 1 },
    );
    const to = clock.now();
    const page = await client.orders({ from: new Date(to.getTime() - DAY_MS), to }).next();
    const seen = page.done || page.value.items.length === 0 ? 'no orders in the last 24 hours' : 'orders can be read';
    return { value: true, message: `answers; ${seen}` };
  });
}

export async function checkAmo(
  findings: Findings,
  settings: CoreSettings & AmoSettings,
  mapping: Mapping | undefined,
  { ctx, database, core }: { ctx: CommandContext; database: Database; core: HttpCore },
): Promise<void> {
  const { clock, log, signal, globals } = ctx;
  const parts = amoParts({ settings, database, core, clock, log, signal, dryRun: globals.dryRun });
  const map = await findings.attempt('amoCRM', async () => {
    await parts.bind();
    const value = await readAccountMap(parts.client);
    return { value, message: `answers; account ${value.account.id} ${value.account.subdomain}` };
  });
  await findings.attempt('amoCRM token', async () => {
    const life = await parts.authorization.life();
    const left = life.hoursLeft === undefined ? 'its expiry is unknown' : `${life.hoursLeft} hours left`;
    return { value: true, message: `${life.kind}; ${left}` };
  });
  if (map === undefined) return;
  checkRights(findings, map);
  const faults = idFaults(map, settings, mapping);
  for (const fault of faults) findings.wrong('ids', fault, '`sdelka amo:account` lists the ids of the account.');
  if (faults.length === 0) findings.ok('ids', 'settings and mapping name nothing that the account lacks');
}

function checkRights(findings: Findings, { account, users, gaps }: AccountMap): void {
  const remedy = 'Use a token of an administrator.';
  for (const gap of gaps) findings.warn('amoCRM rights', gap, remedy);
  const own = users.find(({ id }) => id === account.currentUserId);
  if (own?.isAdmin) findings.ok('amoCRM rights', `the token is that of user ${own.id}, an administrator`);
  else if (own) {
    const message = `the token is that of user ${own.id}, who is no administrator: fields, goods or other people's deals may be out of reach`;
    findings.warn('amoCRM rights', message, remedy);
  } else if (gaps.length === 0) {
    findings.warn('amoCRM rights', 'the user of the token is not in the list of users', remedy);
  }
}

/** By the Date header of the answers had so far. */
export function checkClocks(findings: Findings, skewMs: ReadonlyMap<string, number>): void {
  for (const [system, ms] of skewMs) {
    const seconds = Math.round(Math.abs(ms) / SECOND_MS);
    const check = `clock against ${system}`;
    const message = `ours is ${seconds} s ${ms > 0 ? 'ahead of' : 'behind'} theirs`;
    const remedy = 'Let the host set its clock by the network: `timedatectl set-ntp true`, or ask the hoster.';
    if (Math.abs(ms) > SKEW_FAILURE_MS) findings.wrong(check, message, remedy);
    else if (Math.abs(ms) > SKEW_WARNING_MS) findings.warn(check, message, remedy);
    else findings.ok(check, seconds <= 1 ? 'they agree' : message);
  }
}
