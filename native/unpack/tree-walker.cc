#include "tree-walker.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <climits>

namespace berth::unpack {
namespace {

// As many as containerd follows.
constexpr int kMaxLinks = 255;

// Opens one component as a real directory: never through a link, never a magic link, never upwards.
int OpenDirectory(int parent_fd, const char* name) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, parent_fd, name, &how, sizeof how));
}

// Pushes the components of a link target so that the first one is popped first. False when a name is too long.
bool PushTarget(std::string_view target, std::vector<std::string>& pending) {
  std::vector<std::string> parts;
  while (!target.empty()) {
    const std::size_t slash = std::min(target.find('/'), target.size());
    const std::string_view part = target.substr(0, slash);
    if (part.size() > NAME_MAX) return false;
    if (!part.empty() && part != ".") parts.emplace_back(part);
    target.remove_prefix(std::min(slash + 1, target.size()));
  }
  pending.insert(pending.end(), parts.rbegin(), parts.rend());
  return true;
}

}  // namespace

Outcome ParseEntryPath(std::string_view raw, std::uint64_t max_depth, EntryPath& path) {
  static constexpr const char* kStep = "check name";
  path.components.clear();
  if (raw.empty()) return MakeFailure(FailureKind::kArchive, kStep, "an empty name", "a path");
  if (raw.size() >= PATH_MAX) {
    return MakeFailure(FailureKind::kArchive, kStep, std::to_string(raw.size()) + " bytes", "a path below 4096 bytes");
  }
  while (!raw.empty()) {
    const std::size_t slash = std::min(raw.find('/'), raw.size());
    const std::string_view part = raw.substr(0, slash);
    if (part == "..") return MakeFailure(FailureKind::kArchive, kStep, "a `..` component", "a path inside the layer");
    if (part.size() > NAME_MAX) {
      return MakeFailure(FailureKind::kArchive, kStep, "a component of " + std::to_string(part.size()) + " bytes",
                         "at most 255");
    }
    if (!part.empty() && part != ".") path.components.emplace_back(part);
    raw.remove_prefix(std::min(slash + 1, raw.size()));
  }
  if (path.components.size() > max_depth) {
    return MakeFailure(FailureKind::kLimit, kStep, std::to_string(path.components.size()) + " levels",
                       "at most " + std::to_string(max_depth));
  }
  return Ok();
}

TreeWalker::TreeWalker(int root_fd) : root_fd_(root_fd) {}

std::string TreeWalker::directory_path() const {
  std::string path;
  for (const Level& level : levels_) path += level.name + '/';
  return path;
}

Outcome TreeWalker::WalkToParent(const EntryPath& path, Missing missing, std::vector<std::string>* created) {
  return Walk(path.components, path.components.size() - 1, missing, created);
}

Outcome TreeWalker::WalkTo(const EntryPath& path, Missing missing, std::vector<std::string>* created) {
  return Walk(path.components, path.components.size(), missing, created);
}

Outcome TreeWalker::Walk(const std::vector<std::string>& components, std::size_t count, Missing missing,
                         std::vector<std::string>* created) {
  std::size_t common = 0;
  while (common < count && common < levels_.size() && levels_[common].name == components[common]) common++;
  levels_.resize(common);
  std::vector<std::string> pending;
  for (std::size_t i = count; i > common; i--) pending.push_back(components[i - 1]);
  int links = 0;
  while (!pending.empty()) {
    if (Outcome failure = Step(pending, missing, created, links)) {
      levels_.clear();
      return failure;
    }
  }
  return Ok();
}

Outcome TreeWalker::Step(std::vector<std::string>& pending, Missing missing, std::vector<std::string>* created,
                         int& links) {
  std::string name = std::move(pending.back());
  pending.pop_back();
  if (name == "..") {
    if (!levels_.empty()) levels_.pop_back();
    return Ok();
  }
  const int parent_fd = directory_fd();
  Fd next(OpenDirectory(parent_fd, name.c_str()));
  if (!next.valid() && errno == ENOENT && missing == Missing::kCreate) {
    if (::mkdirat(parent_fd, name.c_str(), 0755) != 0) return SystemFailure("make parent directory");
    if (created != nullptr) created->push_back(directory_path() + name);
    next = Fd(OpenDirectory(parent_fd, name.c_str()));
  }
  if (next.valid()) {
    levels_.push_back({std::move(name), std::move(next)});
    return Ok();
  }
  const int error = errno;
  if (error != ELOOP && error != ENOTDIR) return SystemFailure("open parent directory", error);

  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlinkat(parent_fd, name.c_str(), target.data(), target.size());
  // EINVAL: there is something, but neither a directory nor a link.
  if (size < 0) return SystemFailure("open parent directory", errno == EINVAL ? ENOTDIR : errno);
  if (++links > kMaxLinks) return SystemFailure("open parent directory", ELOOP);
  if (size > 0 && target[0] == '/') levels_.clear();
  if (!PushTarget({target.data(), static_cast<std::size_t>(size)}, pending)) {
    return SystemFailure("open parent directory", ENAMETOOLONG);
  }
  return Ok();
}

}  // namespace berth::unpack
