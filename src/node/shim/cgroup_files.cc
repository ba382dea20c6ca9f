#include "node/shim/cgroup_files.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orchion::node::shim {

namespace {

constexpr std::size_t kPathBytes = 4096;

// "HIERARCHY/GROUP"; false where it doesn't fit.
bool join(char (&path)[kPathBytes], std::string_view hierarchy, std::string_view group) {
  const int n = std::snprintf(path, sizeof path, "%.*s%.*s", static_cast<int>(hierarchy.size()), hierarchy.data(),
                              static_cast<int>(group.size()), group.data());
  return n > 0 && static_cast<std::size_t>(n) < sizeof path;
}

// Every folder of `path` from the character after `from` on.
bool make_parents(char* path, std::size_t from) {
  for (char* slash = std::strchr(path + from + 1, '/'); slash != nullptr; slash = std::strchr(slash + 1, '/')) {
    *slash = '\0';
    const bool made = ::mkdir(path, 0755) == 0 || errno == EEXIST;
    *slash = '/';
    if (!made) return false;
  }
  return ::mkdir(path, 0755) == 0 || errno == EEXIST;
}

bool write_file_at(int folder, const char* name, std::string_view text) {
  const int fd = ::openat(folder, name, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return written;
}

void kill_processes(int folder) {
  const int fd = ::openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  std::FILE* file = ::fdopen(fd, "r");
  if (file == nullptr) {
    ::close(fd);
    return;
  }
  char line[32];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    const int pid = std::atoi(line);
    if (pid > 1) ::kill(pid, SIGKILL);
  }
  std::fclose(file);
}

// Calls `visit(parent, name)` for each group directly below.
template <class Visit>
void for_each_child(int folder, Visit visit) {
  const int again = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return;
  DIR* listing = ::fdopendir(again);
  if (listing == nullptr) {
    ::close(again);
    return;
  }
  while (const dirent* entry = ::readdir(listing)) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    visit(folder, entry->d_name);
  }
  ::closedir(listing);
}

void kill_tree(int parent, const char* name) {
  const int folder = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (folder < 0) return;
  if (!write_file_at(folder, "cgroup.kill", "1")) {  // v2 since Linux 5.14: all at once, none escapes by forking
    kill_processes(folder);
    for_each_child(folder, kill_tree);
  }
  ::close(folder);
}

// A killed process leaves its group a moment after it is dead; nothing of v1 says when. One may have forked between
// the reading of the list and its own end, so those that are there are killed again.
bool remove_patiently(int parent, const char* name) {
  constexpr int kTries = 200;
  for (int i = 0; i < kTries; ++i) {
    if (::unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
    if (errno != EBUSY) return false;
    kill_tree(parent, name);
    const timespec moment{0, 5'000'000};
    ::nanosleep(&moment, nullptr);
  }
  return false;
}

void remove_tree_at(int parent, const char* name) {
  const int folder = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (folder < 0) return;
  for_each_child(folder, remove_tree_at);
  ::close(folder);
  remove_patiently(parent, name);
}

}  // namespace

bool enter_cgroup(std::string_view hierarchy, std::string_view group) {
  if (hierarchy.ends_with("/cpuset")) return true;
  char path[kPathBytes];
  if (!join(path, hierarchy, group)) return false;
  // Another container's removal may take the folder away between the two steps.
  for (int i = 0; i < 3; ++i) {
    if (!make_parents(path, hierarchy.size())) return false;
    const int folder = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) continue;
    const bool entered = write_file_at(folder, "cgroup.procs", "0");
    ::close(folder);
    if (entered) return true;
  }
  return false;
}

bool remove_cgroup(std::string_view hierarchy, std::string_view group) {
  if (group.size() < 2) return false;  // the hierarchy itself, with all processes of the machine
  char path[kPathBytes];
  if (!join(path, hierarchy, group)) return false;
  if (::rmdir(path) == 0 || errno == ENOENT) return true;
  kill_tree(AT_FDCWD, path);
  remove_tree_at(AT_FDCWD, path);
  return ::access(path, F_OK) != 0;
}

long long oom_kills(std::string_view events) {
  constexpr std::string_view kName = "oom_kill ";
  for (std::size_t at = events.find(kName); at != std::string_view::npos; at = events.find(kName, at + 1)) {
    if (at != 0 && events[at - 1] != '\n') continue;
    const auto number = events.substr(at + kName.size());
    long long value = 0;
    std::from_chars(number.data(), number.data() + number.size(), value);
    return value;
  }
  return 0;
}

}  // namespace orchion::node::shim
