#include "report.h"

#include <cstring>
#include <string_view>

namespace berth::unpack {
namespace {

// Bytes outside printable ASCII are written as \u00XX: the reader gets each byte as the character of its number.
std::string Quote(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += character;
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += character;
    } else {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out + '"';
}

const char* KindName(FailureKind kind) {
  switch (kind) {
    case FailureKind::kSystem:
      return "system";
    case FailureKind::kArchive:
      return "archive";
    case FailureKind::kDigest:
      return "digest";
    case FailureKind::kLimit:
      return "limit";
    case FailureKind::kUsage:
      return "usage";
  }
  return "system";
}

void Add(std::string& out, const char* name, const std::string& json) {
  out += out.size() == 1 ? "" : ",";
  out += Quote(name) + ":" + json;
}

}  // namespace

std::string DescribeLayer(const LayerResult& result, const Confinement& confinement) {
  std::string out = "{";
  Add(out, "outcome", Quote("applied"));
  Add(out, "diffId", Quote(result.diff_id));
  Add(out, "tarBytes", std::to_string(result.tar_bytes));
  Add(out, "blobBytes", std::to_string(result.blob_bytes));
  Add(out, "entries", std::to_string(result.entries));
  Add(out, "writtenBytes", std::to_string(result.written_bytes));
  Add(out, "skippedXattrs", std::to_string(result.skipped_xattrs));
  Add(out, "impliedDirectories", std::to_string(result.implied_directories));
  Add(out, "landlockAbi", std::to_string(confinement.landlock_abi));
  return out + "}\n";
}

std::string DescribeInherited(std::uint64_t directories) {
  std::string out = "{";
  Add(out, "outcome", Quote("inherited"));
  Add(out, "directories", std::to_string(directories));
  return out + "}\n";
}

std::string DescribeFailure(const Failure& failure) {
  std::string out = "{";
  Add(out, "outcome", Quote("failed"));
  Add(out, "kind", Quote(KindName(failure.kind)));
  Add(out, "step", Quote(failure.step));
  const char* name = failure.error == 0 ? nullptr : ::strerrorname_np(failure.error);
  if (name != nullptr) Add(out, "errno", Quote(name));
  if (!failure.entry.empty()) Add(out, "entry", Quote(failure.entry));
  if (!failure.found.empty()) Add(out, "found", Quote(failure.found));
  if (!failure.wanted.empty()) Add(out, "wanted", Quote(failure.wanted));
  return out + "}\n";
}

}  // namespace berth::unpack
