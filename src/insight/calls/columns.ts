/** The figures of a set of calls; times in seconds, null where there is nothing to take an average of. */
export interface CallFigures {
  calls: number;
  incoming: number;
  outgoing: number;
  answered: number;
  missed: number;
  never_called_back: number;
  average_wait: number | null;
  p90_wait: number | null;
  talk_seconds: number;
  average_talk: number | null;
  average_callback: number | null;
  orders: number;
  /** Percent. */
  conversion: number | null;
  /** In the account's currency. */
  order_total: number;
  average_to_order: number | null;
}

export type ReportLocale = 'ru' | 'en';

/** `clock`: short times; `span`: times that may be days. */
export type ColumnKind = 'count' | 'clock' | 'span' | 'percent' | 'money';

export interface Column {
  key: keyof CallFigures;
  kind: ColumnKind;
  /** For terminals. */
  head: string;
  /** Where a terminal is narrow, columns go, the highest number first; 0 stays. */
  leaves: number;
  title: Record<ReportLocale, string>;
  /** The definition: one sentence; `{days}` is the number of days within which an order counts. */
  means: Record<ReportLocale, string>;
}

/** Every figure in the order in which tables show it, with the one definition that help, page and documentation tell. */
export const columns: readonly Column[] = [
  {
    key: 'calls',
    kind: 'count',
    head: 'calls',
    leaves: 0,
    title: { ru: 'Звонки', en: 'Calls' },
    means: {
      ru: 'Внешние звонки, входящие и исходящие; внутренние не считаются.',
      en: 'Calls with the outside world, in and out; internal ones do not count.',
    },
  },
  {
    key: 'incoming',
    kind: 'count',
    head: 'in',
    leaves: 6,
    title: { ru: 'Входящие', en: 'Incoming' },
    means: { ru: 'Звонили нам.', en: 'They called us.' },
  },
  {
    key: 'outgoing',
    kind: 'count',
    head: 'out',
    leaves: 7,
    title: { ru: 'Исходящие', en: 'Outgoing' },
    means: { ru: 'Звонили мы.', en: 'We called them.' },
  },
  {
    key: 'answered',
    kind: 'count',
    head: 'answered',
    leaves: 5,
    title: { ru: 'Отвеченные', en: 'Answered' },
    means: {
      ru: 'На входящий ответил человек, а не меню, очередь или автоответчик; на исходящий ответил клиент.',
      en: 'A person answered the incoming call, not a menu, a queue or voicemail; the client answered the outgoing one.',
    },
  },
  {
    key: 'missed',
    kind: 'count',
    head: 'missed',
    leaves: 0,
    title: { ru: 'Пропущенные', en: 'Missed' },
    means: { ru: 'Входящие, на которые никто не ответил.', en: 'Incoming calls that nobody answered.' },
  },
  {
    key: 'never_called_back',
    kind: 'count',
    head: 'lost',
    leaves: 0,
    title: { ru: 'Без перезвона', en: 'Never called back' },
    means: {
      ru: 'Пропущенные, после которых с этим номером так и не поговорили, ни по входящему, ни по исходящему; без анонимных, которым перезвонить нельзя.',
      en: 'Missed calls after which nobody has spoken with that number to this day, in or out; without anonymous ones, who cannot be called.',
    },
  },
  {
    key: 'average_wait',
    kind: 'clock',
    head: 'wait',
    leaves: 3,
    title: { ru: 'Ожидание, среднее', en: 'Wait, average' },
    means: {
      ru: 'Сколько ждали ответа человека; только отвеченные входящие.',
      en: 'Until a person answered; answered incoming calls alone.',
    },
  },
  {
    key: 'p90_wait',
    kind: 'clock',
    head: 'p90',
    leaves: 0,
    title: { ru: 'Ожидание, 90 %', en: 'Wait, 90th percentile' },
    means: {
      ru: 'Девять из десяти отвеченных входящих ждали не дольше (90-й процентиль, ближайший ранг).',
      en: 'Nine of ten answered incoming calls waited no longer (90th percentile by nearest rank).',
    },
  },
  {
    key: 'talk_seconds',
    kind: 'clock',
    head: 'talk',
    leaves: 8,
    title: { ru: 'Разговоры, всего', en: 'Talk, total' },
    means: { ru: 'Сумма времени разговоров.', en: 'All talk together.' },
  },
  {
    key: 'average_talk',
    kind: 'clock',
    head: 'handling',
    leaves: 2,
    title: { ru: 'Разговор, средний', en: 'Handling, average' },
    means: {
      ru: 'Время обработки: средний разговор отвеченного звонка.',
      en: 'Handling time: the average talk of an answered call.',
    },
  },
  {
    key: 'average_callback',
    kind: 'span',
    head: 'callback',
    leaves: 9,
    title: { ru: 'До перезвона', en: 'To call back' },
    means: {
      ru: 'От пропущенного звонка до начала следующего разговора с этим номером, в среднем; только где он состоялся.',
      en: 'From a missed call to the start of the next talk with that number, on average, where there was one.',
    },
  },
  {
    key: 'orders',
    kind: 'count',
    head: 'orders',
    leaves: 0,
    title: { ru: 'Стали заказами', en: 'Became orders' },
    means: {
      ru: 'Звонки, после которых клиент оформил заказ за {days} дн.; заказ считается один раз, за последним звонком перед ним; отменённые и пустые черновики по пропущенным звонкам не считаются.',
      en: 'Calls after which the client ordered within {days} days; an order counts once, for the last call before it; cancelled ones and empty drafts of missed calls do not count.',
    },
  },
  {
    key: 'conversion',
    kind: 'percent',
    head: 'conv %',
    leaves: 0,
    title: { ru: 'Конверсия', en: 'Conversion' },
    means: { ru: 'Доля звонков, ставших заказами.', en: 'The share of calls that became orders.' },
  },
  {
    key: 'order_total',
    kind: 'money',
    head: 'sum',
    leaves: 1,
    title: { ru: 'Сумма заказов', en: 'Order total' },
    means: {
      ru: 'Сумма этих заказов в валюте аккаунта: у каждого звонка первый из его заказов.',
      en: "The sum of these orders in the account's currency: of each call the first of its orders.",
    },
  },
  {
    key: 'average_to_order',
    kind: 'span',
    head: 'to order',
    leaves: 10,
    title: { ru: 'До заказа', en: 'To the order' },
    means: {
      ru: 'От звонка до его заказа, в среднем.',
      en: 'From the call to its order, on average.',
    },
  },
];

/** A column's definition for orders within `days` days. */
export function meaningOf(column: Column, locale: ReportLocale, days: number | string): string {
  return column.means[locale].replace('{days}', String(days));
}
