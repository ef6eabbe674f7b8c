// berth-unpack applies one layer of an image to a directory. The manager starts one per layer; the archive comes from
// strangers, so this process has nothing but the descriptors it was given, and gives up the rest before it looks at a byte.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "apply-layer.h"
#include "confine.h"
#include "inherit-metadata.h"
#include "options.h"
#include "report.h"

namespace berth::unpack {
namespace {

Outcome Run(const Options& options, std::string& report) {
  Confinement confinement;
  if (Outcome failure = Confine(options, confinement)) return failure;
  if (options.mode == Mode::kInherit) {
    std::uint64_t directories = 0;
    if (Outcome failure = InheritMetadata(options, directories)) return failure;
    report = DescribeInherited(directories);
    return Ok();
  }
  LayerResult result;
  if (Outcome failure = ApplyLayer(options, result)) return failure;
  report = DescribeLayer(result, confinement);
  return Ok();
}

bool WriteAll(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(fd, text.data() + done, text.size() - done);
    if (wrote < 0) return false;
    done += static_cast<std::size_t>(wrote);
  }
  return true;
}

}  // namespace
}  // namespace berth::unpack

// Exit codes: 0 applied, 1 failed and reported, 64 not started as it should be, 70 could not even report.
int main(int argc, char** argv) {
  using namespace berth::unpack;
  Options options;
  if (const Outcome failure = ParseOptions(argc, argv, options)) {
    std::fprintf(stderr, "berth-unpack is started by berthd: found %s, want %s\n", failure->found.c_str(),
                 failure->wanted.c_str());
    return 64;
  }
  std::string report;
  const Outcome failure = Run(options, report);
  if (failure) report = DescribeFailure(*failure);
  if (!WriteAll(options.report_fd, report)) return 70;
  return failure ? 1 : 0;
}
