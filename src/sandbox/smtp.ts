import type { AddressInfo, Socket } from 'node:net';
import { SMTPServer } from 'smtp-server';
import type { Standin } from './kit.ts';

export const SMTP_SANDBOX_USER = 'sandbox';
export const SMTP_SANDBOX_PASS = 'sandbox-only-password';

/**
 * How the mail server fails. `drop`: the connection ends at once. `busy`: 421 instead of a greeting. `auth`: 535. `reject`: 550 for every
 * address. `hang`: the letter's end is never answered. `lost`: the letter is taken, its answer is lost.
 */
export type SmtpFault = 'drop' | 'busy' | 'auth' | 'reject' | 'hang' | 'lost';

export interface SmtpOptions {
  user: string;
  pass: string;
  fault: SmtpFault | null;
  /** Addresses that are refused with 550, the others being taken. */
  unknown: readonly string[];
}

export interface SandboxMail {
  from: string;
  to: readonly string[];
  subject: string;
  messageId: string;
  text: string;
  raw: string;
}

/** `handle` serves nothing of its own: mail comes over SMTP, and HTTP is for `/__sandbox/` alone. */
export interface SmtpStandin extends Standin {
  mails(): readonly SandboxMail[];
  snapshot(): { mails: readonly SandboxMail[] };
  port: number;
  close(): Promise<void>;
}

/** A mail server on loopback that keeps what it is given. Logging in is possible, not required; no TLS. */
export async function smtpStandin(port = 0, given: Partial<SmtpOptions> = {}): Promise<SmtpStandin> {
  const options: SmtpOptions = { user: SMTP_SANDBOX_USER, pass: SMTP_SANDBOX_PASS, fault: null, unknown: [], ...given };
  const mails: SandboxMail[] = [];
  const sockets = new Set<Socket>();
  const server = new SMTPServer({
    authOptional: true,
    authMethods: ['PLAIN', 'LOGIN'],
    allowInsecureAuth: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 100,
    onConnect: (_session, done) => done(options.fault === 'busy' ? reply(421, 'Service not available') : null),
    onAuth: ({ username, password }, _session, done) => {
      if (options.fault !== 'auth' && username === options.user && password === options.pass)
        done(null, { user: username });
      else done(reply(535, 'Authentication failed'));
    },
    onRcptTo: ({ address }, _session, done) => {
      done(options.fault === 'reject' || options.unknown.includes(address) ? reply(550, 'No such user here') : null);
    },
    onData: (stream, session, done) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        if (options.fault === 'hang') return;
        const from = session.envelope.mailFrom === false ? '' : session.envelope.mailFrom.address;
        const to = session.envelope.rcptTo.map(({ address }) => address);
        mails.push({ from, to, ...readMail(Buffer.concat(parts).toString('utf8')) });
        if (options.fault === 'lost') for (const socket of sockets) socket.destroy();
        else done(null);
      });
    },
  });
  // A client that goes away in the middle is not this server's failure.
  server.on('error', () => undefined);
  server.server.prependListener('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (options.fault === 'drop') socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    name: 'smtp',
    port: (server.server.address() as AddressInfo).port,
    handle: () => ({ status: 404, body: { error: 'mail comes over SMTP' } }),
    mails: () => mails,
    snapshot: () => ({ mails }),
    configure: (set) => {
      Object.assign(options, set);
    },
    seed: () => undefined,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function reply(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}

/** A letter of one text part, as alerts are. */
function readMail(raw: string): Pick<SandboxMail, 'subject' | 'messageId' | 'text' | 'raw'> {
  const [head = '', ...rest] = raw.split(/\r?\n\r?\n/);
  const headers = new Map<string, string>();
  for (const line of head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    const [name = '', ...value] = line.split(':');
    headers.set(name.toLowerCase(), value.join(':').trim());
  }
  const body = rest.join('\n\n');
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase() ?? '7bit';
  return {
    subject: decodedHeader(headers.get('subject') ?? ''),
    messageId: headers.get('message-id') ?? '',
    text: decodedBody(body, encoding).replaceAll('\r\n', '\n').trim(),
    raw,
  };
}

/** RFC 2047; the space between two encoded words is none. */
function decodedHeader(value: string): string {
  return value
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, kind: string, text: string) =>
      kind.toLowerCase() === 'b'
        ? Buffer.from(text, 'base64').toString('utf8')
        : quotedPrintable(text.replaceAll('_', ' ')),
    );
}

function decodedBody(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8');
  return encoding === 'quoted-printable' ? quotedPrintable(body.replace(/=\r?\n/g, '')) : body;
}

function quotedPrintable(text: string): string {
  const bytes = text.replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
