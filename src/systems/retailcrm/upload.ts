import { RemoteError } from '../../base/remote-error.ts';
import { wordsOf, wordsUnder } from './errors.ts';
import { uploadedAnswer } from './schema.ts';

/** Every customer of an upload is in one of the three; `unnamed`: RetailCRM said nothing of it, so that it has to be asked for. */
export interface CustomersUploaded {
  uploaded: { externalId: string; id: number }[];
  failed: { externalId: string; reason: string }[];
  unnamed: string[];
}

/** What became of each external id, by an answer that was checked to be `uploadedAnswer`'s. */
export function uploadedOf(wanted: readonly string[], answer: unknown): CustomersUploaded {
  const { uploadedCustomers, failedCustomers } = uploadedAnswer.parse(answer);
  const ids = new Map(uploadedCustomers.map(({ externalId, id }) => [externalId, id]));
  const refused = new Set(failedCustomers.map(({ externalId }) => externalId));
  const result: CustomersUploaded = { uploaded: [], failed: [], unnamed: [] };
  for (const [at, externalId] of wanted.entries()) {
    const id = ids.get(externalId);
    const reason =
      wordsUnder(answer, externalId) ?? wordsUnder(answer, String(at)) ?? wordsOf(answer) ?? 'without a word';
    if (id !== undefined) result.uploaded.push({ externalId, id });
    else if (refused.has(externalId)) result.failed.push({ externalId, reason });
    else result.unnamed.push(externalId);
  }
  return result;
}

/** The body of a refusal that names customers (460: some were taken). Any other failure is thrown on. */
export function partOfUpload(error: unknown): unknown {
  const answer = error instanceof RemoteError ? error.answer : undefined;
  const parsed = uploadedAnswer.safeParse(answer);
  if (!parsed.success) throw error;
  const { uploadedCustomers, failedCustomers } = parsed.data;
  if (uploadedCustomers.length + failedCustomers.length === 0) throw error;
  return answer;
}
