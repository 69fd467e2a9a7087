import { type AppError, configError, ExitCode } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { RemoteError, type RequestOutcome } from '../../base/remote-error.ts';
import type { AlertChannel, AlertMessage } from '../../domain/alert.ts';
import type { TelegramSettings } from './settings.ts';

export interface TelegramOptions {
  settings: TelegramSettings;
  timeoutMs: number;
  log: Pick<Logger, 'warn'>;
}

/** A text of so many characters is taken (Bot API, sendMessage); a longer one is refused, not cut. */
const LONGEST_TEXT = 4096;
const SYSTEM = 'telegram';
const ROUTE = 'sendMessage';

/** Alerts by Telegram; undefined where the settings name no chat. The library is loaded with the first message. */
export function telegramChannel({ settings, timeoutMs, log }: TelegramOptions): AlertChannel | undefined {
  const { ALERT_TELEGRAM_BOT_TOKEN: bot, ALERT_TELEGRAM_CHAT_ID: chat, TELEGRAM_API_URL } = settings;
  if (bot === undefined || chat === undefined) return undefined;

  async function send(message: AlertMessage, signal: AbortSignal): Promise<void> {
    const { Api, TelegramApiError } = await import('node-telegram-bot-api');
    // Its own retries could tell an alert twice where only the answer was lost; the next pass of the watchdog is the retry.
    const api = new Api(bot?.reveal() ?? '', { apiRoot: TELEGRAM_API_URL, timeoutMs, maxRetries: 0 });
    // Without markup: no error text can break it.
    const text = message.text.slice(0, LONGEST_TEXT);
    const post = (to: string | number) =>
      api.sendMessage({ chat_id: to, text, link_preview_options: { is_disabled: true } }, signal);
    try {
      await post(chat ?? '');
    } catch (error) {
      const moved = error instanceof TelegramApiError ? error.migrateToChatId : undefined;
      if (moved === undefined) throw describe(error);
      log.warn(
        { chat: moved },
        'the Telegram group has become a supergroup: set ALERT_TELEGRAM_CHAT_ID to the new number',
      );
      await post(moved).catch((again: unknown) => {
        throw describe(again);
      });
    }
  }

  return { name: SYSTEM, send };
}

/** The library's errors may hold the address, and with it the token; only numbers are taken from them. */
function describe(error: unknown): AppError {
  const status = numberIn(error, 'errorCode');
  if (status !== undefined) return refusal(status);
  const name = error instanceof Error ? error.name : 'unknown';
  const why =
    name === 'TimeoutError'
      ? 'no answer in time'
      : name === 'ParseError'
        ? 'an answer without sense'
        : 'no connection, or no usable answer';
  return failing(`Telegram could not be reached (${why})`, undefined, 'in-doubt');
}

function refusal(status: number): AppError {
  if (status === 401 || status === 404) {
    return refused(status, 'Check ALERT_TELEGRAM_BOT_TOKEN: @BotFather shows the token of the bot.');
  }
  if (status === 403) {
    return refused(status, 'Open the chat with the bot and press Start, or add the bot to the group again.');
  }
  if (status === 429) return failing('Telegram says that we write too fast (HTTP 429)', status, 'refused');
  if (status >= 500) return failing(`Telegram is failing (HTTP ${status})`, status, 'in-doubt');
  return configError(
    'TELEGRAM_REFUSED',
    `Telegram refused the message (HTTP ${status})`,
    'Check ALERT_TELEGRAM_CHAT_ID: the chat must exist, and a person must have pressed Start.',
  );
}

function refused(status: number, hint: string): RemoteError {
  return new RemoteError({
    code: 'TELEGRAM_FORBIDDEN',
    kind: 'operator',
    exit: ExitCode.CredentialsRefused,
    message: `Telegram refused the bot (HTTP ${status})`,
    hint,
    system: SYSTEM,
    route: ROUTE,
    status,
    outcome: 'refused',
  });
}

function failing(message: string, status: number | undefined, outcome: RequestOutcome): RemoteError {
  return new RemoteError({
    code: 'TELEGRAM_UNREACHABLE',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message,
    hint: 'Nothing to do if it passes; where Telegram is blocked, set TELEGRAM_API_URL to a server that is not.',
    system: SYSTEM,
    route: ROUTE,
    ...(status === undefined ? {} : { status }),
    outcome,
  });
}

function numberIn(error: unknown, name: string): number | undefined {
  if (typeof error !== 'object' || error === null || !(name in error)) return undefined;
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'number' ? value : undefined;
}
