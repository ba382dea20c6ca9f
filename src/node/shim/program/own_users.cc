#include "node/shim/program/own_users.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/shim/bundle.h"
#include "node/shim/program/mounts.h"
#include "node/shim/program/report.h"
#include "node/shim/program/user_namespace.h"
#include "node/shim/record.h"

namespace orchion::node::shim {

namespace {

constexpr int kPathBytes = 4096;

char record_text[64 << 10];

// The record, and the namespace that moves the owners.
struct Plan {
  std::string_view record;
  UserRange range;
  int namespace_fd = -1;
  char folder[kPathBytes];
};

bool fail(const char* action, std::string_view path) {
  const int error = errno;
  char message[kPathBytes + 200];
  std::snprintf(message, sizeof message, "%s %.*s", action, static_cast<int>(path.size()), path.data());
  report_failure(message, error);
  return false;
}

bool copy_path(std::string_view path, char (&into)[kPathBytes]) {
  if (path.size() >= sizeof into) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(into, path.data(), path.size());
  into[path.size()] = '\0';
  return true;
}

bool read_plan(int bundle_fd, Plan& plan) {
  const auto size = read_small_file(bundle_fd, kUsersFile, record_text, sizeof record_text);
  plan.record = {record_text, size < 0 ? 0 : static_cast<std::size_t>(size)};
  plan.range = {find_number(plan.record, users::kFirst, 0), find_number(plan.record, users::kCount, 0)};
  if (plan.range.first <= 0 || !copy_path(find_text(plan.record, users::kFolder), plan.folder)) {
    errno = EINVAL;
    return fail("cannot read in the bundle the file", kUsersFile);
  }
  return true;
}

bool make_namespace(Plan& plan) {
  plan.namespace_fd = make_user_namespace(plan.range);
  return plan.namespace_fd >= 0 || fail("cannot make a user namespace", "of the container's own");
}

struct Place {
  char path[kPathBytes + 64];
};

Place place_of(const Plan& plan, const char* name, int number = -1) {
  Place place;
  if (number < 0) std::snprintf(place.path, sizeof place.path, "%s/%s", plan.folder, name);
  if (number >= 0) std::snprintf(place.path, sizeof place.path, "%s/%s/%d", plan.folder, name, number);
  return place;
}

bool mount_folder(const Plan& plan) {
  if (::mount("tmpfs", plan.folder, "tmpfs", MS_NOSUID | MS_NOEXEC, "size=4m,mode=0755") != 0)
    return fail("cannot mount a tmpfs on", plan.folder);
  for (const char* name : {kUsersRoot, kUsersSys, kUsersBinds, kUsersDevices}) {
    const auto place = place_of(plan, name);
    if (::mkdir(place.path, 0755) != 0) return fail("cannot make", place.path);
  }
  return true;
}

void layer_name(int number, char (&name)[32]) {
  std::snprintf(name, sizeof name, "%s/%d", kLayersFolder, number);
}

// Over the layers themselves, for as long as it takes overlayfs to make mounts of its own of them.
bool mount_layers_and_root(const Plan& plan, int layers) {
  char name[32];
  for (int i = 0; i < layers; ++i) {
    layer_name(i, name);
    const int mount = clone_mount(name, /*recursive=*/false, plan.namespace_fd);
    if (mount < 0 || !attach_mount(mount, name)) return fail("cannot map the users of the image's layer", name);
    ::close(mount);
  }
  if (!mount_root(layers, place_of(plan, kUsersRoot).path)) return false;
  for (int i = 0; i < layers; ++i) {
    layer_name(i, name);
    ::umount2(name, MNT_DETACH);
  }
  return true;
}

bool make_target(int mount, const char* path) {
  struct stat info{};
  if (::fstat(mount, &info) != 0) return false;
  return S_ISDIR(info.st_mode) ? ::mkdir(path, 0755) == 0 : ::mknod(path, S_IFREG | 0644, 0) == 0;
}

struct Bind {
  std::string_view flags;
  std::string_view path;

  bool is(char flag) const { return flags.find(flag) != flags.npos; }
};

Bind read_bind(std::string_view value) {
  const auto blank = value.find(' ');
  return blank == value.npos ? Bind{} : Bind{value.substr(0, blank), value.substr(blank + 1)};
}

std::uint64_t attributes_of(const Bind& bind) {
  std::uint64_t attributes = 0;
  if (bind.is(users::kBindReadOnly)) attributes |= MOUNT_ATTR_RDONLY;
  if (bind.is(users::kBindNoSuid)) attributes |= MOUNT_ATTR_NOSUID;
  if (bind.is(users::kBindNoDev)) attributes |= MOUNT_ATTR_NODEV;
  if (bind.is(users::kBindNoExec)) attributes |= MOUNT_ATTR_NOEXEC;
  return attributes;
}

bool mount_binds(const Plan& plan) {
  std::size_t position = 0;
  std::string_view value;
  for (int i = 0; next_value(plan.record, users::kBind, position, value); ++i) {
    const auto bind = read_bind(value);
    char source[kPathBytes];
    const int namespace_fd = bind.is(users::kBindMapped) ? plan.namespace_fd : -1;
    const int mount =
        copy_path(bind.path, source) ? clone_mount(source, bind.is(users::kBindRecursive), namespace_fd) : -1;
    const auto place = place_of(plan, kUsersBinds, i);
    if (mount < 0 || !add_attributes(mount, attributes_of(bind)) || !make_target(mount, place.path) ||
        !attach_mount(mount, place.path))
      return fail("cannot map the users of", bind.path);
    ::close(mount);
  }
  return true;
}

bool make_devices(const Plan& plan) {
  std::size_t position = 0;
  std::string_view value;
  for (int i = 0; next_value(plan.record, users::kDevice, position, value); ++i) {
    char line[128];
    std::snprintf(line, sizeof line, "%.*s", static_cast<int>(value.size()), value.data());
    char type = 'c';
    unsigned major = 0, minor = 0, mode = 0, uid = 0, gid = 0;
    if (std::sscanf(line, "%c %u %u %o %u %u", &type, &major, &minor, &mode, &uid, &gid) != 6) continue;
    const auto place = place_of(plan, kUsersDevices, i);
    const auto first = static_cast<unsigned>(plan.range.first);
    if (::mknod(place.path, type == 'b' ? S_IFBLK : S_IFCHR, ::makedev(major, minor)) != 0 ||
        ::chown(place.path, first + uid, first + gid) != 0 || ::chmod(place.path, mode) != 0)
      return fail("cannot make a device", place.path);
  }
  return true;
}

// "net.ipv4.x VALUE", of the namespaces that we are in.
bool set_sysctl(std::string_view setting) {
  const auto blank = setting.find(' ');
  if (blank == setting.npos) return true;
  char path[512];
  const int prefix = std::snprintf(path, sizeof path, "/proc/sys/");
  std::snprintf(path + prefix, sizeof path - 16, "%.*s", static_cast<int>(blank), setting.data());
  for (char* c = path + prefix; *c != '\0'; ++c)
    if (*c == '.') *c = '/';
  const auto value = setting.substr(blank + 1);
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  const bool written = fd >= 0 && ::write(fd, value.data(), value.size()) >= 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  errno = error;
  return written;
}

// What newer kernels give to the root of the namespace belongs to no other any more, not even to the node's.
bool set_sysctl_as(std::int64_t user, std::string_view setting) {
  if (::seteuid(static_cast<uid_t>(user)) != 0) return false;
  const bool set = set_sysctl(setting);
  const int error = errno;
  const bool back = ::seteuid(0) == 0;
  errno = error;
  return set && back;
}

bool enter_network(const Plan& plan) {
  char path[kPathBytes];
  const auto network = find_text(plan.record, users::kNamespace);
  if (network.empty()) return true;
  const int fd = copy_path(network, path) ? ::open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0 || ::setns(fd, CLONE_NEWNET) != 0) return fail("cannot enter the network namespace", network);
  ::close(fd);
  return true;
}

// A network that the container's users don't own shows its devices only where it is mounted from outside, and is set
// from there too. In a child: what enters the network need not come back.
bool enter_and_mount_sys(const Plan& plan) {
  if (!enter_network(plan)) return false;
  const auto place = place_of(plan, kUsersSys);
  if (::mount("sysfs", place.path, "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return fail("cannot mount sysfs on", place.path);
  std::size_t position = 0;
  std::string_view value;
  while (next_value(plan.record, users::kSysctl, position, value))
    if (!set_sysctl(value)) return fail("cannot set", value);
  return true;
}

bool mount_sys(const Plan& plan) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(enter_and_mount_sys(plan) ? 0 : 1);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return fail("cannot fork", "");
  return status == 0;
}

// In the state that a hook is told, as JSON.
int pid_of(const char* state) {
  const char* name = std::strstr(state, "\"pid\"");
  const char* number = name == nullptr ? nullptr : std::strpbrk(name, "0123456789");
  return number == nullptr ? 0 : std::atoi(number);
}

bool enter_namespaces(int pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/ns/ipc", pid);
  const int ipc = ::open(path, O_RDONLY | O_CLOEXEC);
  std::snprintf(path, sizeof path, "/proc/%d/ns/uts", pid);
  const int uts = ::open(path, O_RDONLY | O_CLOEXEC);
  return pid > 0 && ipc >= 0 && uts >= 0 && ::setns(ipc, CLONE_NEWIPC) == 0 && ::setns(uts, CLONE_NEWUTS) == 0;
}

}  // namespace

bool mount_for_own_users(int layers) {
  Plan plan;
  if (!read_plan(AT_FDCWD, plan) || !make_namespace(plan)) return false;
  const bool mounted = mount_folder(plan) && mount_layers_and_root(plan, layers) && mount_binds(plan) &&
                       make_devices(plan) && mount_sys(plan);
  ::close(plan.namespace_fd);
  return mounted;
}

bool cover_mounts_folder(int bundle_fd) {
  Plan plan;
  return read_plan(bundle_fd, plan) && mount_folder(plan);
}

int set_own_sysctls(const char* bundle) {
  char state[16384];
  const auto size = read_small_file(AT_FDCWD, "/dev/stdin", state, sizeof state - 1);
  state[size < 0 ? 0 : size] = '\0';
  const int bundle_fd = ::open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Plan plan;
  if (bundle_fd < 0 || !read_plan(bundle_fd, plan) || !enter_namespaces(pid_of(state))) {
    std::fprintf(stderr, "cannot enter the container's namespaces: %s\n", std::strerror(errno));
    return 1;
  }
  std::size_t position = 0;
  std::string_view value;
  while (next_value(plan.record, users::kOwnSysctl, position, value)) {
    if (set_sysctl(value) || (errno == EACCES && set_sysctl_as(plan.range.first, value))) continue;
    std::fprintf(stderr, "cannot set %.*s: %s\n", static_cast<int>(value.size()), value.data(), std::strerror(errno));
    return 1;
  }
  return 0;
}

int try_users(int count, char** arguments) {
  if (count < 2) return 2;
  const int namespace_fd = make_user_namespace({std::atoll(arguments[0]), std::atoll(arguments[1])});
  if (namespace_fd < 0) {
    std::printf("its kernel makes no user namespaces (%s)", std::strerror(errno));
    return 1;
  }
  for (int i = 2; i < count; ++i) {
    const auto bind = read_bind(arguments[i]);
    if (!bind.is(users::kBindMapped)) continue;
    const int mount = clone_mount(bind.path.data(), bind.is(users::kBindRecursive), namespace_fd);
    if (mount < 0) {
      std::printf("the file system of %s can't map users (%s)", bind.path.data(), std::strerror(errno));
      return 1;
    }
    ::close(mount);
  }
  return 0;
}

namespace {

bool is_null_device(int fd) {
  struct stat info{};
  return fd < 0 || (::fstat(fd, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == ::makedev(1, 3));
}

}  // namespace

NetworkVisit::NetworkVisit(int bundle_fd) {
  Plan plan;
  if (!read_plan(bundle_fd, plan)) return;
  if (find_number(plan.record, users::kEntersNetwork, 0) != 0) {
    home_ = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    entered_ = enter_network(plan);
  } else {
    entered_ = true;
  }
}

NetworkVisit::~NetworkVisit() {
  if (home_ < 0) return;
  ::setns(home_, CLONE_NEWNET);
  ::close(home_);
}

OwnStreams::OwnStreams(ChildStreams given) : streams(given) {
  if (::pipe2(ends_, O_CLOEXEC) != 0) return;
  const bool writes = is_null_device(given.out) || is_null_device(given.error);
  if (is_null_device(given.in)) streams.in = ends_[0];
  if (is_null_device(given.out)) streams.out = ends_[1];
  if (is_null_device(given.error)) streams.error = ends_[1];
  if (writes) return;
  ::close(ends_[1]);
  ends_[1] = -1;
}

OwnStreams::~OwnStreams() {
  for (const int end : ends_)
    if (end >= 0) ::close(end);
}

}  // namespace orchion::node::shim
