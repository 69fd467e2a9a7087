import type { EffectHandler } from '../../../domain/handler.ts';
import type { AmocrmClient } from '../client.ts';
import type { AmoMemory } from '../memory.ts';
import { companyContactHandler } from './company-contact.ts';
import { companyHandler, contactHandler } from './contact.ts';
import { dealHandler } from './deal.ts';
import { dealGoodsHandler } from './deal-goods.ts';
import { dealUpdateHandler } from './deal-update.ts';
import { goodHandler } from './good.ts';
import { goodLinkHandler } from './good-link.ts';
import { noteHandler } from './note.ts';
import type { PeopleIndex } from './people-index.ts';

export interface AmoEffectOptions {
  client: AmocrmClient;
  memory: AmoMemory;
  index: PeopleIndex;
  /** For phones stored without a country code. */
  country: string;
  /** IANA name: dates in the mapping's texts are local. */
  zone: string;
}

/** The writes that amoCRM takes, in the order in which one needs the other. */
export function amoEffects(options: AmoEffectOptions): EffectHandler[] {
  const { client, memory, index, country, zone } = options;
  return [
    companyHandler({ client, memory, index, country, zone }),
    contactHandler({ client, memory, index, country, zone }),
    companyContactHandler({ client }),
    goodHandler({ client, memory }),
    dealHandler({ client, memory, zone }),
    goodLinkHandler({ client, memory }),
    dealUpdateHandler({ client, memory, zone }),
    dealGoodsHandler({ client, memory }),
    noteHandler({ client }),
  ];
}
