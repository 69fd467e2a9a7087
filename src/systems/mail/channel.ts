import { type AppError, configError, ExitCode } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { RemoteError, type RequestOutcome } from '../../base/remote-error.ts';
import type { AlertChannel, AlertMessage } from '../../domain/alert.ts';
import type { MailSettings } from './settings.ts';

export interface MailOptions {
  settings: MailSettings;
  timeoutMs: number;
  log: Pick<Logger, 'warn'>;
}

const SYSTEM = 'mail';
const IMPLICIT_TLS_PORT = 465;

/** Alerts by e-mail; undefined where the settings name no address. The library is loaded with the first message. */
export function mailChannel({ settings, timeoutMs, log }: MailOptions): AlertChannel | undefined {
  const { ALERT_EMAIL_TO: to, ALERT_EMAIL_FROM: from, ALERT_EMAIL_SMTP_HOST: host } = settings;
  if (to === undefined || from === undefined || host === undefined) return undefined;

  async function send(message: AlertMessage, signal: AbortSignal): Promise<void> {
    const { createTransport } = await import('nodemailer');
    const transport = createTransport(transportOptions(settings, timeoutMs));
    try {
      const sent = await transport.sendMail({
        from,
        to: [...(to ?? [])],
        subject: message.subject,
        text: message.text,
        // The same at each try, so that a mailbox which knows it already can hide a repetition.
        messageId: `<alert-${message.id}@sdelka>`,
        headers: { 'Auto-Submitted': 'auto-generated' },
        disableFileAccess: true,
        disableUrlAccess: true,
        signal,
      });
      // It counts as sent when one address took it; the others are no reason to send it again to all.
      if (sent.rejected.length > 0) {
        log.warn({ refused: sent.rejected.length }, 'some addresses of ALERT_EMAIL_TO were refused');
      }
    } catch (error) {
      throw describe(error);
    } finally {
      transport.close();
    }
  }

  return { name: SYSTEM, send };
}

function transportOptions(settings: MailSettings, timeoutMs: number) {
  const host = settings.ALERT_EMAIL_SMTP_HOST ?? '';
  const { ALERT_EMAIL_SMTP_PORT: port, ALERT_EMAIL_SMTP_USER: user, ALERT_EMAIL_SMTP_PASS: pass } = settings;
  const secure = port === IMPLICIT_TLS_PORT;
  return {
    host,
    port,
    secure,
    // A password never travels in clear, except within this machine.
    requireTLS: !secure && user !== undefined && !isLoopback(host),
    ...(user === undefined || pass === undefined ? {} : { auth: { user, pass: pass.reveal() } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    logger: false,
    debug: false,
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

interface SmtpFailure {
  code?: unknown;
  responseCode?: unknown;
  syscall?: unknown;
}

/** Servers quote addresses in their answers, so that none of their words are kept. */
function describe(error: unknown): AppError {
  const { code, responseCode, syscall } = (typeof error === 'object' && error !== null ? error : {}) as SmtpFailure;
  const status = typeof responseCode === 'number' ? responseCode : undefined;
  const isFinal = status !== undefined && status >= 500 && status !== 503;
  const seen = status === undefined ? String(code ?? 'unknown') : `SMTP ${status}`;
  if (code === 'ETLS') {
    return configError(
      'MAIL_NO_ENCRYPTION',
      `the mail server offers no encryption (${seen}), and the password is not sent without it`,
      'Set ALERT_EMAIL_SMTP_PORT to a port of the server that speaks TLS: 465, or 587.',
    );
  }
  if (isFinal && (code === 'EAUTH' || code === 'ENOAUTH' || status === 530)) {
    return new RemoteError({
      code: 'MAIL_AUTH_REFUSED',
      kind: 'operator',
      exit: ExitCode.CredentialsRefused,
      message: `the mail server refused user or password (${seen})`,
      hint: 'Check ALERT_EMAIL_SMTP_USER and ALERT_EMAIL_SMTP_PASS; many providers want a password made for programs.',
      system: SYSTEM,
      route: 'auth',
      ...(status === undefined ? {} : { status }),
      outcome: 'refused',
    });
  }
  if (isFinal) {
    return configError(
      'MAIL_REFUSED',
      `the mail server refused the message (${seen})`,
      'Check ALERT_EMAIL_TO and ALERT_EMAIL_FROM: most servers send only from the mailbox that logs in.',
    );
  }
  const notSent = code === 'EDNS' || (code === 'ESOCKET' && syscall === 'connect') || status !== undefined;
  return failing(`the mail server could not be used (${seen})`, status, notSent ? 'not-sent' : 'in-doubt');
}

function failing(message: string, status: number | undefined, outcome: RequestOutcome): RemoteError {
  return new RemoteError({
    code: 'MAIL_UNREACHABLE',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message,
    hint: 'Nothing to do if it passes; else check ALERT_EMAIL_SMTP_HOST and _PORT, for hosts often block ports 25, 465 and 587.',
    system: SYSTEM,
    route: 'send',
    ...(status === undefined ? {} : { status }),
    outcome,
  });
}
