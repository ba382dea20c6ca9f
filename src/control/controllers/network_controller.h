#pragma once

#include <set>
#include <string>

#include "control/controllers/controller.h"

namespace orchion::control::controllers {

// Subnets for networks; see plan_network. One worker, so that no two plans choose the same subnet.
class NetworkController final : public Controller {
 public:
  NetworkController(const Context& context, base::Random random);

 private:
  Plan plan(const Key& key) override;
  void on_change(const store::ObjectChange& change) override;
  void on_node(const store::ObjectChange& change);
  template <class T>
  void on_user(const T* before, const T* after);
  void enqueue_all() override;
  void enqueue_deleted();
  std::set<std::string> users_of(const store::ObjectName& network) const;
};

}  // namespace orchion::control::controllers
