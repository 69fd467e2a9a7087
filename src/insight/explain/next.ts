import type { EffectFacts, RecordFacts, Surroundings } from './facts.ts';

/** What happens next with a record, and what a person could do. */
export interface NextAction {
  action: 'none' | 'look' | 'wait' | 'retry' | 'send' | 'ignored' | 'person';
  /** When, where that is known. */
  at: string | null;
  text: string;
}

type Judge = (facts: RecordFacts, around: Surroundings) => NextAction | undefined;

/** The first that has something to say wins: what a person decided, then what is uncertain, what failed, what waits. */
const JUDGES: readonly Judge[] = [setAside, inDoubt, underWay, failed, stoppedByLimit, blocked, ready, gone];

/** One sentence: what happens next. Pure. */
export function nextAction(facts: RecordFacts, around: Surroundings): NextAction {
  for (const judge of JUDGES) {
    const next = judge(facts, around);
    if (next !== undefined) return next;
  }
  return settled(facts);
}

function setAside({ failure }: RecordFacts): NextAction | undefined {
  if (failure?.ignored_at == null) return undefined;
  return {
    action: 'ignored',
    at: null,
    text: `set aside by ignore on ${brief(failure.ignored_at)}: ${failure.ignored_why ?? 'no reason given'}; \`sdelka retry ${failure.id}\` revives it`,
  };
}

function inDoubt({ effects }: RecordFacts, { now, breakers }: Surroundings): NextAction | undefined {
  const [first] = effects.filter(({ state }) => state === 'doubt').sort(byDue);
  if (first === undefined) return undefined;
  const at = first.due_at;
  const when = dueText(at, now, first.job, breakers.get(systemOf(first)));
  const text = `it is not known whether the ${nounOf(first)} was written: looked up at ${systemOf(first)} again ${when} (looked in vain ${first.looks} of 2 times); nothing is sent before`;
  return { action: 'look', at, text };
}

function underWay({ effects, runs }: RecordFacts, _around: Surroundings): NextAction | undefined {
  const effect = effects.find(({ state }) => state === 'sending' || state === 'claimed');
  if (effect === undefined) return undefined;
  const run = runs.find(({ id }) => id === effect.run_id);
  const noun = nounOf(effect);
  if (run === undefined || run.finished_at !== null) {
    const text = `the ${noun} was in hand when run ${effect.run_id ?? '?'} ended; the next pass of ${effect.job} finds out what became of it`;
    return { action: 'look', at: null, text };
  }
  const text = `the ${noun} is being sent by run ${run.id} of ${run.job} (since ${brief(run.started_at)}, process ${run.pid ?? '?'} on ${run.host ?? '?'}); if that was killed, the next pass finds out what became of it`;
  return { action: 'send', at: null, text };
}

function failed({ failure, effects }: RecordFacts, { now, breakers }: Surroundings): NextAction | undefined {
  const refused = effects.filter(({ state }) => state === 'failed').sort(byDue);
  if (failure === null && refused.length === 0) return undefined;
  const due = [failure?.next_attempt_at ?? null, ...refused.map(({ due_at }) => due_at)]
    .filter((at) => at !== null)
    .sort()[0];
  const job = refused[0]?.job ?? failure?.job ?? '';
  const breaker = refused[0] === undefined ? undefined : breakers.get(systemOf(refused[0]));
  const reason = refused[0]?.last_error ?? failure?.last_error ?? 'unknown reason';
  const at = due ?? null;
  const isDue = at === null || at <= now.toISOString();
  const atOnce = isDue || failure === null ? '' : `; \`sdelka retry ${failure.id}\` tries at once`;
  const aside = failure === null ? '' : `; \`sdelka ignore ${failure.id} --why …\` sets it aside`;
  const noun = refused[0] === undefined ? '' : `the ${nounOf(refused[0])}: `;
  const deal = remoteOf(effects, 'amocrm.deal');
  const stands = deal === undefined ? '' : `deal ${deal} stands; `;
  const when = dueText(at, now, job, breaker);
  return { action: 'retry', at, text: `${stands}tried again ${when} (${noun}${reason})${atOnce}${aside}` };
}

function stoppedByLimit({ effects }: RecordFacts, { stopped }: Surroundings): NextAction | undefined {
  const effect = effects.find(({ state, job }) => state === 'pending' && stopped.has(job));
  if (effect === undefined) return undefined;
  const text = `${effect.job} stopped before more changes than MAX_CHANGES_PER_RUN; look at \`sdelka --dry-run ${effect.job}\`, then run \`sdelka ${effect.job} --confirm\``;
  return { action: 'person', at: null, text };
}

function blocked(facts: RecordFacts, { now }: Surroundings): NextAction | undefined {
  const pending = facts.effects.filter(({ state }) => state === 'pending');
  const waiting = pending.find((effect) => effect.waits_for.length > 0);
  // What may go now goes first, and may well be what the others wait for.
  if (waiting === undefined || pending.some((effect) => effect.waits_for.length === 0)) return undefined;
  const cause = rootOf(waiting, facts.blockers);
  if (cause === undefined) {
    const text = `the ${nounOf(waiting)} waits for ${waiting.waits_for[0]}, which is neither planned nor bound: \`sdelka ${waiting.job} --lookback\` with a depth that reaches back to it plans it anew`;
    return { action: 'wait', at: null, text };
  }
  const text = `the ${nounOf(waiting)} waits for the ${nounOf(cause)} of ${cause.record.kind} ${cause.record.key}, ${stateText(cause, now)}`;
  return { action: 'wait', at: cause.due_at, text };
}

/** Follows the needs down to the effect that holds up all the others. */
function rootOf(effect: EffectFacts, blockers: ReadonlyMap<string, EffectFacts>): EffectFacts | undefined {
  let found: EffectFacts | undefined;
  const seen = new Set<string>();
  for (let key = effect.waits_for[0]; key !== undefined && !seen.has(key); key = found?.waits_for[0]) {
    seen.add(key);
    const next = blockers.get(key);
    if (next === undefined) break;
    found = next;
  }
  return found;
}

function stateText(effect: EffectFacts, now: Date): string {
  const command = `\`sdelka explain ${effect.record.kind} ${effect.record.key}\` tells more`;
  switch (effect.state) {
    case 'failed':
      return `which was refused (${effect.last_error ?? 'unknown reason'}) and is tried again ${dueText(effect.due_at, now, effect.job)}; ${command}`;
    case 'doubt':
      return `which is in doubt and is looked up again ${dueText(effect.due_at, now, effect.job)}; ${command}`;
    case 'ignored':
      return `which was set aside by ignore: without it nothing follows; \`sdelka failed --ignored\` lists it, \`sdelka retry\` revives it`;
    default:
      return `which is ${effect.state}; ${command}`;
  }
}

function ready({ effects }: RecordFacts, { breakers }: Surroundings): NextAction | undefined {
  const effect = effects.find(({ state }) => state === 'pending');
  if (effect === undefined) return undefined;
  const closedUntil = breakers.get(systemOf(effect));
  if (closedUntil !== undefined) {
    const text = `the ${nounOf(effect)} waits: no request to ${systemOf(effect)} leaves before ${brief(closedUntil)}`;
    return { action: 'wait', at: closedUntil, text };
  }
  const text = `the ${nounOf(effect)} goes out with the next pass of ${effect.job}`;
  return { action: 'send', at: null, text };
}

function gone({ alerts, effects }: RecordFacts): NextAction | undefined {
  const alert = alerts.find(({ kind, closed_at }) => kind === 'deal_gone' && closed_at === null);
  if (alert === undefined) return undefined;
  const deal = remoteOf(effects, 'amocrm.deal');
  return {
    action: 'person',
    at: null,
    text: `deal ${deal ?? ''} is gone in amoCRM and is not made again by itself: restore it there, or \`sdelka kaspi:reconcile --recreate-deleted\` makes it anew`,
  };
}

function settled({ record, effects, order, call, click, alerts }: RecordFacts): NextAction {
  const deal = remoteOf(effects, 'amocrm.deal');
  if (deal !== undefined) {
    const conflicts = alerts.filter(({ closed_at }) => closed_at === null);
    const note = conflicts.length === 0 ? '' : `; open: ${conflicts.map(({ message }) => message).join('; ')}`;
    return { action: 'none', at: null, text: `nothing to do: deal ${deal} stands${note}` };
  }
  if (effects.length > 0) return { action: 'none', at: null, text: 'nothing to do: every effect is finished' };
  if (call !== null) return { action: 'none', at: null, text: `nothing to do: ${whyNotUploaded(call)}` };
  if (click !== null) {
    const text = `nothing to do: the click is kept (${click.outcome ?? 'no word of it'}), its call is not in the PBX's records as yet`;
    return { action: 'none', at: null, text };
  }
  if (order !== null) {
    const text = `nothing to do: seen as ${order.state}, for which no deal is planned (KASPI_ALLOWED_STATES)`;
    return { action: 'none', at: null, text };
  }
  return { action: 'none', at: null, text: `nothing is planned for ${record.kind} ${record.key}` };
}

function whyNotUploaded({ direction, phone }: NonNullable<RecordFacts['call']>): string {
  if (direction === 'unknown') {
    return 'the call records do not tell whether it came in or went out, so that it is not uploaded; name the outside lines (calls.enterprises[].trunks)';
  }
  return phone === null ? 'the caller was anonymous, and RetailCRM takes no call without a phone' : 'it was seen';
}

/** The remote id of the record's own create of a kind. */
export function remoteOf(effects: readonly EffectFacts[], kind: string): string | undefined {
  return effects.find((effect) => effect.kind === kind && effect.remote_id !== null)?.remote_id ?? undefined;
}

/** `amocrm.deal-update` → `deal update`, `retailcrm.call@0001` → `call`. */
export function nounOf({ kind }: EffectFacts): string {
  return kind
    .slice(kind.indexOf('.') + 1)
    .replace(/@.*$/, '')
    .replaceAll('-', ' ');
}

/** `retailcrm@0001` where each enterprise has an account of its own. */
function systemOf({ kind }: EffectFacts): string {
  const [, system = kind, enterprise = ''] = /^([^.]*)\.[^@]*(@.*)?$/.exec(kind) ?? [];
  return system + enterprise;
}

function byDue(a: EffectFacts, b: EffectFacts): number {
  return (a.due_at ?? '').localeCompare(b.due_at ?? '') || a.id - b.id;
}

function dueText(at: string | null, now: Date, job: string, breaker?: string): string {
  if (breaker !== undefined && (at === null || at < breaker))
    return `once requests may leave again, at ${brief(breaker)}`;
  return at === null || at <= now.toISOString() ? `with the next pass of ${job}` : `at ${brief(at)}`;
}

/** `2026-05-01T10:00:00.000Z` as `2026-05-01 10:00:00`; all times are UTC. */
function brief(instant: string): string {
  return instant.slice(0, 19).replace('T', ' ');
}
