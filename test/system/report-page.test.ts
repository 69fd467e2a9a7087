import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Browser, startBrowser } from './browser.ts';
import { type OperatedFirm, operatedFirm } from './firm.ts';

/** Where somebody wants to look at the pictures. */
const KEPT = process.env.SDELKA_SCREENSHOTS;
const HOSTILE = `</text><img src='http://evil.example/x.png'><script>console.error("run")</script>`;

const SCREENS = [
  { name: 'wide', width: 1280, dark: false },
  { name: 'wide-dark', width: 1280, dark: true },
  { name: 'narrow', width: 360, dark: false },
] as const;

let firm: OperatedFirm;
let browser: Browser;

beforeAll(async () => {
  const lines = ['missed: { task: true, order: true, due: 15m, within: 7d, performer: anna@firm.example }'];
  firm = await operatedFirm({ lines, cdr: { calls: 120 } });
  await firm.run(['retail:sync-calls']);
  await firm.run(['retail:sync-history']);
  const database = new Sqlite(join(firm.folder, 'sdelka.db'));
  database.prepare('UPDATE calls SET manager = ? WHERE extension = ?').run(HOSTILE, '204');
  database.close();
  browser = await startBrowser(process.env.SDELKA_CHROMIUM ?? 'chromium');
});
afterAll(() => browser?.close());

/** What is wrong with the page as it is drawn, each fault in a line. */
const FAULTS = `(() => {
  const shown = (one) => one.getClientRects().length > 0;
  const faults = [];
  if (document.documentElement.scrollWidth > innerWidth) faults.push('the page is wider than the screen');
  for (const figure of document.querySelectorAll('figure')) {
    const name = figure.querySelector('figcaption').textContent;
    const drawn = [...figure.querySelectorAll('svg')].filter(shown);
    if (drawn.length !== 1) faults.push(name + ': ' + drawn.length + ' charts are shown');
    for (const svg of drawn) {
      const frame = svg.getBoundingClientRect();
      const texts = [...svg.querySelectorAll('text')];
      if (frame.height < 60 || texts.length === 0) faults.push(name + ': is empty');
      for (const text of texts) {
        const box = text.getBoundingClientRect();
        const out = Math.max(frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom);
        if (out > 1) faults.push(name + ': "' + text.textContent + '" is cut off by ' + Math.round(out) + ' px');
      }
    }
  }
  if ([...document.querySelectorAll('figure')].length === 0) faults.push('there is no chart');
  if (document.querySelector('img, script')) faults.push('a name became an element');
  return faults;
})()`;

/** Of a picture: how many colours it has, and how much of it the most frequent one takes. */
const coloursOf = (picture: string) => `(async () => {
  const image = new Image();
  image.src = 'data:image/png;base64,${picture}';
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  return { colours: counts.size, most: Math.max(...counts.values()) / pixels.length };
})()`;

test.each(['ru', 'en'])(
  '%s: the page is drawn on every screen, asks for nothing and has no complaint',
  async (locale) => {
    const file = join(firm.folder, `report-${locale}.html`);
    await firm.run(['--json', 'retail:report', '--html', file], { LOCALE: locale });
    const page = pathToFileURL(file).href;
    for (const { name, width, dark } of SCREENS) {
      const screen = { width, height: 900, deviceScaleFactor: 1, mobile: width < 500 };
      await browser.ask('Emulation.setDeviceMetricsOverride', screen);
      const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
      await browser.ask('Emulation.setEmulatedMedia', { features });
      browser.requests.length = 0;
      await browser.open(page);
      expect(await browser.value<string[]>(FAULTS), name).toEqual([]);
      expect(await browser.value('document.documentElement.lang')).toBe(locale);
      const { data } = await browser.ask('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true });
      keep(`report-${locale}-${name}.png`, String(data));
      expect(browser.requests).toEqual([page]);
      expect(browser.complaints).toEqual([]);

      await browser.open('about:blank');
      const { colours, most } = await browser.value<{ colours: number; most: number }>(coloursOf(String(data)));
      expect(colours, name).toBeGreaterThan(50);
      expect(most, name).toBeLessThan(0.98);
    }
  },
);

test('the watch itself sees: a page with a request, an error and text beyond its chart has all three told', async () => {
  const file = join(firm.folder, 'bad.html');
  writeFileSync(
    file,
    `<body style="margin:0"><figure><figcaption>bad</figcaption><svg width="90" height="90"><text x="80" y="50">far too long</text></svg></figure>
     <div style="width:3000px">wide</div><img src="http://evil.example/x.png"><script>console.error('told')</script>`,
  );
  browser.requests.length = 0;
  await browser.open(pathToFileURL(file).href);
  const faults = await browser.value<string[]>(FAULTS);
  expect(faults).toHaveLength(3);
  expect(browser.requests).toContain('http://evil.example/x.png');
  expect(browser.complaints.join()).toContain('told');
});

function keep(name: string, picture: string): void {
  if (KEPT === undefined) return;
  mkdirSync(KEPT, { recursive: true });
  writeFileSync(join(KEPT, name), Buffer.from(picture, 'base64'));
}
