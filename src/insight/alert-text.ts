import { createHash } from 'node:crypto';
import { cleanText } from '../base/redact.ts';
import type { AlertMessage, AlertNews } from '../domain/alert.ts';
import { HEALTH_KINDS, type HealthFinding } from './health.ts';

/** The languages of texts that operators see. */
export type AlertLocale = 'ru' | 'en';

export interface AlertTextOptions {
  locale: AlertLocale;
  /** IANA name; times are written in this zone. */
  zone: string;
  /** Which of the operator's installations speaks. */
  place: string;
}

const MOST_LINES = 20;
/** Twenty lines of this length stay below Telegram's 4096 characters. */
const LONGEST_LINE = 190;
/** More alerts of one event kind than this are told as a number. */
const MOST_OF_A_KIND = 3;
/** Kinds that come one by record, so that one cause may open hundreds of them. */
const GROUPED = [
  ...['conflict', 'deal_gone', 'document_gone', 'mapping', 'in_doubt', 'audit'],
  ...['onec_dropped', 'onec_lines', 'onec_ambiguous'],
  ...['retail_code', 'retail_user', 'retail_mapping'],
];
const ERROR_LENGTH = 90;

const TITLES: Record<AlertLocale, Record<string, string>> = {
  ru: {
    streak: 'Проходы не удаются',
    drift: 'Ответы изменились',
    backlog: 'Очередь',
    heartbeat: 'Нет удачных проходов',
    freshness: 'Нет новых заказов',
    undirected: 'Звонки не выгружены',
    token: 'Токен',
    breaker: 'Пауза в запросах',
    failed_old: 'Записи не проходят',
    conflict: 'Правка человека',
    deal_gone: 'Сделка удалена в amoCRM',
    document_gone: 'Документ удалён в 1С',
    onec_dropped: '1С не сохранила значение',
    onec_lines: 'Строка сделки не попала в документ',
    onec_ambiguous: 'Несколько контрагентов с одним телефоном',
    retail_code: 'RetailCRM не знает добавочный номер',
    retail_user: 'RetailCRM не знает сотрудника',
    retail_mapping: 'RetailCRM не знает значение из настройки',
    goods_off: 'Сделки идут без товаров',
    mapping: 'Настройка полей',
    max_changes: 'Слишком много изменений',
    in_doubt: 'Неясно, записано ли',
    audit: 'Сверка нашла расхождение',
    test: 'Проверка',
  },
  en: {
    streak: 'Passes fail',
    drift: 'Answers have changed',
    backlog: 'Backlog',
    heartbeat: 'No good pass',
    freshness: 'No new orders',
    undirected: 'Calls are not uploaded',
    token: 'Token',
    breaker: 'Requests paused',
    failed_old: 'Records keep failing',
    conflict: "A person's change",
    deal_gone: 'A deal is gone in amoCRM',
    document_gone: 'A document is gone in 1C',
    onec_dropped: '1C has not stored a value',
    onec_lines: 'A line of a deal is not in its document',
    onec_ambiguous: 'Several counterparties have one phone',
    retail_code: 'RetailCRM does not know an extension',
    retail_user: 'RetailCRM does not know a user',
    retail_mapping: 'RetailCRM does not know a value of the mapping',
    goods_off: 'Deals go without goods',
    mapping: 'Mapping',
    max_changes: 'Too many changes',
    in_doubt: 'Not known whether written',
    audit: 'The audit found a difference',
    test: 'Test',
  },
};

const WORDS = {
  ru: {
    opened: 'новых тревог',
    closed: 'снято',
    fine: 'снова в порядке',
    past: 'уже прошло',
    more: (count: number) => `… и ещё ${count}: sdelka status`,
    times: (count: number) => `${count} раз`,
    all: 'все: sdelka status',
  },
  en: {
    opened: 'new alerts',
    closed: 'cleared',
    fine: 'fine again',
    past: 'over by now',
    more: (count: number) => `… and ${count} more: sdelka status`,
    times: (count: number) => `${count} times`,
    all: 'all of them: sdelka status',
  },
} as const;

/** What is wrong and what to do, in one line of the operator's language. Kept with the alert, shown by `status`, told. */
export function findingText(finding: HealthFinding, locale: AlertLocale): string {
  return cleanText(locale === 'ru' ? russian(finding) : english(finding));
}

function russian(finding: HealthFinding): string {
  switch (finding.kind) {
    case 'streak':
      return `${finding.subject}: неудачных проходов подряд ${finding.failures}${because(finding.error)}. Помогут sdelka status и sdelka doctor`;
    case 'drift':
      return `${finding.subject}: ответы не такие, как обещает система${because(finding.error)}. Проверьте адрес в настройках; возможно, нужна новая версия sdelka`;
    case 'backlog':
      return `Ждут записи: ${finding.waiting} (порог ${finding.threshold}). Причины покажет sdelka failed`;
    case 'heartbeat':
      if (finding.isListener) {
        return `${finding.subject}: молчит ${ruTime(finding.minutes)}. Проверьте, запущен ли он и доступна ли АТС`;
      }
      return `${finding.subject}: нет удачного прохода ${ruTime(finding.minutes)}. Проверьте, работает ли cron и что говорит sdelka status`;
    case 'freshness':
      return `Kaspi: заказов нет с ${brief(finding.lastOrderAt)} UTC, а обычно за эти часы не меньше ${finding.usually}. Сверьтесь с кабинетом Kaspi`;
    case 'token':
      return finding.renewable ? ruPair(finding) : ruLongLived(finding);
    case 'breaker':
      return `${finding.subject}: слишком частые запросы, пауза до ${brief(finding.until)} UTC. Пройдёт сама; если повторяется, уменьшите AMO_RPS`;
    case 'failed_old':
      return `${finding.subject}: больше суток не проходят записей ${finding.count}, например ${finding.example}. Причины покажет sdelka failed`;
    case 'undirected':
      return `${finding.subject}: не выгружено звонков за сутки ${finding.count}: непонятно, входящие они или исходящие, например ${finding.example}. Назовите внешние линии (calls.enterprises[].trunks)`;
  }
}

function ruLongLived({ system, hoursLeft }: { system: string; hoursLeft: number }): string {
  const what =
    hoursLeft <= 0 ? 'долгосрочный токен закончился' : `долгосрочный токен закончится через ${ruHours(hoursLeft)}`;
  return `${system}: ${what}. Выпустите новый в интеграции и запишите в AMO_LONG_LIVED_TOKEN`;
}

function ruPair({ system, hoursLeft }: { system: string; hoursLeft: number }): string {
  const what =
    hoursLeft <= 0 ? 'пара токенов закончилась' : `пара токенов не обновляется, осталось ${ruHours(hoursLeft)}`;
  return `${system}: ${what}. Запустите sdelka amo:refresh-token; если откажет, sdelka amo:auth`;
}

function english(finding: HealthFinding): string {
  switch (finding.kind) {
    case 'streak':
      return `${finding.subject}: ${finding.failures} failed passes in a row${because(finding.error)}. See sdelka status and sdelka doctor`;
    case 'drift':
      return `${finding.subject}: the answers are not what the system promises${because(finding.error)}. Check the address in the settings; a newer sdelka may be needed`;
    case 'backlog':
      return `${finding.waiting} records wait (threshold ${finding.threshold}). sdelka failed shows the reasons`;
    case 'heartbeat':
      if (finding.isListener) {
        return `${finding.subject}: silent for ${enTime(finding.minutes)}. See whether it runs and reaches the PBX`;
      }
      return `${finding.subject}: no good pass for ${enTime(finding.minutes)}. See whether cron runs, and sdelka status`;
    case 'freshness':
      return `Kaspi: no order since ${brief(finding.lastOrderAt)} UTC, where these hours usually bring ${finding.usually} or more. Compare with Kaspi's cabinet`;
    case 'token':
      return finding.renewable ? enPair(finding) : enLongLived(finding);
    case 'breaker':
      return `${finding.subject}: asked too fast, paused until ${brief(finding.until)} UTC. It passes by itself; if it comes back, lower AMO_RPS`;
    case 'failed_old':
      return `${finding.subject}: records that have failed for more than a day: ${finding.count}, e.g. ${finding.example}. sdelka failed shows the reasons`;
    case 'undirected':
      return `${finding.subject}: calls of the last day that are not uploaded, for their records tell neither in nor out: ${finding.count}, e.g. ${finding.example}. Name the outside lines (calls.enterprises[].trunks)`;
  }
}

function enLongLived({ system, hoursLeft }: { system: string; hoursLeft: number }): string {
  const what = hoursLeft <= 0 ? 'the long-lived token has ended' : `the long-lived token ends in ${enHours(hoursLeft)}`;
  return `${system}: ${what}. Make a new one in the integration and set AMO_LONG_LIVED_TOKEN`;
}

function enPair({ system, hoursLeft }: { system: string; hoursLeft: number }): string {
  const what =
    hoursLeft <= 0 ? 'the pair of tokens has ended' : `the pair of tokens is not renewed, ${enHours(hoursLeft)} left`;
  return `${system}: ${what}. Run sdelka amo:refresh-token; if that is refused, sdelka amo:auth`;
}

function because(error: string | undefined): string {
  return error === undefined ? '' : ` (${cut(error, ERROR_LENGTH)})`;
}

function ruTime(minutes: number): string {
  return minutes < 120
    ? `${minutes} мин`
    : minutes < 2880
      ? `${Math.floor(minutes / 60)} ч`
      : `${Math.floor(minutes / 1440)} дн`;
}

function enTime(minutes: number): string {
  return minutes < 120
    ? `${minutes} min`
    : minutes < 2880
      ? `${Math.floor(minutes / 60)} h`
      : `${Math.floor(minutes / 1440)} days`;
}

function ruHours(hours: number): string {
  return ruTime(hours * 60);
}

function enHours(hours: number): string {
  return enTime(hours * 60);
}

/** `2026-05-01T10:00:00.000Z` as `2026-05-01 10:00`. */
function brief(instant: string): string {
  return instant.slice(0, 16).replace('T', ' ');
}

/** One message for all the news, however many: what opened first, then what cleared. */
export function composeAlert(news: readonly AlertNews[], options: AlertTextOptions): AlertMessage {
  const opened = news.filter(({ events }) => events.includes('opened'));
  const closed = news.filter(({ events }) => !events.includes('opened'));
  const lines = [...new Set([...openedLines(opened, options), ...closed.map((one) => closedLine(one, options))])];
  const shown = lines.length <= MOST_LINES ? lines : lines.slice(0, MOST_LINES);
  const left = lines.length - shown.length;
  const words = WORDS[options.locale];
  return {
    id: fingerprint(news, options.place),
    subject: cleanText(`sdelka ${options.place}: ${subjectOf(opened, closed, options.locale)}`),
    text: [`sdelka · ${options.place}`, ...shown, ...(left > 0 ? [words.more(left)] : [])].map(cleanText).join('\n'),
  };
}

/** The message of `alerts:test`. */
export function testAlert(now: Date, options: AlertTextOptions): AlertMessage {
  const text =
    options.locale === 'ru'
      ? 'Проверка: сюда будут приходить тревоги. Ничего не случилось.'
      : 'A test: alerts will come here. Nothing has happened.';
  return {
    id: createHash('sha256').update(`${options.place} ${now.toISOString()}`).digest('hex').slice(0, 24),
    subject: cleanText(`sdelka ${options.place}: ${titleOf('test', options.locale)}`),
    text: cleanText(`sdelka · ${options.place}\n${text}`),
  };
}

function openedLines(news: readonly AlertNews[], options: AlertTextOptions): string[] {
  const words = WORDS[options.locale];
  const crowded = GROUPED.filter((kind) => news.filter((one) => one.kind === kind).length > MOST_OF_A_KIND);
  const single = news.filter(({ kind }) => !crowded.includes(kind)).map((one) => openedLine(one, options));
  const grouped = crowded.map((kind) => {
    const [first, ...rest] = news.filter((one) => one.kind === kind);
    const example = cut(first?.message ?? '', LONGEST_LINE / 2);
    return `• ${titleOf(kind, options.locale)}: ${words.times(rest.length + 1)}. ${example} (${words.all})`;
  });
  return [...single, ...grouped];
}

function openedLine(one: AlertNews, options: AlertTextOptions): string {
  const title = isHealth(one.kind) ? '' : `${titleOf(one.kind, options.locale)}: `;
  const past = one.events.includes('closed') ? ` (${WORDS[options.locale].past}, ${span(one, options.zone)})` : '';
  return `• ${cut(title + one.message, LONGEST_LINE - past.length)}${past}`;
}

function closedLine(one: AlertNews, { locale, zone }: AlertTextOptions): string {
  // The steps of one token's end clear together, as one line.
  const subject = one.kind === 'token' ? (one.subject.split(' ')[0] ?? '') : one.subject;
  const times = one.kind === 'token' ? '' : ` (${span(one, zone)})`;
  const what = [titleOf(one.kind, locale), subject].filter((part) => part !== '').join(' · ');
  return `✓ ${cut(what, LONGEST_LINE - 60)}: ${WORDS[locale].fine}${times}`;
}

function subjectOf(opened: readonly AlertNews[], closed: readonly AlertNews[], locale: AlertLocale): string {
  const words = WORDS[locale];
  const [only] = [...opened, ...closed];
  if (only !== undefined && opened.length + closed.length === 1) {
    const name = isHealth(only.kind) && only.subject !== '' ? ` (${cut(only.subject, 40)})` : '';
    return `${titleOf(only.kind, locale)}${name}${closed.length === 1 ? `: ${words.fine}` : ''}`;
  }
  const parts = [
    ...(opened.length > 0 ? [`${words.opened}: ${opened.length}`] : []),
    ...(closed.length > 0 ? [`${words.closed}: ${closed.length}`] : []),
  ];
  return parts.join(', ');
}

/** Messages of these kinds are whole sentences in the operator's language; the jobs' own are English. */
function isHealth(kind: string): boolean {
  return HEALTH_KINDS.some((known) => known === kind);
}

function titleOf(kind: string, locale: AlertLocale): string {
  return TITLES[locale][kind] ?? kind;
}

/** `10.05 14:00–10.05 15:30` in the operator's zone. */
function span({ openedAt, closedAt }: AlertNews, zone: string): string {
  const format = new Intl.DateTimeFormat('ru-RU', {
    timeZone: zone,
    day: '2-digit',
    month: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  const at = (instant: string) => format.format(new Date(instant)).replace(',', '');
  return `${at(openedAt)} – ${closedAt === null ? '…' : at(closedAt)}`;
}

function cut(text: string, most: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= most ? line : `${line.slice(0, most - 1).trimEnd()}…`;
}

function fingerprint(news: readonly AlertNews[], place: string): string {
  const content = news.map(({ id, kind, subject, openedAt, events }) => [id, kind, subject, openedAt, events]);
  return createHash('sha256')
    .update(JSON.stringify([place, content]))
    .digest('hex')
    .slice(0, 24);
}
