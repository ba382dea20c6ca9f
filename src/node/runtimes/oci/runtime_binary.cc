#include "node/runtimes/oci/runtime_binary.h"

#include "base/process.h"

namespace orchion::node::runtimes::oci {

base::Result<RuntimeBinary> find_oci_runtime(RuntimeBinary::Kind kind) {
  RuntimeBinary binary;
  binary.kind = kind;
  ASSIGN_OR_RETURN(binary.path, base::find_program(binary.name()));
  ASSIGN_OR_RETURN(const auto text, base::run_checked({.arguments = {binary.path.string(), "--version"}}));
  // "crun version 1.8.1\n…", "runc version 1.1.5+ds1\n…"
  const auto line = text.substr(0, text.find('\n'));
  binary.version = line.substr(line.rfind(' ') + 1);
  return binary;
}

base::Result<RuntimeBinary> find_oci_runtime() {
  for (const auto kind : {RuntimeBinary::Kind::kCrun, RuntimeBinary::Kind::kRunc}) {
    if (auto found = find_oci_runtime(kind)) return found;
  }
  return base::fail(base::Code::kNotFound,
                    "neither crun nor runc is installed: install one of them (apt install crun)");
}

}  // namespace orchion::node::runtimes::oci
