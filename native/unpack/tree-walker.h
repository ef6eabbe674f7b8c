// Walks from the target's root to a directory by descriptors, one component at a time.
//
// No path with more than one component, no `..` and no symbolic link is ever given to the kernel: links are read and
// their targets walked by the same rule, `..` steps back on our own stack and stops at the root. So whatever the
// archive says, the result is a descriptor of a directory below the root.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fd.h"
#include "outcome.h"

namespace berth::unpack {

// An entry's name split at slashes; `.` and empty components are left out.
struct EntryPath {
  std::vector<std::string> components;

  [[nodiscard]] bool is_root() const { return components.empty(); }
  [[nodiscard]] const std::string& name() const { return components.back(); }
};

// A leading slash means the root of the layer, as containerd takes it; `..` and what no file system can hold is refused.
Outcome ParseEntryPath(std::string_view raw, std::uint64_t max_depth, EntryPath& path);

enum class Missing { kCreate, kFail };

class TreeWalker {
 public:
  explicit TreeWalker(int root_fd);

  // Goes to the directory that `path` names, or to its parent. `created` gets the resolved path of each directory that had to
  // be made (mode 0755, root).
  Outcome WalkToParent(const EntryPath& path, Missing missing, std::vector<std::string>* created);
  Outcome WalkTo(const EntryPath& path, Missing missing, std::vector<std::string>* created);

  // The directory the last walk ended in; owned by the walker, valid until the next walk.
  [[nodiscard]] int directory_fd() const { return levels_.empty() ? root_fd_ : levels_.back().fd.get(); }

  // Its path from the root, without links, with a trailing slash unless it is the root ("").
  [[nodiscard]] std::string directory_path() const;

  // Must be called after a directory was removed that this walker may stand in.
  void Forget() { levels_.clear(); }

 private:
  struct Level {
    std::string name;
    Fd fd;
  };

  Outcome Walk(const std::vector<std::string>& components, std::size_t count, Missing missing,
               std::vector<std::string>* created);
  Outcome Step(std::vector<std::string>& pending, Missing missing, std::vector<std::string>* created, int& links);

  int root_fd_;
  // The real directories from below the root to where the last walk ended. A real directory is reached by its literal
  // name, so the next walk keeps the levels its path has in common with them.
  std::vector<Level> levels_;
};

}  // namespace berth::unpack
