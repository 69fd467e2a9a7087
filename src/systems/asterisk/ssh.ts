import { spawn } from 'node:child_process';
import { assert, ExitCode } from '../../base/errors.ts';
import { RemoteError, type RemoteErrorInit } from '../../base/remote-error.ts';
import type { Origination } from './originate.ts';

/** `asterisk -rx` answers once the manager's phone was tried, and it rings 30 s at most (res_clioriginate.c). */
const LIMIT_MS = 45_000;
const MOST_OUTPUT = 64 * 1024;

interface Ended {
  /** Null where a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
  error?: string;
}

/**
 * Asks for the call by the console's command on the PBX itself; the way for PBXes whose AMI is closed. Neither caller ID nor an own
 * id can be given, so that call records do not tell of the click. Throws `RemoteError`: not reached (69), refused (77), no such
 * command there (78), no end in time (69, in doubt). `target` is what ssh takes: `user@host`, or a name of its configuration.
 * Source: Asterisk's res_clioriginate.c and ssh(1), read 2026-11.
 */
export async function originateBySsh(target: string, call: Origination, signal: AbortSignal): Promise<void> {
  assert(/^[A-Za-z0-9_][\w.-]*(@[A-Za-z0-9][\w.:-]*)?$/.test(target), 'the target of ssh holds signs that it may not');
  const words = `channel originate ${call.channel} extension ${call.exten}@${call.context}`;
  // The remote shell sees this text: nothing in it may mean anything to a shell.
  assert(/^[\w.@/*#+ -]+$/.test(words), 'a part of the call holds signs that it may not');
  const ended = await run(
    ['-T', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10', '--', target, `asterisk -rx '${words}'`],
    signal,
  );
  const failure = failureOf(ended);
  if (failure !== undefined) throw failure;
}

function run(args: readonly string[], signal: AbortSignal): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn('ssh', args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
      timeout: LIMIT_MS,
      killSignal: 'SIGTERM',
    });
    const ended: Ended = { code: null, stdout: '', stderr: '' };
    const take = (name: 'stdout' | 'stderr') => (part: Buffer) => {
      ended[name] = (ended[name] + part.toString('utf8')).slice(0, MOST_OUTPUT);
    };
    child.stdout.on('data', take('stdout'));
    child.stderr.on('data', take('stderr'));
    child.once('error', (error: Error & { code?: string }) => {
      ended.error = error.code ?? 'unknown';
    });
    child.once('close', (code) => resolve({ ...ended, code }));
  });
}

function failureOf({ code, stdout, stderr, error }: Ended): RemoteError | undefined {
  if (error === 'ENOENT') return missing('ssh is not installed on this host', 'Install the OpenSSH client.');
  if (code === null) {
    return failed(
      'REMOTE_UNREACHABLE',
      'ssh to the PBX did not end in time',
      'Look at the PBX: the call may have been begun.',
      {
        outcome: 'in-doubt',
      },
    );
  }
  if (code === 255) return sshFailure(stderr);
  if (code === 126 || code === 127) {
    return missing(
      'asterisk cannot be run over ssh',
      'Let the user of ASTERISK_SSH run `asterisk -rx`, its folder on the PATH.',
    );
  }
  if (/unable to connect to remote asterisk/i.test(stdout + stderr)) {
    return failed(
      'REMOTE_UNREACHABLE',
      'asterisk is not running, or its console is closed to this user',
      'Add the user of ASTERISK_SSH to the group asterisk.',
      {
        outcome: 'refused',
      },
    );
  }
  if (code !== 0 || /no such command|usage:|there was an error|requires/i.test(stdout)) {
    return missing(
      'asterisk did not take the command',
      'Load res_clioriginate.so, and look at asterisk.channel of the mapping.',
    );
  }
  return undefined;
}

function sshFailure(stderr: string): RemoteError {
  if (/permission denied|host key verification failed|too many authentication failures/i.test(stderr)) {
    return failed(
      'REMOTE_UNAUTHORIZED',
      'ssh to the PBX was refused',
      'Give the key of this user to the user of ASTERISK_SSH, and accept the host key once by hand.',
      { outcome: 'refused', kind: 'operator', exit: ExitCode.CredentialsRefused },
    );
  }
  return failed(
    'REMOTE_UNREACHABLE',
    'the PBX cannot be reached by ssh',
    'Try `ssh` to the target of ASTERISK_SSH by hand.',
    {
      outcome: 'in-doubt',
    },
  );
}

function missing(message: string, hint: string): RemoteError {
  return failed('REMOTE_REFUSED', message, hint, { outcome: 'refused', kind: 'operator', exit: ExitCode.Config });
}

function failed(
  code: string,
  message: string,
  hint: string,
  more: Pick<RemoteErrorInit, 'outcome'> & Partial<Pick<RemoteErrorInit, 'kind' | 'exit'>>,
): RemoteError {
  return new RemoteError({
    ...{ system: 'asterisk', route: 'ssh.originate', code, message, hint },
    ...{ kind: 'transient', exit: ExitCode.Unavailable },
    ...more,
  });
}
