#include "core/image_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::core {
namespace {

const std::string kHex(64, 'a');

TEST(ImageReference, IsReadAsDockerReadsIt) {
  const std::pair<std::string, std::string> cases[] = {
      {"nginx", "docker.io/library/nginx:latest"},
      {"nginx:1.27", "docker.io/library/nginx:1.27"},
      {"docker.io/nginx", "docker.io/library/nginx:latest"},
      {"index.docker.io/library/nginx", "docker.io/library/nginx:latest"},
      {"hello-web:latest", "docker.io/library/hello-web:latest"},
      {"grafana/grafana", "docker.io/grafana/grafana:latest"},
      {"localhost/a", "localhost/a:latest"},
      {"localhost:5000/a/b:x", "localhost:5000/a/b:x"},
      {"registry.example.com/a__b/c---d:V1.0-rc_1", "registry.example.com/a__b/c---d:V1.0-rc_1"},
      {"[::1]:5000/a", "[::1]:5000/a:latest"},
      {"Host/a", "Host/a:latest"},
      {"nginx@sha256:" + kHex, "docker.io/library/nginx@sha256:" + kHex},
      {"nginx:1.27@sha256:" + kHex, "docker.io/library/nginx@sha256:" + kHex},
  };
  for (const auto& [given, expected] : cases) {
    const auto result = normalise_image(given);
    ASSERT_TRUE(result.has_value()) << given << ": " << result.error().message;
    EXPECT_EQ(*result, expected);
    EXPECT_EQ(normalise_image(*result).value(), expected) << "normalising twice changes nothing";
  }
}

TEST(ImageReference, SaysWhatIsWrong) {
  for (const auto& bad : {std::string(""),
                          std::string("Nginx"),
                          std::string("a b"),
                          std::string("../x"),
                          std::string("a/../b"),
                          std::string("a//b"),
                          std::string("a:"),
                          std::string("a:-x"),
                          std::string("-a"),
                          std::string("a_-b"),
                          std::string("a___b"),
                          std::string("a@sha256:zz"),
                          std::string("a@md5:") + kHex,
                          kHex,
                          std::string("host:x/a"),
                          std::string(":5000/a"),
                          std::string("[::1/a"),
                          std::string("--flag/x"),
                          std::string("a\0b", 3),
                          std::string(300, 'a'),
                          std::string("a..com/../x"),
                          "a:" + std::string(129, 't')}) {
    const auto result = normalise_image(bad);
    ASSERT_FALSE(result.has_value()) << bad;
    EXPECT_EQ(result.error().code, base::Code::kInvalidArgument);
    EXPECT_NE(result.error().message.find("is not the name of an image"), std::string::npos);
  }
}

TEST(ImageReference, KnowsLoopback) {
  for (const char* text : {"localhost/a", "localhost:5000/a", "127.0.0.1:5000/a", "127.8.8.8/a", "[::1]:5000/a"})
    EXPECT_TRUE(parse_image_reference(text).value().on_loopback()) << text;
  for (const char* text : {"nginx", "127.example.com/a", "localhost.example.com/a", "10.0.0.1:5000/a"})
    EXPECT_FALSE(parse_image_reference(text).value().on_loopback()) << text;
}

TEST(ImageReference, PeopleWriteLess) {
  for (const char* text : {"nginx:1.27", "grafana/grafana:12.0.0", "ghcr.io/a/b:1", "localhost:5000/c:2"})
    EXPECT_EQ(familiar_image(*normalise_image(text)), text);
}

}  // namespace
}  // namespace orchion::core
