#pragma once

// Stacks that this folder's tests bring up.

#include <string>

#include "v1/control.pb.h"

namespace orchion::testing {

// One service of this image in the default network.
inline v1::NamedService service(const std::string& name, std::uint32_t replicas, const std::string& image = "app:1") {
  v1::NamedService named;
  named.set_name(name);
  named.mutable_spec()->set_replicas(replicas);
  named.mutable_spec()->mutable_container()->set_image(image);
  return named;
}

// "shop": a published front "web", "worker", and "tail" that waits for the front, 6 : 13 : 1.
inline v1::ApplyStackRequest shop(std::uint32_t replicas, const std::string& image = "app:1") {
  v1::ApplyStackRequest request;
  request.set_name("shop");
  const std::uint32_t web = replicas * 6 / 20, tail = replicas / 20;
  auto& front = *request.mutable_spec()->add_services() = service("web", web, image);
  auto& port = *front.mutable_spec()->mutable_container()->add_ports();
  port.set_host_port(8080);
  port.set_container_port(80);
  *request.mutable_spec()->add_services() = service("worker", replicas - web - tail, image);
  auto& last = *request.mutable_spec()->add_services() = service("tail", tail, image);
  last.mutable_spec()->add_depends_on()->set_service("web");
  return request;
}

}  // namespace orchion::testing
