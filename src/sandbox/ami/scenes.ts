/** An event as its fields; `Event` is its name. */
export type AmiEvent = Readonly<Record<string, string>>;

export const AMI_SCENES = [
  'in-answered',
  'in-missed-group',
  'in-queue-abandoned',
  'in-anonymous',
  'out-answered',
  'out-busy',
  'internal',
] as const;
export type AmiScene = (typeof AMI_SCENES)[number];

export interface SceneOptions {
  /** As the PBX writes it. */
  phone: string;
  /** Those that ring, in their order; of outgoing calls the first one dials. */
  extensions: readonly string[];
  /** The dialled number of ours. */
  did: string;
  /** The outside line's channel without its number. */
  trunk: string;
  /** Seconds since the epoch, of the first channel's id. */
  epoch: number;
  /** Of the first channel; the others count on. */
  counter: number;
}

interface Channel {
  name: string;
  id: string;
  context: string;
  exten: string;
  number: string;
}

/** Builds what Asterisk tells of one call, in its order and with its fields (manager event documentation, read 2026-11). */
export function sceneMaker({ epoch, counter }: Pick<SceneOptions, 'epoch' | 'counter'>, givenLinkedid?: string) {
  const events: AmiEvent[] = [];
  let next = counter;
  let linkedid = givenLinkedid;

  function fieldsOf(channel: Channel, prefix = ''): Record<string, string> {
    const fields = {
      Channel: channel.name,
      ChannelState: '4',
      ChannelStateDesc: 'Ring',
      CallerIDNum: channel.number || '<unknown>',
      CallerIDName: '<unknown>',
      ConnectedLineNum: '<unknown>',
      ConnectedLineName: '<unknown>',
      Language: 'ru',
      AccountCode: '',
      Context: channel.context,
      Exten: channel.exten,
      Priority: '1',
      Uniqueid: channel.id,
      Linkedid: linkedid ?? channel.id,
    };
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${prefix}${name}`, value]));
  }

  const emit = (name: string, fields: Record<string, string>) => {
    events.push({ Event: name, Privilege: 'call,all', ...fields });
  };

  return {
    events,
    channel: (name: string, place: { context: string; exten?: string; number?: string }, id?: string): Channel => {
      const at = next++;
      const channel: Channel = {
        name: name.startsWith('Local/') ? name : `${name}-${at.toString(16).padStart(8, '0')}`,
        id: id ?? `${epoch}.${at}`,
        context: place.context,
        exten: place.exten ?? '',
        number: place.number ?? '',
      };
      linkedid ??= channel.id;
      emit('Newchannel', fieldsOf(channel));
      return channel;
    },
    begin: (from: Channel | undefined, to: Channel, dialString: string) =>
      emit('DialBegin', {
        ...(from ? fieldsOf(from) : {}),
        ...fieldsOf(to, 'Dest'),
        DialString: dialString,
      }),
    end: (from: Channel | undefined, to: Channel, status: string) =>
      emit('DialEnd', { ...(from ? fieldsOf(from) : {}), ...fieldsOf(to, 'Dest'), DialStatus: status }),
    bridge: (channel: Channel, count: number) =>
      emit('BridgeEnter', {
        BridgeUniqueid: `bridge-${linkedid}`,
        BridgeType: 'basic',
        BridgeNumChannels: String(count),
        ...fieldsOf(channel),
      }),
    abandon: (channel: Channel, queue: string) =>
      emit('QueueCallerAbandon', {
        ...fieldsOf(channel),
        ...{ Queue: queue, Position: '1', OriginalPosition: '1', HoldTime: '20' },
      }),
    hangup: (channel: Channel, cause: number) =>
      emit('Hangup', { ...fieldsOf(channel), Cause: String(cause), 'Cause-txt': 'Hangup' }),
  };
}

type Maker = ReturnType<typeof sceneMaker>;

/** The events of a whole call, from its first channel to its last hang-up. */
export function sceneEvents(scene: AmiScene, options: SceneOptions): AmiEvent[] {
  const maker = sceneMaker(options);
  if (scene === 'internal') internal(maker, options);
  else if (scene.startsWith('out')) outgoing(maker, options, scene === 'out-busy' ? 'BUSY' : 'ANSWER');
  else if (scene === 'in-answered') incoming(maker, options, true);
  else if (scene === 'in-queue-abandoned') queue(maker, options);
  else incoming(maker, scene === 'in-anonymous' ? { ...options, phone: 'anonymous' } : options, false);
  return maker.events;
}

/** A ring group: all phones ring at once; the last one picks up, or nobody does. */
function incoming(maker: Maker, { phone, extensions, did, trunk }: SceneOptions, isAnswered: boolean): void {
  const line = maker.channel(trunk, { context: 'from-trunk', exten: did, number: phone });
  const phones = extensions.map((exten) =>
    maker.channel(`PJSIP/${exten}`, { context: 'from-internal', number: exten }),
  );
  for (const phone of phones) maker.begin({ ...line, context: 'ext-group', exten: '600' }, phone, phone.number);
  const winner = isAnswered ? phones.at(-1) : undefined;
  for (const phone of phones) {
    if (phone === winner) continue;
    maker.end(line, phone, isAnswered ? 'CANCEL' : 'NOANSWER');
    maker.hangup(phone, 26);
  }
  if (winner) {
    maker.end(line, winner, 'ANSWER');
    maker.bridge(winner, 1);
    maker.bridge(line, 2);
    maker.hangup(winner, 16);
  }
  maker.hangup(line, 16);
}

/** A queue rings its members through loops; the caller gives up. */
function queue(maker: Maker, { phone, extensions, did, trunk }: SceneOptions): void {
  const line = maker.channel(trunk, { context: 'from-trunk', exten: did, number: phone });
  const caller = { ...line, context: 'ext-queues', exten: '700' };
  for (const exten of extensions) {
    const place = { context: 'from-queue', exten, number: phone };
    const near = maker.channel(`Local/${exten}@from-queue-00000001;1`, place);
    const far = maker.channel(`Local/${exten}@from-queue-00000001;2`, place);
    const member = maker.channel(`PJSIP/${exten}`, { context: 'from-internal', number: exten });
    maker.begin(caller, near, `${exten}@from-queue/n`);
    maker.begin(far, member, exten);
    maker.end(far, member, 'CANCEL');
    maker.end(caller, near, 'CANCEL');
    for (const channel of [member, far, near]) maker.hangup(channel, 0);
  }
  maker.abandon(caller, '700');
  maker.hangup(line, 16);
}

function outgoing(maker: Maker, { phone, extensions: [own = '201'], trunk }: SceneOptions, status: string): void {
  const caller = maker.channel(`PJSIP/${own}`, { context: 'from-internal', exten: phone, number: own });
  const line = maker.channel(trunk, { context: 'from-trunk', number: phone });
  dialOut(maker, { ...caller, context: 'macro-dialout-trunk', exten: 's' }, line, { phone, trunk, status });
  maker.hangup(caller, 16);
}

function dialOut(
  maker: Maker,
  caller: Channel,
  line: Channel,
  { phone, trunk, status }: { phone: string; trunk: string; status: string },
): void {
  maker.begin(caller, line, `${phone}@${trunk.split('/')[1] ?? trunk}`);
  maker.end(caller, line, status);
  if (status === 'ANSWER') {
    maker.bridge(line, 1);
    maker.bridge(caller, 2);
  }
  maker.hangup(line, status === 'BUSY' ? 17 : 16);
}

function internal(maker: Maker, { extensions: [own = '201', other = '202'] }: SceneOptions): void {
  const caller = maker.channel(`PJSIP/${own}`, { context: 'from-internal', exten: other, number: own });
  const called = maker.channel(`PJSIP/${other}`, { context: 'from-internal', number: other });
  maker.begin(caller, called, other);
  maker.end(caller, called, 'ANSWER');
  maker.hangup(called, 16);
  maker.hangup(caller, 16);
}

/** A call begun by Originate: the manager's phone rings first, then the client is dialled. `id`: the given ChannelId, or ''. */
export function originateEvents(
  id: string,
  options: SceneOptions & { channel: string; exten: string; context: string },
  result: 'answered' | 'no-answer',
): AmiEvent[] {
  const {
    extensions: [own = '201'],
    trunk,
    channel,
    exten,
    context,
  } = options;
  const maker = sceneMaker(options, id === '' ? undefined : id);
  const isLoop = channel.startsWith('Local/');
  // A loop knows whom it leads to; a phone's channel that the PBX itself makes begins at `s`.
  const place = { context: 'from-internal', exten: isLoop ? own : 's', number: exten };
  const near = maker.channel(isLoop ? `${channel}-00000007;1` : channel, place, id === '' ? undefined : id);
  const opened: Channel[] = [];
  if (isLoop) {
    const far = maker.channel(`${channel}-00000007;2`, place, id === '' ? undefined : `${id};2`);
    const phone = maker.channel(`PJSIP/${own}`, { context: 'from-internal', number: own });
    maker.begin(undefined, near, channel.slice('Local/'.length));
    maker.begin(far, phone, own);
    maker.end(far, phone, result === 'answered' ? 'ANSWER' : 'NOANSWER');
    opened.push(far, phone);
  } else {
    maker.begin(undefined, near, channel.split('/')[1] ?? channel);
  }
  maker.end(undefined, near, result === 'answered' ? 'ANSWER' : 'NOANSWER');
  if (result === 'answered') {
    const line = maker.channel(trunk, { context: 'from-trunk', number: exten });
    dialOut(maker, { ...near, context, exten }, line, { phone: exten, trunk, status: 'ANSWER' });
  }
  for (const one of [...opened, near]) maker.hangup(one, 16);
  return maker.events;
}
