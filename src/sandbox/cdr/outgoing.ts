import { type Made, type Maker, noAnswer, type Scene } from './incoming.ts';
import { callerSpellings, dialledSpellings } from './numbers.ts';
import { CallScript, type Path } from './pbx.ts';

const CONTEXT = 'from-internal';

/** A call that a manager dialled: what its rows have in common. */
function goOut({ pbx, at, party, first }: Scene) {
  const { trunk, outboundPrefix, country } = pbx.options;
  const call = new CallScript(pbx, at);
  const desk = call.channel(`PJSIP/${first}`);
  const dialled = pbx.random.pick(dialledSpellings(party.client, country), party.client.digits);
  const dst = `${outboundPrefix}${dialled}`;
  const own = { a: desk, src: first, dst, dcontext: CONTEXT, from: 0 };
  const known = { direction: 'out' as const, phone: `+${party.client.digits}`, firstExtension: first };
  return { call, own, known, line: () => call.channel(trunk), random: pbx.random, dialled };
}

/** The client is dialled and answers. */
const out: Maker = (scene) => {
  const { call, own, known, line, random, dialled } = goOut(scene);
  const wait = random.between(3, 30);
  const end = wait + random.between(5, 240);
  const recording = call.recording('out', dialled, scene.first);
  call.path({ ...own, b: line(), to: end, answered: wait, status: 'ANSWERED', recording });
  const talk = { waitSeconds: wait, talkSeconds: end - wait, recording, lastExtension: scene.first };
  return { scripts: [call], truth: [call.truth(end, { kind: 'out', ...known, result: 'answered', ...talk })] };
};

function inVain(kind: 'outNoAnswer' | 'outBusy', status: Path['status'], most: number): Maker {
  return (scene) => {
    const { call, own, known, line, random } = goOut(scene);
    const end = random.between(2, most);
    call.path({ ...own, b: line(), to: end, status });
    const result = status === 'BUSY' ? 'busy' : 'no answer';
    const told = { kind, ...known, lastExtension: scene.first, result, waitSeconds: end } as const;
    return { scripts: [call], truth: [call.truth(end, told)] };
  };
}

const outNoAnswer = inVain('outNoAnswer', 'NO ANSWER', 60);
const outBusy = inVain('outBusy', 'BUSY', 6);

/** The first line refuses, the second one goes through: two rows of one channel. */
const outSecondLine: Maker = (scene) => {
  const { call, own, known, line, random } = goOut(scene);
  const wait = random.between(3, 30);
  const end = wait + random.between(5, 120);
  call.path({ ...own, b: line(), to: 0, status: 'FAILED' });
  call.path({ ...own, b: line(), to: end, answered: wait, status: 'ANSWERED' });
  const talk = { waitSeconds: wait, talkSeconds: end - wait, lastExtension: scene.first };
  const told = { kind: 'outSecondLine', ...known, result: 'answered', ...talk } as const;
  return { scripts: [call], truth: [call.truth(end, told)] };
};

/** The client is handed to a colleague: from then on the line is the calling side. */
const outHandedOver: Maker = (scene) => {
  const { call, own, known, line, random } = goOut(scene);
  const wait = random.between(3, 20);
  const turn = wait + random.between(10, 60);
  const end = turn + random.between(5, 60);
  const trunk = line();
  call.path({ ...own, b: trunk, to: turn, answered: wait, status: 'ANSWERED' });
  const b = call.channel(`PJSIP/${scene.second}`, turn);
  const row = { a: trunk, b, src: own.dst, cnum: '', from: turn, to: end, answered: turn, dst: scene.second };
  call.path({ ...row, dcontext: 'from-internal-xfer', status: 'ANSWERED' });
  const talk = { waitSeconds: wait, talkSeconds: end - wait, lastExtension: scene.second };
  const told = { kind: 'outHandedOver', ...known, result: 'answered', ...talk } as const;
  return { scripts: [call], truth: [call.truth(end, told)] };
};

/**
 * A click in the CRM: a loop with an id of the click's own rings the manager's phone, then dials the client. The loop was
 * answered by the manager, so its row bills ringing at the client's too.
 */
function clicked(kind: 'click' | 'clickNoAnswer'): Maker {
  return (scene) => {
    const { pbx, at, party, first } = scene;
    const { random } = pbx;
    const id = pbx.click();
    const call = new CallScript(pbx, at);
    const { near, far } = call.loop(`${first}@from-internal`);
    const begun = call.begin({ ...near, uniqueid: id });
    const dst = `${pbx.options.outboundPrefix}${party.client.digits}`;
    const lifted = random.between(2, 8);
    const wait = lifted + random.between(3, 20);
    const end = kind === 'click' ? wait + random.between(5, 120) : wait;
    const row = { from: 0, to: end, answered: lifted, dcontext: CONTEXT, accountcode: id, src: first };
    const status = kind === 'click' ? 'ANSWERED' : 'NO ANSWER';
    call.path({ ...row, a: begun, b: call.channel(pbx.options.trunk, lifted), dst, status });
    const desk = call.channel(`PJSIP/${first}`);
    const manager = { ...row, a: { ...far, uniqueid: `${id}-2` }, b: desk, dst: first, src: party.client.digits };
    call.path({ ...manager, status: 'ANSWERED' });
    const known = { direction: 'out', phone: `+${party.client.digits}`, firstExtension: first } as const;
    const result = kind === 'click' ? 'answered' : 'no answer';
    const talk = { waitSeconds: wait, talkSeconds: end - wait, exact: false, lastExtension: first };
    return { scripts: [call], truth: [call.truth(end, { kind, ...known, result, ...talk })] };
  };
}

const click = clicked('click');
const clickNoAnswer = clicked('clickNoAnswer');

/** A missed call, and somebody calls back within a few minutes. */
const calledBack: Maker = (scene) => {
  const missed = noAnswer(scene);
  const pause = scene.pbx.random.between(60, 240);
  const back = out({ ...scene, at: scene.at + pause * 1000 });
  const truth = [...missed.truth, ...back.truth].map((one) => ({ ...one, kind: 'calledBack' as const }));
  return { scripts: [...missed.scripts, ...back.scripts], truth };
};

/** Between colleagues: nobody outside has a part in it. */
const internal: Maker = ({ pbx, at, first, second }): Made => {
  const call = new CallScript(pbx, at);
  const wait = pbx.random.between(1, 10);
  const end = wait + pbx.random.between(3, 60);
  const a = call.channel(`PJSIP/${first}`);
  const row = { a, b: call.channel(`PJSIP/${second}`), src: first, dst: second, dcontext: CONTEXT };
  call.path({ ...row, from: 0, to: end, answered: wait, status: 'ANSWERED' });
  const told = { kind: 'internal', direction: 'internal', result: 'answered', waitSeconds: wait } as const;
  return { scripts: [call], truth: [call.truth(end, { ...told, talkSeconds: end - wait })] };
};

export const OUTGOING = {
  out,
  outNoAnswer,
  outBusy,
  outSecondLine,
  outHandedOver,
  click,
  clickNoAnswer,
  calledBack,
  internal,
} satisfies Record<string, Maker>;

/** How the caller's number stands in an incoming call's rows. */
export function callerOf({ pbx, party }: Pick<Scene, 'pbx' | 'party'>): string {
  return pbx.random.pick(callerSpellings(party.client, pbx.options.country), party.client.digits);
}
