// The command line: one mode and `name=value` words. Everything else comes by inherited descriptor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "outcome.h"

namespace berth::unpack {

enum class Mode {
  kApply,    // extract one layer
  kInherit,  // give directories a layer only implied the metadata they have in the layers below
};

enum class Whiteouts {
  kOverlay,  // the target is an upper directory: leave the marks overlayfs understands
  kRemove,   // the target is the tree itself: remove what is whited out
};

enum class Compression {
  kAuto,  // by the first bytes: gzip, zstd or none
  kNone,
};

struct Limits {
  std::uint64_t max_entries = 4'000'000;
  // Of the inflated archive, and of the logical size of what it makes.
  std::uint64_t max_bytes = std::uint64_t{64} << 30;
  // Inflated to compressed bytes, looked at once `ratio_after_bytes` have been inflated. 0: no cap.
  std::uint64_t max_ratio = 0;
  std::uint64_t ratio_after_bytes = std::uint64_t{256} << 20;
  std::uint64_t max_depth = 1024;
  // Stop before the target file system has less than this left.
  std::uint64_t min_free_bytes = 0;
};

struct Options {
  Mode mode = Mode::kApply;
  int root_fd = -1;
  int report_fd = -1;
  int blob_fd = -1;
  // Apply writes the paths of implied directories to it (each ended by NUL), inherit reads them. -1: not wanted.
  int implied_fd = -1;
  // Nearest layer first.
  std::vector<int> parent_fds;
  // `sha256:<hex>` of the compressed blob; empty: not checked.
  std::string digest;
  // -1: not checked.
  std::int64_t size_bytes = -1;
  Compression compression = Compression::kAuto;
  Whiteouts whiteouts = Whiteouts::kOverlay;
  bool sync = false;
  Limits limits;
};

Outcome ParseOptions(int argc, char** argv, Options& options);

}  // namespace berth::unpack
