// Makes the entries of a layer below one directory.
//
// What containerd's archive code makes of an entry is the reference: an entry replaces what has its name unless both are
// directories, missing parents are made, owner before extended attributes before mode before time, directory times last.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "options.h"
#include "outcome.h"
#include "tree-walker.h"

namespace berth::unpack {

enum class EntryType { kRegular, kDirectory, kSymlink, kHardlink, kCharDevice, kBlockDevice, kFifo };

struct Entry {
  EntryType type = EntryType::kRegular;
  EntryPath path;
  std::string link_target;  // symbolic link: the text as it is; hard link: a name in the layer
  mode_t mode = 0;          // permission, setuid, setgid and sticky bits
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint64_t size_bytes = 0;
  unsigned device_major = 0;
  unsigned device_minor = 0;
  timespec mtime{};
  std::vector<std::pair<std::string, std::string>> xattrs;
};

// Where the bytes of a regular file come from; holes are the gaps between the blocks.
class DataSource {
 public:
  virtual ~DataSource() = default;
  // size 0 at the end.
  virtual Outcome Next(const void*& data, std::size_t& size, std::uint64_t& offset) = 0;
};

struct WriteStatistics {
  std::uint64_t written_bytes = 0;
  // Extended attributes that the file system does not support, or that are not an image's to set.
  std::uint64_t skipped_xattrs = 0;
};

class TreeWriter {
 public:
  TreeWriter(int root_fd, Whiteouts whiteouts, const Limits& limits);

  // Makes one entry, or does what a whiteout entry says.
  Outcome Apply(const Entry& entry, DataSource& data);

  // Sets the times of directories, which making entries in them has changed.
  Outcome Finish();

  [[nodiscard]] const WriteStatistics& statistics() const { return statistics_; }
  // Directories that no entry made, with resolved paths.
  [[nodiscard]] const std::vector<std::string>& implied() const { return implied_; }

 private:
  Outcome ApplyWhiteout(const Entry& entry, int parent_fd);
  Outcome MakeOpaque(int parent_fd);
  Outcome Make(const Entry& entry, int parent_fd, DataSource& data);
  Outcome MakeDirectory(const Entry& entry, int parent_fd);
  Outcome MakeFile(const Entry& entry, int parent_fd, DataSource& data);
  Outcome MakeHardlink(const Entry& entry, int parent_fd);
  Outcome MakeSpecial(const Entry& entry, int parent_fd);
  Outcome SetMetadata(const Entry& entry, int fd);
  Outcome SetMetadataByName(const Entry& entry, int parent_fd);
  Outcome CheckXattr(int result);
  Outcome Remove(int parent_fd, const std::string& name);
  Outcome RemoveUnlessMade(int directory_fd, const std::string& directory_path);

  Whiteouts whiteouts_;
  const Limits& limits_;
  TreeWalker walker_;
  TreeWalker link_walker_;  // for hard link targets, so that the parent stays open
  int root_fd_;
  std::uint64_t logical_bytes_ = 0;
  WriteStatistics statistics_;
  std::vector<std::string> implied_;
  std::vector<std::pair<std::string, timespec>> directory_times_;
  // Resolved paths this layer made; an opaque mark spares them. Only kept for Whiteouts::kRemove.
  std::unordered_set<std::string> made_;
};

}  // namespace berth::unpack
