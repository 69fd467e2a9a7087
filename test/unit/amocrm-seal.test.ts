import { describe, expect, test } from 'vitest';
import { sealer } from '../../src/base/seal.ts';
import { Secret } from '../../src/base/secret.ts';
import { timesOfJwt } from '../../src/systems/amocrm/jwt.ts';
import { validationErrors } from '../../src/systems/amocrm/schema.ts';

describe('sealing', () => {
  const mine = sealer(new Secret('mine'));

  test('opens with the same secret in another process, and never reads like the text', async () => {
    const sealed = await mine.seal('token', 'a');
    expect(sealed).not.toContain('token');
    expect(await mine.seal('token', 'a')).not.toBe(sealed);
    expect(await sealer(new Secret('mine')).open(sealed, 'a')).toBe('token');
  });

  test('does not open with another secret, another label, a changed text, or no secret', async () => {
    const sealed = await mine.seal('token', 'a');
    expect(await sealer(new Secret('other')).open(sealed, 'a')).toBeUndefined();
    expect(await mine.open(sealed, 'b')).toBeUndefined();
    expect(await mine.open(`${sealed.slice(0, -2)}AA`, 'a')).toBeUndefined();
    expect(await mine.open('sealed:v1:x', 'a')).toBeUndefined();
    expect(await sealer(undefined).open(sealed, 'a')).toBeUndefined();
  });

  test('a text stored before there was a secret stays readable', async () => {
    expect(await sealer(undefined).seal('token', 'a')).toBe('token');
    expect(await mine.open('token', 'a')).toBe('token');
  });
});

describe('times of a token', () => {
  const jwt = (claims: unknown) => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;

  test.each([
    ['both', jwt({ iat: 1_700_000_000, exp: 1_700_086_400 }), '2023-11-14T22:13:20.000Z', '2023-11-15T22:13:20.000Z'],
    ['the end alone', jwt({ exp: 1_700_086_400 }), undefined, '2023-11-15T22:13:20.000Z'],
  ])('%s', (_, token, issued, ends) => {
    const times = timesOfJwt(token);
    expect(times?.issuedAt?.toISOString()).toBe(issued);
    expect(times?.expiresAt.toISOString()).toBe(ends);
  });

  test.each([
    'opaque',
    'a.b.c',
    jwt({}),
    jwt(null),
    jwt([]),
    jwt({ exp: 'soon' }),
    jwt({ exp: 1e300 }),
    jwt({ exp: -1 }),
    '',
  ])('none in %j', (token) => {
    expect(timesOfJwt(token)).toBeUndefined();
  });
});

test.each([undefined, null, 'html', {}, { 'validation-errors': 'no' }, { title: 'Bad Request', status: 400 }])(
  'validation errors of %j: none',
  (answer) => {
    expect(validationErrors(answer)).toEqual([]);
  },
);

test('validation errors: a number for a request id, an unknown code, several faults of one item', () => {
  const errors = [{ code: 'InvalidType', path: 'price', detail: 'x' }, { path: 'name' }];
  expect(validationErrors({ 'validation-errors': [{ request_id: 0, errors }] })).toEqual([
    { requestId: '0', code: 'InvalidType', path: 'price' },
    { requestId: '0', code: 'Unknown', path: 'name' },
  ]);
});
