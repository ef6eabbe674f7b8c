// The one line of JSON that tells the manager how it went.
#pragma once

#include <cstdint>
#include <string>

#include "apply-layer.h"
#include "confine.h"
#include "outcome.h"

namespace berth::unpack {

std::string DescribeLayer(const LayerResult& result, const Confinement& confinement);
std::string DescribeInherited(std::uint64_t directories);
std::string DescribeFailure(const Failure& failure);

}  // namespace berth::unpack
