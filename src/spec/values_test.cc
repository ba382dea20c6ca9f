#include "spec/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spec/mount_syntax.h"
#include "spec/port_syntax.h"

namespace orchion::spec {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Values, Bytes) {
  EXPECT_EQ(parse_bytes("1024"), 1024);
  EXPECT_EQ(parse_bytes("512m"), 512 << 20);
  EXPECT_EQ(parse_bytes("1.5gb"), 1536ll << 20);
  EXPECT_EQ(parse_bytes("2 GiB"), 2ll << 30);
  EXPECT_EQ(parse_bytes("10b"), 10);
  for (const auto* broken : {"", "m", "1x", "-1", "1mm", "1e5", "1.2.3", "99999999999g"})
    EXPECT_FALSE(parse_bytes(broken)) << broken;
}

TEST(Values, Durations) {
  EXPECT_EQ(parse_duration("10s"), std::chrono::seconds(10));
  EXPECT_EQ(parse_duration("1m30s"), std::chrono::seconds(90));
  EXPECT_EQ(parse_duration("1h5m30s20ms"), std::chrono::seconds(3930) + milliseconds(20));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("0"), base::Duration::zero());
  for (const auto* broken : {"", "10", "s", "-1s", "1d", "99999999999h"})
    EXPECT_FALSE(parse_duration(broken)) << broken;
}

TEST(Values, Cores) {
  EXPECT_EQ(parse_nano_cpus("0.5"), 500'000'000);
  EXPECT_EQ(parse_nano_cpus("2"), 2'000'000'000);
  for (const auto* broken : {"", "half", "-1", "1e9", "2.x"}) EXPECT_FALSE(parse_nano_cpus(broken)) << broken;
}

TEST(Values, Words) {
  EXPECT_THAT(*split_words("echo 'a b'  \"c \\\" $d\" e\\ f ''"), ElementsAre("echo", "a b", "c \" $d", "e f", ""));
  EXPECT_THAT(*split_words("  "), ElementsAre());
  EXPECT_THAT(*split_words("a'b'\"c\""), ElementsAre("abc"));
  EXPECT_FALSE(split_words("echo 'open"));
}

std::string ports(std::string_view text) {
  const auto mappings = parse_ports(text);
  if (!mappings) return "error: " + mappings.error().message;
  std::string out;
  for (const auto& port : *mappings)
    out += port.host_ip() + "," + std::to_string(port.host_port()) + "," + std::to_string(port.container_port()) + "," +
           port.protocol() + " ";
  return out;
}

TEST(Ports, ShortSyntax) {
  EXPECT_EQ(ports("80"), ",0,80,tcp ");
  EXPECT_EQ(ports("8080:80"), ",8080,80,tcp ");
  EXPECT_EQ(ports("8080:80/udp"), ",8080,80,udp ");
  EXPECT_EQ(ports("3000-3001"), ",0,3000,tcp ,0,3001,tcp ");
  EXPECT_EQ(ports("9090-9091:80-81"), ",9090,80,tcp ,9091,81,tcp ");
  EXPECT_EQ(ports("127.0.0.1:8001:8001"), "127.0.0.1,8001,8001,tcp ");
  EXPECT_EQ(ports("127.0.0.1::80"), "127.0.0.1,0,80,tcp ");
  EXPECT_EQ(ports("[::1]:80:81"), "::1,80,81,tcp ");
  EXPECT_EQ(ports("::1:80:81"), "::1,80,81,tcp ");
}

TEST(Ports, Errors) {
  EXPECT_THAT(ports("http"), HasSubstr("`http` isn't a port"));
  EXPECT_THAT(ports("70000:80"), HasSubstr("`70000` isn't a port"));
  EXPECT_THAT(ports("80/sctp"), HasSubstr("protocol `sctp` isn't supported"));
  EXPECT_THAT(ports("8000-8009:80"), HasSubstr("10 host ports can't lead to 1"));
  EXPECT_THAT(ports("somewhere:80:80"), HasSubstr("isn't an IP address"));
  EXPECT_THAT(ports("1-65535"), HasSubstr("publish fewer"));
  EXPECT_THAT(ports(""), HasSubstr("isn't a port"));
  EXPECT_THAT(ports("82-80"), HasSubstr("isn't a port"));
}

std::string mount(std::string_view text) {
  const auto parsed = parse_mount(text, {"/srv/shop", "/home/me"});
  if (!parsed) return "error: " + parsed.error().message;
  return v1::Mount::Type_Name(parsed->type()) + " " + parsed->source() + " " + parsed->target() +
         (parsed->read_only() ? " ro" : "");
}

TEST(Mounts, ShortSyntax) {
  EXPECT_EQ(mount("data:/var/lib/data"), "VOLUME data /var/lib/data");
  EXPECT_EQ(mount("data:/var//lib/data/:ro"), "VOLUME data /var/lib/data ro");
  EXPECT_EQ(mount("./conf:/etc/conf:rw"), "BIND /srv/shop/conf /etc/conf");
  EXPECT_EQ(mount(".:/code"), "BIND /srv/shop /code");
  EXPECT_EQ(mount("../up:/code"), "BIND /srv/up /code");
  EXPECT_EQ(mount("~/x:/x"), "BIND /home/me/x /x");
  EXPECT_EQ(mount("~:/x"), "BIND /home/me /x");
  EXPECT_EQ(mount("/etc/hosts:/x:ro"), "BIND /etc/hosts /x ro");
  EXPECT_EQ(mount("/data"), "VOLUME  /data") << "without a name";
  EXPECT_EQ(mount("a:/b:nocopy,z"), "VOLUME a /b");
  EXPECT_EQ(mount("/a:/b:rslave"), "BIND /a /b");
}

TEST(Mounts, Errors) {
  EXPECT_THAT(mount("data"), HasSubstr("isn't a volume"));
  EXPECT_THAT(mount("a:/b:ro:x"), HasSubstr("isn't a volume"));
  EXPECT_THAT(mount("a:b"), HasSubstr("isn't an absolute path"));
  EXPECT_THAT(mount("a:/b:rshared"), HasSubstr("the volume option `rshared` isn't supported"));
  EXPECT_THAT(mount("~other/x:/x"), HasSubstr("another user's folder"));
  EXPECT_FALSE(parse_mount("~/x:/x", {"/srv", ""}));
}

}  // namespace
}  // namespace orchion::spec
