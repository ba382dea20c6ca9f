#pragma once

// What the runtime and the shim agree on: the names in a container's bundle, and the messages between them.
// The bundle is the shim's working folder; names are relative to it.

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
constexpr char kLayersFolder[] = "l";  // "0", "1", …: links to the layers, highest first; short for mount's page

// Names in the settings record.
namespace setting {
constexpr char kRuntime[] = "runtime";           // full path of crun or runc
constexpr char kRuntimeRoot[] = "runtime_root";  // where it keeps its state
constexpr char kIsCrun[] = "is_crun";            // 0 or 1
constexpr char kId[] = "id";
constexpr char kLogFolder[] = "log_folder";
constexpr char kLogBytesMax[] = "log_bytes_max";
constexpr char kTty[] = "tty";                     // 0 or 1
constexpr char kStdinOpen[] = "stdin_open";        // 0 or 1
constexpr char kLayers[] = "layers";               // how many
constexpr char kCgroup[] = "cgroup";               // "/orchion-x/ID", the container's, in every hierarchy
constexpr char kShimCgroup[] = "shim_cgroup";      // "/orchion-x/shims"
constexpr char kHiddenMount[] = "hidden_mount";    // covered for the runtime binary: crun refuses hybrid cgroups
constexpr char kHierarchy[] = "hierarchy";         // repeated: a cgroup hierarchy's mount point
constexpr char kMemoryEvents[] = "memory_events";  // the file with the container's "oom_kill N"; empty: none
}  // namespace setting

// Names in the status record.
namespace status {
constexpr char kAttempt[] = "attempt";
constexpr char kPid[] = "pid";
constexpr char kPidStart[] = "pid_start";  // see process_identity.h
constexpr char kShimPid[] = "shim_pid";
constexpr char kShimPidStart[] = "shim_pid_start";
constexpr char kBootId[] = "boot_id";
constexpr char kStartedNs[] = "started_ns";  // since the Unix epoch
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
constexpr int kReportFd = 3;  // a stream socket to the runtime
constexpr int kLockFd = 4;    // run only: the lock file, locked

// The first line of a report; an error's text follows to the end. An exec adds "exit N" when it has ended.
constexpr char kReportStarted[] = "started\n";
constexpr char kReportError[] = "error\n";      // of our own
constexpr char kReportRuntime[] = "runtime\n";  // the runtime binary's last line of log, JSON
constexpr char kReportExit[] = "exit ";

}  // namespace orchion::node::shim
