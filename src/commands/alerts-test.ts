import { AppError, configError, ExitCode } from '../base/errors.ts';
import { coreSettings, readSettings } from '../config/settings.ts';
import type { AlertChannel, AlertMessage } from '../domain/alert.ts';
import { mailSettings } from '../systems/mail/settings.ts';
import { telegramSettings } from '../systems/telegram/settings.ts';
import { type CommandContext, defineCommand } from './define.ts';

interface Trial {
  channel: string;
  status: 'sent' | 'failed' | 'would_send';
  /** Exit code of this channel's failure. */
  exit_code: ExitCode;
  reason?: string;
  hint?: string;
}

export const alertsTestCommand = defineCommand({
  name: 'alerts:test',
  summary: 'Sends a test alert over every configured channel',
  details:
    'Exit 0: every channel took it. Else the code of the first that did not: 69 unreachable, 77 refused, 78 settings.',
  examples: ['alerts:test', 'alerts:test --json'],
  settings: [telegramSettings, mailSettings],
  run: async (ctx) => {
    const settings = readSettings(ctx.environment, [coreSettings, telegramSettings, mailSettings]);
    const [{ alertChannels, alertTextOptions }, { testAlert }] = await Promise.all([
      import('./alert-channels.ts'),
      import('../insight/alert-text.ts'),
    ]);
    const channels = alertChannels(settings, ctx.log);
    if (channels.length === 0) throw noChannel();
    const message = testAlert(ctx.clock.now(), alertTextOptions(settings, ctx.environment));
    const trials: Trial[] = [];
    for (const channel of channels) trials.push(await attempt(channel, message, ctx));
    await ctx.out.result({ channels: trials }, () => shown(trials, ctx));
    return trials.find(({ exit_code }) => exit_code !== ExitCode.Ok)?.exit_code;
  },
});

async function attempt(
  channel: AlertChannel,
  message: AlertMessage,
  { globals, signal }: CommandContext,
): Promise<Trial> {
  if (globals.dryRun) return { channel: channel.name, status: 'would_send', exit_code: ExitCode.Ok };
  try {
    await channel.send(message, signal);
    return { channel: channel.name, status: 'sent', exit_code: ExitCode.Ok };
  } catch (error) {
    if (!(error instanceof AppError) || error.kind === 'bug') throw error;
    const { exit, message: reason, hint } = error;
    return {
      channel: channel.name,
      status: 'failed',
      exit_code: exit,
      reason,
      ...(hint === undefined ? {} : { hint }),
    };
  }
}

async function shown(trials: readonly Trial[], { out }: CommandContext): Promise<string> {
  const table = await out.table(
    ['channel', 'result', 'reason'],
    trials.map(({ channel, status, reason }) => [channel, status, reason ?? '']),
  );
  return [table, ...trials.flatMap(({ channel, hint }) => (hint === undefined ? [] : [`${channel}: ${hint}`]))].join(
    '\n',
  );
}

function noChannel(): AppError {
  return configError(
    'NO_ALERT_CHANNEL',
    'No channel for alerts is configured',
    'Set ALERT_TELEGRAM_BOT_TOKEN and ALERT_TELEGRAM_CHAT_ID, or ALERT_EMAIL_TO, ALERT_EMAIL_FROM and ALERT_EMAIL_SMTP_HOST.',
  );
}
