import { readFileSync, statfsSync } from 'node:fs';

// The f_type numbers of statfs(2) and linux/magic.h.
const NETWORK_FILE_SYSTEMS = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
]);
const FUSE = 0x65735546;
const NETWORK_FUSE = /^fuse\.(sshfs|rclone|s3fs|gcsfuse|goofys|glusterfs|ceph-fuse|davfs2?|curlftpfs|juicefs|moosefs)/;

/** The type of the mount that holds `dir`, from /proc; '' where the system has no such list. */
function mountType(dir: string): string {
  let mounts = '';
  try {
    mounts = readFileSync('/proc/self/mounts', 'utf8');
  } catch {
    return '';
  }
  let best = { point: '', type: '' };
  for (const line of mounts.split('\n')) {
    const [, rawPoint = '', type = ''] = line.split(' ');
    const point = rawPoint.replaceAll('\\040', ' ');
    const holds = dir === point || dir.startsWith(point.endsWith('/') ? point : `${point}/`);
    if (point !== '' && holds && point.length >= best.point.length) best = { point, type };
  }
  return best.type;
}

/**
 * The network file system that `dir` is on, or undefined. FUSE has one number for remote and for local file systems (container
 * hosts share local folders through it), so there the mount's own type decides.
 */
export function networkFileSystem(dir: string): string | undefined {
  const type = statfsSync(dir).type >>> 0;
  if (type !== FUSE) return NETWORK_FILE_SYSTEMS.get(type);
  const mounted = mountType(dir);
  return NETWORK_FUSE.test(mounted) ? mounted : undefined;
}
