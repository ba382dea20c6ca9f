#include "core/node_mesh.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

TEST(NodeMesh, HasAKeyAndAnEndpoint) {
  v1::NodeMesh mesh;
  mesh.set_public_key("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=");
  mesh.set_endpoint("192.168.1.5:4604");
  EXPECT_TRUE(check_node_mesh(mesh));
  for (const char* bad : {"", ":4604", "192.168.1.5", "192.168.1.5:", "192.168.1.5:0", "192.168.1.5:70000", "nas:4604",
                          "192.168.1.5:46x", "[::1]:4604"}) {
    mesh.set_endpoint(bad);
    EXPECT_FALSE(check_node_mesh(mesh)) << bad;
  }
  mesh.set_endpoint("192.168.1.5:4604");
  for (const char* bad : {"", "AAAA", "not base64 at all"}) {
    mesh.set_public_key(bad);
    EXPECT_FALSE(check_node_mesh(mesh)) << bad;
  }
}

}  // namespace
}  // namespace orchion::core
