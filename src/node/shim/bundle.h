#pragma once

// What the runtime and the shim agree on: the names in a container's bundle, and the messages between them.
// The bundle is the shim's working folder; names are relative to it.

#include <string_view>

namespace orchion::node::shim {

constexpr char kConfigFile[] = "config.json";  // the runtime binary's
constexpr char kSettingsFile[] = "shim.conf";  // a record; written last by prepare: with it the bundle is whole
constexpr char kStatusFile[] = "status";       // a record of the newest start that succeeded
constexpr char kExitFile[] = "exit";           // a record of the newest attempt that ended
constexpr char kLockFile[] = "start.lock";     // flocked while a start is under way
constexpr char kRemovedFile[] = "removed";     // there while the bundle is removed: its exit needs no fsync
constexpr char kPidFile[] = "init.pid";
constexpr char kRuntimeLogFile[] = "runtime.log";
constexpr char kConsoleSocket[] = "console.sock";
constexpr char kRootFolder[] = "rootfs";
constexpr char kUpperFolder[] = "upper";
constexpr char kWorkFolder[] = "work";
constexpr char kProgramFile[] = "program";          // a record: how a program of the node itself is started
constexpr char kArgumentsFile[] = "arguments";      // of it, each with a NUL at its end
constexpr char kEnvironmentFile[] = "environment";  // of it, likewise
constexpr char kUsersFile[] =
    "users";                           // a record, where the container has users of its own; while it is there they are
constexpr char kLayersFolder[] = "l";  // "0", "1", …: links to the layers, highest first; short for mount's page

// Names in the settings record.
namespace setting {
constexpr char kRuntime[] = "runtime";           // full path of crun or runc
constexpr char kRuntimeRoot[] = "runtime_root";  // where it keeps its state
constexpr char kIsCrun[] = "is_crun";            // 0 or 1
constexpr char kId[] = "id";
constexpr char kLogFolder[] = "log_folder";
constexpr char kLogBytesMax[] = "log_bytes_max";
constexpr char kStopGraceMs[] = "stop_grace_ms";     // what its end may take when the machine goes down
constexpr char kTty[] = "tty";                       // 0 or 1
constexpr char kStdinOpen[] = "stdin_open";          // 0 or 1
constexpr char kLayers[] = "layers";                 // how many
constexpr char kIsProgram[] = "is_program";          // 1: no runtime binary, root or layers; see kProgramFile
constexpr char kCallsPoststop[] = "calls_poststop";  // 1: the runtime binary has hooks to call after the end
constexpr char kOwnUsers[] = "own_users";            // 1: see kUsersFile
constexpr char kCgroup[] = "cgroup";                 // "/orchion-x/ID", the container's, in every hierarchy
constexpr char kShimCgroup[] = "shim_cgroup";        // "/orchion-x/shims"
constexpr char kHiddenMount[] = "hidden_mount";      // covered for the runtime binary: crun refuses hybrid cgroups
constexpr char kHierarchy[] = "hierarchy";           // repeated: a cgroup hierarchy's mount point
constexpr char kMemoryEvents[] = "memory_events";    // the file with the container's "oom_kill N"; empty: none
}  // namespace setting

// Whether a settings record is all there: a power cut may leave the file empty, cut off or full of zeros, and what is
// removed by it must never be what an empty name means.
bool is_whole_settings(std::string_view record);

// Names in the users record.
namespace users {
constexpr char kFirst[] = "first";                   // the node's number of the container's user and group 0
constexpr char kCount[] = "count";                   // how many there are
constexpr char kFolder[] = "folder";                 // covered by the shim's own mounts, as kUsers… below says
constexpr char kNamespace[] = "network";             // the file of the network namespace; missing: the node's own
constexpr char kEntersNetwork[] = "enters_network";  // 1: the runtime binary is started in it, and told of none
constexpr char kSysctl[] = "sysctl";                 // repeated: "net.x.y VALUE", of that network
constexpr char kOwnSysctl[] = "own_sysctl";  // repeated: "kernel.x VALUE", of the container's ipc and uts namespaces
constexpr char kBind[] = "bind";             // repeated: what to mount, as "FLAGS PATH"
constexpr char kDevice[] = "device";  // repeated: "TYPE MAJOR MINOR MODE UID GID"; mode octal, users the container's
// The flags of a bind; a '-' alone for none.
constexpr char kBindMapped = 'm';     // owners are the container's own numbers
constexpr char kBindRecursive = 'r';  // with what is mounted below it
constexpr char kBindReadOnly = 'o';
constexpr char kBindNoSuid = 's';
constexpr char kBindNoDev = 'd';
constexpr char kBindNoExec = 'x';
}  // namespace users

// What is mounted over the folder of the users record, in the shim's mount namespace alone.
constexpr char kUsersRoot[] = "root";        // the container's root
constexpr char kUsersSys[] = "sys";          // a sysfs of the container's network
constexpr char kUsersBinds[] = "binds";      // "0", "1", …: the binds in their order
constexpr char kUsersDevices[] = "devices";  // "0", "1", …: the devices in their order

// Names in the program record.
namespace program {
constexpr char kUid[] = "uid";
constexpr char kGid[] = "gid";
constexpr char kGroup[] = "group";  // repeated: a further group's number
constexpr char kWorkingDir[] = "working_dir";
constexpr char kLimit[] = "limit";                // repeated: "RESOURCE SOFT HARD", numbers as setrlimit takes them
constexpr char kOomScoreAdj[] = "oom_score_adj";  // missing: as it is
constexpr char kMayGain[] = "may_gain";           // 0 or 1: set-uid programs work
constexpr char kCapabilities[] = "capabilities";  // the mask of those it may have
constexpr char kColumns[] = "columns";            // of an exec's terminal
constexpr char kRows[] = "rows";
// The cgroups, all repeated. A run makes the first, writes the second, makes the third, writes the fourth; an exec only
// enters the last. A file to write is "PATH VALUE", with a '-' before it where that may fail.
constexpr char kMakeParent[] = "make_parent";
constexpr char kWriteParent[] = "write_parent";
constexpr char kMakeGroup[] = "make_group";
constexpr char kWriteGroup[] = "write_group";
constexpr char kEnter[] = "enter";  // a folder
}  // namespace program

// Names in the status record.
namespace status {
constexpr char kAttempt[] = "attempt";
constexpr char kPid[] = "pid";
constexpr char kPidStart[] = "pid_start";  // see process_identity.h
constexpr char kShimPid[] = "shim_pid";
constexpr char kShimPidStart[] = "shim_pid_start";
constexpr char kBootId[] = "boot_id";
constexpr char kStartedNs[] = "started_ns";  // since the Unix epoch
constexpr char kTerminal[] = "terminal";     // where it has one: the shim's descriptor of the near end
}  // namespace status

// Names in the exit record.
namespace exited {
constexpr char kAttempt[] = "attempt";
constexpr char kCode[] = "code";
constexpr char kSignal[] = "signal";
constexpr char kOomKilled[] = "oom_killed";
constexpr char kFinishedNs[] = "finished_ns";
constexpr char kReason[] = "reason";
}  // namespace exited

// The shim's inherited descriptors.
constexpr int kReportFd = 3;   // a stream socket to the runtime
constexpr int kLockFd = 4;     // run only: the lock file, locked
constexpr int kProgramFd = 5;  // where it is open: executed in place of the runtime binary's file

// The first line of a report; an error's text follows to the end. An exec adds "exit N" when it has ended.
constexpr char kReportStarted[] = "started\n";
constexpr char kReportError[] = "error\n";      // of our own
constexpr char kReportRuntime[] = "runtime\n";  // the runtime binary's last line of log, JSON
constexpr char kReportProgram[] = "program\n";  // the errno of execve, of a program of the node itself
constexpr char kReportExit[] = "exit ";

}  // namespace orchion::node::shim
