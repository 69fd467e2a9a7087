/** Fields of a packet in their order; names as written. */
export type Packet = readonly (readonly [name: string, value: string])[];

export function textOf(packet: Packet, name: string): string {
  return packet.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1] ?? '';
}

export function packetText(fields: Readonly<Record<string, string>>): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${lines.join('')}\r\n`;
}

/** Takes a client's text as it comes; gives the packets that are complete by then. Asterisk takes LF for CRLF. */
export function packetReader(): (text: string) => Packet[] {
  let rest = '';
  let lines: (readonly [string, string])[] = [];
  return (text) => {
    rest += text;
    const complete: Packet[] = [];
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end).replace(/\r$/, '');
      rest = rest.slice(end + 1);
      if (line === '' && lines.length > 0) {
        complete.push(lines);
        lines = [];
      } else if (line !== '') {
        const [name = '', ...value] = line.split(':');
        lines.push([name.trim(), value.join(':').trim()]);
      }
    }
    return complete;
  };
}
