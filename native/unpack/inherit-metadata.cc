#include "inherit-metadata.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "fd.h"
#include "tree-walker.h"

namespace berth::unpack {
namespace {

Outcome ReadAll(int fd, std::string& text) {
  if (::lseek(fd, 0, SEEK_SET) != 0) return SystemFailure("read list of implied directories");
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0) return SystemFailure("read list of implied directories");
    if (got == 0) return Ok();
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

Outcome CopyXattrs(int from_fd, int to_fd) {
  const ssize_t size = ::flistxattr(from_fd, nullptr, 0);
  if (size < 0) return errno == EOPNOTSUPP ? Ok() : Outcome(SystemFailure("list extended attributes"));
  std::string names(static_cast<std::size_t>(size), '\0');
  const ssize_t listed = ::flistxattr(from_fd, names.data(), names.size());
  if (listed < 0) return SystemFailure("list extended attributes");
  names.resize(static_cast<std::size_t>(listed));
  for (std::string_view rest = names; !rest.empty();) {
    const std::string name(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    // An opaque mark says something about that layer, not about the directory.
    if (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.")) continue;
    std::array<char, 65536> value{};
    const ssize_t got = ::fgetxattr(from_fd, name.c_str(), value.data(), value.size());
    if (got < 0) return SystemFailure("read extended attribute");
    if (::fsetxattr(to_fd, name.c_str(), value.data(), static_cast<std::size_t>(got), 0) != 0 && errno != EOPNOTSUPP) {
      return SystemFailure("set extended attribute");
    }
  }
  return Ok();
}

// Looks `path` up in one layer, links resolved inside it. Missing: not found and no error.
int OpenInLayer(int layer_fd, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, layer_fd, path.c_str(), &how, sizeof how));
}

Outcome InheritOne(const Options& options, const std::string& path, int to_fd) {
  for (const int layer_fd : options.parent_fds) {
    const Fd found(OpenInLayer(layer_fd, path));
    if (!found.valid()) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) continue;
      return SystemFailure("look in a lower layer");
    }
    struct stat info {};
    if (::fstat(found.get(), &info) != 0) return SystemFailure("look in a lower layer");
    // Removed or replaced there: what lies further below does not show.
    if (!S_ISDIR(info.st_mode)) return Ok();
    const Fd from(::openat(found.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!from.valid()) return SystemFailure("open directory of a lower layer");
    // SAFETY: needs CAP_CHOWN and CAP_FOWNER; both ends are directories held by descriptor, one in the target, one only read.
    if (::fchown(to_fd, info.st_uid, info.st_gid) != 0) return SystemFailure("set owner");
    if (Outcome failure = CopyXattrs(from.get(), to_fd)) return failure;
    if (::fchmod(to_fd, info.st_mode & 07777) != 0) return SystemFailure("set mode");
    const timespec times[2] = {info.st_atim, info.st_mtim};
    if (::futimens(to_fd, times) != 0) return SystemFailure("set times");
    return Ok();
  }
  return Ok();
}

}  // namespace

Outcome InheritMetadata(const Options& options, std::uint64_t& directories) {
  std::string list;
  if (Outcome failure = ReadAll(options.implied_fd, list)) return failure;
  TreeWalker walker(options.root_fd);
  for (std::string_view rest = list; !rest.empty();) {
    const std::string path(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(std::min(path.size() + 1, rest.size()));
    EntryPath parsed;
    Outcome failure = ParseEntryPath(path, options.limits.max_depth, parsed);
    if (!failure) failure = walker.WalkTo(parsed, Missing::kFail, nullptr);
    // A later entry of the layer replaced it.
    if (failure && (failure->error == ENOENT || failure->error == ENOTDIR)) continue;
    if (!failure) failure = InheritOne(options, path, walker.directory_fd());
    if (failure) {
      failure->entry = path;
      return failure;
    }
    directories++;
  }
  return Ok();
}

}  // namespace berth::unpack
