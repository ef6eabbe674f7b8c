// Paths inside the container's root. No path string is ever handed to a call that could leave the root
// (rule R2): everything is resolved by the kernel below one descriptor.
#pragma once
#include <cstdint>

namespace berth {

// The container's root: what openRootfs opened, or `/` of the mount namespace that was joined.
int root_fd();

// openat2 below the root; symlinks resolve as if the root were `/`. Returns -1 with errno.
int open_in_root(const char* path, int flags, std::uint64_t extra_resolve = 0);

// Opens a directory (O_PATH) inside the root, making it and its missing parents, 0755. Fails the plan when it cannot.
int ensure_directory(const char* path);

// The same for a file to mount on: an existing entry of any kind but a directory, or a new empty file.
int ensure_file(const char* path);

// An entry below a directory that is reached without following any symlink: for what we put into /dev.
struct Entry {
  int directory_fd;
  const char* name;
};
Entry open_parent_without_symlinks(const char* path);

// Attaches a detached mount on an open target.
void attach(int mount_fd, int target_fd, const char* detail);

// Ends the plan when a mount would cover procfs, where we and others trust what we read (S-04).
void refuse_procfs(int target_fd, const char* path);

}  // namespace berth
