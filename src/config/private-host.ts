/**
 * Whether a host cannot be one of the open Internet: RFC 1918, link-local and unique local addresses, and names that only
 * an office's own name server knows. As `URL.hostname` gives it.
 */
export function isPrivateHost(host: string): boolean {
  if (/^\[f[cd][0-9a-f]{2}:|^\[fe80:|^\[::1\]$/.test(host)) return true;
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(host)) {
    return /^(10|127|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))\./.test(host);
  }
  return /^[^.[\]]+$/.test(host) || /\.(local|lan|home|internal|intranet|corp|localdomain)$/.test(host);
}
