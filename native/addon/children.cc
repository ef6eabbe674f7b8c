#include "children.h"

namespace berth {

void Children::begin_spawn() {
  const std::lock_guard lock(mutex_);
  spawns_under_way_++;
}

void Children::end_spawn(pid_t pid) {
  const std::lock_guard lock(mutex_);
  spawns_under_way_--;
  if (pid > 0) unreaped_.insert(pid);
}

void Children::forget(pid_t pid) {
  const std::lock_guard lock(mutex_);
  unreaped_.erase(pid);
}

bool Children::may_be_ours(pid_t pid) {
  const std::lock_guard lock(mutex_);
  return spawns_under_way_ > 0 || unreaped_.contains(pid);
}

Children& children() {
  // Never destroyed: the loop's thread uses it until the process is gone.
  static Children* const instance = new Children;
  return *instance;
}

}  // namespace berth
