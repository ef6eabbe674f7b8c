// How a step of the unpacker fails: a value, never an exception and never an exit in the middle.
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace berth::unpack {

// What kind of failure it is; the manager maps it to an error code.
enum class FailureKind {
  kSystem,   // a system call failed; `error` has the errno
  kArchive,  // the archive is broken or hostile
  kDigest,   // the blob is not the one that was asked for
  kLimit,    // a cap was reached
  kUsage,    // called with arguments that make no sense
};

struct Failure {
  FailureKind kind = FailureKind::kSystem;
  const char* step = "";
  int error = 0;
  std::string entry;   // the archive entry concerned, as it is named in the archive
  std::string found;
  std::string wanted;
};

// Empty means success.
using Outcome = std::optional<Failure>;

inline Outcome Ok() { return std::nullopt; }

inline Failure SystemFailure(const char* step, int error = errno) {
  return Failure{FailureKind::kSystem, step, error, {}, {}, {}};
}

inline Failure MakeFailure(FailureKind kind, const char* step, std::string found, std::string wanted) {
  return Failure{kind, step, 0, {}, std::move(found), std::move(wanted)};
}

}  // namespace berth::unpack
