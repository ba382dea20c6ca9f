#pragma once

// The nodes of one moment.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/store/view.h"

namespace orchion::control::controllers {

using NodePtr = std::shared_ptr<const v1::Node>;

// A value: copies share their content, so that thousands of nodes are listed once and not for every plan.
class NodeList {
 public:
  NodeList() : content_(std::make_shared<Content>()) {}
  explicit NodeList(std::vector<NodePtr> nodes);

  // In the order of their names, where they were given so.
  std::span<const NodePtr> all() const { return content_->nodes; }
  auto begin() const { return content_->nodes.begin(); }
  auto end() const { return content_->nodes.end(); }

  // By uid; null: there is none.
  const v1::Node* find(const std::string& uid) const;

 private:
  struct Content {
    std::vector<NodePtr> nodes;
    std::unordered_map<std::string, const v1::Node*> by_uid;
  };
  std::shared_ptr<const Content> content_;
};

// Of the view, listed anew only when one of them has changed.
class ListedNodes {
 public:
  const NodeList& of(const store::View& view);
  void follow(const store::ObjectChange& change) {
    if (change.kind == "Node") list_.reset();
  }

 private:
  std::optional<NodeList> list_;
};

}  // namespace orchion::control::controllers
