import { createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import { AMI_SANDBOX_SECRET, AMI_SANDBOX_USER, amiStandin } from '../../src/sandbox/ami.ts';
import { type AmiMessage, type AmiOptions, connectAmi } from '../../src/systems/asterisk/ami.ts';
import { amiParser, packetText } from '../../src/systems/asterisk/ami-wire.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

const BANNER = 'Asterisk Call Manager/9.0.0\r\n';

function parsed(...pieces: string[]): Record<string, string>[] {
  const seen: AmiMessage[] = [];
  const parser = amiParser(
    () => undefined,
    (message) => seen.push(message),
  );
  for (const piece of pieces) parser.push(piece);
  return seen.map((message) => Object.fromEntries(message));
}

test('packets are read the same wherever they are cut, with CRLF or LF, with repeated names', () => {
  const text = `${BANNER}Event: Newchannel\r\nCallerIDName: Анна: отдел\r\nVariable: a=1\r\nVariable: b=2\r\n\r\nResponse: Success\r\nEmpty:\r\n\r\n`;
  const whole = parsed(text);
  expect(whole).toEqual([
    { event: 'Newchannel', calleridname: 'Анна: отдел', variable: 'a=1\nb=2' },
    { response: 'Success', empty: '' },
  ]);
  for (let at = 1; at < text.length; at++) expect(parsed(text.slice(0, at), text.slice(at))).toEqual(whole);
  expect(parsed(text.replaceAll('\r\n', '\n'))).toEqual(whole);
  expect(parsed(...text)).toEqual(whole);
});

test('the raw output of old versions keeps its empty lines and what looks like fields', () => {
  const text = `${BANNER}Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\nName: x\n\nlast--END COMMAND--\r\n\r\nEvent: Hangup\r\n\r\n`;
  expect(parsed(text)).toEqual([
    { response: 'Follows', privilege: 'Command', actionid: '1', output: 'Name: x\n\nlast' },
    { event: 'Hangup' },
  ]);
});

test('what is no AMI, or beyond all bounds, is refused', () => {
  expect(() => parsed('SSH-2.0-OpenSSH_9.2\r\n')).toThrow('banner');
  expect(() => parsed(BANNER, 'x'.repeat(70_000))).toThrow('bounds');
  expect(() => parsed(BANNER, `A: ${'x'.repeat(60_000)}\r\n`.repeat(20))).toThrow('bounds');
});

test.each(['a\r\nAction: Command', 'a\nb', 'a\rb', 'a\u0000b'])(
  'a value of more than one line is never written: %j',
  (value) => {
    expect(() => packetText({ Channel: value })).toThrow('one line');
    expect(() => packetText({ Variable: ['x=1', value] })).toThrow('one line');
    expect(() => packetText({ 'Channel: x\r\nAction': 'y' })).toThrow('one line');
  },
);

async function standin(given: Parameters<typeof amiStandin>[0] = {}) {
  const ami = await amiStandin(given);
  closers.push(() => ami.close());
  return ami;
}

function connect(port: number, own: Partial<AmiOptions> = {}) {
  return connectAmi({
    ...{ host: '127.0.0.1', port, user: AMI_SANDBOX_USER, secret: new Secret(AMI_SANDBOX_SECRET) },
    ...{ timeoutMs: 2000, signal: new AbortController().signal },
    ...own,
  });
}

/** What a rejected promise was rejected with. */
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof AppError ? error : undefined),
  );

test('logs in, asks, hears events, logs off', async () => {
  const ami = await standin();
  const events: string[] = [];
  const connection = await connect(ami.port, {
    events: ['call'],
    onEvent: (event) => events.push(event.get('event') ?? ''),
  });
  const answers = await Promise.all([connection.action({ Action: 'Ping' }), connection.action({ Action: 'Ping' })]);
  expect(answers.map((answer) => answer.get('ping'))).toEqual(['Pong', 'Pong']);
  ami.play('internal');
  await connection.action({ Action: 'Ping' });
  expect(events).toContain('DialBegin');
  expect(ami.actions()[0]).toMatchObject({ Action: 'Login', Username: AMI_SANDBOX_USER, Events: 'call' });
  connection.close();
  await connection.closed;
  expect(await failure(connection.action({ Action: 'Ping' }))).toMatchObject({ exit: 69, outcome: 'not-sent' });
});

test('a wrong secret is 77, and named nowhere', async () => {
  const ami = await standin();
  const error = await failure(connect(ami.port, { secret: new Secret('not-the-secret') }));
  expect(error).toMatchObject({ exit: 77, code: 'REMOTE_UNAUTHORIZED', system: 'asterisk' });
  expect(`${error?.message} ${error?.hint}`).toMatch(/manager\.conf/);
  expect(JSON.stringify(error)).not.toContain('not-the-secret');
});

test('nobody there, silence, another protocol, a lost connection: 69 each', async () => {
  const sockets: Socket[] = [];
  const mute = createServer((socket) => void sockets.push(socket));
  const web = createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const ports: number[] = [];
  for (const server of [mute, web]) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as { port: number }).port);
    closers.push(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
  }
  const gone = await amiStandin();
  await gone.close();
  expect(await failure(connect(gone.port))).toMatchObject({ exit: 69, outcome: 'not-sent' });
  expect(await failure(connect(ports[0] ?? 0, { timeoutMs: 50 }))).toMatchObject({ exit: 69 });
  const odd = await failure(connect(ports[1] ?? 0));
  expect(odd).toMatchObject({ exit: 69, message: expect.stringContaining('no AMI') });
  const ami = await standin();
  const connection = await connect(ami.port);
  ami.configure({ fault: 'drop' });
  expect(await failure(connection.action({ Action: 'Ping' }))).toMatchObject({ exit: 69, outcome: 'in-doubt' });
  await connection.closed;
});

test('an action that is not answered is in doubt after its time; a stop closes the connection', async () => {
  const ami = await standin();
  const stop = new AbortController();
  const connection = await connect(ami.port, { signal: stop.signal });
  ami.configure({ fault: 'hang' });
  expect(await failure(connection.action({ Action: 'Ping' }, 30))).toMatchObject({ exit: 69, outcome: 'in-doubt' });
  const waiting = failure(connection.action({ Action: 'Ping' }));
  stop.abort();
  expect(await waiting).toMatchObject({ exit: 69 });
  await connection.closed;
});

test.each([
  [{ write: [] }, 77, 'does not allow'],
  [{ contexts: ['elsewhere'] }, 78, 'Extension does not exist.'],
])('a refused originate says why: %j', async (given, exit, text) => {
  const ami = await standin(given);
  const connection = await connect(ami.port);
  const call = {
    Action: 'Originate',
    Channel: 'PJSIP/201',
    Exten: '79000000001',
    Context: 'from-internal',
    Priority: '1',
  };
  const error = await failure(connection.action(call));
  expect(error).toMatchObject({ exit, outcome: 'refused', message: expect.stringContaining(text) });
  connection.close();
});

test('after a restart of Asterisk a new connection can be had', async () => {
  const ami = await standin();
  const connection = await connect(ami.port);
  await ami.restart();
  await connection.closed;
  const again = await connect(ami.port);
  expect((await again.action({ Action: 'Ping' })).get('response')).toBe('Success');
  again.close();
});
