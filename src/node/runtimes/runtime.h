#pragma once

// What the agent needs of anything that runs containers or processes. One conformance test runs against all.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/stream.h"
#include "node/runtimes/container_options.h"

namespace orchion::node::runtimes {

struct MountPoint {
  enum class Type { kBind, kTmpfs };
  Type type = Type::kBind;
  std::filesystem::path source;  // kBind: a file or folder on the node
  std::filesystem::path target;  // in the container
  bool read_only = false;
  std::int64_t tmpfs_bytes = 0;                 // 0: the kernel's default
  std::uint32_t tmpfs_mode = 0;                 // 0: 01777
  std::vector<std::string> tmpfs_options = {};  // "noexec", "uid=N", "gid=N"
  std::string propagation = "rprivate";         // kBind
  bool recursive = true;                        // kBind: with what is mounted below the source
  std::vector<std::string> flags = {};          // kBind: "nosuid", "nodev", "noexec"
};

struct ResourceLimits {
  std::int64_t nano_cpus = 0;  // 0: no limit, in all three
  std::int64_t memory_bytes = 0;
  std::int64_t pids = 0;
  std::int64_t swap_bytes = 0;   // memory and swap together; 0: no swap beyond the memory, -1: no limit
  std::uint64_t cpu_shares = 0;  // 0: the kernel's 1024
  std::string cpuset = {};       // "0-2,4"; empty: all
  BlockIo block_io = {};
};

// One container, fully resolved: image defaults merged in, names looked up.
struct ContainerConfig {
  std::string id;                             // unique on the node; the task's uid
  std::string image;                          // what an engine with images of its own calls it: "sha256:…"
  std::vector<std::filesystem::path> layers;  // unpacked, lowest first, read-only; for all other runtimes
  std::vector<std::string> arguments;         // entrypoint and command
  std::vector<std::string> environment;       // "NAME=value"
  std::string working_dir = "/";
  std::string user;  // "uid[:gid]" or names, looked up in the container's own files
  std::string hostname;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::vector<MountPoint> mounts;
  ResourceLimits limits;
  std::vector<std::string> cap_add;  // "NET_ADMIN"
  std::vector<std::string> cap_drop;
  bool read_only_root = false;
  bool tty = false;
  bool stdin_open = false;
  std::filesystem::path network_namespace;  // "/run/…/netns/ID"; empty: the host's
  std::vector<std::string> nameservers;     // resolv.conf
  std::vector<std::string> search_domains;
  std::map<std::string, std::string> hosts;                      // name → address, for /etc/hosts
  std::vector<std::pair<std::string, std::string>> extra_hosts;  // name and address; a name may come twice
  std::vector<std::string> dns_options;                          // "ndots:1"
  std::string domainname;
  std::vector<std::string> additional_groups;  // names in the container's own files, or numbers
  std::vector<Device> devices;
  std::vector<Hook> hooks;  // by stage in this order
  std::vector<Ulimit> ulimits;
  std::map<std::string, std::string> sysctls;
  std::vector<FileContent> files;
  Privileges privileges;
  HostNamespaces host_namespaces;
  bool own_users = false;      // a range of the node's users that is no other container's: 0 inside is nobody outside
  bool init = false;           // a small first process reaps orphans and passes signals on
  std::int64_t shm_bytes = 0;  // 0: 64 MiB
  int oom_score_adj = 0;
  std::string oci_runtime;  // "runc"; empty: the runtime's own choice
  std::string stop_signal = "SIGTERM";
  // What its end may take when the machine goes down with it; a stop by the agent brings its own patience.
  std::chrono::milliseconds stop_grace = std::chrono::seconds(10);
  std::int64_t log_bytes_max = 32 << 20;  // of the segments kept
};

struct ExitStatus {
  int code = 0;  // 128 + signal where a signal ended it
  int signal = 0;
  bool oom_killed = false;
  base::WallTime finished_at;
  std::string reason;  // why, where the process had no part in it ("the machine was restarted"); else empty
};

enum class ContainerPhase { kPrepared, kRunning, kExited };

struct ContainerInfo {
  std::string id;
  ContainerPhase phase = ContainerPhase::kPrepared;
  std::uint32_t attempt = 0;  // of the newest start
  std::int64_t pid = 0;       // the container's first process; 0 unless running
  base::WallTime started_at;
  std::optional<ExitStatus> exit;
};

struct ExecConfig {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // added to the container's
  std::string user;                      // empty: the container's
  std::string working_dir;               // empty: the container's
  bool tty = false;
  bool stdin = false;
  std::uint16_t columns = 80;
  std::uint16_t rows = 24;
};

struct AttachConfig {
  bool stdin = false;         // input is sent too
  std::uint16_t columns = 0;  // of the caller's terminal; 0: the container's stays as it is
  std::uint16_t rows = 0;
};

// To a running exec, or to what one is attached to. Exactly one is set.
struct ExecInput {
  std::optional<std::string> data;
  bool end = false;
  std::optional<std::pair<std::uint16_t, std::uint16_t>> resize;  // columns, rows
};

// From it. Exactly one is set; exit_code is the last.
struct ExecOutput {
  std::optional<std::string> out;
  std::optional<std::string> error;
  std::optional<int> exit_code;
};

// A container of an engine that the runtime didn't make, and never touches.
struct ForeignContainer {
  std::string id;  // the engine's
  std::string name;
  std::string image;
  std::string state;       // in the engine's own word: "running", "exited"
  std::string name_space;  // containerd's; empty elsewhere
  base::WallTime created_at;
};

struct Lack {
  std::string why;       // the end of a sentence: "its root is the node's"
  bool of_node = false;  // this node's kernel lacks it: elsewhere the same runtime may have it
};

struct Capabilities {
  std::string name;  // "crun", "docker"
  std::string version;
  std::vector<std::string> oci_runtimes;  // what ContainerConfig.oci_runtime may name; the first is its own choice
  bool survives_agent = false;            // containers go on, and are adopted, when the agent ends
  bool limits = false;
  bool exec = false;
  bool tty = false;
  bool networks = true;                                 // false: what it runs is in the node's own network
  bool wires_at_start = false;                          // it is one that WireNamespace is for
  bool prepares_in_network = false;                     // its network namespace is there before prepare(), not start()
  std::map<std::string, Lack, std::less<>> lacks = {};  // by a name of features.h: refused where it is asked for
};

// Wires the network namespace at `path`, a file that stays as long as this call, as that of container `id`. A runtime
// that can't put a container into a namespace that is there already is given this when it is made; at each start it
// holds the container's program back until this has returned.
using WireNamespace = std::function<base::Co<>(std::string id, std::filesystem::path path)>;

// Belongs to one executor, the agent's loop; blocking work happens elsewhere. Calls for one container come one
// at a time, wait() excepted. Every operation is idempotent: repeated after a crash it finishes what was begun.
class Runtime {
 public:
  virtual ~Runtime() = default;

  virtual Capabilities capabilities() const = 0;

  // Everything but the process: root file system, configuration, log folder. Nothing half-made is left behind
  // by an error.
  virtual base::Co<> prepare(ContainerConfig config) = 0;

  // Starts the prepared container as this attempt (from 1; a higher one than before starts it anew with the
  // same writable layer). Returns when its process runs. kNotFound: the command doesn't exist in the image.
  // kPermissionDenied: it isn't executable.
  virtual base::Co<ContainerInfo> start(std::string id, std::uint32_t attempt) = 0;

  // Waits for the end of the newest attempt; at once where it has ended.
  virtual base::Co<ExitStatus> wait(std::string id) = 0;

  // To the container's first process. No error where it has ended.
  virtual base::Co<> signal(std::string id, int signal) = 0;

  // Kills what still runs and leaves nothing: no mount, cgroup, process or file, the log folder excepted where
  // `keep_logs`.
  virtual base::Co<> remove(std::string id, bool keep_logs) = 0;

  // What a container that has ended left at `path` in its own file system, as a tar in the new file `file`, whose only
  // top entry is called as the path's end; what was mounted into the container isn't there. kNotFound: there is
  // nothing. kResourceExhausted: it is more than `bytes_max`. An error leaves no file.
  virtual base::Co<> save_files(std::string id, std::string path, std::int64_t bytes_max,
                                std::filesystem::path file) = 0;

  virtual base::Co<std::optional<ContainerInfo>> inspect(std::string id) = 0;

  // Every container this runtime made under this agent, in any phase, those of an earlier process included.
  virtual base::Co<std::vector<ContainerInfo>> list() = 0;

  // What else is in its engine, in any state; nothing where the runtime is its own engine.
  virtual base::Co<std::vector<ForeignContainer>> list_foreign() { co_return std::vector<ForeignContainer>(); }

  // The stream's other end belongs to the caller; destroying it kills the process.
  virtual base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> exec(std::string id, ExecConfig config) = 0;

  // The newest attempt's own input and output: what it wrote so far, as far as that is kept, then what it writes, and
  // at last its exit code. Any number at once; destroying the stream ends nothing, and one that isn't read holds
  // nothing up. `end` ends the container's input for good. With a terminal all output is `out`, as the terminal has it.
  // kFailedPrecondition: it was never started, or takes no input and some is wanted.
  virtual base::Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> attach(std::string id,
                                                                                AttachConfig config) = 0;

  // Where the numbered segments of this container's output are (format: node/logs/segment.h).
  virtual std::filesystem::path log_folder(const std::string& id) const = 0;
};

}  // namespace orchion::node::runtimes
