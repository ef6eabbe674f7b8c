// The root file system and what is mounted in it. A mount is made or cloned detached, gets its attributes,
// and only then is attached to an open target: nothing is ever visible in a half-made form, and no path is
// looked up twice.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "control.h"
#include "root.h"

namespace berth {
namespace {

// Fails with what the kernel logged into the file system context, which says more than the errno.
[[noreturn]] void fail_with_log(Step step, int fs_fd, const char* type) {
  const int error = errno;
  char text[512];
  // One line per read, "e message": the first letter is the level.
  const ssize_t size = read(fs_fd, text, sizeof text - 1);
  if (size < 3) fail(step, error, type);
  text[text[size - 1] == '\n' ? size - 1 : size] = 0;
  fail(step, error, text + 2);
}

void configure(int fs_fd, const char* type, const char* option) {
  const char* equals = std::strchr(option, '=');
  if (equals == nullptr) {
    if (fsconfig(fs_fd, FSCONFIG_SET_FLAG, option, nullptr, 0) < 0) fail_with_log(Step::Fsconfig, fs_fd, type);
    return;
  }
  char* key = strndup(option, static_cast<std::size_t>(equals - option));
  if (key == nullptr) fail(Step::Fsconfig, ENOMEM, option);
  if (fsconfig(fs_fd, FSCONFIG_SET_STRING, key, equals + 1, 0) < 0) fail_with_log(Step::Fsconfig, fs_fd, type);
  std::free(key);
}

int make_filesystem(const char* type, const char* source, const TextList& options, unsigned attributes) {
  const int fs_fd = check(Step::Fsopen, fsopen(type, FSOPEN_CLOEXEC), type);
  if (source[0] != 0 && fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", source, 0) < 0) {
    fail_with_log(Step::Fsconfig, fs_fd, type);
  }
  for (std::uint32_t i = 0; i < options.count; i++) configure(fs_fd, type, options.items[i]);
  if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) fail_with_log(Step::Fsconfig, fs_fd, type);
  const int mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, attributes);
  if (mount_fd < 0) fail_with_log(Step::Fsmount, fs_fd, type);
  close(fs_fd);
  return mount_fd;
}

void set_attributes(int mount_fd, std::uint64_t set, std::uint64_t clear, std::uint64_t propagation,
                    bool recursive, const char* detail) {
  if (set == 0 && clear == 0 && propagation == 0) return;
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  attributes.propagation = propagation;
  const unsigned flags = AT_EMPTY_PATH | (recursive ? unsigned{AT_RECURSIVE} : 0U);
  check(Step::MountSetattr, mount_setattr(mount_fd, "", flags, &attributes, sizeof attributes), detail);
}

// mount_setattr takes the kind alone and whether it recurses as a flag of the call.
void set_propagation(int mount_fd, std::uint32_t flags, const char* detail) {
  set_attributes(mount_fd, 0, 0, flags & ~std::uint32_t{MS_REC}, (flags & MS_REC) != 0, detail);
}

int clone_tree(int directory_fd, const char* path, unsigned flags) {
  return check(Step::OpenTree, open_tree(directory_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags), path);
}

// The host's /dev/null, kept for masking files. The container's own could be anything (S-16), and after the
// pivot the host's is out of reach.
int host_null = -1;

void keep_host_null() {
  const int device = check(Step::Open, open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC), "/dev/null");
  struct stat info;
  check(Step::CheckDevice, fstat(device, &info), "/dev/null");
  if (!S_ISCHR(info.st_mode) || info.st_rdev != makedev(1, 3)) fail(Step::CheckDevice, ENODEV, "/dev/null");
  host_null = clone_tree(device, "", AT_EMPTY_PATH);
  close(device);
}

// Attaches one mount at many places: itself at the first, clones of it afterwards (a detached mount can only
// be cloned since Linux 6.15, an attached one always).
class Cover {
 public:
  bool is_open() const { return mount_fd_ >= 0; }
  void open(int mount_fd) { mount_fd_ = mount_fd; }
  void put(int target, const char* detail) {
    if (!attached_) {
      attach(mount_fd_, target, detail);
      attached_ = true;
      return;
    }
    const int clone = clone_tree(mount_fd_, "", AT_EMPTY_PATH);
    attach(clone, target, detail);
    close(clone);
  }

 private:
  int mount_fd_ = -1;
  bool attached_ = false;
};

int make_empty_directory() {
  char blocks[] = "nr_blocks=1";
  char inodes[] = "nr_inodes=1";
  char* options[] = {blocks, inodes, nullptr};
  return make_filesystem("tmpfs", "tmpfs", TextList{options, 2},
                         MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

// A directory that no symlink leads to: for proc and sysfs, whose place must be what it seems (S-06, S-13).
int open_real_directory(const char* path) {
  const Entry entry = open_parent_without_symlinks(path);
  if (mkdirat(entry.directory_fd, entry.name, 0755) < 0 && errno != EEXIST) fail(Step::Mkdirat, errno, path);
  close(entry.directory_fd);
  return check(Step::Openat2, open_in_root(path, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS), path);
}

}  // namespace

void execute(const SetRootPropagation& operation) {
  check(Step::Mount, mount(nullptr, "/", nullptr, operation.flags, nullptr), "/");
}

// Detached: it has no place in any mount table, so nobody can mount over parts of it (S-18).
void execute(const OpenPrivateProc&) {
  state.proc_fd = make_filesystem("proc", "proc", TextList{nullptr, 0},
                                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

// pivot_root needs the new root to be a mount point of this namespace.
void execute(const OpenRootfs& operation) {
  const int place = check(Step::Open, open(operation.path, O_PATH | O_DIRECTORY | O_CLOEXEC), operation.path);
  state.root_fd = clone_tree(place, "", AT_EMPTY_PATH | AT_RECURSIVE);
  attach(state.root_fd, place, operation.path);
  close(place);
  keep_host_null();
}

void execute(const MountFilesystem& operation) {
  const int target =
      operation.realDirectory ? open_real_directory(operation.target) : ensure_directory(operation.target);
  if (!operation.mayCoverProc) refuse_procfs(target, operation.target);
  const int mount_fd =
      make_filesystem(operation.type, operation.source, operation.options, operation.attributes);
  attach(mount_fd, target, operation.target);
  set_propagation(mount_fd, operation.propagation, operation.target);
  close(target);
  close(mount_fd);
}

void execute(const BindMount& operation) {
  const int tree = clone_tree(AT_FDCWD, operation.source, operation.recursive ? unsigned{AT_RECURSIVE} : 0U);
  struct stat info;
  check(Step::OpenTree, fstat(tree, &info), operation.source);
  const int target = S_ISDIR(info.st_mode) ? ensure_directory(operation.target) : ensure_file(operation.target);
  if (!operation.mayCoverProc) refuse_procfs(target, operation.target);
  set_attributes(tree, operation.set, operation.clear, 0, false, operation.target);
  set_attributes(tree, operation.setRecursive, operation.clearRecursive, 0, true, operation.target);
  set_propagation(tree, operation.propagation, operation.target);
  attach(tree, target, operation.target);
  close(target);
  close(tree);
}

void execute(const SetMountAttributes& operation) {
  const int target = check(Step::Openat2, open_in_root(operation.target, O_PATH), operation.target);
  set_attributes(target, operation.set, 0, 0, false, operation.target);
  close(target);
}

// The old root is stacked on the new one and then taken away: no directory for it is needed.
void execute(const PivotRoot&) {
  const int old_root = check(Step::Open, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), "/");
  check(Step::Chdir, fchdir(root_fd()));
  check(Step::PivotRoot, syscall(SYS_pivot_root, ".", "."));
  check(Step::Chdir, fchdir(old_root));
  // Detaching the old root must not reach the host's copies of its mounts.
  check(Step::Mount, mount(nullptr, ".", nullptr, MS_SLAVE | MS_REC, nullptr));
  check(Step::Umount2, umount2(".", MNT_DETACH));
  check(Step::Chdir, chdir("/"));
  close(old_root);
}

void execute(const MoveRoot&) {
  check(Step::Chdir, fchdir(root_fd()));
  check(Step::Mount, mount(".", "/", nullptr, MS_MOVE, nullptr));
  check(Step::Chroot, chroot("."));
  check(Step::Chdir, chdir("/"));
}

void execute(const SetRootAttributes& operation) {
  set_attributes(root_fd(), operation.set, 0, 0, false, "/");
  set_propagation(root_fd(), operation.propagation, "/");
}

void execute(const ReadonlyPath& operation) {
  const int target = open_in_root(operation.path, O_PATH);
  if (target < 0 && (errno == ENOENT || errno == ENOTDIR)) return;
  check(Step::Openat2, target, operation.path);
  const int tree = clone_tree(target, "", AT_EMPTY_PATH | AT_RECURSIVE);
  set_attributes(tree, MOUNT_ATTR_RDONLY, 0, 0, true, operation.path);
  attach(tree, target, operation.path);
  close(target);
  close(tree);
}

void execute(const MaskPath& operation) {
  static Cover null_cover;
  static Cover directory_cover;
  const int target = open_in_root(operation.path, O_PATH);
  if (target < 0 && (errno == ENOENT || errno == ENOTDIR)) return;
  check(Step::Openat2, target, operation.path);
  struct stat info;
  check(Step::CheckTarget, fstat(target, &info), operation.path);
  if (S_ISDIR(info.st_mode)) {
    if (!directory_cover.is_open()) directory_cover.open(make_empty_directory());
    directory_cover.put(target, operation.path);
  } else {
    if (!null_cover.is_open()) null_cover.open(host_null);
    null_cover.put(target, operation.path);
  }
  close(target);
}

}  // namespace berth
