// An Asterisk of its own for the checks: in a temporary folder, its manager on a free port of loopback, gone afterwards.
import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programOf } from './debian.mjs';
import { freePort, launch, owner, stopped, untilAnswered } from './server.mjs';
import { Skip } from './skip.mjs';

const USER = 'sdelka';

/** Nobody can be rung here: an extension that answers by itself, and a client beyond a Local channel who picks up after a second. */
const DIALPLAN = `[from-internal]
exten => 201,1,Answer()
 same => n,Wait(20)
 same => n,Hangup()
exten => _7XXXXXXXXXX,1,Dial(Local/client@outside/n,10)
 same => n,Hangup()
[outside]
exten => client,1,Wait(1)
 same => n,Answer()
 same => n,Wait(2)
 same => n,Hangup()
`;

function settings(folder, port, secret) {
  const places = ['astdbdir', 'astspooldir', 'astrundir', 'astlogdir'].map((name) => `${name} => ${folder}\n`);
  return {
    'asterisk.conf': `[directories]\nastetcdir => ${folder}/etc\n${places.join('')}`,
    'modules.conf': '[modules]\nautoload=yes\n',
    'logger.conf': '[general]\n[logfiles]\nmessages => warning,error\n',
    'manager.conf': `[general]\nenabled=yes\nport=${port}\nbindaddr=127.0.0.1\n[${USER}]\nsecret=${secret}\nread=call\nwrite=originate\n`,
    'cdr.conf':
      '[general]\nenable=yes\n[csv]\nusegmtime=yes\nloguniqueid=yes\nloguserfield=yes\nnewcdrcolumns=yes\naccountlogs=no\n',
    'extensions.conf': DIALPLAN,
  };
}

/** Starts it and tells where its manager and its call records are. Throws `Skip` where there is none, or where it does not start. */
export async function startAsterisk() {
  const program = await programOf('asterisk', 'asterisk').catch((error) => {
    throw new Skip(`${error.message}; AMI and cdr_csv are tried against stand-ins alone`);
  });
  const folder = mkdtempSync(join(tmpdir(), 'sdelka-asterisk-'));
  const secret = randomBytes(16).toString('hex');
  const port = await freePort();
  const records = join(folder, 'cdr-csv');
  for (const path of [join(folder, 'etc'), records]) mkdirSync(path);
  for (const [name, text] of Object.entries(settings(folder, port, secret)))
    writeFileSync(join(folder, 'etc', name), text);
  if (owner.uid !== undefined) for (const path of [folder, records]) chownSync(path, owner.uid, owner.gid);
  const child = launch(program, ['-f', '-C', join(folder, 'etc', 'asterisk.conf')], folder);
  const stop = async () => {
    await stopped(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilAnswered(port, child, join(folder, 'messages'));
    return {
      env: {
        SDELKA_ASTERISK_AMI_PORT: String(port),
        SDELKA_ASTERISK_AMI_USER: USER,
        SDELKA_ASTERISK_AMI_SECRET: secret,
        SDELKA_ASTERISK_CSV: join(records, 'Master.csv'),
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw new Skip(`Asterisk does not start here: ${error.message}`);
  }
}
