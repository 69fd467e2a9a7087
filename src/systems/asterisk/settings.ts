import { Secret } from '../../base/secret.ts';
import { isPrivateHost } from '../../config/private-host.ts';
import { defineGroup } from '../../config/settings.ts';
import { integer, optional, type Parser, secret, withDefault, zone } from '../../config/variables.ts';

/** Where a PBX's call records are; the address may hold a password. */
export function cdrUrl(): Parser<Secret> {
  return {
    expects:
      'the place of the call records: postgres://USER:PASSWORD@HOST/DATABASE, mysql://USER:PASSWORD@HOST/DATABASE, ' +
      'sqlite:PATH or csv:PATH',
    secret: true,
    parse: (value) => (/^(sqlite|csv):./.test(value) || isServer(value) ? new Secret(value) : undefined),
  };
}

function isServer(value: string): boolean {
  if (!/^(postgres(ql)?|mysql|mariadb):\/\//.test(value) || !URL.canParse(value)) return false;
  const { hostname, pathname, searchParams } = new URL(value);
  const hasHost = hostname !== '' || searchParams.has('host') || searchParams.has('socketPath');
  return hasHost && pathname.length > 1;
}

/**
 * What every link to a recording begins with, as it was written: with or without a slash at its end, or up to and
 * including `?file=`. People of the office listen to recordings
 * there, often from the PBX itself, so that http is taken where the name cannot be one of the open Internet.
 */
export function recordingsUrl(): Parser<string> {
  return {
    expects:
      'what links to recordings begin with: an address with https:// (http:// only for hosts of the office network), ' +
      'without user name and password, such as https://pbx.example.com/recordings/',
    parse: (value) => {
      if (/[\s#]/.test(value) || !URL.canParse(value)) return undefined;
      const url = new URL(value);
      const isSafe = url.protocol === 'https:' || (url.protocol === 'http:' && isPrivateHost(url.hostname));
      return isSafe && url.username === '' && url.password === '' ? value : undefined;
    },
  };
}

const HOST = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** A host's name or address, without scheme and port. */
export function amiHost(): Parser<string> {
  return {
    expects: 'the name or the address of the host that Asterisk runs on, without scheme and port, such as 127.0.0.1',
    parse: (value) => {
      const address = value.replace(/^\[(.*)\]$/, '$1');
      return HOST.test(value) || isAddress6(address) ? address : undefined;
    },
  };
}

function isAddress6(text: string): boolean {
  return /^[0-9a-f:.]+$/i.test(text) && text.includes(':') && URL.canParse(`http://[${text}]/`);
}

export function amiPort(): Parser<number> {
  return integer(1, 65_535);
}

export function amiUser(): Parser<string> {
  return {
    expects: 'the name of a section of manager.conf: Latin letters, digits and signs, without spaces',
    parse: (value) => (/^[\x21-\x7e]{1,80}$/.test(value) ? value : undefined),
  };
}

/** AMI's orders are lines (Asterisk's main/manager.c): a line break in a value would begin another order. */
export function amiSecret(): Parser<Secret> {
  const any = secret();
  return { ...any, expects: 'one line', parse: (value) => (isOneLine(value) ? any.parse(value) : undefined) };
}

/** No control character, and none of those that Unicode takes for a line break. */
function isOneLine(value: string): boolean {
  return !/[\p{Cc}\u2028\u2029]/u.test(value);
}

/** Becomes an argument of `ssh`, which takes for an option what begins with a dash. */
export function sshTarget(): Parser<string> {
  return {
    expects: 'user@host, as one would give it to ssh',
    parse: (value) => {
      const [, host = ''] = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,31}@(.+)$/.exec(value) ?? [];
      return HOST.test(host) ? value : undefined;
    },
  };
}

/** The variables of a PBX by their usual names; which of them must be there depends on who asks. */
export const asteriskSettings = defineGroup({
  CDR_URL: optional(cdrUrl()),
  RECORDINGS_BASE_URL: optional(recordingsUrl()),
  /** The zone of the PBX's local times. Absent: TIMEZONE. */
  PBX_TIMEZONE: optional(zone()),
  ASTERISK_AMI_HOST: optional(amiHost()),
  ASTERISK_AMI_PORT: withDefault('5038', amiPort()),
  ASTERISK_AMI_USER: optional(amiUser()),
  ASTERISK_AMI_SECRET: optional(amiSecret()),
  /** In the place of AMI. */
  ASTERISK_SSH: optional(sshTarget()),
});
