#include "core/policy_labels.h"

namespace orchion::core {

Labels policy_labels(const Labels& service, const Labels& container) {
  Labels labels = service;
  for (const auto& [name, value] : container) labels[name] = value;
  return labels;
}

Labels policy_labels(const v1::ServiceSpec& spec) {
  return policy_labels(spec.labels(), spec.container().labels());
}

}  // namespace orchion::core
