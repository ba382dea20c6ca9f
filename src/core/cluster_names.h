#pragma once

#include <string>

namespace orchion::core {

// "CLUSTER.orchion.internal": the name of the cluster's authority.
std::string cluster_domain(const std::string& cluster_id);

// "control.CLUSTER.orchion.internal": what the certificate of a control plane says, whatever its address is.
std::string control_name(const std::string& cluster_domain);

}  // namespace orchion::core
