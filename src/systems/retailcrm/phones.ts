import { dialledPhone } from '../../domain/dialled-phone.ts';
import { parsePhone } from '../../domain/phone.ts';

/**
 * E.164, each once, of numbers as people typed them at RetailCRM; what is no full phone is left out. A number is first read as the
 * calls' are, or a caller would not be known again by it.
 */
export function phonesTyped(numbers: readonly string[], country: string): string[] {
  const read = (number: string) => dialledPhone(number, country) ?? parsePhone(number, country) ?? [];
  return [...new Set(numbers.flatMap(read))];
}
