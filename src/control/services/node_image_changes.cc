#include "control/services/node_image_changes.h"

#include <algorithm>
#include <map>

#include "control/store/object_store.h"
#include "core/timestamps.h"

namespace orchion::control::services {

std::vector<store::Transaction> image_changes(const store::View& view, const std::string& node_name,
                                              const v1::NodeImages& images, base::Random& random, base::WallTime now) {
  std::map<std::string, const v1::Image*> held;
  for (const auto& image : images.images()) held[image.meta().name()] = &image;
  std::vector<store::Transaction> transactions(1);
  auto room = [&]() -> store::Transaction& {
    if (transactions.back().operations.size() + 2 > store::kOperationsMax) transactions.emplace_back();
    return transactions.back();
  };
  for (const auto& [name, known] : view.images().all()) {
    const auto& nodes = known->status().nodes();
    const bool listed = std::find(nodes.begin(), nodes.end(), node_name) != nodes.end();
    const auto it = held.find(known->meta().name());
    if (it != held.end() && listed && it->second->status().digest() == known->status().digest()) {
      held.erase(it);
      continue;
    }
    if (it == held.end() && !listed) continue;
    v1::Image changed = *known;
    auto* holders = changed.mutable_status()->mutable_nodes();
    holders->erase(std::remove(holders->begin(), holders->end(), node_name), holders->end());
    if (it != held.end()) {
      const auto others = *holders;
      *changed.mutable_status() = it->second->status();
      *changed.mutable_status()->mutable_nodes() = others;
      changed.mutable_status()->add_nodes(node_name);
      held.erase(it);
    }
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
    fresh.mutable_status()->add_nodes(node_name);
    auto& transaction = room();
    store::create(transaction, fresh);
    store::put_status(transaction, fresh);
  }
  if (transactions.back().operations.empty()) transactions.pop_back();
  return transactions;
}

}  // namespace orchion::control::services
