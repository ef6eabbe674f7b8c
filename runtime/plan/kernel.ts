/** Numbers of the kernel's interface that plans are made of. @see mount_setattr(2), mount(2), clone(2) */

export const MOUNT_ATTR = {
  RDONLY: 0x00000001,
  NOSUID: 0x00000002,
  NODEV: 0x00000004,
  NOEXEC: 0x00000008,
  /** Mask of the three access time modes; RELATIME is 0. */
  ATIME_MASK: 0x00000070,
  NOATIME: 0x00000010,
  STRICTATIME: 0x00000020,
  NODIRATIME: 0x00000080,
  NOSYMFOLLOW: 0x00200000,
} as const

export const MS = {
  REC: 0x4000,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
} as const

export const FILE_TYPE = {
  CHARACTER: 0o020000,
  BLOCK: 0o060000,
  FIFO: 0o010000,
} as const
