// Times commands without the noise of a large parent process.
//
//   stopwatch ROUNDS COMMAND ARG... --next COMMAND ARG... --next ...
//
// In each round runs every command once, in order, with standard input and output on /dev/null and standard
// error kept, and waits for its end. Prints one line per command: WALL:CPU in nanoseconds for each round; CPU is
// user and system time of the command and of what it waited for. A command that fails ends the measurement with its number and exit code.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

extern char **environ;

namespace {

long long nowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

long long toNs(const timeval &time) { return time.tv_sec * 1'000'000'000LL + time.tv_usec * 1000LL; }

struct Sample {
  long long wallNs;
  long long cpuNs;
};

}  // namespace

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: stopwatch ROUNDS COMMAND ARG... [--next COMMAND ARG...]\n");
    return 2;
  }
  const int rounds = std::atoi(argv[1]);
  std::vector<std::vector<char *>> commands(1);
  for (int i = 2; i < argc; ++i) {
    if (std::strcmp(argv[i], "--next") == 0) commands.emplace_back();
    else commands.back().push_back(argv[i]);
  }
  for (auto &command : commands) command.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  std::vector<std::vector<Sample>> times(commands.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
      const long long start = nowNs();
      pid_t pid = 0;
      if (posix_spawn(&pid, commands[i][0], &actions, nullptr, commands[i].data(), environ) != 0) {
        std::fprintf(stderr, "stopwatch: cannot start %s\n", commands[i][0]);
        return 1;
      }
      int status = 0;
      rusage usage{};
      wait4(pid, &status, 0, &usage);
      times[i].push_back({nowNs() - start, toNs(usage.ru_utime) + toNs(usage.ru_stime)});
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        std::fprintf(stderr, "stopwatch: command %zu (%s) ended with status %d in round %d\n", i, commands[i][0],
                     status, round);
        return 1;
      }
    }
  }
  for (const auto &row : times) {
    for (std::size_t i = 0; i < row.size(); ++i)
      std::printf("%s%lld:%lld", i == 0 ? "" : " ", row[i].wallNs, row[i].cpuNs);
    std::printf("\n");
  }
}
