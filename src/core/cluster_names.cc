#include "core/cluster_names.h"

namespace orchion::core {

std::string cluster_domain(const std::string& cluster_id) {
  return cluster_id + ".orchion.internal";
}

std::string control_name(const std::string& cluster_domain) {
  return "control." + cluster_domain;
}

}  // namespace orchion::core
