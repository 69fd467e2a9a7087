import type { SandboxAnswer, SandboxRequest, Standin } from './kit.ts';

/** Opens nothing outside this machine; shaped as @BotFather makes them. */
export const TELEGRAM_SANDBOX_TOKEN = '110201543:SandboxOnly-AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw';
export const TELEGRAM_SANDBOX_CHAT = '-1001234567890';

export interface TelegramStandinOptions {
  token: string;
  /** Chats that the bot may write to. */
  chats: readonly string[];
  /** Chats whose people have blocked the bot, or whose group has thrown it out. */
  blocked: readonly string[];
  /** Groups that became supergroups: old number → new number. */
  moved: Readonly<Record<string, string>>;
  /** Above 0: so many seconds must pass before the next message, HTTP 429. */
  retryAfter: number;
}

export interface TelegramSandboxMessage {
  message_id: number;
  chat_id: string;
  text: string;
}

export interface TelegramStandin extends Standin {
  messages(): readonly TelegramSandboxMessage[];
  snapshot(): { messages: readonly TelegramSandboxMessage[] };
}

const LONGEST_TEXT = 4096;

/** Telegram's Bot API as its own server behaves (tdlib/telegram-bot-api): what a sender of alerts meets of it. */
export function telegramStandin(given: Partial<TelegramStandinOptions> = {}): TelegramStandin {
  const options: TelegramStandinOptions = {
    token: TELEGRAM_SANDBOX_TOKEN,
    chats: [TELEGRAM_SANDBOX_CHAT],
    blocked: [],
    moved: {},
    retryAfter: 0,
    ...given,
  };
  const messages: TelegramSandboxMessage[] = [];

  function sendMessage(parameters: Readonly<Record<string, string>>): SandboxAnswer {
    const { chat_id: chat = '', text = '' } = parameters;
    const movedTo = options.moved[chat];
    if (options.retryAfter > 0) return tooMany(options.retryAfter);
    if (movedTo !== undefined) {
      const description = 'Bad Request: group chat was upgraded to a supergroup chat';
      return problem(400, description, { migrate_to_chat_id: Number(movedTo) });
    }
    if (options.blocked.includes(chat)) return problem(403, 'Forbidden: bot was blocked by the user');
    if (!options.chats.includes(chat)) return problem(400, 'Bad Request: chat not found');
    if (text.trim() === '') return problem(400, 'Bad Request: message text is empty');
    if (text.length > LONGEST_TEXT) return problem(400, 'Bad Request: message is too long');
    const message = { message_id: messages.length + 1, chat_id: chat, text };
    messages.push(message);
    const type = chat.startsWith('-100') ? 'supergroup' : chat.startsWith('-') ? 'group' : 'private';
    return ok({
      message_id: message.message_id,
      date: Math.floor(Date.now() / 1000),
      chat: { id: Number(chat), type },
      text,
    });
  }

  return {
    name: 'telegram',
    handle: (request) => {
      const [, token, method] = /^\/bot([^/]+)\/(\w+)$/.exec(decodeURIComponent(request.path)) ?? [];
      if (token === undefined || method === undefined) return problem(404, 'Not Found');
      if (token !== options.token) return problem(401, 'Unauthorized');
      // Method names ignore case.
      switch (method.toLowerCase()) {
        case 'getme':
          return ok({ id: Number(token.split(':')[0]), is_bot: true, first_name: 'sandbox', username: 'sandbox_bot' });
        case 'sendmessage':
          return sendMessage(parametersOf(request));
        default:
          return problem(404, 'Not Found: method not found');
      }
    },
    messages: () => messages,
    snapshot: () => ({ messages }),
    configure: (set) => {
      Object.assign(options, set);
    },
    seed: () => undefined,
  };
}

/** Parameters come in the address, as a form or as JSON; later places win. */
function parametersOf({ query, headers, body, rawBody }: SandboxRequest): Record<string, string> {
  const type = headers['content-type'] ?? '';
  const form = type.includes('application/x-www-form-urlencoded')
    ? Object.fromEntries(new URLSearchParams(rawBody))
    : {};
  const json =
    typeof body === 'object' && body !== null ? Object.entries(body).map(([name, value]) => [name, String(value)]) : [];
  return { ...Object.fromEntries(query), ...form, ...Object.fromEntries(json) };
}

function ok(result: unknown): SandboxAnswer {
  return { status: 200, body: { ok: true, result } };
}

function problem(status: number, description: string, parameters?: Record<string, number>): SandboxAnswer {
  return { status, body: { ok: false, error_code: status, description, ...(parameters ? { parameters } : {}) } };
}

function tooMany(seconds: number): SandboxAnswer {
  const answer = problem(429, `Too Many Requests: retry after ${seconds}`, { retry_after: seconds });
  return { ...answer, headers: { 'retry-after': String(seconds) } };
}
