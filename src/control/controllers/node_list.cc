#include "control/controllers/node_list.h"

namespace orchion::control::controllers {

NodeList::NodeList(std::vector<NodePtr> nodes) {
  auto content = std::make_shared<Content>();
  content->nodes = std::move(nodes);
  for (const auto& node : content->nodes) content->by_uid.emplace(node->meta().uid(), node.get());
  content_ = std::move(content);
}

const v1::Node* NodeList::find(const std::string& uid) const {
  const auto found = content_->by_uid.find(uid);
  return found == content_->by_uid.end() ? nullptr : found->second;
}

const NodeList& ListedNodes::of(const store::View& view) {
  if (!list_) {
    std::vector<NodePtr> nodes;
    nodes.reserve(view.nodes().all().size());
    for (const auto& [name, node] : view.nodes().all()) nodes.push_back(node);
    list_.emplace(std::move(nodes));
  }
  return *list_;
}

}  // namespace orchion::control::controllers
