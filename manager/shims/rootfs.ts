/** The mount a runtime or shim makes at a bundle's rootfs. */
import { errnoOf, wrapSystemError } from '../../proto/errors/platform-error.ts'
import { native } from '../../native/binding.ts'

const MNT_DETACH = 2
const UMOUNT_NOFOLLOW = 8

/** Takes off everything mounted there; that there is nothing is no error. */
export function unmountRootfs(path: string): void {
  for (;;) {
    try {
      native().umount(path, MNT_DETACH | UMOUNT_NOFOLLOW)
    } catch (error) {
      const errno = errnoOf(error)
      // EINVAL: not a mount point.
      if (errno === 'EINVAL' || errno === 'ENOENT') return
      throw wrapSystemError(error, { action: 'unmount the rootfs', path })
    }
  }
}
