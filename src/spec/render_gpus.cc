// What a container asks of GPUs, as a Compose file says it.

#include "spec/render_service.h"

namespace orchion::spec {

bool has_own_gpus(const v1::ContainerSpec& container) {
  const auto& request = container.gpus();
  return request.share_milli() > 0 || request.memory_bytes() > 0 || !request.models().empty();
}

void render_gpus(const v1::ContainerSpec& container, RenderWriter& yaml) {
  if (!container.has_gpus() || has_own_gpus(container)) return;
  const auto& request = container.gpus();
  if (request.all() && request.vendor().empty()) return yaml.field("gpus", "all");
  yaml.key("gpus");
  yaml.begin_list();
  yaml.begin_map();
  yaml.field("driver", request.vendor());
  if (request.all()) yaml.field("count", "all");
  yaml.number_if("count", request.count());
  yaml.end_map();
  yaml.end_list();
}

void render_own_gpus(const v1::ContainerSpec& container, RenderWriter& yaml) {
  if (!has_own_gpus(container)) return;
  const auto& request = container.gpus();
  yaml.key("gpus");
  yaml.begin_map();
  if (request.all()) yaml.field("count", "all");
  yaml.number_if("count", request.count());
  if (request.share_milli() > 0) yaml.field("share", fmt::format("{:g}", request.share_milli() / 1000.0));
  yaml.number_if("memory", request.memory_bytes());
  yaml.list_if("models", request.models());
  yaml.field("vendor", request.vendor());
  yaml.end_map();
}

}  // namespace orchion::spec
