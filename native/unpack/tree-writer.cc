#include "tree-writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <memory>
#include <string_view>

namespace berth::unpack {
namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
// What a device number can hold in the kernel.
constexpr unsigned kMaxMajor = (1U << 12) - 1;
constexpr unsigned kMaxMinor = (1U << 20) - 1;

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// Not an image's to set: with overlayfs' own attributes it would decide what is shown of other layers (S-89). containerd leaves
// out the whole trusted namespace, so we do.
bool IsForbiddenXattr(std::string_view name) {
  return name.starts_with("trusted.") || name.starts_with("user.overlay.");
}

// Reads the names in a directory; a descriptor of its own, because readdir moves the offset.
Outcome ListNames(int directory_fd, std::vector<std::string>& names) {
  const int fd = ::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemFailure("list directory");
  const std::unique_ptr<DIR, DirCloser> dir(::fdopendir(fd));
  if (!dir) {
    ::close(fd);
    return SystemFailure("list directory");
  }
  errno = 0;
  while (const dirent* found = ::readdir(dir.get())) {
    const std::string_view name = found->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return errno == 0 ? Ok() : Outcome(SystemFailure("list directory"));
}

}  // namespace

TreeWriter::TreeWriter(int root_fd, Whiteouts whiteouts, const Limits& limits)
    : whiteouts_(whiteouts), limits_(limits), walker_(root_fd), link_walker_(root_fd), root_fd_(root_fd) {}

Outcome TreeWriter::Apply(const Entry& entry, DataSource& data) {
  // The layer's root belongs to the snapshotter; containerd leaves it alone as well.
  if (entry.path.is_root()) return Ok();
  const std::size_t implied_before = implied_.size();
  if (Outcome failure = walker_.WalkToParent(entry.path, Missing::kCreate, &implied_)) return failure;
  const int parent_fd = walker_.directory_fd();
  if (whiteouts_ == Whiteouts::kRemove) made_.insert(implied_.begin() + static_cast<long>(implied_before), implied_.end());
  if (entry.path.name().starts_with(kWhiteoutPrefix)) return ApplyWhiteout(entry, parent_fd);

  struct stat existing {};
  if (::fstatat(parent_fd, entry.path.name().c_str(), &existing, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISDIR(existing.st_mode) || entry.type != EntryType::kDirectory) {
      if (Outcome failure = Remove(parent_fd, entry.path.name())) return failure;
    }
  } else if (errno != ENOENT) {
    return SystemFailure("look for an earlier entry");
  }
  if (whiteouts_ == Whiteouts::kRemove) made_.insert(walker_.directory_path() + entry.path.name());
  return Make(entry, parent_fd, data);
}

Outcome TreeWriter::ApplyWhiteout(const Entry& entry, int parent_fd) {
  const std::string& name = entry.path.name();
  if (entry.type != EntryType::kRegular && entry.type != EntryType::kHardlink) {
    return MakeFailure(FailureKind::kArchive, "apply whiteout", "an entry that is no file", "an empty regular file");
  }
  if (name == kOpaqueName) return MakeOpaque(parent_fd);
  const std::string hidden = name.substr(kWhiteoutPrefix.size());
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return MakeFailure(FailureKind::kArchive, "apply whiteout", "the name " + name, ".wh. and the name of an entry");
  }
  if (whiteouts_ == Whiteouts::kRemove) return Remove(parent_fd, hidden);
  // SAFETY: device 0:0 is no device; overlayfs takes it as "removed here" and opening it fails with ENXIO.
  if (::mknodat(parent_fd, hidden.c_str(), S_IFCHR, makedev(0, 0)) != 0) {
    // This layer has an entry of that name itself, which hides the lower one already.
    if (errno == EEXIST) return Ok();
    return SystemFailure("make whiteout");
  }
  // SAFETY: one component below a directory we hold, made above, and the link itself would be taken.
  if (::fchownat(parent_fd, hidden.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return SystemFailure("set owner of whiteout");
  }
  return Ok();
}

Outcome TreeWriter::MakeOpaque(int parent_fd) {
  if (whiteouts_ == Whiteouts::kRemove) return RemoveUnlessMade(parent_fd, walker_.directory_path());
  // SAFETY: needs CAP_SYS_ADMIN for the trusted namespace; the value is ours, the directory is held by descriptor.
  if (::fsetxattr(parent_fd, "trusted.overlay.opaque", "y", 1, 0) != 0) return SystemFailure("mark directory opaque");
  return Ok();
}

Outcome TreeWriter::Make(const Entry& entry, int parent_fd, DataSource& data) {
  const char* name = entry.path.name().c_str();
  switch (entry.type) {
    case EntryType::kDirectory:
      return MakeDirectory(entry, parent_fd);
    case EntryType::kRegular:
      return MakeFile(entry, parent_fd, data);
    case EntryType::kHardlink:
      if (Outcome failure = MakeHardlink(entry, parent_fd)) return failure;
      return SetMetadataByName(entry, parent_fd);
    case EntryType::kSymlink:
      // The text is data: nothing here ever resolves it but TreeWalker, inside the root.
      if (::symlinkat(entry.link_target.c_str(), parent_fd, name) != 0) return SystemFailure("make symbolic link");
      return SetMetadataByName(entry, parent_fd);
    case EntryType::kCharDevice:
    case EntryType::kBlockDevice:
    case EntryType::kFifo:
      if (Outcome failure = MakeSpecial(entry, parent_fd)) return failure;
      return SetMetadataByName(entry, parent_fd);
  }
  return Ok();
}

Outcome TreeWriter::MakeDirectory(const Entry& entry, int parent_fd) {
  const char* name = entry.path.name().c_str();
  if (::mkdirat(parent_fd, name, 0700) != 0 && errno != EEXIST) return SystemFailure("make directory");
  const Fd fd(::openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return SystemFailure("open directory");
  directory_times_.emplace_back(walker_.directory_path() + entry.path.name(), entry.mtime);
  return SetMetadata(entry, fd.get());
}

Outcome TreeWriter::MakeFile(const Entry& entry, int parent_fd, DataSource& data) {
  logical_bytes_ += entry.size_bytes;
  if (entry.size_bytes > limits_.max_bytes || logical_bytes_ > limits_.max_bytes) {
    return MakeFailure(FailureKind::kLimit, "write file", std::to_string(logical_bytes_) + " bytes of files so far",
                       "at most " + std::to_string(limits_.max_bytes));
  }
  // O_EXCL: the name was free a moment ago, so this is a new inode and nobody else's.
  const Fd fd(::openat(parent_fd, entry.path.name().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return SystemFailure("create file");
  std::uint64_t end = 0;
  while (true) {
    const void* block = nullptr;
    std::size_t size = 0;
    std::uint64_t offset = 0;
    if (Outcome failure = data.Next(block, size, offset)) return failure;
    if (size == 0) break;
    const auto* bytes = static_cast<const unsigned char*>(block);
    while (size > 0) {
      const ssize_t wrote = ::pwrite(fd.get(), bytes, size, static_cast<off_t>(offset));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return SystemFailure("write file");
      bytes += wrote;
      offset += static_cast<std::uint64_t>(wrote);
      size -= static_cast<std::size_t>(wrote);
      statistics_.written_bytes += static_cast<std::uint64_t>(wrote);
    }
    end = std::max(end, offset);
  }
  if (end < entry.size_bytes && ::ftruncate(fd.get(), static_cast<off_t>(entry.size_bytes)) != 0) {
    return SystemFailure("set file size");
  }
  return SetMetadata(entry, fd.get());
}

Outcome TreeWriter::MakeHardlink(const Entry& entry, int parent_fd) {
  EntryPath target;
  if (Outcome failure = ParseEntryPath(entry.link_target, limits_.max_depth, target)) {
    failure->step = "check hard link target";
    return failure;
  }
  if (target.is_root()) {
    return MakeFailure(FailureKind::kArchive, "check hard link target", "the root", "a file in the layer");
  }
  if (Outcome failure = link_walker_.WalkToParent(target, Missing::kFail, nullptr)) {
    failure->step = "find hard link target";
    failure->found = "link to " + entry.link_target;
    return failure;
  }
  // SAFETY: both ends are one component below a descriptor inside the root; without AT_SYMLINK_FOLLOW a link is linked itself.
  if (::linkat(link_walker_.directory_fd(), target.name().c_str(), parent_fd, entry.path.name().c_str(), 0) != 0) {
    Failure failure = SystemFailure("make hard link");
    failure.found = "link to " + entry.link_target;
    return failure;
  }
  return Ok();
}

Outcome TreeWriter::MakeSpecial(const Entry& entry, int parent_fd) {
  mode_t type = S_IFIFO;
  dev_t device = 0;
  if (entry.type != EntryType::kFifo) {
    type = entry.type == EntryType::kCharDevice ? S_IFCHR : S_IFBLK;
    if (entry.device_major > kMaxMajor || entry.device_minor > kMaxMinor) {
      return MakeFailure(FailureKind::kArchive, "make device node",
                         std::to_string(entry.device_major) + ":" + std::to_string(entry.device_minor),
                         "a device number the kernel can hold");
    }
    device = makedev(entry.device_major, entry.device_minor);
  }
  // SAFETY: needs CAP_MKNOD. A node gives no access by being there: data directories are 0700 for others than root, and in
  // a container the device cgroup decides who opens it.
  if (::mknodat(parent_fd, entry.path.name().c_str(), type | 0600, device) != 0) return SystemFailure("make device node");
  return Ok();
}

Outcome TreeWriter::CheckXattr(int result) {
  if (result == 0) return Ok();
  if (errno == EOPNOTSUPP) {
    statistics_.skipped_xattrs++;
    return Ok();
  }
  return SystemFailure("set extended attribute");
}

Outcome TreeWriter::SetMetadata(const Entry& entry, int fd) {
  // SAFETY (all below): needs CAP_CHOWN, CAP_FOWNER, CAP_SETFCAP; acts on an inode we hold open and made or found as a directory.
  if (::fchown(fd, entry.uid, entry.gid) != 0) return SystemFailure("set owner");
  for (const auto& [name, value] : entry.xattrs) {
    if (IsForbiddenXattr(name)) {
      statistics_.skipped_xattrs++;
      continue;
    }
    if (Outcome failure = CheckXattr(::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0))) {
      failure->found = name;
      return failure;
    }
  }
  // After the owner: changing it clears setuid and setgid.
  if (::fchmod(fd, entry.mode) != 0) return SystemFailure("set mode");
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (::futimens(fd, times) != 0) return SystemFailure("set times");
  return Ok();
}

Outcome TreeWriter::SetMetadataByName(const Entry& entry, int parent_fd) {
  const char* name = entry.path.name().c_str();
  struct stat made {};
  if (::fstatat(parent_fd, name, &made, AT_SYMLINK_NOFOLLOW) != 0) return SystemFailure("look at the new entry");
  // SAFETY (all below): one component below a directory we hold, just made there, and every call takes a link itself or is not
  // made for one. Opening a device or FIFO to get a descriptor would have effects of its own.
  if (::fchownat(parent_fd, name, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) return SystemFailure("set owner");
  if (!entry.xattrs.empty()) {
    if (::fchdir(parent_fd) != 0) return SystemFailure("enter directory");
    for (const auto& [key, value] : entry.xattrs) {
      if (IsForbiddenXattr(key)) {
        statistics_.skipped_xattrs++;
        continue;
      }
      if (Outcome failure = CheckXattr(::lsetxattr(name, key.c_str(), value.data(), value.size(), 0))) {
        failure->found = key;
        return failure;
      }
    }
  }
  if (!S_ISLNK(made.st_mode) && ::fchmodat(parent_fd, name, entry.mode, 0) != 0) return SystemFailure("set mode");
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (::utimensat(parent_fd, name, times, AT_SYMLINK_NOFOLLOW) != 0) return SystemFailure("set times");
  return Ok();
}

Outcome TreeWriter::Remove(int parent_fd, const std::string& name) {
  // SAFETY: unlinkat takes one component and never follows it; below, the directory is held by descriptor.
  if (::unlinkat(parent_fd, name.c_str(), 0) == 0 || errno == ENOENT) return Ok();
  if (errno != EISDIR) return SystemFailure("remove earlier entry");
  link_walker_.Forget();
  const Fd fd(::openat(parent_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return SystemFailure("remove earlier entry");
  std::vector<std::string> names;
  if (Outcome failure = ListNames(fd.get(), names)) return failure;
  for (const std::string& child : names) {
    if (Outcome failure = Remove(fd.get(), child)) return failure;
  }
  if (::unlinkat(parent_fd, name.c_str(), AT_REMOVEDIR) != 0) return SystemFailure("remove earlier entry");
  return Ok();
}

Outcome TreeWriter::RemoveUnlessMade(int directory_fd, const std::string& directory_path) {
  std::vector<std::string> names;
  if (Outcome failure = ListNames(directory_fd, names)) return failure;
  for (const std::string& name : names) {
    const std::string path = directory_path + name;
    if (!made_.contains(path)) {
      if (Outcome failure = Remove(directory_fd, name)) return failure;
      continue;
    }
    const Fd child(::openat(directory_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child.valid()) {
      if (errno == ENOTDIR || errno == ELOOP) continue;
      return SystemFailure("list directory");
    }
    if (Outcome failure = RemoveUnlessMade(child.get(), path + '/')) return failure;
  }
  return Ok();
}

Outcome TreeWriter::Finish() {
  for (const auto& [path, mtime] : directory_times_) {
    EntryPath parsed;
    if (Outcome failure = ParseEntryPath(path, UINT64_MAX, parsed)) return failure;
    if (Outcome failure = walker_.WalkTo(parsed, Missing::kFail, nullptr)) {
      // A later entry of the layer replaced the directory.
      if (failure->error == ENOENT || failure->error == ENOTDIR) continue;
      failure->step = "set times";
      failure->entry = path;
      return failure;
    }
    const timespec times[2] = {mtime, mtime};
    if (::futimens(walker_.directory_fd(), times) != 0) {
      Failure failure = SystemFailure("set times");
      failure.entry = path;
      return failure;
    }
  }
  return Ok();
}

}  // namespace berth::unpack
