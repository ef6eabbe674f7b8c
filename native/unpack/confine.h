// Gives up, for good, everything that applying a layer does not need.
#pragma once

#include "options.h"
#include "outcome.h"

namespace berth::unpack {

struct Confinement {
  int landlock_abi = 0;  // 0: this kernel has no Landlock
};

Outcome Confine(const Options& options, Confinement& confinement);

}  // namespace berth::unpack
