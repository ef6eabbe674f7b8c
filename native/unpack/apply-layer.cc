#include "apply-layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstring>
#include <limits>
#include <memory>

#include "inflater.h"
#include "sha256.h"
#include "tree-writer.h"

namespace berth::unpack {
namespace {

// How often the free space of the target is looked at.
constexpr std::uint64_t kSpaceCheckBytes = std::uint64_t{64} << 20;
// A name in a failure report is for a person.
constexpr std::uint32_t kMaxId = std::numeric_limits<std::uint32_t>::max() - 1;

constexpr std::size_t kBlockBytes = 512;

struct ArchiveCloser {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

// The tar side of the pipeline: hashes what it hands to libarchive.
class TarStream {
 public:
  explicit TarStream(Inflater& inflater) : inflater_(inflater) {}

  static la_ssize_t Read(archive* reader, void* self, const void** data) {
    auto* stream = static_cast<TarStream*>(self);
    const unsigned char* bytes = nullptr;
    std::size_t size = 0;
    if (!stream->Pull(bytes, size)) {
      archive_set_error(reader, EIO, "read failed");
      return ARCHIVE_FATAL;
    }
    if (size == 0 && stream->may_pad_) {
      static constexpr unsigned char kZeros[kBlockBytes] = {};
      stream->may_pad_ = false;
      bytes = kZeros;
      size = (kBlockBytes - stream->tar_bytes_ % kBlockBytes) % kBlockBytes;
    }
    *data = bytes;
    return static_cast<la_ssize_t>(size);
  }

  // Said when a file's contents are complete: if the stream ends here, only what would fill up the block is missing (umoci
  // writes no padding and no end mark after the last file), and libarchive gets it from us. It is not part of the diffID.
  void AllowPadding() { may_pad_ = true; }
  void ForbidPadding() { may_pad_ = false; }

  // Reads what follows the end of the archive: it belongs to the diffID.
  Outcome Drain() {
    const unsigned char* bytes = nullptr;
    std::size_t size = 1;
    while (size > 0) {
      if (!Pull(bytes, size)) break;
    }
    return failure_;
  }

  [[nodiscard]] const Outcome& failure() const { return failure_; }
  [[nodiscard]] std::uint64_t tar_bytes() const { return tar_bytes_; }
  std::string DiffId() { return hash_.Finish(); }

 private:
  bool Pull(const unsigned char*& bytes, std::size_t& size) {
    failure_ = inflater_.Next(bytes, size);
    if (failure_) return false;
    hash_.Update(bytes, size);
    tar_bytes_ += size;
    return true;
  }

  Inflater& inflater_;
  Sha256 hash_;
  std::uint64_t tar_bytes_ = 0;
  bool may_pad_ = false;
  Outcome failure_;
};

Failure ArchiveFailure(archive* reader, const char* step) {
  const char* reason = archive_error_string(reader);
  return MakeFailure(FailureKind::kArchive, step, reason == nullptr ? "a broken archive" : reason, "a tar archive");
}

class ArchiveData : public DataSource {
 public:
  ArchiveData(archive* reader, TarStream& stream, std::uint64_t size_bytes)
      : reader_(reader), stream_(stream), size_bytes_(size_bytes) {}
  ~ArchiveData() override { stream_.ForbidPadding(); }
  ArchiveData(const ArchiveData&) = delete;
  ArchiveData& operator=(const ArchiveData&) = delete;

  Outcome Next(const void*& data, std::size_t& size, std::uint64_t& offset) override {
    la_int64_t at = 0;
    const int status = archive_read_data_block(reader_, &data, &size, &at);
    if (status == ARCHIVE_EOF) {
      size = 0;
      return Ok();
    }
    if (status != ARCHIVE_OK) return stream_.failure() ? stream_.failure() : ArchiveFailure(reader_, "read file contents");
    offset = static_cast<std::uint64_t>(at);
    if (offset + size == size_bytes_) stream_.AllowPadding();
    return Ok();
  }

 private:
  archive* reader_;
  TarStream& stream_;
  std::uint64_t size_bytes_;
};

std::string TextOf(const char* text) { return text == nullptr ? std::string() : std::string(text); }

Outcome ConvertType(archive_entry* found, Entry& entry) {
  if (archive_entry_hardlink(found) != nullptr) {
    entry.type = EntryType::kHardlink;
    entry.link_target = TextOf(archive_entry_hardlink(found));
    return Ok();
  }
  switch (archive_entry_filetype(found)) {
    case AE_IFREG:
      entry.type = EntryType::kRegular;
      return Ok();
    case AE_IFDIR:
      entry.type = EntryType::kDirectory;
      return Ok();
    case AE_IFLNK:
      entry.type = EntryType::kSymlink;
      entry.link_target = TextOf(archive_entry_symlink(found));
      return Ok();
    case AE_IFCHR:
      entry.type = EntryType::kCharDevice;
      break;
    case AE_IFBLK:
      entry.type = EntryType::kBlockDevice;
      break;
    case AE_IFIFO:
      entry.type = EntryType::kFifo;
      return Ok();
    default:
      return MakeFailure(FailureKind::kArchive, "read entry", "an unknown type", "a file, directory, link, device or FIFO");
  }
  const dev_t major = archive_entry_rdevmajor(found);
  const dev_t minor = archive_entry_rdevminor(found);
  static constexpr dev_t kTooLarge = std::numeric_limits<unsigned>::max();
  entry.device_major = static_cast<unsigned>(std::min(major, kTooLarge));
  entry.device_minor = static_cast<unsigned>(std::min(minor, kTooLarge));
  return Ok();
}

Outcome ConvertOwner(archive_entry* found, Entry& entry) {
  const la_int64_t uid = archive_entry_uid(found);
  const la_int64_t gid = archive_entry_gid(found);
  // 2^32-1 means "leave as it is" to chown, so it must not get there (S-44).
  if (uid < 0 || uid > kMaxId || gid < 0 || gid > kMaxId) {
    return MakeFailure(FailureKind::kArchive, "read owner", std::to_string(uid) + ":" + std::to_string(gid),
                       "user and group from 0 to 4294967294");
  }
  entry.uid = static_cast<uid_t>(uid);
  entry.gid = static_cast<gid_t>(gid);
  return Ok();
}

void ConvertTime(archive_entry* found, Entry& entry) {
  const time_t seconds = archive_entry_mtime(found);
  // As containerd: a time before 1970 becomes 1970.
  if (seconds >= 0) entry.mtime = {seconds, archive_entry_mtime_nsec(found)};
}

void ConvertXattrs(archive_entry* found, Entry& entry) {
  archive_entry_xattr_reset(found);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(found, &name, &value, &size) == ARCHIVE_OK) {
    entry.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
  }
}

Outcome ConvertEntry(archive_entry* found, const Limits& limits, Entry& entry) {
  if (Outcome failure = ParseEntryPath(TextOf(archive_entry_pathname(found)), limits.max_depth, entry.path)) return failure;
  if (Outcome failure = ConvertType(found, entry)) return failure;
  if (Outcome failure = ConvertOwner(found, entry)) return failure;
  const la_int64_t size = archive_entry_size(found);
  if (size < 0) return MakeFailure(FailureKind::kArchive, "read entry", "a negative size", "a size");
  entry.size_bytes = entry.type == EntryType::kRegular ? static_cast<std::uint64_t>(size) : 0;
  entry.mode = archive_entry_perm(found);
  ConvertTime(found, entry);
  ConvertXattrs(found, entry);
  return Ok();
}

// Names that are not valid in the "C" locale are kept byte by byte, which is what we want; libarchive warns of them.
// Every other warning means that something of the entry was dropped.
bool IsHarmlessWarning(archive* reader) {
  const char* reason = archive_error_string(reader);
  return reason != nullptr && std::strstr(reason, "current locale") != nullptr;
}

Outcome CheckSpace(const Options& options) {
  if (options.limits.min_free_bytes == 0) return Ok();
  struct statvfs space {};
  if (::fstatvfs(options.root_fd, &space) != 0) return SystemFailure("look for free space");
  const std::uint64_t free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
  if (free_bytes >= options.limits.min_free_bytes) return Ok();
  Failure failure = MakeFailure(FailureKind::kLimit, "look for free space", std::to_string(free_bytes) + " bytes left",
                                "at least " + std::to_string(options.limits.min_free_bytes));
  failure.error = ENOSPC;
  return failure;
}

class LayerReader {
 public:
  LayerReader(const Options& options, Inflater& inflater)
      : options_(options), stream_(inflater), writer_(options.root_fd, options.whiteouts, options.limits) {}

  Outcome Run(LayerResult& result);

 private:
  Outcome Open();
  Outcome ApplyNext(archive_entry* found);

  const Options& options_;
  TarStream stream_;
  TreeWriter writer_;
  std::unique_ptr<archive, ArchiveCloser> reader_;
  std::uint64_t entries_ = 0;
  std::uint64_t space_checked_at_ = 0;
};

Outcome LayerReader::Open() {
  reader_.reset(archive_read_new());
  if (!reader_) return SystemFailure("read archive", ENOMEM);
  archive* tar = reader_.get();
  // An empty layer is legal: some builders write no end mark.
  if (archive_read_support_format_empty(tar) != ARCHIVE_OK || archive_read_support_format_tar(tar) != ARCHIVE_OK ||
      archive_read_open(tar, &stream_, nullptr, TarStream::Read, nullptr) != ARCHIVE_OK) {
    return stream_.failure() ? stream_.failure() : ArchiveFailure(tar, "read archive");
  }
  return Ok();
}

Outcome LayerReader::ApplyNext(archive_entry* found) {
  const Limits& limits = options_.limits;
  if (++entries_ > limits.max_entries) {
    return MakeFailure(FailureKind::kLimit, "count entries", std::to_string(entries_) + " so far",
                       "at most " + std::to_string(limits.max_entries));
  }
  if (stream_.tar_bytes() >= space_checked_at_) {
    space_checked_at_ = stream_.tar_bytes() + kSpaceCheckBytes;
    if (Outcome failure = CheckSpace(options_)) return failure;
  }
  Entry entry;
  if (Outcome failure = ConvertEntry(found, limits, entry)) return failure;
  ArchiveData data(reader_.get(), stream_, entry.size_bytes);
  return writer_.Apply(entry, data);
}

Outcome LayerReader::Run(LayerResult& result) {
  if (Outcome failure = Open()) return failure;
  archive* tar = reader_.get();
  while (true) {
    archive_entry* found = nullptr;
    const int status = archive_read_next_header(tar, &found);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK && !(status == ARCHIVE_WARN && IsHarmlessWarning(tar))) {
      if (stream_.failure()) return stream_.failure();
      Failure failure = ArchiveFailure(tar, "read entry");
      if (status == ARCHIVE_WARN) failure.entry = TextOf(archive_entry_pathname(found));
      return failure;
    }
    if (Outcome failure = ApplyNext(found)) {
      if (failure->entry.empty()) failure->entry = TextOf(archive_entry_pathname(found));
      return failure;
    }
  }
  if (Outcome failure = stream_.Drain()) return failure;
  if (Outcome failure = writer_.Finish()) return failure;
  result.diff_id = stream_.DiffId();
  result.tar_bytes = stream_.tar_bytes();
  result.entries = entries_;
  result.written_bytes = writer_.statistics().written_bytes;
  result.skipped_xattrs = writer_.statistics().skipped_xattrs;
  result.implied_directories = writer_.implied().size();
  if (options_.implied_fd < 0) return Ok();
  std::string list;
  for (const std::string& path : writer_.implied()) list.append(path).push_back('\0');
  for (std::size_t done = 0; done < list.size();) {
    const ssize_t wrote = ::write(options_.implied_fd, list.data() + done, list.size() - done);
    if (wrote < 0) return SystemFailure("write list of implied directories");
    done += static_cast<std::size_t>(wrote);
  }
  return Ok();
}

}  // namespace

Outcome ApplyLayer(const Options& options, LayerResult& result) {
  Inflater inflater(options);
  inflater.Start();
  LayerReader reader(options, inflater);
  if (Outcome failure = reader.Run(result)) {
    // A blob that is not what was asked for explains a broken archive better than the archive does.
    if (failure->kind == FailureKind::kArchive && !options.digest.empty()) {
      const unsigned char* data = nullptr;
      std::size_t size = 1;
      while (size > 0) {
        if (Outcome blob_failure = inflater.Next(data, size)) {
          return blob_failure->kind == FailureKind::kDigest ? blob_failure : failure;
        }
      }
    }
    return failure;
  }
  result.blob_bytes = inflater.blob_bytes();
  // SAFETY: flushes the file system of the target; it changes nothing.
  if (options.sync && ::syncfs(options.root_fd) != 0) return SystemFailure("flush to disk");
  return Ok();
}

}  // namespace berth::unpack
