#include "control/services/image_uses.h"

#include <algorithm>

#include "core/image_reference.h"
#include "core/task_state.h"

namespace orchion::control::services {

namespace {

// What its template names, in the spelling of image names; empty where that is gone.
std::string reference_of(const store::View& view, const v1::Task& task) {
  const auto revision = view.template_of(task);
  if (!revision) return "";
  return core::normalise_image(revision->spec().template_().container().image()).value_or("");
}

bool needs_image(const v1::Task& task) {
  return task.spec().desired_state() == v1::DESIRED_RUNNING || !core::is_terminal(task.status().state());
}

}  // namespace

bool is_in_use(const store::View& view, const v1::Image& image, const v1::Node& node) {
  const auto& digest = image.status().digest();
  return std::ranges::any_of(view.tasks_of_node(node.meta().uid()), [&](const auto& task) {
    return needs_image(*task) && (reference_of(view, *task) == image.meta().name() ||
                                  (!digest.empty() && task->status().image_digest() == digest));
  });
}

v1::PruneImagesResponse prunable(const store::View& view, const std::vector<std::shared_ptr<const v1::Node>>& nodes) {
  v1::PruneImagesResponse total;
  for (const auto& [name, image] : view.images().all()) {
    for (const auto& node : nodes) {
      const auto& held = image->status().nodes();
      if (std::ranges::find(held, node->meta().name()) == held.end() || is_in_use(view, *image, *node)) continue;
      total.add_removed(image->meta().name());
      total.set_freed_bytes(total.freed_bytes() + image->status().size_bytes());
    }
  }
  return total;
}

}  // namespace orchion::control::services
