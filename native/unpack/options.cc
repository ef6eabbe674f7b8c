#include "options.h"

#include <charconv>
#include <limits>
#include <string_view>

namespace berth::unpack {
namespace {

Failure Usage(std::string found, std::string wanted) {
  return MakeFailure(FailureKind::kUsage, "read arguments", std::move(found), std::move(wanted));
}

template <typename Number>
bool ParseNumber(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

bool ParseFdList(std::string_view text, std::vector<int>& out) {
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    int fd = -1;
    if (!ParseNumber(text.substr(0, comma), fd) || fd < 0) return false;
    out.push_back(fd);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return true;
}

// One `name=value` word; false when the name is unknown or the value does not fit it.
bool SetOption(std::string_view name, std::string_view value, Options& options) {
  Limits& limits = options.limits;
  if (name == "root-fd") return ParseNumber(value, options.root_fd);
  if (name == "report-fd") return ParseNumber(value, options.report_fd);
  if (name == "blob-fd") return ParseNumber(value, options.blob_fd);
  if (name == "implied-fd") return ParseNumber(value, options.implied_fd);
  if (name == "parent-fds") return ParseFdList(value, options.parent_fds);
  if (name == "size") return ParseNumber(value, options.size_bytes) && options.size_bytes >= 0;
  if (name == "max-entries") return ParseNumber(value, limits.max_entries);
  if (name == "max-bytes") return ParseNumber(value, limits.max_bytes);
  if (name == "max-ratio") return ParseNumber(value, limits.max_ratio);
  if (name == "ratio-after-bytes") return ParseNumber(value, limits.ratio_after_bytes);
  if (name == "max-depth") return ParseNumber(value, limits.max_depth);
  if (name == "min-free-bytes") return ParseNumber(value, limits.min_free_bytes);
  if (name == "digest") {
    options.digest = value;
    return value.starts_with("sha256:") && value.size() == 7 + 64;
  }
  if (name == "compression") {
    options.compression = value == "none" ? Compression::kNone : Compression::kAuto;
    return value == "none" || value == "auto";
  }
  if (name == "whiteouts") {
    options.whiteouts = value == "remove" ? Whiteouts::kRemove : Whiteouts::kOverlay;
    return value == "remove" || value == "overlay";
  }
  if (name == "sync") {
    options.sync = value == "1";
    return value == "0" || value == "1";
  }
  return false;
}

}  // namespace

Outcome ParseOptions(int argc, char** argv, Options& options) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode != "apply" && mode != "inherit") {
    return Usage(mode.empty() ? "no mode" : std::string(mode), "apply or inherit");
  }
  options.mode = mode == "apply" ? Mode::kApply : Mode::kInherit;
  for (int i = 2; i < argc; i++) {
    const std::string_view word = argv[i];
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos ||
        !SetOption(word.substr(0, equals), word.substr(equals + 1), options)) {
      return Usage(std::string(word), "name=value of a known option");
    }
  }
  if (options.root_fd < 0 || options.report_fd < 0) return Usage("no root-fd or report-fd", "both");
  if (options.mode == Mode::kApply && options.blob_fd < 0) return Usage("no blob-fd", "a descriptor");
  if (options.mode == Mode::kInherit && options.implied_fd < 0) return Usage("no implied-fd", "a descriptor");
  return Ok();
}

}  // namespace berth::unpack
