import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { usageError } from '../base/errors.ts';
import {
  AMI_SCENES,
  type AmiEvent,
  type AmiScene,
  originateEvents,
  type SceneOptions,
  sceneEvents,
} from './ami/scenes.ts';
import { type Packet, packetReader, packetText, textOf } from './ami/wire.ts';
import type { Standin } from './kit.ts';

export type { AmiScene } from './ami/scenes.ts';

export const AMI_SANDBOX_USER = 'sdelka';
export const AMI_SANDBOX_SECRET = 'sandbox-ami-secret';

export interface AmiSandboxOptions {
  user: string;
  secret: string;
  /** What the manager's user may write, e.g. `originate`. */
  write: readonly string[];
  /** What becomes of an originated call: the manager picks up, does not, or the channel cannot be reached. */
  originate: 'answered' | 'no-answer' | 'unreachable';
  /** Contexts of the dialplan; an originate into any other is refused. */
  contexts: readonly string[];
  /** `hang`: actions are not answered. `drop`: the connection ends in the place of an answer. */
  fault: 'hang' | 'drop' | null;
  /** The outside line's channel without its number. */
  trunk: string;
}

/** `handle` serves nothing of its own: AMI is TCP, and HTTP is for `/__sandbox/` alone. */
export interface AmiStandin extends Standin {
  port: number;
  /** Actions as they came, but for the login's secret. */
  actions(): readonly Readonly<Record<string, string>>[];
  /** Connections that have logged in. */
  sessions(): number;
  /** Tells every session that wants events. */
  emit(event: AmiEvent): void;
  /** Tells of a whole call; gives its linkedid. */
  play(scene: AmiScene, options?: Partial<SceneOptions>): string;
  /** The same as far as phones ring; `finish` tells of the rest. */
  begin(scene: AmiScene, options?: Partial<SceneOptions>): { linkedid: string; finish(): void };
  dropConnections(): void;
  /** Ends every connection, as Asterisk's restart does, and refuses new ones for `downMs`. */
  restart(downMs?: number): Promise<void>;
  snapshot(): { actions: readonly Readonly<Record<string, string>>[]; sessions: number };
  close(): Promise<void>;
}

interface Session {
  socket: Socket;
  isLoggedIn: boolean;
  wantsEvents: boolean;
}

/** Asterisk's manager interface on loopback: login, Originate, Ping, Logoff, and events of calls that are played. */
export async function amiStandin(given: Partial<AmiSandboxOptions> & { port?: number } = {}): Promise<AmiStandin> {
  const { port: wantedPort = 0, ...rest } = given;
  const options: AmiSandboxOptions = {
    ...{ user: AMI_SANDBOX_USER, secret: AMI_SANDBOX_SECRET, write: ['originate'], originate: 'answered' },
    ...{ contexts: ['from-internal'], fault: null, trunk: 'PJSIP/trunk-a' },
    ...rest,
  };
  const sessions = new Set<Session>();
  const actions: Record<string, string>[] = [];
  let counter = 1;

  const send = (session: Session, fields: AmiEvent) => void session.socket.write(packetText(fields));
  const emit = (event: AmiEvent) => {
    for (const session of sessions) if (session.isLoggedIn && session.wantsEvents) send(session, event);
  };

  function sceneOf(own: Partial<SceneOptions>): SceneOptions {
    counter += 20;
    return {
      ...{ phone: '79000000001', extensions: ['201', '202'], did: '74950000000', trunk: options.trunk },
      ...{ epoch: Math.floor(Date.now() / 1000), counter },
      ...own,
    };
  }

  function answer(session: Session, packet: Packet): void {
    const fields = Object.fromEntries(packet);
    actions.push('Secret' in fields ? { ...fields, Secret: '[redacted]' } : fields);
    if (options.fault === 'drop') {
      session.socket.destroy();
      return;
    }
    if (options.fault === 'hang') return;
    const id = textOf(packet, 'ActionID');
    const say = (response: string, message: string) =>
      send(session, { Response: response, ...(id === '' ? {} : { ActionID: id }), Message: message });
    const name = textOf(packet, 'Action').toLowerCase();
    if (name === 'login') {
      login(session, packet, say);
    } else if (!session.isLoggedIn) {
      say('Error', 'Permission denied');
    } else if (name === 'originate') {
      originate(session, packet, say);
    } else if (name === 'ping') {
      send(session, { Response: 'Success', ActionID: id, Ping: 'Pong', Timestamp: '1754220600.000000' });
    } else if (name === 'logoff') {
      say('Goodbye', 'Thanks for all the fish.');
      session.socket.end();
    } else {
      say('Error', name === '' ? 'Missing action in request' : 'Invalid/unknown command: see ListCommands');
    }
  }

  function login(session: Session, packet: Packet, say: (response: string, message: string) => void): void {
    if (textOf(packet, 'Username') !== options.user || textOf(packet, 'Secret') !== options.secret) {
      say('Error', 'Authentication failed');
      session.socket.end();
      return;
    }
    session.isLoggedIn = true;
    session.wantsEvents = textOf(packet, 'Events') !== 'off';
    say('Success', 'Authentication accepted');
    if (session.wantsEvents) send(session, { Event: 'FullyBooted', Privilege: 'system,all', Status: 'Fully Booted' });
  }

  /** Source of rules and texts: action_originate in Asterisk's main/manager.c, read 2026-11. */
  function originate(session: Session, packet: Packet, say: (response: string, message: string) => void): void {
    const get = (name: string) => textOf(packet, name);
    const [channel, exten, context, priority] = [get('Channel'), get('Exten'), get('Context'), get('Priority')];
    const refusal = !options.write.includes('originate')
      ? 'Permission denied'
      : channel === ''
        ? 'Channel not specified'
        : !channel.includes('/')
          ? 'Invalid channel'
          : priority !== '' && !/^\d+$/.test(priority)
            ? 'Invalid priority'
            : get('Timeout') !== '' && !/^\d+$/.test(get('Timeout'))
              ? 'Invalid timeout'
              : exten !== '' && (context === '' || priority === '')
                ? "Originate with 'Exten' requires 'Context' and 'Priority'"
                : !options.contexts.includes(context)
                  ? 'Extension does not exist.'
                  : undefined;
    if (refusal !== undefined) {
      say('Error', refusal);
      return;
    }
    const isFine = options.originate === 'answered';
    const reason = { answered: '4', 'no-answer': '3', unreachable: '0' }[options.originate];
    const outcome = {
      ...{ Event: 'OriginateResponse', Privilege: 'call,all', ActionID: get('ActionID') },
      ...{ Response: isFine ? 'Success' : 'Failure', Channel: channel, Context: context, Exten: exten },
      ...{ Reason: reason, Uniqueid: get('ChannelId'), CallerIDNum: get('CallerID'), CallerIDName: '<unknown>' },
    };
    if (/^true$/i.test(get('Async'))) say('Success', 'Originate successfully queued');
    else say(isFine ? 'Success' : 'Error', isFine ? 'Originate successfully queued' : 'Originate failed');
    if (options.originate !== 'unreachable') {
      const own = /\d+/.exec(channel)?.[0] ?? '201';
      const scene = { ...sceneOf({ extensions: [own], phone: exten }), channel, exten, context };
      for (const event of originateEvents(get('ChannelId'), scene, options.originate)) emit(event);
    }
    if (session.wantsEvents) send(session, outcome);
  }

  const server = createServer((socket) => {
    const session: Session = { socket, isLoggedIn: false, wantsEvents: false };
    sessions.add(session);
    const read = packetReader();
    socket.setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.once('close', () => sessions.delete(session));
    socket.on('data', (text: Buffer | string) => {
      for (const packet of read(String(text))) answer(session, packet);
    });
    socket.write('Asterisk Call Manager/9.0.0\r\n');
  });
  await listen(server, wantedPort);
  const { port } = server.address() as AddressInfo;

  function begin(scene: AmiScene, own: Partial<SceneOptions> = {}) {
    const events = sceneEvents(scene, sceneOf(own));
    const cut = events.findIndex(({ Event }) => Event === 'DialEnd');
    for (const event of events.slice(0, cut)) emit(event);
    return {
      linkedid: events[0]?.Linkedid ?? '',
      finish: () => {
        for (const event of events.slice(cut)) emit(event);
      },
    };
  }

  const dropConnections = () => {
    for (const { socket } of sessions) socket.destroy();
    sessions.clear();
  };
  const snapshot = () => ({ actions, sessions: [...sessions].filter(({ isLoggedIn }) => isLoggedIn).length });
  const stop = () =>
    new Promise<void>((resolve) => {
      dropConnections();
      server.close(() => resolve());
    });
  return {
    name: 'ami',
    port,
    handle: () => ({ status: 404, body: { error: 'AMI is spoken over TCP' } }),
    actions: () => actions,
    sessions: () => snapshot().sessions,
    emit,
    play: (scene, own = {}) => {
      const events = sceneEvents(scene, sceneOf(own));
      for (const event of events) emit(event);
      return events[0]?.Linkedid ?? '';
    },
    begin,
    dropConnections,
    restart: async (downMs = 0) => {
      await stop();
      if (downMs > 0) await new Promise((resolve) => setTimeout(resolve, downMs));
      await listen(server, port);
    },
    snapshot,
    configure: (set) => {
      Object.assign(options, set);
    },
    seed: (content) => {
      const scene = AMI_SCENES.find((known) => known === content.play);
      if (scene === undefined) throw usageError(`AMI stand-in: play is one of ${AMI_SCENES.join(', ')}`);
      const { play: _, ...own } = content;
      for (const event of sceneEvents(scene, sceneOf(own as Partial<SceneOptions>))) emit(event);
    },
    close: stop,
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
