import { localText } from '../base/local-time.ts';
import { renderTemplate, type Template } from '../base/template.ts';
import type { Call } from '../domain/call.ts';

/** Date, time and call id at the end of the names that FreePBX gives; what stands before may hold dashes of its own. Source: FreePBX's callrecording module. */
const stamped = /-(\d{4})(\d{2})(\d{2})-\d{6}-([^-].*)\.\w+$/;

/**
 * The link of a recording: `base` and where the file lies below it, every part percent-encoded, one slash between them
 * unless the base ends in `=`. Of a full path what follows `monitor/` counts; a bare FreePBX name lies in the folder
 * of its day (`2025/08/03/`), which is the day in its name, on the PBX's clock; any other name is taken as it is. `template` says it
 * otherwise. undefined for a name that is empty or leads out of the folder.
 */
export function recordingUrl(
  base: string,
  file: string,
  call: Pick<Call, 'startedAt' | 'linkedid'>,
  zone: string,
  template?: Template,
): string | undefined {
  const path = file
    .trim()
    .replace(/^.*\/monitor\//, '')
    .replace(/^\/+/, '');
  const segments = path.split('/');
  const name = segments.at(-1) ?? '';
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return undefined;
  const day = stamped.exec(name);
  const [year, month, date] = day?.slice(1, 4) ?? localText(call.startedAt, zone).slice(0, 10).split('-');
  const below =
    template !== undefined
      ? renderTemplate(template, {
          file: segments.map(encoded).join('/'),
          name: encoded(name),
          YYYY: year,
          MM: month,
          DD: date,
          uniqueid: encoded(day?.[4] ?? call.linkedid),
        })
      : [
          ...(segments.length === 1 && day ? [year, month, date] : []),
          ...segments.map((one) => encoded(one ?? '')),
        ].join('/');
  return base.endsWith('=') ? `${base}${below}` : `${base.replace(/\/+$/, '')}/${below.replace(/^\/+/, '')}`;
}

/** A name may hold halves of characters, which no link can: they become a replacement sign. */
function encoded(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}
