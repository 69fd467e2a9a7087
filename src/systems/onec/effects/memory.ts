/** What the writes at 1C remember between runs. `state/` fills this port; a dry run keeps its writes in memory. */
export interface OnecEffectMemory {
  /** Remote ids of the newest links of a kind bound before the time: objects known to exist, for positive controls. */
  controls(kind: string, before: Date): Promise<readonly string[]>;
  /** Small facts kept as text, e.g. whether 1C takes the reference that we give a new object. */
  fact(key: string): Promise<string | undefined>;
  setFact(key: string, value: string): Promise<void>;
}
