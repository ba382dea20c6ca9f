#include "node/shim/program/start_program.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/shim/bundle.h"
#include "node/shim/program/report.h"
#include "node/shim/record.h"

namespace orchion::node::shim {

namespace {

constexpr int kPathBytes = 4096;
constexpr int kGroupsMax = 64;

// The record; only what is read of it costs memory.
char record_text[16384];
std::string_view record;

bool read_program() {
  const auto size = read_small_file(AT_FDCWD, kProgramFile, record_text, sizeof record_text);
  if (size <= 0) return false;
  record = {record_text, static_cast<std::size_t>(size)};
  return true;
}

// Calls `visit(value)` for each value of `name` until it says false.
template <class Visit>
bool for_each_value(const char* name, Visit visit) {
  std::size_t position = 0;
  std::string_view value;
  while (next_value(record, name, position, value)) {
    if (!visit(value)) return false;
  }
  return true;
}

bool copy_path(std::string_view value, char (&path)[kPathBytes]) {
  if (value.size() >= sizeof path) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(path, value.data(), value.size());
  path[value.size()] = '\0';
  return true;
}

bool write_text(const char* path, std::string_view text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  ::close(fd);
  errno = error;
  return written;
}

bool make_folder(std::string_view value) {
  char path[kPathBytes];
  if (copy_path(value, path) && (::mkdir(path, 0755) == 0 || errno == EEXIST)) return true;
  report_failure("cannot make a cgroup", errno);
  return false;
}

// "PATH VALUE" or "-PATH VALUE".
bool write_setting(std::string_view line) {
  const bool may_fail = line.starts_with('-');
  if (may_fail) line.remove_prefix(1);
  const auto blank = line.find(' ');
  char path[kPathBytes];
  if (blank == line.npos || !copy_path(line.substr(0, blank), path)) return may_fail;
  if (write_text(path, line.substr(blank + 1)) || may_fail) return true;
  const int error = errno;
  const char* name = std::strrchr(path, '/');
  char action[256];
  std::snprintf(action, sizeof action, "cannot set the cgroup's %.64s to %.*s", name == nullptr ? path : name + 1,
                static_cast<int>(line.size() - blank - 1), line.data() + blank + 1);
  report_failure(action, error);
  return false;
}

// --- in the child ---

// What failed, as it travels from the child to the shim.
struct Failure {
  const char* action;  // nullptr: the program could not be executed; else a literal, at the same place in both
  int error;
};

[[noreturn]] void give_up(int status, const char* action) {
  const Failure failure{action, errno};
  ::_exit(::write(status, &failure, sizeof failure) < 0 ? 126 : 127);
}

// The strings of a file, each with a NUL at its end, as execve takes them.
char** map_strings(const char* name) {
  const int fd = ::open(name, O_RDONLY | O_CLOEXEC);
  struct stat info{};
  if (fd < 0 || ::fstat(fd, &info) != 0) return nullptr;
  const auto size = static_cast<std::size_t>(info.st_size);
  auto* text =
      static_cast<char*>(size == 0 ? nullptr : ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  if (text == MAP_FAILED) return nullptr;
  std::size_t count = 0;
  for (std::size_t i = 0; i < size; ++i) count += text[i] == '\0' ? 1 : 0;
  auto* list = static_cast<char**>(
      ::mmap(nullptr, (count + 1) * sizeof(char*), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (list == MAP_FAILED) return nullptr;
  for (std::size_t i = 0, at = 0; i < count; ++i) {
    list[i] = text + at;
    at += std::strlen(text + at) + 1;
  }
  return list;
}

bool set_limit(std::string_view line) {
  char text[96];
  if (line.size() >= sizeof text) return false;
  std::memcpy(text, line.data(), line.size());
  text[line.size()] = '\0';
  char* next = text;
  const auto resource = std::strtol(next, &next, 10);
  rlimit limit{};
  limit.rlim_cur = std::strtoull(next, &next, 10);
  limit.rlim_max = std::strtoull(next, &next, 10);
  return ::setrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0;
}

bool enter_groups() {
  return for_each_value(program::kEnter, [](std::string_view folder) {
    char path[kPathBytes];
    if (folder.size() + sizeof "/cgroup.procs" > sizeof path || !copy_path(folder, path)) return false;
    std::strcat(path, "/cgroup.procs");
    return write_text(path, "0");
  });
}

bool set_oom_score() {
  const auto text = find_text(record, program::kOomScoreAdj);
  return text.empty() || write_text("/proc/self/oom_score_adj", text);
}

// Beyond these nothing it starts can get one either.
bool bound_capabilities(std::uint64_t mask) {
  for (int number = 0; ::prctl(PR_CAPBSET_READ, number) >= 0; ++number) {
    if ((mask >> number & 1) == 0 && ::prctl(PR_CAPBSET_DROP, number) != 0) return false;
  }
  return true;
}

bool keep_capabilities(std::uint64_t mask) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  for (int i = 0; i < 2; ++i) {
    const auto part = static_cast<std::uint32_t>(mask >> (32 * i));
    data[i].effective &= part;
    data[i].permitted &= part;
    data[i].inheritable = 0;
  }
  return ::syscall(SYS_capset, &header, data) == 0;
}

bool become_user() {
  gid_t groups[kGroupsMax];
  std::size_t count = 0;
  for_each_value(program::kGroup, [&](std::string_view text) {
    if (count == kGroupsMax) return false;
    std::from_chars(text.data(), text.data() + text.size(), groups[count++]);
    return true;
  });
  const auto uid = static_cast<uid_t>(find_number(record, program::kUid, 0));
  const auto gid = static_cast<gid_t>(find_number(record, program::kGid, 0));
  const auto mask = static_cast<std::uint64_t>(find_number(record, program::kCapabilities, -1));
  return bound_capabilities(mask) && ::setgroups(count, groups) == 0 && ::setresgid(gid, gid, gid) == 0 &&
         ::setresuid(uid, uid, uid) == 0 && keep_capabilities(mask);
}

bool take_terminal() {
  const auto uid = static_cast<uid_t>(find_number(record, program::kUid, 0));
  return ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) == 0 && ::fchown(STDIN_FILENO, uid, static_cast<gid_t>(-1)) == 0;
}

bool enter_working_dir() {
  char path[kPathBytes];
  return copy_path(find_text(record, program::kWorkingDir), path) && ::chdir(path) == 0;
}

void take_streams(ChildStreams streams) {
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(streams.in >= 0 ? streams.in : nothing, STDIN_FILENO);
  ::dup2(streams.out >= 0 ? streams.out : nothing, STDOUT_FILENO);
  ::dup2(streams.error >= 0 ? streams.error : nothing, STDERR_FILENO);
}

[[noreturn]] void become_program(ChildStreams streams, bool tty, int status) {
  char** arguments = map_strings(kArgumentsFile);
  char** environment = map_strings(kEnvironmentFile);
  if (arguments == nullptr || environment == nullptr) give_up(status, "cannot read the program's arguments");
  ::setsid();
  take_streams(streams);
  if (tty && !take_terminal()) give_up(status, "cannot take the terminal");
  if (!enter_groups()) give_up(status, "cannot enter the program's cgroups");
  if (!set_oom_score()) give_up(status, "cannot set oom_score_adj");
  if (!for_each_value(program::kLimit, set_limit)) give_up(status, "cannot set the ulimits");
  ::umask(022);
  if (!become_user()) give_up(status, "cannot become the program's user");
  if (!enter_working_dir()) give_up(status, "cannot enter the working directory");
  if (find_number(record, program::kMayGain, 0) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    give_up(status, "cannot forbid new privileges");
  restore_signals();
  environ = environment;  // its PATH is searched
  ::execvp(arguments[0], arguments);
  give_up(status, nullptr);
}

}  // namespace

TerminalSize program_terminal_size() {
  if (!read_program()) return {};
  return {static_cast<int>(find_number(record, program::kColumns, 80)),
          static_cast<int>(find_number(record, program::kRows, 24))};
}

bool make_program_groups() {
  if (!read_program()) {
    report_failure("the bundle's program cannot be read", EINVAL);
    return false;
  }
  return for_each_value(program::kMakeParent, make_folder) && for_each_value(program::kWriteParent, write_setting) &&
         for_each_value(program::kMakeGroup, make_folder) && for_each_value(program::kWriteGroup, write_setting);
}

pid_t start_program(ChildStreams streams, bool tty) {
  int status[2];
  if (!read_program() || ::pipe2(status, O_CLOEXEC) != 0) {
    report_failure("the program's description cannot be read", errno);
    return -1;
  }
  const pid_t pid = ::fork();
  if (pid == 0) become_program(streams, tty, status[1]);
  ::close(status[1]);
  Failure failure{};
  ssize_t size = 0;
  do {
    size = pid < 0 ? -1 : ::read(status[0], &failure, sizeof failure);
  } while (pid > 0 && size < 0 && errno == EINTR);
  ::close(status[0]);
  if (pid > 0 && size == 0) return pid;
  if (pid < 0) {
    report_failure("cannot fork", errno);
  } else if (failure.action != nullptr) {
    report_failure(failure.action, failure.error);
  } else {
    char text[32];
    std::snprintf(text, sizeof text, "%s%d", kReportProgram, failure.error);
    report(text);
  }
  if (pid > 0) ::waitpid(pid, nullptr, 0);
  return -1;
}

}  // namespace orchion::node::shim
