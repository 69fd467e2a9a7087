import { describe, expect, test } from 'vitest';
import type { AlertNews } from '../../src/domain/alert.ts';
import { oddAnswer } from '../../src/http/classify.ts';
import { type AlertLocale, composeAlert, findingText } from '../../src/insight/alert-text.ts';
import { HEALTH_KINDS, type HealthFinding, type HealthLimits, judgeHealth } from '../../src/insight/health.ts';
import type { HealthFacts, JobFacts, RunFact } from '../../src/state/health-facts.ts';

const NOW = new Date('2026-05-10T06:00:00.000Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const ago = (ms: number) => new Date(NOW.getTime() - ms).toISOString();
const ahead = (ms: number) => new Date(NOW.getTime() + ms);

const ok: Partial<RunFact> = { outcome: 'ok', exitCode: 0 };
const failed: Partial<RunFact> = { outcome: 'failed', exitCode: 69, error: 'kaspi gave no answer' };
const open: Partial<RunFact> = { outcome: undefined, exitCode: null };

function job(runs: readonly Partial<RunFact>[], more: Partial<JobFacts> = {}): JobFacts {
  return {
    job: 'kaspi:poll',
    runs: runs.map((run, index) => ({
      id: 100 - index,
      outcome: 'ok',
      exitCode: 0,
      error: null,
      startedAt: ago((index + 1) * MINUTE),
      ...run,
    })),
    quietSince: ago(MINUTE),
    heartbeatAt: ago(MINUTE),
    progressAt: undefined,
    ...more,
  };
}

function judge(facts: Partial<HealthFacts>, limits: Partial<HealthLimits> = {}): HealthFinding[] {
  return judgeHealth(
    {
      ...{
        now: NOW,
        jobs: [],
        listeners: [],
        backlog: 0,
        oldFailures: [],
        orders: undefined,
        undirected: [],
        breakers: [],
        pairs: [],
      },
      ...facts,
    },
    {
      failStreak: 3,
      backlog: 25,
      heartbeatMinutes: 5,
      everyMs: () => MINUTE,
      isConfigured: () => true,
      longLived: undefined,
      ...limits,
    },
  );
}

const names = (found: readonly HealthFinding[]) => found.map(({ kind, subject }) => `${kind} ${subject}`.trim());

describe('failed passes in a row', () => {
  test.each<[string, Partial<RunFact>[], boolean]>([
    ['three failed', [failed, failed, failed, ok], true],
    ['two failed', [failed, failed, ok, failed], false],
    ['a good one in front', [ok, failed, failed, failed], false],
    ['a partial pass is a good one', [{ outcome: 'partial', exitCode: 1 }, failed, failed, failed], false],
    ['the newest is still at work', [open, failed, failed, failed], true],
    ['the newest is at work and one has failed less', [open, failed, failed, ok], false],
    ['killed passes count, the newest aside', [open, open, open, open], true],
    ['stopped from outside each time', [1, 2, 3].map(() => ({ outcome: 'partial' as const, exitCode: 143 })), true],
    ['a young job', [failed, failed], false],
  ])('%s', (_, runs, alerted) => {
    expect(names(judge({ jobs: [job(runs)] }))).toEqual(alerted ? ['streak kaspi:poll'] : []);
  });

  test('answers of another shape, each time, are told as drift beside it', () => {
    const odd = { ...failed, error: oddAnswer({ system: 'amocrm', route: 'leads.list' }, 'no id').message };
    expect(names(judge({ jobs: [job([odd, odd, odd])] }))).toEqual(['streak kaspi:poll', 'drift kaspi:poll']);
    expect(names(judge({ jobs: [job([odd, failed, odd])] }))).toEqual(['streak kaspi:poll']);
  });
});

describe('heartbeat', () => {
  const late = (ageMs: number, more: Partial<JobFacts> = {}, limits: Partial<HealthLimits> = {}) =>
    names(judge({ jobs: [job([ok], { quietSince: ago(ageMs), heartbeatAt: ago(ageMs), ...more })] }, limits));

  test('the greater of the setting and two and a half intervals', () => {
    expect(late(5 * MINUTE)).toEqual([]);
    expect(late(5 * MINUTE + 1)).toEqual(['heartbeat kaspi:poll']);
    const everyTenMinutes = { everyMs: () => 10 * MINUTE };
    expect(late(25 * MINUTE, {}, everyTenMinutes)).toEqual([]);
    expect(late(25 * MINUTE + 1, {}, everyTenMinutes)).toEqual(['heartbeat kaspi:poll']);
    expect(late(6 * MINUTE, {}, { heartbeatMinutes: 60 })).toEqual([]);
  });

  test('a long pass that makes progress is alive; one that makes none is not', () => {
    expect(late(HOUR, { progressAt: ago(2 * MINUTE) })).toEqual([]);
    expect(late(HOUR, { progressAt: ago(20 * MINUTE) })).toEqual(['heartbeat kaspi:poll']);
  });

  test('a job that was never well counts from its first run', () => {
    expect(late(HOUR, { heartbeatAt: undefined })).toEqual(['heartbeat kaspi:poll']);
    expect(late(2 * MINUTE, { heartbeatAt: undefined })).toEqual([]);
  });

  test('a job whose settings are gone is told for a week, then it is taken for retired', () => {
    const unconfigured = { isConfigured: () => false };
    const lastRan = (ms: number) => ({ runs: job([{ startedAt: ago(ms) }]).runs });
    expect(late(6 * DAY, lastRan(6 * DAY), unconfigured)).toEqual(['heartbeat kaspi:poll']);
    expect(late(8 * DAY, lastRan(8 * DAY), unconfigured)).toEqual([]);
    expect(late(8 * DAY, lastRan(8 * DAY))).toEqual(['heartbeat kaspi:poll']);
  });

  test('a listener that falls silent is told, in words of its own, until it counts as taken out of service', () => {
    const silent = (ms: number, limits: Partial<HealthLimits> = {}) =>
      judge({ listeners: [{ name: 'retail:listen', heartbeatAt: ago(ms) }] }, limits);
    expect(silent(5 * MINUTE)).toEqual([]);
    expect(names(silent(5 * MINUTE + 1))).toEqual(['heartbeat retail:listen']);
    expect(silent(6 * MINUTE, { heartbeatMinutes: 60 })).toEqual([]);
    expect(silent(7 * DAY + 1)).toEqual([]);
    const [finding] = silent(10 * MINUTE);
    expect(finding && findingText(finding, 'en')).toContain('silent for 10 min');
    expect(finding && findingText(finding, 'ru')).toContain('молчит 10 мин');
  });
});

test('calls whose direction nobody knows are told by firm, with what to set', () => {
  const found = judge({ undirected: [{ enterprise: '0001', count: 7, example: 'pbx1:1754220600.17' }] });
  expect(names(found)).toEqual(['undirected 0001']);
  for (const locale of ['ru', 'en'] as const) {
    const words = found.map((finding) => findingText(finding, locale)).join();
    expect(words).toContain('pbx1:1754220600.17');
    expect(words).toContain('trunks');
  }
});

describe('no new orders', () => {
  const flow = (...weeks: (number | undefined)[]) =>
    names(judge({ orders: { lastOrderAt: ago(5 * HOUR), until: ago(0), weeks } }));

  test.each<[string, (number | undefined)[], boolean]>([
    ['every earlier week had plenty', [9, 12, 7, 6], true],
    ['the poorest week was as quiet', [9, 12, 0, 6], false],
    ['a shop with few orders in these hours', [5, 5, 5, 5], false],
    ['two weeks of history', [9, 9, undefined, undefined], true],
    ['one week of history', [50, undefined, undefined, undefined], false],
    ['no history', [undefined, undefined, undefined, undefined], false],
  ])('%s', (_, weeks, alerted) => {
    expect(flow(...weeks)).toEqual(alerted ? ['freshness kaspi'] : []);
  });
});

describe('tokens', () => {
  test.each<[number, string[]]>([
    [31 * DAY, []],
    [30 * DAY, ['token amocrm 30d']],
    [8 * DAY, ['token amocrm 30d']],
    [7 * DAY, ['token amocrm 30d', 'token amocrm 7d']],
    [DAY, ['token amocrm 30d', 'token amocrm 7d', 'token amocrm 1d']],
    [-1, ['token amocrm 30d', 'token amocrm 7d', 'token amocrm 1d', 'token amocrm over']],
  ])('R3 a long-lived token with %i ms left', (leftMs, expected) => {
    expect(names(judge({}, { longLived: { system: 'amocrm', expiresAt: ahead(leftMs) } }))).toEqual(expected);
  });

  test.each<[string, number, string[]]>([
    ['at half its life, when it is renewed', 12, []],
    ['at three quarters', 18, ['token amocrm late']],
    ['at its end', 24, ['token amocrm late', 'token amocrm over']],
  ])('a pair %s', (_, hours, expected) => {
    const pairs = [
      { system: 'amocrm', issuedAt: ago(hours * HOUR), expiresAt: ahead((24 - hours) * HOUR).toISOString() },
    ];
    expect(names(judge({ pairs }))).toEqual(expected);
    // A pair left over from before the long-lived token is of no matter.
    expect(names(judge({ pairs }, { longLived: { system: 'amocrm', expiresAt: ahead(100 * DAY) } }))).toEqual([]);
  });
});

test('a backlog above its threshold', () => {
  expect(judge({ backlog: 25 })).toEqual([]);
  expect(judge({ backlog: 26 })).toMatchObject([{ kind: 'backlog', waiting: 26, threshold: 25 }]);
});

test('a breaker counts until ten minutes after its end; one of a clock set back does not', () => {
  const breaker = (openUntil: Date) => names(judge({ breakers: [{ system: 'amocrm', openUntil }] }));
  expect(breaker(ahead(MINUTE))).toEqual(['breaker amocrm']);
  expect(breaker(ahead(-9 * MINUTE))).toEqual(['breaker amocrm']);
  expect(breaker(ahead(-10 * MINUTE))).toEqual([]);
  expect(breaker(ahead(2 * HOUR))).toEqual([]);
});

const one = (news: Partial<AlertNews>): AlertNews => ({
  id: 1,
  kind: 'streak',
  subject: 'kaspi:poll',
  message: 'kaspi:poll: 3 failed passes in a row',
  openedAt: '2026-05-10T05:00:00.000Z',
  closedAt: null,
  events: ['opened'],
  ...news,
});
const many = (count: number, make: (index: number) => Partial<AlertNews>) =>
  Array.from({ length: count }, (_, index) => one({ id: index + 1, ...make(index) }));
const text = (news: readonly AlertNews[], locale: AlertLocale = 'en') =>
  composeAlert(news, { locale, zone: 'Asia/Almaty', place: 'srv1:shop' });

describe('the message', () => {
  test('one alert: its subject says what, its text what to do', () => {
    expect(text([one({})])).toMatchObject({
      subject: 'sdelka srv1:shop: Passes fail (kaspi:poll)',
      text: 'sdelka · srv1:shop\n• kaspi:poll: 3 failed passes in a row',
    });
    expect(text([one({})], 'ru').subject).toBe('sdelka srv1:shop: Проходы не удаются (kaspi:poll)');
  });

  test('openings first, then clearings with their times in the zone', () => {
    const closed = one({
      id: 2,
      kind: 'backlog',
      subject: '',
      closedAt: '2026-05-10T05:30:00.000Z',
      events: ['closed'],
    });
    const message = text([closed, one({})]);
    expect(message.subject).toBe('sdelka srv1:shop: new alerts: 1, cleared: 1');
    expect(message.text.split('\n').slice(1)).toEqual([
      '• kaspi:poll: 3 failed passes in a row',
      '✓ Backlog: fine again (10.05 10:00 – 10.05 10:30)',
    ]);
  });

  test('what opened and cleared while nobody could be told is one line', () => {
    const past = one({ closedAt: '2026-05-10T05:30:00.000Z', events: ['opened', 'closed'] });
    expect(text([past]).text).toContain(
      '• kaspi:poll: 3 failed passes in a row (over by now, 10.05 10:00 – 10.05 10:30)',
    );
  });

  test('hundreds of conflicts are one line, and nothing exceeds what Telegram takes', () => {
    const conflicts = many(400, (index) => ({
      kind: 'conflict',
      subject: `kaspi-order:${index}:the budget`,
      message: `kaspi-order ${index}: the budget of deal ${index} was changed in amoCRM by someone else`,
    }));
    const lines = text(conflicts).text.split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(/400 times.*kaspi-order 0.*sdelka status/);
    const streaks = many(57, (index) => ({
      subject: `job:${index}`,
      message: `job:${index}: ${'long words '.repeat(90)}`,
    }));
    const message = text(streaks, 'ru');
    expect(message.text.length).toBeLessThan(4096);
    expect(message.text.split('\n')).toHaveLength(22);
    expect(message.text).toContain('… и ещё 37: sdelka status');
  });

  test('no phone and no e-mail, whoever wrote the alert', () => {
    const { subject, text: body } = text([one({ message: 'kaspi-order 1: buyer +77011234567, buyer@shop.kz' })]);
    expect(subject + body).not.toMatch(/77011234567|buyer@shop/);
    expect(body).toContain('kaspi-order 1');
  });

  test('its id is the same for the same news alone', () => {
    expect(text([one({})]).id).toBe(text([one({})]).id);
    expect(text([one({})]).id).not.toBe(text([one({ id: 2 })]).id);
    expect(text([one({})]).id).not.toBe(text([one({ closedAt: ago(0), events: ['closed'] })]).id);
  });

  test('every kind has words in both languages, with the sum and the remedy', () => {
    const findings = judge(
      {
        jobs: [
          job(
            [1, 2, 3].map(() => ({ ...failed, error: oddAnswer({ system: 'kaspi', route: 'orders' }, 'x').message })),
            {
              quietSince: ago(HOUR),
            },
          ),
        ],
        backlog: 31,
        oldFailures: [{ recordKind: 'kaspi-order', count: 2, example: '1001' }],
        orders: { lastOrderAt: ago(5 * HOUR), until: ago(0), weeks: [9, 8, 7, 7] },
        breakers: [{ system: 'amocrm', openUntil: ahead(MINUTE) }],
        undirected: [{ enterprise: '0001', count: 7, example: 'pbx1:1754220600.17' }],
      },
      { longLived: { system: 'amocrm', expiresAt: ahead(6 * DAY) } },
    );
    expect(new Set(findings.map(({ kind }) => kind))).toEqual(new Set(HEALTH_KINDS));
    const russian = findings.map((finding) => findingText(finding, 'ru')).join('\n');
    const english = findings.map((finding) => findingText(finding, 'en')).join('\n');
    expect(english).not.toMatch(/[А-Яа-я]/);
    for (const said of [russian, english]) {
      expect(said).toMatch(/31.*25/);
      expect(said).toMatch(/1001/);
      expect(said).toMatch(/2026-05-10 01:00/);
      expect(said).toMatch(/AMO_LONG_LIVED_TOKEN/);
    }
    expect(russian).toContain('долгосрочный токен закончится через 6 дн');
    expect(russian).toContain('нет удачного прохода 60 мин');
  });
});
