// This module loads the YAML parser, so it is imported only where there is a mapping file.
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  visit,
} from 'yaml';
import type { Path } from './shape.ts';

export interface YamlFault {
  readonly line: number;
  readonly message: string;
}

export interface YamlSource {
  /** Plain maps (keys as texts), lists and scalars; undefined for an empty file and where there are faults. */
  readonly value: unknown;
  /** Syntax faults and keys given twice. */
  readonly faults: readonly YamlFault[];
  /** The line, from 1, on which the value at this path begins, or the nearest thing around it that exists. */
  lineOf(path: Path): number;
}

export function readYaml(text: string): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // To JavaScript 900101 and "900101" are one key, to YAML two; the second would silently win.
    uniqueKeys: (a, b) => isScalar(a) && isScalar(b) && String(a.value) === String(b.value),
  });
  const line = (offset: number) => Math.max(1, lines.linePos(offset).line);
  const faults = [...document.errors, ...document.warnings].map((fault) => ({
    line: line(fault.pos[0]),
    message: fault.code === 'DUPLICATE_KEY' ? 'this key stands twice in its map' : `YAML: ${fault.message}`,
  }));
  visit(document, {
    Pair: (_, { key }) => {
      if (!isScalar(key) || typeof key.value !== 'number' || key.source === String(key.value)) return;
      const written = `this key is written ${key.source} and reads ${key.value}: put it in quotes`;
      faults.push({ line: line(key.range?.[0] ?? 0), message: written });
    },
  });
  if (faults.length > 0) {
    return { value: undefined, faults, lineOf: () => 1 };
  }
  return { ...plainValue(document), lineOf: (path) => line(offsetOf(document, path)) };
}

function plainValue(document: Document.Parsed): Pick<YamlSource, 'value' | 'faults'> {
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) ?? undefined, faults: [] };
  } catch {
    // Aliases of aliases can blow a small file up to gigabytes; the parser counts them and throws.
    return { value: undefined, faults: [{ line: 1, message: 'YAML: too many aliases' }] };
  }
}

function offsetOf(document: Document.Parsed, path: Path): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const segment of path) {
    const found = childOf(isAlias(node) ? node.resolve(document) : node, segment);
    if (found === undefined) {
      return offset;
    }
    offset = found.offset;
    node = found.node;
  }
  return offset;
}

function childOf(node: unknown, segment: string | number): { node: unknown; offset: number } | undefined {
  if (isMap<ParsedNode, ParsedNode | null>(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment));
    return pair === undefined ? undefined : { node: pair.value, offset: pair.key.range[0] };
  }
  if (isSeq<ParsedNode>(node) && typeof segment === 'number') {
    const item = node.items[segment];
    return item === undefined ? undefined : { node: item, offset: item.range[0] };
  }
  return undefined;
}
