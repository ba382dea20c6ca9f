#include "node/shim/program/runtime_arguments.h"

#include "node/shim/bundle.h"

namespace orchion::node::shim {

RuntimeArguments::RuntimeArguments(const Settings& settings) : settings_(settings) {
  add(settings.runtime);
  // Without root there may be no groups to put a container in.
  if (settings.is_crun) add(settings.hierarchy_count > 0 ? "--cgroup-manager=cgroupfs" : "--cgroup-manager=disabled");
  add("--root");
  add(settings.runtime_root);
  add("--log");
  add(kRuntimeLogFile);
  add("--log-format");
  add("json");
}

RuntimeArguments::RuntimeArguments(const Settings& settings, const char* command) : RuntimeArguments(settings) {
  add(command);
  add("--detach");
  add("--pid-file");
  add(kPidFile);
}

RuntimeArguments RuntimeArguments::for_delete(const Settings& settings) {
  RuntimeArguments arguments(settings);
  arguments.add("delete");
  arguments.add("--force");
  return arguments;
}

char* const* RuntimeArguments::finish(bool tty) {
  if (tty) {
    add("--console-socket");
    add(kConsoleSocket);
  }
  add(settings_.id);
  arguments_[count_] = nullptr;
  return arguments_;
}

}  // namespace orchion::node::shim
