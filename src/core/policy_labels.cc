#include "core/policy_labels.h"

namespace orchion::core {

std::map<std::string, std::string> policy_labels(const v1::ServiceSpec& spec) {
  std::map<std::string, std::string> labels(spec.container().labels().begin(), spec.container().labels().end());
  labels.insert(spec.labels().begin(), spec.labels().end());
  return labels;
}

}  // namespace orchion::core
