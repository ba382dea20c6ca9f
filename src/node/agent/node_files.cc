#include "node/agent/node_files.h"

#include "node/devices/cdi/cdi_edits.h"
#include "node/hooks/hook_folder.h"

namespace orchion::node::agent {

base::Result<runtimes::ContainerConfig> add_node_files(const NodeFiles& files, bool has_hooks,
                                                       runtimes::ContainerConfig config) {
  RETURN_IF_ERROR(devices::cdi::resolve_devices(files.cdi_folders, config));
  if (has_hooks && !files.hooks.empty()) RETURN_IF_ERROR(hooks::add_node_hooks(files.hooks, config));
  return config;
}

}  // namespace orchion::node::agent
