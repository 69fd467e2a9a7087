// Run anew before each test file.
import { afterAll, afterEach } from 'vitest';
import { clearAway } from './ends.ts';

afterEach(() => clearAway('test'));
afterAll(() => clearAway('file'));
