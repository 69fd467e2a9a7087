/** One packet. Names are in lower case; of a name that comes more than once, the values stand one a line. */
export type AmiMessage = ReadonlyMap<string, string>;

/** What a packet says: a list repeats its name. */
export type AmiFields = Readonly<Record<string, string | readonly string[]>>;

/** Caller-ID fields that hold nothing say so in words (Asterisk's manager documentation, read 2026-11). */
const ABSENT = '<unknown>';

/** '' where the field is absent or says that it is. */
export function field(message: AmiMessage, name: string): string {
  const value = message.get(name) ?? '';
  return value === ABSENT ? '' : value;
}

/** More than any event of Asterisk's takes; what is longer is no AMI. */
const LONGEST_LINE = 64 * 1024;
const LARGEST_PACKET = 1024 * 1024;
const END_OF_OUTPUT = '--END COMMAND--';
const FOLLOWS_HEADERS = new Set(['response', 'privilege', 'actionid', 'message']);

export interface AmiParser {
  /** Takes text as it comes, cut anywhere. Throws an Error where it is no AMI or beyond all bounds. */
  push(text: string): void;
}

/** Reads the banner, then packets: lines `Name: value` up to an empty one, ended by CRLF or LF (Asterisk's main/manager.c). */
export function amiParser(onBanner: (text: string) => void, onMessage: (message: AmiMessage) => void): AmiParser {
  let rest = '';
  let hasBanner = false;
  let size = 0;
  let packet = new Map<string, string>();
  /** `Response: Follows` of Asterisk before 14: raw output up to its own end mark, empty lines included. */
  let inOutput = false;

  const line = (text: string): void => {
    if (!hasBanner) {
      hasBanner = true;
      if (!/^Asterisk Call Manager\//.test(text)) throw new Error('no banner of Asterisk');
      onBanner(text);
      return;
    }
    if (text === '' && !inOutput) {
      if (packet.size > 0) onMessage(packet);
      packet = new Map();
      size = 0;
      return;
    }
    size += text.length;
    if (size > LARGEST_PACKET) throw new Error('a packet beyond all bounds');
    keep(text);
  };

  const keep = (text: string): void => {
    const [, name = '', value = ''] = /^([^:]+):\s?(.*)$/.exec(text) ?? [];
    const key = name.trim().toLowerCase();
    if (inOutput && !FOLLOWS_HEADERS.has(key)) {
      const isLast = text.endsWith(END_OF_OUTPUT);
      inOutput = !isLast;
      put('output', isLast ? text.slice(0, -END_OF_OUTPUT.length) : text);
    } else if (key !== '') {
      put(key, value.trim());
      if (key === 'response' && value.trim() === 'Follows') inOutput = true;
    }
  };

  const put = (key: string, value: string): void => {
    const before = packet.get(key);
    packet.set(key, before === undefined ? value : `${before}\n${value}`);
  };

  return {
    push: (text) => {
      rest += text;
      let from = 0;
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', from)) {
        line(rest.slice(from, rest[end - 1] === '\r' && end > from ? end - 1 : end));
        from = end + 1;
      }
      rest = rest.slice(from);
      if (rest.length > LONGEST_LINE) throw new Error('a line beyond all bounds');
    },
  };
}

/** The text of a packet; throws an Error for whatever would begin a line of its own. */
export function packetText(fields: AmiFields): string {
  const lines = Object.entries(fields).flatMap(([name, values]) =>
    (typeof values === 'string' ? [values] : values).map((value) => [name, value] as const),
  );
  for (const [name, value] of lines) {
    if (!/^[A-Za-z]+$/.test(name) || hasControl(value))
      throw new Error(`a field of AMI may hold one line only: ${name}`);
  }
  return `${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

function hasControl(value: string): boolean {
  return [...value].some((sign) => (sign.codePointAt(0) ?? 0) < 0x20 || sign === '\u007f');
}
