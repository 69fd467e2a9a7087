import type { OnecLocal } from '../../../domain/onec.ts';
import type { OnecEntity, OnecProperty, OnecPropertyName } from '../api.ts';
import { OBJECT, PROPERTY, VALUE } from '../properties.ts';
import type { OnecWriter } from './context.ts';

/** A record of additional information about an object. */
interface Information {
  set: string;
  ref: string;
  property: OnecProperty;
  value: number | OnecLocal;
}

/** The property that the mapping names, or why values of it cannot be kept. */
export async function propertyOf(
  writer: Pick<OnecWriter, 'reader' | 'mapping'>,
  name: OnecPropertyName,
): Promise<OnecProperty | { missing: string }> {
  const { found } = await writer.reader.properties();
  const missing = `1C has no additional information "${writer.mapping.properties[name]}" (onec.properties.${name}); it is to be made there by hand`;
  return found.get(name) ?? { missing };
}

/**
 * Makes or changes the record: the same in the end however often it is sent. A value of several possible types is text beside
 * its type's name, a number too (recorded answers of a live base).
 */
export async function writeInformation(
  writer: Pick<OnecWriter, 'odata' | 'mapping'>,
  wanted: Information,
  onSend?: () => Promise<void>,
): Promise<void> {
  const { set, ref, property, value } = wanted;
  const key = { [OBJECT]: { guid: ref, set }, [PROPERTY]: { guid: property.own?.[set] ?? property.ref } };
  const values: OnecEntity = { [VALUE]: String(value), [`${VALUE}_Type`]: property.type };
  await writer.odata.putRecord(writer.mapping.properties.register, key, values, onSend);
}
