#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "node/devices/cdi/cdi_edits.h"
#include "node/devices/cdi/cdi_registry.h"
#include "node/runtimes/conformance/busybox_root.h"

namespace orchion::node::devices::cdi {
namespace {

using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kSpec = R"({
  "cdiVersion": "0.6.0", "kind": "vendor.com/net",
  "annotations": {"a": "b"},
  "containerEdits": {"env": ["SHARED=1"]},
  "devices": [
    {"name": "zero", "containerEdits": {
      "env": ["DEVICE=zero"],
      "deviceNodes": [{"path": "/dev/one", "hostPath": "/dev/zero", "type": "c", "major": 1, "minor": 5,
                       "fileMode": 438, "permissions": "r"}, {"path": "/dev/null"}],
      "mounts": [{"hostPath": "/lib/x", "containerPath": "/lib/y", "options": ["ro", "nosuid", "nodev", "bind"]},
                 {"containerPath": "/scratch", "type": "tmpfs", "options": ["size=64k", "mode=700"]}],
      "hooks": [{"hookName": "createContainer", "path": "/bin/hook", "args": ["hook", "x"], "timeout": 2}],
      "additionalGids": [0, 44]}},
    {"name": "all"}]})";

std::string error_of(const std::string& text) {
  const auto spec = parse_spec(text);
  EXPECT_FALSE(spec.has_value()) << text;
  return spec ? std::string() : spec.error().message;
}

TEST(CdiSpec, IsReadAsJsonAndAsYaml) {
  const auto spec = parse_spec(kSpec);
  ASSERT_TRUE(spec.has_value()) << spec.error().message;
  EXPECT_EQ(spec->kind, "vendor.com/net");
  const auto& zero = spec->devices.at("zero");
  ASSERT_EQ(zero.nodes.size(), 2u);
  EXPECT_EQ(zero.nodes[0].device.source, "/dev/zero");
  EXPECT_EQ(zero.nodes[0].device.permissions, "r");
  EXPECT_EQ(zero.nodes[0].device.mode, 0666u);
  EXPECT_EQ(zero.nodes[1].device.source, "/dev/null");
  EXPECT_TRUE(zero.mounts[0].read_only && !zero.mounts[0].recursive);
  EXPECT_THAT(zero.mounts[0].flags, ElementsAre("nosuid", "nodev"));
  EXPECT_EQ(zero.mounts[1].tmpfs_bytes, 65536);
  EXPECT_EQ(zero.mounts[1].tmpfs_mode, 0700u);
  EXPECT_EQ(zero.hooks[0].stage, "createContainer");
  EXPECT_THAT(zero.groups, ElementsAre("44"));
  const auto yaml = parse_spec("cdiVersion: 0.5.0\nkind: v/c\ndevices:\n- name: '0'\n  containerEdits: {env: [A=b]}\n");
  ASSERT_TRUE(yaml.has_value()) << yaml.error().message;
  EXPECT_THAT(yaml->devices.at("0").environment, ElementsAre("A=b"));
}

TEST(CdiSpec, NothingIsPassedOver) {
  const auto with = [](const std::string& edits) {
    return "{cdiVersion: 0.6.0, kind: v/c, devices: [{name: d, containerEdits: " + edits + "}]}";
  };
  EXPECT_THAT(error_of("{"), HasSubstr("yaml-cpp"));
  EXPECT_THAT(error_of("[]"), HasSubstr("isn't a map"));
  EXPECT_THAT(error_of("{cdiVersion: 2.0.0, kind: v/c, devices: [{name: d}]}"), HasSubstr("cdiVersion `2.0.0`"));
  EXPECT_THAT(error_of("{cdiVersion: 0.6.0, kind: gpu, devices: [{name: d}]}"), HasSubstr("kind `gpu`"));
  EXPECT_THAT(error_of("{cdiVersion: 0.6.0, kind: v/c, devices: []}"), HasSubstr("no devices"));
  EXPECT_THAT(error_of("{cdiVersion: 0.6.0, kind: v/c, devices: [{name: d}, {name: d}]}"), HasSubstr("d twice"));
  EXPECT_THAT(error_of(with("{intelRdt: {}}")), HasSubstr("`intelRdt`"));
  EXPECT_THAT(error_of(with("{env: [A]}")), HasSubstr("`A` in env"));
  EXPECT_THAT(error_of(with("{deviceNodes: [{path: x}]}")), HasSubstr("absolute"));
  EXPECT_THAT(error_of(with("{deviceNodes: [{path: /x, type: p}]}")), HasSubstr("type `p`"));
  EXPECT_THAT(error_of(with("{mounts: [{hostPath: /a, containerPath: /b, options: [lazy]}]}")), HasSubstr("`lazy`"));
  EXPECT_THAT(error_of(with("{hooks: [{hookName: never, path: /x}]}")), HasSubstr("`never`"));
}

class CdiFolders : public testing::Test {
 protected:
  void write(const char* name, const std::string& text) {
    ASSERT_TRUE(base::make_folders((folder_.path() / name).parent_path()).has_value());
    ASSERT_TRUE(base::write_file(folder_.path() / name, text).has_value());
  }
  static std::string simple(const std::string& device, const std::string& variable) {
    return "{cdiVersion: 0.6.0, kind: v/c, devices: [{name: " + device + ", containerEdits: {env: [A=" + variable +
           "]}}]}";
  }
  std::vector<std::filesystem::path> folders() const { return {folder_.path() / "etc", folder_.path() / "run"}; }
  std::string error_of(const std::string& name) {
    const auto edits = Registry::read(folders()).resolve({name});
    EXPECT_FALSE(edits.has_value());
    return edits ? std::string() : edits.error().message;
  }

  runtimes::TestFolder folder_;
};

TEST_F(CdiFolders, TheLaterFolderCountsAndTwoFilesOfOneConflict) {
  write("etc/a.yaml", simple("x", "etc"));
  write("run/b.json", R"({"cdiVersion": "0.6.0", "kind": "v/c", "devices": [{"name": "x",
                          "containerEdits": {"env": ["A=run"]}}]})");
  write("etc/c.yml", simple("y", "c"));
  write("etc/readme.txt", "not read");
  const auto edits = Registry::read(folders()).resolve({"v/c=x"});
  ASSERT_TRUE(edits.has_value()) << edits.error().message;
  EXPECT_THAT(edits->back().environment, ElementsAre("A=run"));
  EXPECT_THAT(Registry::read(folders()).devices(), ElementsAre("v/c=x", "v/c=y"));
  write("etc/d.yaml", simple("y", "d"));
  EXPECT_THAT(error_of("v/c=y"), HasSubstr("is in both"));
}

TEST_F(CdiFolders, AnUnknownDeviceIsRefusedWithWhatThereIs) {
  EXPECT_THAT(error_of("v/c=z"), HasSubstr((folder_.path() / "etc").string() + " and " +
                                           (folder_.path() / "run").string() + " have none"));
  write("etc/a.yaml", simple("x", "1"));
  write("run/broken.json", "{");
  const auto said = error_of("v/c=z");
  EXPECT_THAT(said, HasSubstr("no device v/c=z"));
  EXPECT_THAT(said, HasSubstr("have v/c=x"));
  EXPECT_THAT(said, HasSubstr("broken.json"));
}

TEST_F(CdiFolders, NamesBecomeWhatTheyStandFor) {
  write("etc/a.json", kSpec);
  runtimes::ContainerConfig config;
  config.environment = {"DEVICE=none", "OTHER=1"};
  config.devices = {{"vendor.com/net=zero", ""}, {"/dev/full", "/dev/full"}, {"vendor.com/net=all", ""}};
  config.mounts = {{.source = "/mine", .target = "/lib/y"}};
  const auto resolved = resolve_devices(folders(), config);
  ASSERT_TRUE(resolved.has_value()) << resolved.error().message;
  EXPECT_THAT(config.environment, ElementsAre("OTHER=1", "SHARED=1", "DEVICE=zero"));
  ASSERT_EQ(config.devices.size(), 3u);
  EXPECT_EQ(config.devices[0].source, "/dev/full");
  EXPECT_EQ(config.devices[1].target, "/dev/one");
  EXPECT_FALSE(config.devices[1].mode.has_value()) << "as it is on the node";
  ASSERT_EQ(config.mounts.size(), 2u);
  EXPECT_EQ(config.mounts[0].source, "/lib/x");
  EXPECT_THAT(config.additional_groups, ElementsAre("44"));
  EXPECT_EQ(config.hooks.size(), 1u);
}

TEST_F(CdiFolders, NodesAreHeldAgainstTheMachine) {
  const auto check = [](DeviceNode node) {
    Edits edits;
    edits.nodes = {std::move(node)};
    const auto fits = fit_to_node(edits);
    return fits ? std::string() : fits.error().message;
  };
  EXPECT_EQ(check({.device = {"/dev/zero", "/dev/x"}, .type = 'c', .major = 1, .minor = 5}), "");
  EXPECT_THAT(check({.device = {"/dev/zero", "/dev/x"}, .type = 'c', .major = 1, .minor = 3}),
              HasSubstr("another device"));
  EXPECT_THAT(check({.device = {"/dev/zero", "/dev/x"}, .type = 'b'}), HasSubstr("another device"));
  EXPECT_THAT(check({.device = {"/dev/not-there", "/dev/x"}}), HasSubstr("/dev/not-there is no device"));
  Edits edits;
  edits.nodes = {{.device = {.source = "/dev/zero", .target = "/dev/x", .mode = 0600, .uid = 0, .gid = 7}}};
  ASSERT_TRUE(fit_to_node(edits).has_value());
  EXPECT_EQ(edits.nodes[0].device.mode, 0600u);
  EXPECT_FALSE(edits.nodes[0].device.uid.has_value());
  EXPECT_EQ(edits.nodes[0].device.gid, 7u);
}

}  // namespace
}  // namespace orchion::node::devices::cdi
