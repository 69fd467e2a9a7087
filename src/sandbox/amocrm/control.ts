import type { EntityType } from './model.ts';
import { checkedOptions } from './options.ts';
import { type Changes, edit, linkElement, merge, remove, type Target, unlinkElement } from './person.ts';
import { type SeedContent, seedContent } from './seed.ts';
import type { World } from './world.ts';

/** A write that the account takes in part: the first `count` items are applied, then 504 is answered. Strikes once. */
export interface PartialWrite {
  /** Part of `METHOD /path`. */
  match: string;
  count: number;
}

/** What else than content and options can be asked from outside. */
export interface ControlPorts {
  world: World;
  partial(write: PartialWrite): void;
  revoke(token: string): void;
  unblock(): void;
}

type Action = (ports: ControlPorts, value: never) => void;

const ACTIONS: Record<string, Action> = {
  advanceMs: ({ world }, ms: number) => world.advance(ms),
  partial: (ports, write: PartialWrite) => ports.partial(write),
  revoke: (ports, token: string) => ports.revoke(token),
  unblock: (ports) => ports.unblock(),
  edit: ({ world }, { set, by, ...target }: Target & { set: Changes; by?: number }) => edit(world, target, set, by),
  delete: ({ world }, { by, ...target }: Target & { by?: number }) => remove(world, target, by),
  merge: ({ world }, kinds: Partial<Record<EntityType, readonly number[]>>) => {
    for (const [type, ids] of Object.entries(kinds)) merge(world, type as EntityType, ids);
  },
  link: ({ world }, link: { lead: number; element: number; quantity?: number }) =>
    linkElement(world, link.lead, link.element, link.quantity ?? 1),
  unlink: ({ world }, link: { lead: number; element: number }) => unlinkElement(world, link.lead, link.element),
};

const CONTENT = ['contacts', 'companies', 'elements', 'deals', 'generate'];

/**
 * Takes what `configure`, `seed` and their control routes are given: options, content and a person's deeds, told apart by name.
 * Throws on a name that is none of them.
 */
export function accept(ports: ControlPorts, given: Record<string, unknown>): void {
  const options: Record<string, unknown> = {};
  const content: Record<string, unknown> = {};
  const actions: (() => void)[] = [];
  for (const [key, value] of Object.entries(given)) {
    const action = ACTIONS[key];
    if (action) actions.push(() => action(ports, value as never));
    else if (CONTENT.includes(key)) content[key] = value;
    else options[key] = value;
  }
  Object.assign(ports.world.options, checkedOptions(options));
  seedContent(ports.world, content as SeedContent);
  for (const act of actions) act();
}
