#include "root.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "control.h"

namespace berth {
namespace {

// Missing components, links and links to links: each costs one step, as the kernel's own limit of 40 links.
constexpr int kMaxSteps = 256;

int open_below(int directory, const char* path, int flags, std::uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = resolve;
  int result;
  do {
    result = static_cast<int>(syscall(SYS_openat2, directory, path, &how, sizeof how));
    // EAGAIN: a rename raced with the resolution and the kernel could not tell whether we stayed inside.
  } while (result < 0 && (errno == EAGAIN || errno == EINTR));
  return result;
}

char* copy_text(const char* text) {
  char* copy = strdup(text);
  if (copy == nullptr) fail(Step::Openat2, ENOMEM, text);
  return copy;
}

// Splits `path` in place at its last component; returns the name and leaves the parent in `path`.
const char* split(char* path) {
  std::size_t length = std::strlen(path);
  while (length > 1 && path[length - 1] == '/') path[--length] = 0;
  char* slash = std::strrchr(path, '/');
  if (slash == nullptr) {
    char* name = copy_text(path);
    std::strcpy(path, ".");
    return name;
  }
  const char* name = copy_text(slash + 1);
  // Keep the root's own slash.
  *(slash == path ? slash + 1 : slash) = 0;
  return name;
}

int ensure(const char* wanted, bool directory, int* steps) {
  if (++*steps > kMaxSteps) fail(Step::Openat2, ELOOP, wanted);
  const int found = open_in_root(wanted, O_PATH);
  if (found >= 0) return found;
  if (errno != ENOENT) fail(Step::Openat2, errno, wanted);

  char* parent = copy_text(wanted);
  const char* name = split(parent);
  const int parent_fd = ensure(parent, true, steps);

  // A dangling link (`/etc/resolv.conf -> ../run/...`): make what it points to, still inside the root.
  char link[PATH_MAX];
  const ssize_t link_size = readlinkat(parent_fd, name, link, sizeof link - 1);
  if (link_size >= 0) {
    link[link_size] = 0;
    close(parent_fd);
    if (link[0] == '/') return ensure(link, directory, steps);
    char joined[2 * PATH_MAX];
    const int size = std::snprintf(joined, sizeof joined, "%s/%s", parent, link);
    if (size < 0 || static_cast<std::size_t>(size) >= sizeof joined) fail(Step::Openat2, ENAMETOOLONG, wanted);
    return ensure(joined, directory, steps);
  }

  // Somebody else may make the entry first; the open below decides whether it serves.
  if (directory) {
    if (mkdirat(parent_fd, name, 0755) < 0 && errno != EEXIST) fail(Step::Mkdirat, errno, wanted);
  } else {
    if (mknodat(parent_fd, name, S_IFREG | 0644, 0) < 0 && errno != EEXIST) fail(Step::Mknodat, errno, wanted);
  }
  const int made = open_below(parent_fd, name, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  if (made < 0) fail(Step::Openat2, errno, wanted);
  close(parent_fd);
  return made;
}

bool is_directory(int fd) {
  struct stat info;
  check(Step::CheckTarget, fstat(fd, &info));
  return S_ISDIR(info.st_mode);
}

}  // namespace

int root_fd() {
  if (state.root_fd < 0) {
    state.root_fd = check(Step::Open, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), "/");
  }
  return state.root_fd;
}

int open_in_root(const char* path, int flags, std::uint64_t extra_resolve) {
  return open_below(root_fd(), path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | extra_resolve);
}

int ensure_directory(const char* path) {
  int steps = 0;
  const int fd = ensure(path, true, &steps);
  if (!is_directory(fd)) fail(Step::CheckTarget, ENOTDIR, path);
  return fd;
}

int ensure_file(const char* path) {
  int steps = 0;
  const int fd = ensure(path, false, &steps);
  if (is_directory(fd)) fail(Step::CheckTarget, EISDIR, path);
  return fd;
}

Entry open_parent_without_symlinks(const char* path) {
  char* parent = copy_text(path);
  const char* name = split(parent);
  int directory = open_in_root(parent, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
  if (directory < 0 && errno == ENOENT) {
    close(ensure_directory(parent));
    directory = open_in_root(parent, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
  }
  if (directory < 0) fail(Step::Openat2, errno, parent);
  std::free(parent);
  return Entry{directory, name};
}

void attach(int mount_fd, int target_fd, const char* detail) {
  check(Step::MoveMount,
        move_mount(mount_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH), detail);
}

void refuse_procfs(int target_fd, const char* path) {
  struct statfs info;
  check(Step::CheckTarget, fstatfs(target_fd, &info), path);
  if (info.f_type == PROC_SUPER_MAGIC) fail(Step::CheckTarget, EPERM, path);
}

}  // namespace berth
