import { defineGroup, type SettingsOf } from '../../config/settings.ts';
import { baseUrl, optional, token, withDefault } from '../../config/variables.ts';

/** Where alerts go by Telegram; without bot and chat, nowhere. */
export const telegramSettings = defineGroup(
  {
    ALERT_TELEGRAM_BOT_TOKEN: optional(token()),
    ALERT_TELEGRAM_CHAT_ID: optional(chatId()),
    TELEGRAM_API_URL: withDefault('https://api.telegram.org', baseUrl()),
  },
  (given) => {
    const [bot, chat] = ['ALERT_TELEGRAM_BOT_TOKEN', 'ALERT_TELEGRAM_CHAT_ID'] as const;
    if (given(bot) === given(chat)) return [];
    return [
      given(bot) ? `${chat}: missing; a bot needs the chat to write to` : `${bot}: missing; a chat needs its bot`,
    ];
  },
);

export type TelegramSettings = SettingsOf<typeof telegramSettings>;

/** Groups are negative, supergroups and channels begin with -100; 52 significant bits at most (Bot API, Chat). */
function chatId() {
  return {
    expects: "a chat's number such as 123456789 or -1001234567890, or the @name of a public channel",
    parse: (value: string) => (/^(-?[1-9]\d{0,15}|@[A-Za-z]\w{3,31})$/.test(value) ? value : undefined),
  };
}
