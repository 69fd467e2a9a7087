import type { EffectFacts, RecordFacts } from './facts.ts';

/** Something that happened to a record; the same of several effects at one time is one entry with their number. */
export interface TimelineEntry {
  at: string;
  event:
    | 'ordered'
    | 'clicked'
    | 'called'
    | 'differs'
    | 'first seen'
    | 'last change'
    | 'planned'
    | 'sent'
    | 'done'
    | 'found'
    | 'refused'
    | 'in doubt'
    | 'failing'
    | 'alert'
    | 'alert closed'
    | 'set aside';
  /** Which effect, or what was seen. */
  what: string;
  count: number;
  /** The job that planned it, or the run that sent it. */
  by: string | null;
}

type Event = Omit<TimelineEntry, 'count'>;

/** Everything that is known of a record in the order of time. Pure. */
export function timelineOf(facts: RecordFacts): TimelineEntry[] {
  const events = [
    ...orderEvents(facts),
    ...documentEvents(facts),
    ...callEvents(facts),
    ...facts.effects.flatMap(effectEvents),
    ...failureEvents(facts),
    ...alertEvents(facts),
  ];
  return merged(events).sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

function orderEvents({ order }: RecordFacts): Event[] {
  if (order === null) return [];
  const seen = `state ${order.state}, status ${order.status}, total ${order.total_price}`;
  const changed = order.updated_at !== order.created_at;
  return [
    { at: order.ordered_at, event: 'ordered', what: 'at Kaspi', by: null },
    { at: order.created_at, event: 'first seen', what: changed ? 'at Kaspi' : seen, by: null },
    ...(changed ? [{ at: order.updated_at, event: 'last change' as const, what: seen, by: null }] : []),
  ];
}

function documentEvents({ document }: RecordFacts): Event[] {
  if (document === null) return [];
  const seen = `${document.type} ${document.number}, state ${document.state || 'none'}`;
  const changed = document.updated_at !== document.created_at;
  return [
    { at: document.dated, event: 'ordered', what: 'in 1C', by: null },
    { at: document.created_at, event: 'first seen', what: changed ? 'in 1C' : seen, by: null },
    ...(changed ? [{ at: document.updated_at, event: 'last change' as const, what: seen, by: null }] : []),
  ];
}

function callEvents({ call, click, uploaded }: RecordFacts): Event[] {
  const clicked: Event[] =
    click === null
      ? []
      : [
          {
            at: click.requested_at,
            event: 'clicked',
            what: `by ${click.extension}: ${click.outcome ?? 'no word of it'}`,
            by: null,
          },
        ];
  if (call === null) return clicked;
  const seen = `${call.direction}, ${call.result}, talk ${call.duration} s, wait ${call.wait} s, ${call.extension ?? 'no extension'}`;
  const changed = call.updated_at !== call.created_at;
  const difference = differenceOf(call, uploaded);
  return [
    ...clicked,
    { at: call.started_at, event: 'called', what: `until ${call.ended_at.slice(11, 19)}`, by: null },
    { at: call.created_at, event: 'first seen', what: changed ? "in the PBX's records" : seen, by: null },
    ...(changed ? [{ at: call.updated_at, event: 'last change' as const, what: seen, by: null }] : []),
    ...(difference === '' ? [] : [{ at: call.updated_at, event: 'differs' as const, what: difference, by: null }]),
  ];
}

/** Rows that came after the upload changed the call here; RetailCRM keeps what it was given. */
function differenceOf(call: NonNullable<RecordFacts['call']>, uploaded: RecordFacts['uploaded']): string {
  if (typeof uploaded !== 'object' || uploaded === null || Array.isArray(uploaded)) return '';
  const now = {
    type: call.direction,
    result: call.result,
    duration: call.duration,
    durationWaiting: call.wait,
    code: call.extension,
    recordUrl: call.recording_url,
  };
  const parts = Object.entries(now).flatMap(([field, value]) => {
    const sent = uploaded[field] ?? null;
    return sent === value ? [] : [`${field} ${sent ?? 'none'} there, ${value ?? 'none'} here`];
  });
  return parts.length === 0 ? '' : `RetailCRM was told otherwise, and keeps it: ${parts.join('; ')}`;
}

function effectEvents(effect: EffectFacts): Event[] {
  const { kind, state, sent_at, done_at, last_error } = effect;
  const run = effect.run_id === null ? null : `run ${effect.run_id}`;
  const events: Event[] = [
    {
      at: effect.planned_at,
      event: 'planned',
      what: state === 'superseded' ? `${kind}, replaced by a newer one` : kind,
      by: effect.job,
    },
  ];
  if (sent_at !== null) events.push({ at: sent_at, event: 'sent', what: kind, by: run });
  const tried = sent_at ?? effect.planned_at;
  const reason = last_error === null ? '' : `: ${last_error}`;
  if (done_at !== null) {
    const event = sent_at === null ? 'found' : 'done';
    events.push({ at: done_at, event, what: `${kind} → ${effect.remote_id ?? '?'}`, by: run });
  } else if (effect.attempts > 0) {
    events.push({ at: tried, event: 'refused', what: `${kind}${reason} (${times(effect.attempts)})`, by: run });
  } else if (effect.doubts > 0) {
    events.push({ at: tried, event: 'in doubt', what: `${kind}${reason} (${times(effect.doubts)})`, by: run });
  }
  return events;
}

function failureEvents({ failure }: RecordFacts): Event[] {
  if (failure === null) return [];
  const what = `${failure.last_error} (${times(failure.attempts)})`;
  return [
    { at: failure.first_seen_at, event: 'failing', what, by: failure.job },
    ...(failure.ignored_at === null
      ? []
      : [{ at: failure.ignored_at, event: 'set aside' as const, what: failure.ignored_why ?? '', by: null }]),
  ];
}

function alertEvents({ alerts }: RecordFacts): Event[] {
  return alerts.flatMap(({ kind, opened_at, closed_at, message }) => [
    { at: opened_at, event: 'alert' as const, what: `${kind}: ${message}`, by: null },
    ...(closed_at === null ? [] : [{ at: closed_at, event: 'alert closed' as const, what: kind, by: null }]),
  ]);
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** A hundred goods linked at one time are one line; what each came to stands in `effects`. */
function merged(events: readonly Event[]): TimelineEntry[] {
  const entries = new Map<string, TimelineEntry>();
  for (const event of events) {
    const many = /^(done|found)$/.test(event.event) && entries.has(groupOf(event));
    const entry = entries.get(groupOf(event));
    if (entry === undefined) entries.set(groupOf(event), { ...event, count: 1 });
    else
      entries.set(groupOf(event), { ...entry, what: many ? kindOf(entry.what) : entry.what, count: entry.count + 1 });
  }
  return [...entries.values()];
}

/** Results differ by their remote ids and still belong together. */
function groupOf({ at, event, what, by }: Event): string {
  return JSON.stringify([at, event, /^(done|found)$/.test(event) ? kindOf(what) : what, by]);
}

function kindOf(what: string): string {
  return what.split(' → ')[0] ?? what;
}
