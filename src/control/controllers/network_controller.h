#pragma once

#include <map>

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
  void enqueue_all() override;

  std::map<store::ObjectName, std::string> said_;
};

}  // namespace orchion::control::controllers
