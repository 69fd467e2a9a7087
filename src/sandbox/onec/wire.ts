import type { SandboxAnswer } from '../kit.ts';
import type { Reply } from './service.ts';

const JSON_TYPE = 'application/json;odata=minimalmetadata;streaming=true;charset=utf-8';

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** A reply as it goes over the wire. 1C answers in Atom unless it is asked for JSON; here Atom is a stub that no client of JSON can take for an answer. */
export function answerOf(reply: Reply, wantsJson: boolean): SandboxAnswer {
  const headers: Record<string, string> = { DataServiceVersion: '3.0' };
  // The address goes out as raw UTF-8; Node lets bytes through in Latin-1 alone.
  if (reply.location !== undefined) headers.location = Buffer.from(reply.location, 'utf8').toString('latin1');
  if (reply.json === undefined) {
    return {
      status: reply.status,
      body: reply.text ?? '',
      headers: { ...headers, 'content-type': reply.type ?? 'text/plain' },
    };
  }
  if (wantsJson) return { status: reply.status, body: reply.json, headers: { ...headers, 'content-type': JSON_TYPE } };
  const body = '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom"/>';
  return { status: reply.status, body, headers: { ...headers, 'content-type': 'application/atom+xml;charset=utf-8' } };
}

/** An error's body, in the form that was asked for (facts: 1C developer's guide 17.4, errors). */
export function errorAnswer(status: number, code: string, message: string, wantsJson: boolean): SandboxAnswer {
  if (wantsJson) {
    const body = { 'odata.error': { code, message: { lang: 'ru', value: message } } };
    return { status, body, headers: { 'content-type': JSON_TYPE } };
  }
  return {
    status,
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<m:error xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><m:code>${code}</m:code><m:message xml:lang="ru">${escaped(message)}</m:message></m:error>`,
    headers: { 'content-type': 'application/xml;charset=utf-8' },
  };
}
