import assert from 'node:assert/strict'
import { closeSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { native } from '../binding.ts'
import { checkDescriptors, closeAll, needRoot, scratchDirectory } from './support.ts'

const AT_FDCWD = -100
const O_DIRECTORY = 0o200000
const O_PATH = 0o10000000
const RESOLVE_NO_SYMLINKS = 0x04
const RESOLVE_BENEATH = 0x08
const RESOLVE_IN_ROOT = 0x10
const MOUNT_ATTR_RDONLY = 1
const OPEN_TREE_CLONE = 1

const contentsOf = (fd: number): string => readFileSync(`/proc/self/fd/${String(fd)}`, 'utf8')

describe('openat2', () => {
  checkDescriptors()

  it('stays inside the root', () => {
    using scratch = scratchDirectory()
    mkdirSync(join(scratch.path, 'etc'))
    writeFileSync(join(scratch.path, 'etc/passwd'), 'inside')
    symlinkSync('../../../../../etc/passwd', join(scratch.path, 'relative'))
    symlinkSync('/etc/passwd', join(scratch.path, 'absolute'))
    const root = native().openat2(AT_FDCWD, scratch.path, O_DIRECTORY | O_PATH, 0, 0)
    for (const path of ['relative', 'absolute', '../../etc/passwd', '/etc/passwd']) {
      const fd = native().openat2(root, path, 0, 0, RESOLVE_IN_ROOT)
      assert.equal(contentsOf(fd), 'inside')
      closeSync(fd)
    }
    assert.throws(() => native().openat2(root, '../x', 0, 0, RESOLVE_BENEATH), {
      code: 'EXDEV',
      syscall: 'openat2',
    })
    assert.throws(() => native().openat2(root, 'absolute', 0, 0, RESOLVE_NO_SYMLINKS), {
      code: 'ELOOP',
    })
    assert.throws(() => native().openat2(root, 'none', 0, 0, RESOLVE_IN_ROOT), {
      code: 'ENOENT',
      message: 'openat2 none: No such file or directory',
    })
    closeSync(root)
  })
})

// Detached mounts only: no mount table is touched.
describe('the mount API', () => {
  checkDescriptors()
  beforeEach(function () {
    needRoot(this) // mounts need CAP_SYS_ADMIN
  })

  function tmpfs(attributes: number): number {
    const context = native().fsopen('tmpfs')
    native().fsconfigString(context, 'size', '1m')
    native().fsconfigString(context, 'mode', '0755')
    native().fsconfigCreate(context)
    const mount = native().fsmount(context, attributes)
    closeSync(context)
    return mount
  }

  it('makes a file system that is nowhere attached', () => {
    const mount = tmpfs(0)
    writeFileSync(`/proc/self/fd/${String(mount)}/file`, 'x')
    assert.equal(readFileSync(`/proc/self/fd/${String(mount)}/file`, 'utf8'), 'x')
    assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), /size=1024k,mode=755/)
    closeSync(mount)
  })

  it('makes it read-only from the start or later', () => {
    const readOnly = tmpfs(MOUNT_ATTR_RDONLY)
    const mount = tmpfs(0)
    native().mountSetattr(mount, '', false, { set: MOUNT_ATTR_RDONLY, clear: 0 })
    for (const fd of [readOnly, mount]) {
      assert.throws(
        () => {
          writeFileSync(`/proc/self/fd/${String(fd)}/file`, 'x')
        },
        { code: 'EROFS' },
      )
    }
    native().mountSetattr(mount, '', true, { set: 0, clear: MOUNT_ATTR_RDONLY })
    writeFileSync(`/proc/self/fd/${String(mount)}/file`, 'x')
    closeAll(readOnly, mount)
  })

  it('clones a tree', () => {
    using scratch = scratchDirectory()
    writeFileSync(join(scratch.path, 'file'), 'cloned')
    const clone = native().openTree(AT_FDCWD, scratch.path, OPEN_TREE_CLONE)
    const file = native().openat2(clone, 'file', 0, 0, RESOLVE_BENEATH)
    assert.equal(contentsOf(file), 'cloned')
    closeAll(file, clone)
  })

  it('says what the kernel logged', () => {
    const context = native().fsopen('tmpfs')
    assert.throws(
      () => {
        native().fsconfigString(context, 'size', 'large')
      },
      {
        code: 'EINVAL',
        syscall: 'fsconfig',
        message: /^fsconfig size=large: Invalid argument: .*size/,
      },
    )
    closeSync(context)
    assert.throws(() => native().fsopen('nofs'), {
      code: 'ENODEV',
      syscall: 'fsopen',
      message: /nofs/,
    })
  })

  it('takes flags and descriptors', () => {
    const context = native().fsopen('tmpfs')
    assert.throws(
      () => {
        native().fsconfigFlag(context, 'nosuchflag')
      },
      { code: 'EINVAL', message: /nosuchflag/ },
    )
    assert.throws(
      () => {
        native().fsconfigFd(context, 'source', 4000)
      },
      { syscall: 'fsconfig' },
    )
    closeSync(context)
  })

  it('names the target that cannot be', () => {
    const mount = tmpfs(0)
    assert.throws(
      () => {
        native().moveMount(mount, AT_FDCWD, '/nonexistent')
      },
      { code: 'ENOENT', syscall: 'move_mount', message: /\/nonexistent/ },
    )
    assert.throws(
      () => {
        native().umount('/nonexistent', 0)
      },
      { code: 'ENOENT', syscall: 'umount2', message: /\/nonexistent/ },
    )
    closeSync(mount)
  })
})
