#include "control/services/image_holders.h"

#include <algorithm>
#include <map>

#include "core/timestamps.h"

namespace orchion::control::services {

namespace {

bool holds(const v1::Image& image, const std::string& node) {
  return std::ranges::find(image.status().nodes(), node) != image.status().nodes().end();
}

// `known` as it is once `node` holds `held`, or nothing by that name where that is nullptr.
v1::Image changed_image(const v1::Image& known, const std::string& node, const v1::Image* held) {
  v1::Image changed = known;
  auto others = *changed.mutable_status()->mutable_nodes();
  others.erase(std::remove(others.begin(), others.end(), node), others.end());
  if (held != nullptr) *changed.mutable_status() = held->status();
  *changed.mutable_status()->mutable_nodes() = std::move(others);
  if (held != nullptr) changed.mutable_status()->add_nodes(node);
  return changed;
}

}  // namespace

std::vector<store::Transaction> image_changes(const store::View& view, const std::string& node,
                                              const v1::NodeImages& images, base::Random& random, base::WallTime now) {
  std::map<std::string, const v1::Image*> held;
  for (const auto& image : images.images()) held[image.meta().name()] = &image;
  std::vector<store::Transaction> transactions;
  const auto room = [&]() -> store::Transaction& {
    if (transactions.empty() || transactions.back().operations.size() + 2 > store::kOperationsMax)
      transactions.emplace_back();
    return transactions.back();
  };
  for (const auto& [name, known] : view.images().all()) {
    const auto entry = held.extract(known->meta().name());
    const v1::Image* const mine = entry.empty() ? nullptr : entry.mapped();
    const bool listed = holds(*known, node);
    const bool same = mine != nullptr && mine->status().digest() == known->status().digest() &&
                      mine->status().pin() == known->status().pin();
    if (mine == nullptr ? !listed : listed && same) continue;
    const auto changed = changed_image(*known, node, mine);
    if (changed.status().nodes().empty()) {
      store::remove(room(), changed);
    } else {
      store::put_status(room(), changed);
    }
  }
  for (const auto& [name, image] : held) {
    v1::Image fresh = *image;
    fresh.mutable_meta()->set_uid(base::new_uid(random));
    *fresh.mutable_meta()->mutable_created_at() = core::to_timestamp(now);
    fresh.mutable_status()->clear_nodes();
    fresh.mutable_status()->add_nodes(node);
    auto& transaction = room();
    store::create(transaction, fresh);
    store::put_status(transaction, fresh);
  }
  return transactions;
}

}  // namespace orchion::control::services
