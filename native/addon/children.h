// The processes that spawn() has started and nobody has reaped yet: their statuses belong to whoever
// watches them, and the orphan reaper must leave them alone.
#pragma once
#include <sys/types.h>

#include <mutex>
#include <unordered_set>

namespace berth {

class Children {
 public:
  // Around a clone: while one is under way, a pid the reaper does not know may be a new child.
  void begin_spawn();
  // pid -1 when there is no child.
  void end_spawn(pid_t pid);

  // Just before it is reaped: afterwards the number may belong to another process.
  void forget(pid_t pid);
  bool may_be_ours(pid_t pid);

 private:
  std::mutex mutex_;
  int spawns_under_way_ = 0;
  std::unordered_set<pid_t> unreaped_;
};

Children& children();

}  // namespace berth
