/** What is cleared away at an end; each of them leaves nothing behind and may be called again. */
const ofTest: (() => Promise<void>)[] = [];
const ofFile: (() => Promise<void>)[] = [];

/**
 * For modules of this folder instead of vitest's `afterEach` and `afterAll` outside of a test file: files share processes, and a
 * module that was loaded for an earlier file registers nothing for the next.
 */
export function atEachEnd(of: 'test' | 'file', clear: () => Promise<void>): void {
  (of === 'test' ? ofTest : ofFile).push(clear);
}

/** What came last goes first. */
export async function clearAway(of: 'test' | 'file'): Promise<void> {
  for (const clear of [...(of === 'test' ? ofTest : ofFile)].reverse()) await clear();
}
