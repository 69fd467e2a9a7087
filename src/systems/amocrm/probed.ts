import type { AmoMemory } from './memory.ts';

/** What the documentation leaves open, and how an account may answer it. `doctor --probe` asks; the code obeys what is stored. */
export interface ProbeAnswers {
  'filters:deals': FilterAnswer;
  'filters:contacts': FilterAnswer;
  /** Whether `order[id]=desc` is followed. */
  order: 'honoured' | 'ignored';
  /** After how many milliseconds a list shows a change; `beyond`: not within the time that the probe waits. */
  lag: number | 'beyond';
  /** Linking a linked element again sets its quantity, adds to it, or changes nothing. */
  relink: 'replaces' | 'adds' | 'keeps';
  /** Rows of a page for which 250 were asked and which was not the last one. */
  page: number;
  /** Whether a full page names the next one in `_links`. */
  next: 'given' | 'missing';
}

export type FilterAnswer = 'honoured' | 'ignored' | 'refused';
export type ProbeQuestion = keyof ProbeAnswers;

export const PROBE_QUESTIONS: readonly ProbeQuestion[] = [
  'filters:deals',
  'filters:contacts',
  'order',
  'lag',
  'relink',
  'page',
  'next',
];

/** When the last probe was finished. */
const DONE = 'probe:done';
/** One measurement in a quiet hour is not the worst case. */
const LAG_FACTOR = 2;
const LAG_MARGIN_MS = 5_000;
/** The lag of an account whose lists did not show a change at all while the probe waited: integrators read ten minutes again. */
const LAG_BEYOND_MS = 600_000;

type Facts = Pick<AmoMemory, 'fact' | 'setFact'>;

const factKey = (question: ProbeQuestion) => `probe:${question}`;

/** What the account answered; undefined where it was never asked or could not tell. */
export async function probed<Q extends ProbeQuestion>(
  facts: Pick<Facts, 'fact'>,
  question: Q,
): Promise<ProbeAnswers[Q] | undefined> {
  const text = await facts.fact(factKey(question));
  return text === undefined ? undefined : (JSON.parse(text) as { answer: ProbeAnswers[Q] }).answer;
}

export async function keepAnswer<Q extends ProbeQuestion>(
  facts: Facts,
  question: Q,
  answer: ProbeAnswers[Q],
  now: Date,
): Promise<void> {
  await facts.setFact(factKey(question), JSON.stringify({ answer, at: now.toISOString() }));
}

export async function probedAt(facts: Pick<Facts, 'fact'>): Promise<Date | undefined> {
  const text = await facts.fact(DONE);
  return text === undefined ? undefined : new Date((JSON.parse(text) as { at: string }).at);
}

export async function keepProbedAt(facts: Facts, now: Date): Promise<void> {
  await facts.setFact(DONE, JSON.stringify({ at: now.toISOString() }));
}

/** False where a filter is known to be refused or ignored, so that asking with one is a wasted request. */
export async function mayFilter(facts: Pick<Facts, 'fact'>, rows: 'deals' | 'contacts'): Promise<boolean> {
  const answer = await probed(facts, `filters:${rows}`);
  return answer === undefined || answer === 'honoured';
}

/** No list is believed to lack a thing before this time has passed since it was sent; 0 where nothing was measured. */
export async function leastQuietMs(facts: Pick<Facts, 'fact'>): Promise<number> {
  const lag = await probed(facts, 'lag');
  if (lag === undefined) return 0;
  return lag === 'beyond' ? LAG_BEYOND_MS : LAG_FACTOR * lag + LAG_MARGIN_MS;
}
