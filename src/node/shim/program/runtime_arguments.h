#pragma once

#include "node/shim/program/settings.h"

namespace orchion::node::shim {

// The command line of the runtime binary. No allocation; `settings` outlives it.
class RuntimeArguments {
 public:
  // As far as running a container and running a process in it have in common.
  RuntimeArguments(const Settings& settings, const char* command);

  // What forgets a container that has ended, and calls its last hooks; complete.
  static RuntimeArguments for_delete(const Settings& settings);

  void add(const char* argument) { arguments_[count_++] = const_cast<char*>(argument); }

  // With the terminal's socket where there is one, and the container; nothing may be added afterwards.
  char* const* finish(bool tty);

 private:
  explicit RuntimeArguments(const Settings& settings);

  static constexpr int kMax = 20;
  const Settings& settings_;
  char* arguments_[kMax];
  int count_ = 0;
};

}  // namespace orchion::node::shim
