import { defineGroup, type SettingsOf } from '../../config/settings.ts';
import { integer, optional, secret, text, withDefault } from '../../config/variables.ts';

const needed = ['ALERT_EMAIL_TO', 'ALERT_EMAIL_FROM', 'ALERT_EMAIL_SMTP_HOST'] as const;

/** Where alerts go by e-mail; without the first three, nowhere. */
export const mailSettings = defineGroup(
  {
    ALERT_EMAIL_TO: optional(addresses()),
    ALERT_EMAIL_FROM: optional(address()),
    ALERT_EMAIL_SMTP_HOST: optional(text('the name of the mail server')),
    /** 465 speaks TLS from the first byte, any other port STARTTLS. */
    ALERT_EMAIL_SMTP_PORT: withDefault('587', integer(1, 65_535)),
    ALERT_EMAIL_SMTP_USER: optional(text()),
    ALERT_EMAIL_SMTP_PASS: optional(secret()),
  },
  (given) => {
    const [user, pass] = ['ALERT_EMAIL_SMTP_USER', 'ALERT_EMAIL_SMTP_PASS'] as const;
    const faults =
      given(user) === given(pass) ? [] : [`${given(user) ? pass : user}: missing; user and password go together`];
    if (needed.every((name) => !given(name))) return faults;
    return [
      ...needed
        .filter((name) => !given(name))
        .map((name) => `${name}: missing; alerts by e-mail need ${needed.join(', ')}`),
      ...faults,
    ];
  },
);

export type MailSettings = SettingsOf<typeof mailSettings>;

const MAILBOX = /^(?:[^<>@,;"\r\n]*<[^\s<>@,;]+@[^\s<>@,;]+>|[^\s<>@,;]+@[^\s<>@,;]+)$/;

function address() {
  return {
    expects: 'an e-mail address',
    parse: (value: string) => (MAILBOX.test(value) ? value : undefined),
  };
}

function addresses() {
  return {
    expects: 'one or more e-mail addresses, separated by commas',
    parse: (value: string) => {
      const list = value.split(',').map((one) => one.trim());
      return list.every((one) => MAILBOX.test(one)) ? list : undefined;
    },
  };
}
