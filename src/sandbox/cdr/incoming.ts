import type { CallTruth } from './model.ts';
import { CallScript, type Channel, type Party, type Path, type Pbx } from './pbx.ts';

/** What every maker is given. Seconds are drawn by it, so that two calls of one kind differ. */
export interface Scene {
  pbx: Pbx;
  /** Epoch ms. */
  at: number;
  party: Party;
  /** Two different extensions of ours. */
  first: string;
  second: string;
}

/** Rows of one scene, and what must come out of them: mostly one call, sometimes two. */
export interface Made {
  scripts: CallScript[];
  truth: CallTruth[];
}

export type Maker = (scene: Scene) => Made;

const QUEUE = '600';
const GROUP = '601';

/** A call that came in over the trunk: what its rows have in common. */
function comeIn({ pbx, at, party }: Scene) {
  const call = new CallScript(pbx, at);
  const line = call.channel(pbx.options.trunk);
  const { did } = pbx.options;
  const own = { a: line, src: party.written, did };
  const known = { direction: 'in' as const, did, phone: `+${party.client.digits}` };
  const phone = (extension: string, after = 0) => call.channel(`PJSIP/${extension}`, after);
  return { call, line, own, known, phone, random: pbx.random, src: party.written };
}

const one = (call: CallScript, truth: CallTruth): Made => ({ scripts: [call], truth: [truth] });

const people = (first: string, last = first) => ({ firstExtension: first, lastExtension: last });

/** A phone is dialled and answers. */
const direct: Maker = (scene) => {
  const { call, own, known, phone, random, src } = comeIn(scene);
  const wait = random.between(2, 25);
  const talk = random.between(5, 240);
  const recording = random.below(4) === 0 ? undefined : call.recording('external', scene.first, src);
  const end = wait + talk;
  call.path({
    ...own,
    b: phone(scene.first),
    ...{ from: 0, to: end, answered: wait, status: 'ANSWERED', dst: scene.first, dcontext: 'from-did-direct' },
    ...(recording === undefined ? {} : { recording }),
  });
  const truth = call.truth(end, {
    ...{ kind: 'direct', ...known, result: 'answered', waitSeconds: wait, talkSeconds: talk, ...people(scene.first) },
    ...(recording === undefined ? {} : { recording }),
  });
  return one(call, truth);
};

/** A phone is dialled in vain. */
function unanswered(kind: 'noAnswer' | 'busy' | 'failed', status: Path['status'], most: number): Maker {
  return (scene) => {
    const { call, own, known, phone, random } = comeIn(scene);
    const wait = kind === 'failed' ? 0 : random.between(1, most);
    const at = { from: 0, to: wait, dst: scene.first, dcontext: 'from-did-direct' };
    call.path({ ...own, b: phone(scene.first), ...at, status });
    const result = status === 'BUSY' ? 'busy' : status === 'FAILED' ? 'failed' : 'no answer';
    return one(call, call.truth(wait, { kind, ...known, result, waitSeconds: wait, ...people(scene.first) }));
  };
}

export const noAnswer = unanswered('noAnswer', 'NO ANSWER', 40);
const busy = unanswered('busy', 'BUSY', 3);
const failed = unanswered('failed', 'FAILED', 0);

/** A ring group: all phones at once, a row for each, the same id in all of them. */
function group(kind: 'ringGroup' | 'ringGroupMissed'): Maker {
  return (scene) => {
    const { call, own, known, phone, random, src } = comeIn(scene);
    const wait = random.between(3, 30);
    const taken = kind === 'ringGroup';
    const end = wait + (taken ? random.between(5, 200) : 0);
    const recording = taken ? { recording: call.recording('rg', GROUP, src) } : {};
    const rung = scene.pbx.options.extensions.slice(0, 3);
    const taker = taken ? random.pick(rung, scene.first) : undefined;
    for (const extension of rung) {
      const won = extension === taker;
      call.path({
        ...{ ...own, ...recording, b: phone(extension), from: 0, to: end, dst: GROUP, dcontext: 'ext-group' },
        ...(won ? { status: 'ANSWERED', answered: wait } : { status: 'NO ANSWER' }),
      });
    }
    const who = taker === undefined ? people(rung[0] ?? '', rung.at(-1)) : people(taker);
    const result = taken ? 'answered' : 'no answer';
    const talkSeconds = end - wait;
    return one(call, call.truth(end, { kind, ...known, result, waitSeconds: wait, talkSeconds, ...who, ...recording }));
  };
}

const ringGroup = group('ringGroup');
const ringGroupMissed = group('ringGroupMissed');

/** A queue of phones: the loser's row is as long as the winner's, and begins with it. */
const phoneQueue: Maker = (scene) => {
  const { call, own, known, phone, random } = comeIn(scene);
  const wait = random.between(10, 60);
  const end = wait + random.between(5, 180);
  const row = { ...own, from: 0, to: end, dst: QUEUE, dcontext: 'ext-queues', lastapp: 'Queue' };
  call.path({ ...row, b: phone(scene.first), status: 'BUSY' });
  call.path({ ...row, b: phone(scene.second), status: 'ANSWERED', answered: wait });
  const truth = { result: 'answered' as const, waitSeconds: wait, talkSeconds: end - wait, ...people(scene.second) };
  return one(call, call.truth(end, { kind: 'phoneQueue', ...known, ...truth }));
};

/** One member of a queue, called by a loop: the queue's own row, and that of the phone. */
function member(
  { call, own, phone, src }: ReturnType<typeof comeIn>,
  extension: string,
  times: { row: number; from: number; to: number; answered?: number; queued: number },
  recording: { recording?: string },
): void {
  const { near, far } = call.loop(`${extension}@from-queue`, times.from);
  const status = times.answered === undefined ? 'NO ANSWER' : 'ANSWERED';
  const answered = times.answered === undefined ? {} : { answered: times.answered };
  call.path({
    ...{ ...own, ...recording, b: near, from: times.row, to: times.to, dst: QUEUE, dcontext: 'ext-queues' },
    // The queue had answered the caller, so that ringing in vain is billed too.
    ...{ status, answered: Math.max(times.row, times.queued), lastapp: 'Queue', lastdata: `${QUEUE},t,,,300` },
  });
  const { from, to } = times;
  const b = phone(extension, from);
  call.path({ a: far, b, src, from, to, ...answered, status, dst: extension, dcontext: 'from-queue' });
}

/** A queue as FreePBX makes it, with or without a menu before: one loop for each member, one member after the other. */
function loopQueue(kind: 'queue' | 'queueMissed' | 'menuQueue'): Maker {
  return (scene) => {
    const incoming = comeIn(scene);
    const { call, known, random, src } = incoming;
    const queued = kind === 'menuQueue' ? random.between(4, 12) : 0;
    const turn = queued + 15;
    const wait = turn + random.between(2, 12);
    const taken = kind !== 'queueMissed';
    const end = wait + (taken ? random.between(5, 200) : 0);
    const recording = taken ? { recording: call.recording('q', QUEUE, src) } : {};
    member(incoming, scene.first, { row: 0, from: queued, to: turn, queued }, recording);
    const answered = taken ? { answered: wait } : {};
    member(incoming, scene.second, { row: turn, from: turn, to: end, ...answered, queued }, recording);
    const who = taken ? people(scene.second) : people(scene.first, scene.second);
    const result = taken ? 'answered' : 'no answer';
    const talkSeconds = end - wait;
    return one(call, call.truth(end, { kind, ...known, result, waitSeconds: wait, talkSeconds, ...who, ...recording }));
  };
}

const queue = loopQueue('queue');
const queueMissed = loopQueue('queueMissed');
const menuQueue = loopQueue('menuQueue');

/** Only the PBX itself answered: the caller left in the menu. */
const menuOnly: Maker = (scene) => {
  const { call, own, known, random } = comeIn(scene);
  const end = random.between(2, 30);
  const row = { from: 0, to: end, answered: 0, dst: 's', dcontext: 'ivr-1', lastapp: 'BackGround' };
  call.path({ ...own, ...row, status: 'ANSWERED', lastdata: 'custom/welcome' });
  return one(call, call.truth(end, { kind: 'menuOnly', ...known, result: 'no answer', waitSeconds: end }));
};

/** The phone rang in vain, and voicemail took the call. */
const voicemail: Maker = (scene) => {
  const { call, own, known, phone, random } = comeIn(scene);
  const rung = random.between(10, 25);
  const end = rung + random.between(5, 60);
  const row = { ...own, dst: `vmu${scene.first}`, dcontext: 'ext-local' };
  call.path({ ...row, b: phone(scene.first), from: 0, to: rung, status: 'NO ANSWER', dst: scene.first });
  call.path({ ...row, from: rung, to: end, answered: rung, status: 'ANSWERED', lastapp: 'VoiceMail' });
  const truth = { result: 'no answer' as const, waitSeconds: end, ...people(scene.first) };
  return one(call, call.truth(end, { kind: 'voicemail', ...known, ...truth }));
};

/** Nobody says who calls. */
function hidden(kind: 'anonymous' | 'anonymousMissed', made: Maker): Maker {
  const names = ['', 'anonymous', 'Anonymous', 'unknown', 'private', 'restricted'];
  return (scene) => {
    const written = scene.pbx.random.pick(names, '');
    const { scripts, truth } = made({ ...scene, party: { ...scene.party, written } });
    return { scripts, truth: truth.map(({ phone: _phone, ...rest }) => ({ ...rest, kind, whole: false })) };
  };
}

const anonymous = hidden('anonymous', direct);
const anonymousMissed = hidden('anonymousMissed', noAnswer);

/** A number of the town, which is no full number. */
const localNumber: Maker = (scene) => {
  const { random } = scene.pbx;
  const written = String(random.between(2, 7)) + String(random.below(100_000)).padStart(5, '0');
  const made = direct({ ...scene, party: { ...scene.party, written } });
  return { ...made, truth: made.truth.map((one) => ({ ...one, kind: 'localNumber', phone: written, whole: false })) };
};

/** The talk before a transfer: who spoke, from when to when. */
function firstTalk(incoming: ReturnType<typeof comeIn>, scene: Scene, hold: number) {
  const { call, own, phone, random, src } = incoming;
  const wait = random.between(2, 15);
  const turn = wait + random.between(10, 90) + hold;
  const recording = call.recording('external', scene.first, src);
  const b = phone(scene.first);
  const row = { ...own, b, recording, from: 0, to: turn, answered: wait, dst: scene.first };
  call.path({ ...row, status: 'ANSWERED', dcontext: 'from-did-direct' });
  return { wait, turn, recording, b };
}

/** Handed over without a word: the second row begins then, and bills ringing as well. */
const blindTransfer: Maker = (scene) => {
  const incoming = comeIn(scene);
  const { call, own, known, phone, random } = incoming;
  const { wait, turn, recording } = firstTalk(incoming, scene, 0);
  const taken = turn + random.between(2, 12);
  const end = taken + random.between(5, 90);
  const b = phone(scene.second, turn);
  const row = { from: turn, to: end, answered: turn, dst: scene.second, dcontext: 'from-internal-xfer' };
  call.path({ ...own, ...row, b, status: 'ANSWERED', recording });
  const talkSeconds = turn - wait + (end - taken);
  const truth = { result: 'answered' as const, waitSeconds: wait, talkSeconds, exact: false, recording };
  return one(
    call,
    call.truth(end, { kind: 'blindTransfer', ...known, ...truth, ...people(scene.first, scene.second) }),
  );
};

/** A colleague is asked first: his row has the asker's id, and the call's linkedid or one of its own. */
function consulted(kind: 'attendedTransfer' | 'foreignConsultation'): Maker {
  return (scene) => {
    const hold = 20;
    const incoming = comeIn(scene);
    const { call, own, known, phone, random } = incoming;
    const { wait, turn, recording, b } = firstTalk(incoming, scene, hold);
    const asked = turn - hold;
    const foreign = kind === 'foreignConsultation' ? new CallScript(scene.pbx, scene.at + asked * 1000) : undefined;
    const asking: Channel = foreign ? foreign.channel(`PJSIP/${scene.first}`) : b;
    const row = {
      a: asking,
      src: scene.first,
      dst: scene.second,
      dcontext: 'from-internal',
      status: 'ANSWERED',
    } as const;
    if (foreign) foreign.path({ ...row, b: foreign.channel(`PJSIP/${scene.second}`), from: 0, to: hold, answered: 4 });
    else call.path({ ...row, b: phone(scene.second, asked), from: asked, to: turn, answered: asked + 4 });
    const end = turn + random.between(5, 90);
    const last = { from: turn, to: end, answered: turn, dst: scene.second, dcontext: 'from-internal-xfer' };
    call.path({ ...own, ...last, b: phone(scene.second, turn), status: 'ANSWERED', recording });
    const talk = { waitSeconds: wait, talkSeconds: end - wait, recording };
    const who = people(scene.first, scene.second);
    const truth = [call.truth(end, { kind, ...known, result: 'answered', ...talk, ...who })];
    if (!foreign) return { scripts: [call], truth };
    const aside = { kind, direction: 'internal', result: 'answered', waitSeconds: 4, talkSeconds: hold - 4 } as const;
    return { scripts: [call, foreign], truth: [...truth, foreign.truth(hold, aside)] };
  };
}

const attendedTransfer = consulted('attendedTransfer');
const foreignConsultation = consulted('foreignConsultation');

/** Follow-me by a loop, to the same person's phone or to his mobile over the trunk. */
function followed(kind: 'followMe' | 'followMeMobile'): Maker {
  return (scene) => {
    const { call, own, known, phone, random, src } = comeIn(scene);
    const wait = random.between(4, 25);
    const end = wait + random.between(5, 150);
    const mobile = '79035550000';
    const target = kind === 'followMe' ? `FMPR-${scene.first}` : `FMGL-${mobile}#`;
    const { near, far } = call.loop(`${target}@from-internal`);
    const times = { from: 0, to: end, answered: wait, status: 'ANSWERED', dcontext: 'from-internal' } as const;
    call.path({ ...own, ...times, b: near, dst: scene.first, dcontext: 'ext-local' });
    const b = kind === 'followMe' ? phone(scene.first) : call.channel(scene.pbx.options.trunk);
    call.path({ a: far, b, src, ...times, dst: kind === 'followMe' ? scene.first : mobile });
    const who = kind === 'followMe' ? people(scene.first) : {};
    const truth = { result: 'answered' as const, waitSeconds: wait, talkSeconds: end - wait, ...who };
    return one(call, call.truth(end, { kind, ...known, ...truth }));
  };
}

const followMe = followed('followMe');
const followMeMobile = followed('followMeMobile');

export const INCOMING = {
  direct,
  noAnswer,
  busy,
  failed,
  ringGroup,
  ringGroupMissed,
  phoneQueue,
  queue,
  queueMissed,
  menuQueue,
  menuOnly,
  voicemail,
  anonymous,
  anonymousMissed,
  localNumber,
  blindTransfer,
  attendedTransfer,
  foreignConsultation,
  followMe,
  followMeMobile,
} satisfies Record<string, Maker>;
