import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { Logger } from '../base/log.ts';
import type { Environment } from '../config/env.ts';
import type { CoreSettings } from '../config/settings.ts';
import type { AlertChannel } from '../domain/alert.ts';
import type { AlertTextOptions } from '../insight/alert-text.ts';
import { mailChannel } from '../systems/mail/channel.ts';
import type { MailSettings } from '../systems/mail/settings.ts';
import { telegramChannel } from '../systems/telegram/channel.ts';
import type { TelegramSettings } from '../systems/telegram/settings.ts';

const TIMEOUT_MS = 15_000;

export type AlertSettings = CoreSettings & TelegramSettings & MailSettings;

/** The channels that the settings name. */
export function alertChannels(settings: AlertSettings, log: Logger): AlertChannel[] {
  const timeoutMs = settings.HTTP_TIMEOUT_MS ?? TIMEOUT_MS;
  return [telegramChannel({ settings, timeoutMs, log }), mailChannel({ settings, timeoutMs, log })].filter(
    (channel) => channel !== undefined,
  );
}

/** One host may serve several accounts, each from a folder of its own: both are named. */
export function alertTextOptions(settings: CoreSettings, { baseDir }: Environment): AlertTextOptions {
  return { locale: settings.LOCALE, zone: settings.TIMEZONE, place: `${hostname()}:${basename(baseDir)}` };
}
