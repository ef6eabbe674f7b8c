// Applies one layer: inflated bytes in, entries out, digests checked on the way.
#pragma once

#include <cstdint>
#include <string>

#include "options.h"
#include "outcome.h"

namespace berth::unpack {

struct LayerResult {
  std::string diff_id;  // of the inflated bytes
  std::uint64_t tar_bytes = 0;
  std::uint64_t blob_bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t written_bytes = 0;
  std::uint64_t skipped_xattrs = 0;
  std::uint64_t implied_directories = 0;
};

Outcome ApplyLayer(const Options& options, LayerResult& result);

}  // namespace berth::unpack
