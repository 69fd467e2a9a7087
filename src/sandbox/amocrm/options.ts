/** Switches of behaviour; each stands for something that accounts differ in or that nobody could confirm. Times are milliseconds unless named otherwise. */
export interface AmocrmOptions {
  /** The clock; tests move it instead of sleeping. `configure({ advanceMs })` adds to it. */
  now: () => Date;
  accountId: number;
  subdomain: string;
  timezone: string;
  clientId: string;
  clientSecret: string;
  redirectUri: string;
  /** Lifetime of access tokens in seconds; the real one is 24 hours. */
  accessTokenSeconds: number;
  /** Lifetime of refresh tokens in seconds; the real one is 3 months. */
  refreshTokenSeconds: number;
  /** Lifetime of authorization codes in seconds; the real one is 20 minutes. */
  codeSeconds: number;
  /** Whether an exchange kills the access token of the old pair too; unconfirmed. */
  refreshRevokesAccess: boolean;
  /** Requests a sliding second and token; 0 = no limit at all, not for the account either. */
  rps: number;
  /** The same for the whole account. */
  accountRps: number;
  /** So many refusals by 429 are forgiven; one more blocks the account. */
  blockAfter: number;
  blockMs: number;
  /** New and changed rows enter lists so late; reads by id see them at once. */
  listLagMs: number;
  /** The same for lists with `query`; the search index is the slowest reader. */
  searchLagMs: number;
  /** Lists of deals, contacts and companies: filters work, are silently ignored, or are refused. */
  filters: 'honoured' | 'ignored' | 'error';
  /** What `is_api_filter_enabled` says; 'auto' tells the truth about `filters`. */
  apiFilterEnabled: 'auto' | 'yes' | 'no';
  /** False: lists come by ascending id whatever `order` asks. */
  orderHonoured: boolean;
  /** Linking a linked element again sets its quantity, or adds a second row. */
  linkMode: 'replace' | 'add';
  /** Whether linking and unlinking move the card's `updated_at`; unconfirmed. */
  linkTouches: boolean;
  /** Whether the bulk list of links is cut into pages; unconfirmed. */
  linksPaged: boolean;
  /** True: `_links.next` is missing although there is a next page. */
  omitNext: boolean;
  /** Most items a POST or PATCH may carry. */
  batchCap: number;
  /** The order of the answers of a batch; none is promised. */
  answerOrder: 'same' | 'reversed';
  /** A deleted or merged-away card read by id: 204, or the row with `is_deleted`. */
  deletedById: 'gone' | 'flagged';
  /** A PATCH whose `updated_at` is older than the card's; unconfirmed. */
  staleUpdatedAt: 'ignored' | 'refused';
}

const DAY_SECONDS = 86_400;

/** The defaults: an obliging account, with the search index a second behind. */
export const DEFAULT_OPTIONS: AmocrmOptions = {
  now: () => new Date(),
  accountId: 31337001,
  subdomain: 'demo',
  timezone: 'Asia/Almaty',
  clientId: '00000000-0000-4000-8000-000031337001',
  clientSecret: 'sandbox-client-secret-0123456789-0123456789-0123456789-012345678',
  redirectUri: 'https://sdelka.example/webhook/amocrm',
  accessTokenSeconds: DAY_SECONDS,
  refreshTokenSeconds: 90 * DAY_SECONDS,
  codeSeconds: 20 * 60,
  refreshRevokesAccess: false,
  rps: 7,
  accountRps: 50,
  blockAfter: 15,
  blockMs: 600_000,
  listLagMs: 0,
  searchLagMs: 1_000,
  filters: 'honoured',
  apiFilterEnabled: 'auto',
  orderHonoured: true,
  linkMode: 'replace',
  linkTouches: false,
  linksPaged: false,
  omitNext: false,
  batchCap: 250,
  answerOrder: 'same',
  deletedById: 'gone',
  staleUpdatedAt: 'ignored',
};

/** The allowed words of the switches that are words. */
const WORDS: Partial<Record<keyof AmocrmOptions, readonly string[]>> = {
  filters: ['honoured', 'ignored', 'error'],
  apiFilterEnabled: ['auto', 'yes', 'no'],
  linkMode: ['replace', 'add'],
  answerOrder: ['same', 'reversed'],
  deletedById: ['gone', 'flagged'],
  staleUpdatedAt: ['ignored', 'refused'],
};

/** Options out of plain values, such as a control request's body. Throws on an unknown name or a value of another kind: a misspelt switch must not make a test pass. */
export function checkedOptions(given: Record<string, unknown>): Partial<AmocrmOptions> {
  for (const [key, value] of Object.entries(given)) {
    if (!(key in DEFAULT_OPTIONS)) throw new Error(`amoCRM stand-in: no option "${key}"`);
    const name = key as keyof AmocrmOptions;
    const words = WORDS[name];
    if (typeof value !== typeof DEFAULT_OPTIONS[name] || (words && !words.includes(value as string))) {
      throw new Error(`amoCRM stand-in: option "${key}" cannot be ${JSON.stringify(value)}`);
    }
  }
  return given as Partial<AmocrmOptions>;
}
