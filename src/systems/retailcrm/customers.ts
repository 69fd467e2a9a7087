import { RemoteError } from '../../base/remote-error.ts';
import type { Schema } from '../../base/schema.ts';
import { type HistoryPage, historyOf } from './history.ts';
import { assertBatch, idsQuery, type ListPage, PAGE, pagesOf, rowsByIds } from './lists.ts';
import { type OnSend, orMissing, type Params, type Requests } from './requests.ts';
import {
  type Customer,
  type CustomerChangeWire,
  customerAnswer,
  customersAnswer,
  customersHistoryAnswer,
  mergedAnswer,
  uploadedAnswer,
} from './schema.ts';
import { type CustomersUploaded, partOfUpload, uploadedOf } from './upload.ts';
import { type CustomerDraft, customerWire } from './write.ts';

/** Merged into one that was merged into another, and so on; more is a circle. */
const MAX_MERGES = 10;

/** `total` of all that RetailCRM found, of which at most 100 are here. */
export interface FoundCustomers {
  customers: Customer[];
  total: number;
}

export interface RetailCustomers {
  /**
   * By name or phone, as RetailCRM's own search has it: what it matches is not documented, and a filter that is not understood
   * gives all customers, so that the caller has to compare the phones.
   */
  customersBySearch(text: string): Promise<FoundCustomers>;
  /** All customers of the account, 100 a page, in no promised order. */
  customers(): AsyncGenerator<ListPage<Customer>>;
  /** Up to 100 ids; those that were deleted or merged are missing. */
  customersByIds(ids: readonly number[]): Promise<Map<number, Customer>>;
  /** A merged customer is followed to the one that remains, whose id then differs; undefined where there is none. */
  customerById(id: number): Promise<Customer | undefined>;
  customerByExternalId(externalId: string): Promise<Customer | undefined>;
  /** 1 to 50 customers, each with an external id of its own, by which a repetition is recognised. */
  uploadCustomers(
    drafts: readonly (CustomerDraft & { externalId: string })[],
    onSend?: OnSend,
  ): Promise<CustomersUploaded>;
  /** What has changed after the entry with this id, or since a moment where no id is known yet; asks for a page when the consumer does. */
  customersHistory(since: number | Date): AsyncGenerator<HistoryPage<CustomerChangeWire>>;
}

export function customerRequests(requests: Requests): RetailCustomers {
  const { get, post, odd, site } = requests;

  const customersPage = async (page: number) => {
    const query = { limit: PAGE, page };
    const answer = await get('customers.list', '/api/v5/customers', customersAnswer, query);
    return { rows: answer.customers, pagination: answer.pagination };
  };

  async function customersByIds(ids: readonly number[]): Promise<Map<number, Customer>> {
    if (ids.length === 0) return new Map();
    const route = 'customers.byIds';
    const { customers } = await get(route, '/api/v5/customers', customersAnswer, idsQuery(ids));
    return rowsByIds(ids, customers, odd(route));
  }

  async function customersBySearch(text: string): Promise<FoundCustomers> {
    const query = { 'filter[name]': text, limit: PAGE, page: 1 };
    const { customers, pagination } = await get('customers.search', '/api/v5/customers', customersAnswer, query);
    return { customers, total: Math.max(pagination?.totalCount ?? 0, customers.length) };
  }

  async function customer(by: 'id' | 'externalId', key: string): Promise<Customer | undefined> {
    let query: Params = { by, ...(by === 'externalId' && site) };
    let wanted = key;
    for (let merges = 0; merges <= MAX_MERGES; merges++) {
      const path = `/api/v5/customers/${encodeURIComponent(wanted)}`;
      const found = await orMissing(get('customers.get', path, customerAnswer, query));
      if (!(found instanceof RemoteError)) return found;
      const survivor = mergedAnswer.safeParse(found.answer);
      if (!survivor.success) return undefined;
      wanted = String(survivor.data);
      query = { by: 'id' };
    }
    throw odd('customers.get')(`merged more than ${MAX_MERGES} times`);
  }

  async function uploadCustomers(drafts: readonly (CustomerDraft & { externalId: string })[], onSend?: OnSend) {
    assertBatch(drafts, 'customers');
    const params = { ...site, customers: JSON.stringify(drafts.map(customerWire)) };
    const route = 'customers.upload';
    const path = '/api/v5/customers/upload';
    const given = { route, path, schema: uploadChecked, params, repeatable: true };
    const answer = await post(given, onSend).catch(partOfUpload);
    return uploadedOf(
      drafts.map(({ externalId }) => externalId),
      answer,
    );
  }

  return {
    customersBySearch,
    customers: () => pagesOf(customersPage, odd('customers.list')),
    customersByIds,
    customerById: (id) => customer('id', String(id)),
    customerByExternalId: (externalId) => customer('externalId', externalId),
    uploadCustomers,
    customersHistory: (since) => historyOf(requests, 'customers', customersHistoryAnswer, since),
  };
}

/** The body itself, for `uploadedOf`, once it is known to be readable. */
const uploadChecked: Schema<unknown> = {
  parse: (input) => {
    uploadedAnswer.parse(input);
    return input;
  },
};
