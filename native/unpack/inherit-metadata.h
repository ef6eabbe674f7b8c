// Gives the directories that a layer only implied (it has `usr/bin/x` but no `usr/`) the owner, mode, times and extended
// attributes they have in the nearest layer below. Done after extraction, so that layers can be extracted side by side.
#pragma once

#include <cstdint>

#include "options.h"
#include "outcome.h"

namespace berth::unpack {

Outcome InheritMetadata(const Options& options, std::uint64_t& directories);

}  // namespace berth::unpack
