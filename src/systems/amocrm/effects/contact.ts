import type { EffectHandler } from '../../../domain/handler.ts';
import { type PersonOptions, personHandler } from './person.ts';

/** A contact found by phone or e-mail, or made. */
export function contactHandler(options: PersonOptions): EffectHandler {
  return personHandler('contacts', options);
}

/** A company, found and made as contacts are; their phones are apart, for a company's may well be a person's too. */
export function companyHandler(options: PersonOptions): EffectHandler {
  return personHandler('companies', options);
}
