import { expect, test } from 'vitest';
import { KASPI_SANDBOX_TOKEN } from '../../src/sandbox/kaspi.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import { SMTP_SANDBOX_PASS, SMTP_SANDBOX_USER, type SmtpStandin, smtpStandin } from '../../src/sandbox/smtp.ts';
import {
  TELEGRAM_SANDBOX_CHAT,
  TELEGRAM_SANDBOX_TOKEN,
  type TelegramStandin,
  telegramStandin,
} from '../../src/sandbox/telegram.ts';
import { inWorld, type SandboxWorld } from '../support/sandbox-world.ts';

interface Alerted extends SandboxWorld {
  telegram: RunningStandin<TelegramStandin>;
  mail: SmtpStandin;
}

/** A world whose operator has both channels. */
async function inAlertedWorld(work: (world: Alerted) => Promise<void>): Promise<void> {
  const telegram = await serve(telegramStandin());
  const mail = await smtpStandin();
  const settings = {
    LOCALE: 'en',
    TELEGRAM_API_URL: telegram.url,
    ALERT_TELEGRAM_BOT_TOKEN: TELEGRAM_SANDBOX_TOKEN,
    ALERT_TELEGRAM_CHAT_ID: TELEGRAM_SANDBOX_CHAT,
    ALERT_EMAIL_TO: 'owner@shop.example',
    ALERT_EMAIL_FROM: 'Shop <sdelka@shop.example>',
    ALERT_EMAIL_SMTP_HOST: '127.0.0.1',
    ALERT_EMAIL_SMTP_PORT: String(mail.port),
    ALERT_EMAIL_SMTP_USER: SMTP_SANDBOX_USER,
    ALERT_EMAIL_SMTP_PASS: SMTP_SANDBOX_PASS,
  };
  try {
    await inWorld({ settings }, async (world) => {
      const more = [SMTP_SANDBOX_PASS, 'owner@shop', 'sdelka@shop'];
      await work({ ...world, telegram, mail, secrets: () => [...world.secrets(), ...more] });
    });
  } finally {
    await Promise.all([telegram.close(), mail.close()]);
  }
}

test('alerts:test says which channel works, with the exit code of what does not', () =>
  inAlertedWorld(async ({ sdelka, telegram, mail, rewrite }) => {
    const trial = async () => {
      const { code, stdout } = await sdelka(['alerts:test', '--json']);
      const { channels } = JSON.parse(stdout) as { channels: { channel: string; status: string }[] };
      return [code, ...channels.map(({ channel, status }) => `${channel} ${status}`)];
    };
    expect((await sdelka(['--dry-run', 'alerts:test'])).stdout).toContain('would_send');
    expect([telegram.journal, mail.mails()]).toEqual([[], []]);
    expect(await trial()).toEqual([0, 'telegram sent', 'mail sent']);
    expect(telegram.standin.messages()).toMatchObject([{ text: expect.stringContaining('Nothing has happened') }]);
    expect(mail.mails()).toMatchObject([{ to: ['owner@shop.example'], subject: expect.stringMatching(/: Test$/) }]);
    mail.configure({ fault: 'busy' });
    expect(await trial()).toEqual([69, 'telegram sent', 'mail failed']);
    mail.configure({ fault: 'auth' });
    expect(await trial()).toEqual([77, 'telegram sent', 'mail failed']);
    await rewrite({ ALERT_TELEGRAM_CHAT_ID: '5' });
    expect(await trial()).toEqual([78, 'telegram failed', 'mail failed']);
    await rewrite({ ALERT_TELEGRAM_CHAT_ID: undefined, ALERT_EMAIL_FROM: undefined });
    const { code, lines } = await sdelka(['alerts:test']);
    expect(code).toBe(78);
    expect(lines[0]?.faults).toEqual([
      expect.stringMatching(/^ALERT_TELEGRAM_CHAT_ID: missing/),
      expect.stringMatching(/^ALERT_EMAIL_FROM: missing/),
    ]);
  }));

test('without any channel alerts:test is refused with the names to set', () =>
  inWorld({}, async ({ sdelka }) => {
    const { code, lines } = await sdelka(['alerts:test']);
    expect(code).toBe(78);
    expect(lines[0]).toMatchObject({ code: 'NO_ALERT_CHANNEL', hint: expect.stringContaining('ALERT_EMAIL_TO') });
  }));

test('a night: the Kaspi token dies, the operator is told once, mends it, and is told that it is over', () =>
  inAlertedWorld(async ({ sdelka, poll, kaspi, telegram, mail }) => {
    expect(await poll()).toMatchObject({ code: 0 });
    expect(await sdelka(['watchdog'])).toMatchObject({ code: 0 });
    kaspi.standin.configure({ token: 'a-newer-one-of-the-cabinet' });
    for (let pass = 1; pass <= 3; pass++) expect(await poll()).toMatchObject({ code: 77 });
    const first = await sdelka(['watchdog']);
    expect(first).toMatchObject({ code: 0 });
    expect(JSON.parse(first.stdout)).toMatchObject({ job: 'watchdog', outcome: 'ok', created: 1 });
    expect(await sdelka(['watchdog'])).toMatchObject({ code: 0 });
    expect(telegram.standin.messages().map(({ text }) => text)).toEqual([
      expect.stringMatching(/• kaspi:poll: 3 failed passes in a row \(kaspi refused our credentials/),
    ]);
    expect(mail.mails()).toMatchObject([{ subject: expect.stringContaining('Passes fail (kaspi:poll)') }]);
    const status = JSON.parse((await sdelka(['status', '--json'])).stdout) as { alerts: { kind: string }[] };
    expect(status.alerts).toMatchObject([{ kind: 'streak', subject: 'kaspi:poll' }]);
    kaspi.standin.configure({ token: KASPI_SANDBOX_TOKEN });
    expect(await poll()).toMatchObject({ code: 0 });
    expect(await sdelka(['watchdog'])).toMatchObject({ code: 0 });
    expect(telegram.standin.messages().map(({ text }) => text.split('\n').slice(1))).toEqual([
      [expect.stringMatching(/^•/)],
      [expect.stringMatching(/^✓ Passes fail · kaspi:poll: fine again/)],
    ]);
    expect(mail.mails()).toHaveLength(2);
  }));
