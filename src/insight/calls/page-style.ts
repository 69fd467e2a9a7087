/** The whole style of the page; contrast of text is at least 4.5 : 1 in both schemes. Paper is light whatever the screen is. */
export const pageStyle = `
:root { color-scheme: light dark; --paper: #fff; --card: #f5f6f8; --ink: #1c2430; --dim: #5a6575; --rule: #d9dee5;
  --good: #2f7d5b; --bad: #c9472f; --line: #2f66c4; --deal: #7a4fb5; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #14181e; --card: #1e242c; --ink: #e8ecf1; --dim: #a0abb9; --rule: #36404c;
    --good: #4fb287; --bad: #ef7b62; --line: #7aa7f2; --deal: #b290e6; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 80rem; padding: 1.5rem 1rem 3rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; } h2 { margin: 2.2rem 0 .6rem; font-size: 1.15rem; }
header p, footer { color: var(--dim); } header p { margin: .2rem 0 1.2rem; }
footer { margin-top: 2rem; border-top: 1px solid var(--rule); font-size: .85rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .6rem; margin: 0; padding: 0; list-style: none; }
.tiles li { display: flex; flex-direction: column; padding: .7rem .9rem; border-radius: .5rem; background: var(--card); }
.tiles span, .tiles small { color: var(--dim); font-size: .82rem; }
.tiles strong { font-size: 1.4rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1.8rem 0 0; } figcaption { margin-bottom: .5rem; font-weight: 600; }
figure svg { display: block; width: 100%; height: auto; } .narrow { display: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .75rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .3rem; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top; }
td { white-space: nowrap; }
thead th { color: var(--dim); font-size: .88em; font-weight: 600; vertical-align: bottom; }
th:first-child { position: sticky; left: 0; min-width: 5.5rem; max-width: 17rem; background: var(--paper); text-align: left; overflow-wrap: break-word; }
tbody th { font-weight: 500; } th small { display: block; color: var(--dim); font-weight: 400; }
tfoot th, tfoot td { border-bottom: 0; border-top: 2px solid var(--rule); font-weight: 700; }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .3rem 1rem; margin: 0; font-size: .88rem; }
dt { font-weight: 600; } dd { margin: 0; color: var(--dim); }
@media screen and (max-width: 40rem) {
  .wide { display: none; } .narrow { display: block; }
  .tiles { grid-template-columns: 1fr 1fr; } .tiles strong { font-size: 1.25rem; }
  th:first-child { max-width: 9rem; overflow-wrap: anywhere; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
}
@media print {
  @page { size: landscape; margin: 12mm; }
  body { max-width: none; padding: 0; font-size: 11px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .scroll { overflow: visible; } table { width: 100%; font-size: 8.5px; } th, td { padding: 2px 4px; }
  figure, tr, .tiles, dt, dd { break-inside: avoid; } thead { display: table-header-group; }
  th:first-child { position: static; min-width: 0; }
}
`;
