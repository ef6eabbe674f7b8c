// What is put into the container's /dev, always reached without following a symlink: an image whose /dev is a
// link must not lead us anywhere (S-19, S-21).
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>

#include "control.h"
#include "root.h"

namespace berth {

void execute(const MakeDirectory& operation) { close(ensure_directory(operation.path)); }

void execute(const MakeSymlink& operation) {
  const Entry entry = open_parent_without_symlinks(operation.path);
  if (symlinkat(operation.target, entry.directory_fd, entry.name) < 0 && errno != EEXIST) {
    fail(Step::Symlinkat, errno, operation.path);
  }
  close(entry.directory_fd);
}

// Safe: the parent directory is held open inside the root, mknodat follows no link at the last component, and
// what the node may do is decided by the device cgroup.
void execute(const MakeDevice& operation) {
  const Entry entry = open_parent_without_symlinks(operation.path);
  const dev_t device = makedev(operation.major, operation.minor);
  if (mknodat(entry.directory_fd, entry.name, operation.mode, device) < 0) {
    if (errno != EEXIST) fail(Step::Mknodat, errno, operation.path);
    struct stat found;
    check(Step::CheckDevice, fstatat(entry.directory_fd, entry.name, &found, AT_SYMLINK_NOFOLLOW), operation.path);
    if ((found.st_mode & S_IFMT) != (operation.mode & S_IFMT) || found.st_rdev != device) {
      fail(Step::CheckDevice, EEXIST, operation.path);
    }
  }
  check(Step::Fchownat,
        fchownat(entry.directory_fd, entry.name, operation.uid, operation.gid, AT_SYMLINK_NOFOLLOW),
        operation.path);
  close(entry.directory_fd);
}

void execute(const BindDevice& operation) {
  const int tree = check(Step::OpenTree,
                         open_tree(AT_FDCWD, operation.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), operation.path);
  const Entry entry = open_parent_without_symlinks(operation.path);
  if (mknodat(entry.directory_fd, entry.name, S_IFREG | 0666, 0) < 0 && errno != EEXIST) {
    fail(Step::Mknodat, errno, operation.path);
  }
  const int target =
      check(Step::Open, openat(entry.directory_fd, entry.name, O_PATH | O_NOFOLLOW | O_CLOEXEC), operation.path);
  attach(tree, target, operation.path);
  close(target);
  close(tree);
  close(entry.directory_fd);
}

}  // namespace berth
