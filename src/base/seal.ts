import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import type { Secret } from './secret.ts';

/** Encrypts short texts at rest. What `seal` returned opens only with the same secret and the same label. */
export interface Sealer {
  seal(plain: string, label: string): Promise<string>;
  /** The plain text; undefined where the secret is another one, or the text was tampered with. A text that was never sealed comes back as it is. */
  open(stored: string, label: string): Promise<string | undefined>;
}

/** Marks a sealed text, so that texts stored before a secret was set stay readable. */
const PREFIX = 'sealed:v1';
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const IV_BYTES = 12;

/**
 * AES-256-GCM under a key made from `secret` by scrypt (Node's default cost, some 50 ms, paid once a process and salt).
 * Sealed form: `sealed:v1:<salt>:<iv>:<tag>:<text>`, each part base64url. Without a secret texts are stored as they are.
 */
export function sealer(secret: Secret | undefined): Sealer {
  if (secret === undefined) {
    return {
      seal: async (plain) => plain,
      open: async (stored) => (isSealed(stored) ? undefined : stored),
    };
  }
  const keys = new Map<string, Promise<Buffer>>();
  const keyFor = (salt: Buffer): Promise<Buffer> => {
    const name = salt.toString('base64url');
    const known = keys.get(name) ?? deriveKey(secret, salt);
    keys.set(name, known);
    return known;
  };
  const ownSalt = randomBytes(SALT_BYTES);
  return {
    seal: async (plain, label) => {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', await keyFor(ownSalt), iv).setAAD(Buffer.from(label));
      const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return [PREFIX, ...[ownSalt, iv, cipher.getAuthTag(), text].map((part) => part.toString('base64url'))].join(':');
    },
    open: async (stored, label) => {
      if (!isSealed(stored)) return stored;
      const [salt, iv, tag, text] = stored
        .slice(PREFIX.length + 1)
        .split(':')
        .map((part) => Buffer.from(part, 'base64url'));
      if (!salt || iv?.length !== IV_BYTES || tag?.length !== 16 || !text) return undefined;
      return decrypt(await keyFor(salt), iv, tag, text, label);
    },
  };
}

function isSealed(stored: string): boolean {
  return stored.startsWith(`${PREFIX}:`);
}

function deriveKey(secret: Secret, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(secret.reveal(), salt, KEY_BYTES, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

function decrypt(key: Buffer, iv: Buffer, tag: Buffer, text: Buffer, label: string): string | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
  decipher.setAAD(Buffer.from(label)).setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
  } catch {
    // A wrong key and a changed text look the same to GCM; the caller says what the operator should do.
    return undefined;
  }
}
