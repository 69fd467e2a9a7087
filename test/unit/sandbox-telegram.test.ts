import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import { SMTP_SANDBOX_PASS, SMTP_SANDBOX_USER, type SmtpStandin, smtpStandin } from '../../src/sandbox/smtp.ts';
import {
  TELEGRAM_SANDBOX_CHAT,
  TELEGRAM_SANDBOX_TOKEN,
  type TelegramStandin,
  telegramStandin,
} from '../../src/sandbox/telegram.ts';
import { mailChannel } from '../../src/systems/mail/channel.ts';
import type { MailSettings } from '../../src/systems/mail/settings.ts';
import { telegramChannel } from '../../src/systems/telegram/channel.ts';

const message = {
  id: 'abc123',
  subject: 'sdelka srv1: Очередь',
  text: 'sdelka · srv1\n• Ждут 31 запись из <25> & больше',
};
const signal = new AbortController().signal;

/** What reaches an operator of an error, its own fields included. */
const shown = (error: unknown) => JSON.stringify({ ...(error as object), message: String(error) });

async function failureOf(sending: Promise<void>): Promise<unknown> {
  try {
    await sending;
  } catch (error) {
    return error;
  }
  throw new Error('it was taken');
}

/** A port that nobody listens at. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('telegram', () => {
  let running: RunningStandin<TelegramStandin>;

  beforeEach(async () => {
    running = await serve(telegramStandin());
  });

  afterEach(() => running.close());

  const send = (
    given: { token?: string; chat?: string; url?: string; timeoutMs?: number; log?: typeof silentLogger } = {},
  ) => {
    const settings = {
      ALERT_TELEGRAM_BOT_TOKEN: new Secret(given.token ?? TELEGRAM_SANDBOX_TOKEN),
      ALERT_TELEGRAM_CHAT_ID: given.chat ?? TELEGRAM_SANDBOX_CHAT,
      TELEGRAM_API_URL: given.url ?? running.url,
    };
    const channel = telegramChannel({ settings, timeoutMs: given.timeoutMs ?? 5000, log: given.log ?? silentLogger });
    return channel?.send(message, signal) ?? Promise.reject(new Error('no channel'));
  };

  test('the text arrives as it is, once', async () => {
    await send();
    expect(running.standin.messages()).toEqual([{ message_id: 1, chat_id: TELEGRAM_SANDBOX_CHAT, text: message.text }]);
    expect(running.journal).toHaveLength(1);
  });

  test('without a chat there is no channel', () => {
    const settings = {
      ALERT_TELEGRAM_BOT_TOKEN: undefined,
      ALERT_TELEGRAM_CHAT_ID: undefined,
      TELEGRAM_API_URL: running.url,
    };
    expect(telegramChannel({ settings, timeoutMs: 5000, log: silentLogger })).toBeUndefined();
  });

  test.each<[string, Record<string, unknown>, { token?: string; chat?: string }, number, string]>([
    ['a wrong token', {}, { token: '1:wrong-token-of-somebody-else' }, 77, 'ALERT_TELEGRAM_BOT_TOKEN'],
    ['a bot that was thrown out', { blocked: [TELEGRAM_SANDBOX_CHAT] }, {}, 77, 'Start'],
    ['a chat that does not exist', {}, { chat: '77' }, 78, 'ALERT_TELEGRAM_CHAT_ID'],
    ['too many messages', { retryAfter: 900 }, {}, 69, 'TELEGRAM_API_URL'],
  ])('%s', async (_, switches, given, exit, hint) => {
    running.standin.configure(switches);
    const failure = await failureOf(send(given));
    expect(failure).toMatchObject({ exit, hint: expect.stringContaining(hint) });
    expect(shown(failure)).not.toContain(given.token ?? TELEGRAM_SANDBOX_TOKEN);
    expect(running.standin.messages()).toEqual([]);
    expect(running.journal).toHaveLength(1);
  });

  test.each<[string, Parameters<RunningStandin['fault']>[0], number]>([
    ['a proxy that answers HTML', { match: '/bot', kind: 'status', status: 502 }, 0],
    ['an HTML page with 200', { match: '/bot', kind: 'html' }, 0],
    ['a lost answer', { match: '/bot', kind: 'lost' }, 1],
    ['silence', { match: '/bot', kind: 'hang' }, 0],
  ])('%s ends in 69 after one try, the token unseen', async (_, fault, taken) => {
    running.fault(fault);
    const failure = await failureOf(send({ timeoutMs: 300 }));
    expect(failure).toMatchObject({ exit: 69, kind: 'transient' });
    expect(shown(failure)).not.toContain(TELEGRAM_SANDBOX_TOKEN);
    expect(running.standin.messages()).toHaveLength(taken);
    expect(running.journal).toHaveLength(1);
  });

  test('nobody listens: 69', async () => {
    const failure = await failureOf(send({ url: `http://127.0.0.1:${await closedPort()}` }));
    expect(failure).toMatchObject({ exit: 69 });
  });

  test('a group that became a supergroup gets it there, and the operator is told the new number', async () => {
    running.standin.configure({ chats: ['-1009'], moved: { '-55': '-1009' } });
    const told: unknown[] = [];
    const warn = (fields: unknown) => told.push(fields);
    await send({ chat: '-55', log: { ...silentLogger, warn } });
    expect(running.standin.messages()).toMatchObject([{ chat_id: '-1009', text: message.text }]);
    expect(told).toEqual([{ chat: -1009 }]);
  });

  test('the stand-in keeps the rules of the server', async () => {
    const call = async (method: string, parameters: Record<string, string>, token = TELEGRAM_SANDBOX_TOKEN) => {
      const response = await fetch(`${running.url}/bot${token}/${method}`, {
        method: 'POST',
        body: new URLSearchParams(parameters),
      });
      return { status: response.status, ...((await response.json()) as object) };
    };
    const chat_id = TELEGRAM_SANDBOX_CHAT;
    expect(await call('GetMe', {})).toMatchObject({ ok: true, result: { is_bot: true } });
    expect(await call('sendMessage', { chat_id, text: 'x'.repeat(4097) })).toMatchObject({
      status: 400,
      error_code: 400,
    });
    expect(await call('sendMessage', { chat_id, text: ' ' })).toMatchObject({ status: 400, ok: false });
    expect(await call('sendMessage', { chat_id, text: 'x' }, '1:other')).toMatchObject({ status: 401 });
    expect(await call('sing', { chat_id })).toMatchObject({ status: 404 });
    running.standin.configure({ retryAfter: 7 });
    expect(await call('sendMessage', { chat_id, text: 'x' })).toMatchObject({
      status: 429,
      parameters: { retry_after: 7 },
    });
  });
});

describe('mail', () => {
  let server: SmtpStandin;

  beforeEach(async () => {
    server = await smtpStandin();
  });

  afterEach(() => server.close());

  const settings = (given: Partial<MailSettings> = {}): MailSettings => ({
    ALERT_EMAIL_TO: ['owner@shop.example'],
    ALERT_EMAIL_FROM: 'sdelka@shop.example',
    ALERT_EMAIL_SMTP_HOST: '127.0.0.1',
    ALERT_EMAIL_SMTP_PORT: server.port,
    ALERT_EMAIL_SMTP_USER: SMTP_SANDBOX_USER,
    ALERT_EMAIL_SMTP_PASS: new Secret(SMTP_SANDBOX_PASS),
    ...given,
  });
  const send = (given: Partial<MailSettings> = {}, warn: (fields: unknown) => void = () => undefined) => {
    const channel = mailChannel({ settings: settings(given), timeoutMs: 300, log: { ...silentLogger, warn } });
    return channel?.send(message, signal) ?? Promise.reject(new Error('no channel'));
  };

  test('subject and text arrive in Russian, with the same Message-ID at each try', async () => {
    await send();
    await send({ ALERT_EMAIL_SMTP_USER: undefined, ALERT_EMAIL_SMTP_PASS: undefined });
    expect(server.mails()).toMatchObject([
      { from: 'sdelka@shop.example', to: ['owner@shop.example'], subject: message.subject, text: message.text },
      { messageId: server.mails()[0]?.messageId },
    ]);
    expect(server.mails()[0]?.messageId).toContain('abc123');
    expect(server.mails()[0]?.raw).toMatch(/^Auto-Submitted: auto-generated/im);
  });

  test('without an address there is no channel', () => {
    const nothing = settings({ ALERT_EMAIL_TO: undefined });
    expect(mailChannel({ settings: nothing, timeoutMs: 300, log: silentLogger })).toBeUndefined();
  });

  test.each<[string, string, number, number, string]>([
    ['a wrong password', 'auth', 77, 0, 'ALERT_EMAIL_SMTP_PASS'],
    ['a mailbox that does not exist', 'reject', 78, 0, 'ALERT_EMAIL_TO'],
    ['a server without time', 'busy', 69, 0, 'ALERT_EMAIL_SMTP_HOST'],
    ['a connection that ends at once', 'drop', 69, 0, 'ALERT_EMAIL_SMTP_HOST'],
    ['a letter whose end is never answered', 'hang', 69, 0, 'ALERT_EMAIL_SMTP_HOST'],
    ['a lost answer', 'lost', 69, 1, 'ALERT_EMAIL_SMTP_HOST'],
  ])('%s', async (_, fault, exit, taken, hint) => {
    server.configure({ fault });
    const failure = await failureOf(send());
    expect(failure).toMatchObject({ exit, hint: expect.stringContaining(hint) });
    expect(shown(failure)).not.toMatch(/owner@|sandbox-only|sdelka@/);
    expect(server.mails()).toHaveLength(taken);
  });

  test('nobody listens: 69', async () => {
    const port = await closedPort();
    expect(await failureOf(send({ ALERT_EMAIL_SMTP_PORT: port }))).toMatchObject({ exit: 69, outcome: 'not-sent' });
  });

  test('one address of two is refused: the letter is sent, and the operator told', async () => {
    server.configure({ unknown: ['gone@shop.example'] });
    const told: unknown[] = [];
    await send({ ALERT_EMAIL_TO: ['owner@shop.example', 'gone@shop.example'] }, (fields) => told.push(fields));
    expect(server.mails()).toMatchObject([{ to: ['owner@shop.example'] }]);
    expect(told).toEqual([{ refused: 1 }]);
  });

  test('a password does not leave the machine without TLS', async () => {
    // The stand-in offers none; by the name that is not loopback's, it counts as another machine.
    const failure = await failureOf(send({ ALERT_EMAIL_SMTP_HOST: '0.0.0.0' }));
    expect(failure).toMatchObject({ exit: 78, code: 'MAIL_NO_ENCRYPTION' });
    expect(server.mails()).toEqual([]);
  });
});
