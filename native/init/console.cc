// The terminal: made in the container's own devpts, so its number and owner belong to the container.
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "control.h"
#include "root.h"

namespace berth {
namespace {

// The inode we hold decides, not the path we asked for (rule R4): 5:2 on a devpts is a pty master.
int open_master() {
  const int master = check(
      Step::Openat2, open_in_root("/dev/pts/ptmx", O_RDWR | O_NOCTTY, RESOLVE_NO_SYMLINKS), "/dev/pts/ptmx");
  struct stat info;
  check(Step::CheckDevice, fstat(master, &info), "/dev/pts/ptmx");
  struct statfs file_system;
  check(Step::CheckDevice, fstatfs(master, &file_system), "/dev/pts/ptmx");
  if (!S_ISCHR(info.st_mode) || info.st_rdev != makedev(5, 2) || file_system.f_type != DEVPTS_SUPER_MAGIC) {
    fail(Step::CheckDevice, ENODEV, "/dev/pts/ptmx");
  }
  return master;
}

// /dev/console becomes the terminal itself, bound from the descriptor: no name can be swapped (S-17).
void bind_console(int slave) {
  const Entry entry = open_parent_without_symlinks("/dev/console");
  if (mknodat(entry.directory_fd, entry.name, S_IFREG | 0600, 0) < 0 && errno != EEXIST) {
    fail(Step::Mknodat, errno, "/dev/console");
  }
  const int target =
      check(Step::Open, openat(entry.directory_fd, entry.name, O_PATH | O_NOFOLLOW | O_CLOEXEC), "/dev/console");
  const int tree = check(
      Step::OpenTree, open_tree(slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), "/dev/console");
  attach(tree, target, "/dev/console");
  close(tree);
  close(target);
  close(entry.directory_fd);
}

}  // namespace

void execute(const OpenConsole& operation) {
  const int master = open_master();
  const int unlocked = 0;
  check(Step::Ioctl, ioctl(master, TIOCSPTLCK, &unlocked), "TIOCSPTLCK");
  const int slave = check(Step::Ioctl, ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), "TIOCGPTPEER");
  check(Step::Fchownat, fchown(slave, operation.uid, static_cast<gid_t>(-1)), "/dev/pts");
  const winsize size{static_cast<unsigned short>(operation.rows), static_cast<unsigned short>(operation.columns), 0,
                     0};
  if (operation.rows != 0 || operation.columns != 0) check(Step::Ioctl, ioctl(slave, TIOCSWINSZ, &size), "TIOCSWINSZ");
  if (operation.bindConsole) bind_console(slave);
  report(ReportKind::Console, 0, master);
  for (int fd = 0; fd < 3; fd++) check(Step::Dup3, dup3(slave, fd, 0));
  check(Step::Ioctl, ioctl(0, TIOCSCTTY, 0), "TIOCSCTTY");
  close(slave);
  close(master);
}

}  // namespace berth
