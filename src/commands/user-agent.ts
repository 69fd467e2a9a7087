import packageFile from '../../package.json' with { type: 'json' };

/** Who we say we are: Kaspi silently drops requests that carry a library's default name (seen 2026-05). */
export const USER_AGENT = `sdelka/${packageFile.version} (+order integration)`;
