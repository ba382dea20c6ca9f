// Every key of the specification with an example: what is supported loads and fits the schema, what isn't is refused by
// both. The reference in docs/ is written from the same tables: ORCHION_WRITE_DOCS=1 writes it, otherwise it is
// checked.

#include "spec/support.h"

#include <cstdlib>
#include <map>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "spec/keys.h"
#include "spec/schema_validator.h"
#include "spec/test_folder.h"
#include "spec/yaml_reader.h"

namespace orchion::spec {
namespace {

using testing::HasSubstr;

// A file for each table, with `@` where "KEY: VALUE" goes.
const std::map<std::string_view, std::string> kFrames = {
    {"the file", "{services: {web: {image: a}}, @}"},
    {"a service",
     "{services: {web: {image: a, @}, db: {image: b, healthcheck: {test: ok}}}, networks: {n: }, volumes: "
     "{v: }, secrets: {s: {environment: HOME}}, configs: {c: {content: x}}, models: {m: {model: x}}}"},
    {"deploy", "{services: {web: {image: a, deploy: {@}}}}"},
    {"deploy.resources", "{services: {web: {image: a, deploy: {resources: {@}}}}}"},
    {"deploy.resources.limits", "{services: {web: {image: a, deploy: {resources: {limits: {@}}}}}}"},
    {"deploy.resources.reservations", "{services: {web: {image: a, deploy: {resources: {reservations: {@}}}}}}"},
    {"deploy.restart_policy", "{services: {web: {image: a, deploy: {restart_policy: {@}}}}}"},
    {"deploy.placement", "{services: {web: {image: a, deploy: {placement: {@}}}}}"},
    {"x-orchion", "{services: {web: {image: a, x-orchion: {@}}}}"},
    {"depends_on", "{services: {web: {image: a, depends_on: {db: {@}}}, db: {image: b}}}"},
    {"include", "{services: {web: {image: a}}, include: [{path: inc.yaml, @}]}"},
    {"extends", "{services: {web: {image: a, extends: {service: base, @}}, base: {image: b}}}"},
    {"env_file", "{services: {web: {image: a, env_file: [{path: web.env, @}]}}}"},
    {"a port", "{services: {web: {image: a, ports: [{target: 80, @}]}}}"},
    {"a volume of a service", "{services: {web: {image: a, volumes: [{type: bind, source: ., target: /t, @}]}}}"},
    {"bind", "{services: {web: {image: a, volumes: [{type: bind, source: ., target: /t, bind: {@}}]}}}"},
    {"volume of a mount",
     "{services: {web: {image: a, volumes: [{type: volume, source: v, target: /t, volume: {@}}]}}, volumes: {v: }}"},
    {"tmpfs", "{services: {web: {image: a, volumes: [{type: tmpfs, target: /t, tmpfs: {@}}]}}}"},
    {"a network of a service", "{services: {web: {image: a, networks: {n: {@}}}}, networks: {n: }}"},
    {"healthcheck", "{services: {web: {image: a, healthcheck: {test: ok, @}}}}"},
    {"logging", "{services: {web: {image: a, logging: {@}}}}"},
    {"logging.options", "{services: {web: {image: a, logging: {options: {@}}}}}"},
    {"a ulimit", "{services: {web: {image: a, ulimits: {nofile: {@}}}}}"},
    {"a device", "{services: {web: {image: a, devices: [{source: /dev/null, @}]}}}"},
    {"blkio_config", "{services: {web: {image: a, blkio_config: {@}}}}"},
    {"a rate of blkio_config",
     "{services: {web: {image: a, blkio_config: {device_read_bps: [{path: /dev/sda, rate: 1m, @}]}}}}"},
    {"weight_device",
     "{services: {web: {image: a, blkio_config: {weight_device: [{path: /dev/sda, weight: 10, @}]}}}}"},
    {"a secret or config of a service",
     "{services: {web: {image: a, configs: [{source: c, @}]}}, configs: {c: {content: x}}}"},
    {"a model of a service", "{services: {web: {image: a, models: {m: {@}}}}, models: {m: {model: x}}}"},
    {"a network", "{services: {web: {image: a, networks: [n]}}, networks: {n: {@}}}"},
    {"ipam", "{services: {web: {image: a, networks: [n]}}, networks: {n: {ipam: {@}}}}"},
    {"ipam.config", "{services: {web: {image: a, networks: [n]}}, networks: {n: {ipam: {config: [{@}]}}}}"},
    {"a volume", "{services: {web: {image: a, volumes: ['v:/v']}}, volumes: {v: {@}}}"},
    {"driver_opts of a volume",
     "{services: {web: {image: a, volumes: ['v:/v']}}, volumes: {v: {driver_opts: {type: none, o: bind, device: /d, "
     "@}}}}"},
    {"a secret", "{services: {web: {image: a, secrets: [s]}}, secrets: {s: {file: ./key, @}}}"},
    {"a config", "{services: {web: {image: a, configs: [c]}}, configs: {c: {file: ./key, @}}}"},
    {"a model", "{services: {web: {image: a}}, models: {m: {model: x, @}}}"},
};

// A value of each key that is supported.
const std::map<std::string_view, std::map<std::string_view, std::string_view>> kExamples = {
    {"the file",
     {{"version", "'3.8'"},
      {"name", "shop"},
      {"services", "={services: {web: {image: b}}}"},
      {"networks", "{n: }"},
      {"volumes", "{v: {labels: [a=b]}}"},
      {"include", "[inc.yaml]"},
      {"models", "{m: {model: ai/x}}"},
      {"secrets", "{s: {file: ./key}}"},
      {"configs", "{c: {content: x}}"}}},
    {"a service",
     {{"image", "b"},
      {"command", "[a, b]"},
      {"entrypoint", "a b"},
      {"environment", "{A: 1}"},
      {"env_file", "web.env"},
      {"ports", "['127.0.0.1:8000-8001:80-81/udp']"},
      {"volumes", "['v:/v:ro', /anonymous]"},
      {"networks", "{n: {aliases: [x]}}"},
      {"depends_on", "{db: {condition: service_healthy}}"},
      {"deploy", "{replicas: 2}"},
      {"restart", "on-failure:3"},
      {"labels", "[a=b]"},
      {"label_file", "web.env"},
      {"user", "'1000:1000'"},
      {"working_dir", "/srv"},
      {"x-orchion", "{on_node_loss: fence}"},
      {"hostname", "www"},
      {"domainname", "example.com"},
      {"container_name", "my_web"},
      {"stop_signal", "SIGINT"},
      {"stop_grace_period", "1m30s"},
      {"tty", "true"},
      {"stdin_open", "true"},
      {"read_only", "true"},
      {"init", "true"},
      {"privileged", "true"},
      {"cap_add", "[NET_ADMIN]"},
      {"cap_drop", "[ALL]"},
      {"security_opt", "['no-new-privileges:false', seccomp=unconfined, apparmor=unconfined]"},
      {"devices", "['/dev/null:/dev/zilch:r']"},
      {"device_cgroup_rules", "['c 1:3 mr']"},
      {"ulimits", "{nofile: 1024, nproc: {soft: 1, hard: 2}}"},
      {"sysctls", "{net.core.somaxconn: 1024}"},
      {"shm_size", "128m"},
      {"tmpfs", "['/run:size=1m,mode=0700,noexec']"},
      {"mem_limit", "1g"},
      {"mem_reservation", "512m"},
      {"memswap_limit", "-1"},
      {"cpus", "0.5"},
      {"cpu_shares", "512"},
      {"cpu_quota", "50000"},
      {"cpu_period", "50000"},
      {"cpuset", "0-1"},
      {"pids_limit", "100"},
      {"oom_score_adj", "-500"},
      {"blkio_config", "{weight: 300}"},
      {"group_add", "[audio, 999]"},
      {"cgroup", "host"},
      {"ipc", "shareable"},
      {"pid", "host"},
      {"uts", "host"},
      {"userns_mode", "host"},
      {"isolation", "default"},
      {"network_mode", "none"},
      {"dns", "1.1.1.1"},
      {"dns_search", "[example.com]"},
      {"dns_opt", "['ndots:1']"},
      {"extra_hosts", "['a:10.0.0.1', 'b=host-gateway']"},
      {"expose", "['80', 8000-8001/udp]"},
      {"links", "['db:database']"},
      {"logging", "{driver: json-file, options: {max-size: 10m, max-file: '3'}}"},
      {"healthcheck", "{test: [CMD, 'true'], interval: 5s}"},
      {"secrets", "[s]"},
      {"configs", "[c]"},
      {"annotations", "{a: b}"},
      {"attach", "false"},
      {"platform", "linux/amd64"},
      {"pull_policy", "never"},
      {"profiles", "[]"},
      {"extends", "db"},
      {"scale", "2"},
      {"models", "[m]"}}},
    {"deploy",
     {{"mode", "replicated"},
      {"replicas", "3"},
      {"labels", "{a: b}"},
      {"resources", "{limits: {cpus: 1}}"},
      {"restart_policy", "{condition: any}"},
      {"placement", "{constraints: [node.hostname==nas]}"},
      {"endpoint_mode", "dnsrr"}}},
    {"deploy.resources", {{"limits", "{memory: 1g}"}, {"reservations", "{memory: 1g}"}}},
    {"deploy.resources.limits", {{"cpus", "'0.5'"}, {"memory", "50M"}, {"pids", "10"}}},
    {"deploy.resources.reservations", {{"cpus", "'0.5'"}, {"memory", "50M"}}},
    {"deploy.restart_policy", {{"condition", "on-failure"}, {"max_attempts", "3"}, {"delay", "5s"}}},
    {"deploy.placement", {{"constraints", "[node.labels.disk==ssd]"}}},
    {"x-orchion", {{"on_node_loss", "wait"}}},
    {"depends_on", {{"condition", "service_started"}, {"required", "false"}, {"restart", "false"}}},
    {"include", {{"path", "[inc.yaml]"}, {"project_directory", "."}, {"env_file", "web.env"}}},
    {"extends", {{"service", "base"}, {"file", "ext.yaml"}}},
    {"env_file", {{"path", "web.env"}, {"required", "true"}, {"format", "raw"}}},
    {"a port",
     {{"target", "81"},
      {"published", "'8080'"},
      {"host_ip", "127.0.0.1"},
      {"protocol", "udp"},
      {"mode", "host"},
      {"name", "web"},
      {"app_protocol", "http"}}},
    {"a volume of a service",
     {{"type", "bind"},
      {"source", "./x"},
      {"target", "/x"},
      {"read_only", "true"},
      {"bind", "{propagation: rslave}"},
      {"volume",
       "={services: {web: {image: a, volumes: [{type: volume, source: v, target: /t, volume: {nocopy: true}}]}}, "
       "volumes: {v: }}"},
      {"tmpfs", "={services: {web: {image: a, volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m}}]}}}"},
      {"consistency", "cached"}}},
    {"bind", {{"create_host_path", "true"}, {"propagation", "rshared"}, {"recursive", "disabled"}, {"selinux", "z"}}},
    {"volume of a mount", {{"nocopy", "true"}}},
    {"tmpfs", {{"size", "64m"}, {"mode", "0700"}}},
    {"a network of a service", {{"aliases", "[a, b_c]"}, {"priority", "10"}, {"gw_priority", "1"}}},
    {"healthcheck",
     {{"test", "curl -f localhost"},
      {"interval", "1s"},
      {"timeout", "1s"},
      {"retries", "3"},
      {"start_period", "5s"},
      {"start_interval", "1s"},
      {"disable", "true"}}},
    {"logging", {{"driver", "local"}, {"options", "{max-size: 1m}"}}},
    {"logging.options",
     {{"max-size", "10m"},
      {"max-file", "'3'"},
      {"compress", "'true'"},
      {"mode", "non-blocking"},
      {"max-buffer-size", "4m"}}},
    {"a ulimit", {{"soft", "10"}, {"hard", "20"}}},
    {"a device", {{"source", "/dev/zero"}, {"target", "/dev/x"}, {"permissions", "rw"}}},
    {"blkio_config",
     {{"weight", "300"},
      {"weight_device", "[{path: /dev/sda, weight: 400}]"},
      {"device_read_bps", "[{path: /dev/sda, rate: 12mb}]"},
      {"device_read_iops", "[{path: /dev/sda, rate: 120}]"},
      {"device_write_bps", "[{path: /dev/sda, rate: 1024k}]"},
      {"device_write_iops", "[{path: /dev/sda, rate: 30}]"}}},
    {"a rate of blkio_config", {{"path", "/dev/sdb"}, {"rate", "1m"}}},
    {"weight_device", {{"path", "/dev/sdb"}, {"weight", "100"}}},
    {"a secret or config of a service",
     {{"source", "c"}, {"target", "/etc/c"}, {"uid", "'103'"}, {"gid", "'103'"}, {"mode", "0440"}}},
    {"a model of a service", {{"endpoint_var", "URL"}, {"model_var", "MODEL"}}},
    {"a network",
     {{"driver", "bridge"},
      {"internal", "true"},
      {"labels", "{a: b}"},
      {"ipam", "{config: [{subnet: 10.5.0.0/24}]}"},
      {"name", "other"},
      {"attachable", "true"},
      {"enable_ipv4", "true"},
      {"enable_ipv6", "false"}}},
    {"ipam", {{"config", "[{subnet: 10.5.0.0/24}]"}, {"driver", "default"}}},
    {"ipam.config", {{"subnet", "10.5.0.0/24"}}},
    {"a volume",
     {{"driver", "local"},
      {"labels", "[a=b]"},
      {"name", "other"},
      {"driver_opts", "{type: none, o: bind, device: /srv/data}"}}},
    {"driver_opts of a volume", {{"type", "none"}, {"o", "bind"}, {"device", "/d"}}},
    {"a secret",
     {{"file", "./key"},
      {"environment", "={services: {web: {image: a, secrets: [s]}}, secrets: {s: {environment: HOME}}}"},
      {"name", "n"},
      {"labels", "{a: b}"}}},
    {"a config",
     {{"file", "./key"},
      {"environment", "={services: {web: {image: a, configs: [c]}}, configs: {c: {environment: HOME}}}"},
      {"content", "={services: {web: {image: a, configs: [c]}}, configs: {c: {content: text}}}"},
      {"name", "n"},
      {"labels", "{a: b}"}}},
    {"a model", {{"model", "ai/x"}, {"context_size", "4096"}, {"runtime_flags", "[--a]"}, {"name", "n"}}},
};

Folder folder_with(const std::string& text) {
  Folder folder(text);
  folder.add("inc.yaml", "services: {inc: {image: i}}").add("ext.yaml", "services: {base: {image: i}}");
  folder.add("web.env", "A=1").add("key", "secret");
  return folder;
}

// The frame with the key in it, in its place where the frame has the key itself; or the example, where that is a whole
// file.
std::string file_with(const KeyTable& table, std::string_view key, std::string_view value) {
  if (value.starts_with('=')) return std::string(value.substr(1));
  auto text = kFrames.at(table.where);
  const auto entry = fmt::format("{}: {}", key, value);
  const auto at = text.find('@');
  // Flow style has no duplicate keys: what the frame says about this one goes.
  const auto open = text.rfind('{', at);
  for (const auto& lead : {std::string("{"), std::string(", ")}) {
    const auto own = text.find(lead + std::string(key) + ": ", open);
    if (own == std::string::npos || own > at || own < open) continue;
    auto begin = own + lead.size();
    int depth = 0;
    auto end = begin;
    for (; end < at && !(depth == 0 && text[end] == ','); ++end)
      depth += (text[end] == '{' || text[end] == '[') - (text[end] == '}' || text[end] == ']');
    if (end < at) text.erase(begin, end + 2 - begin);
    break;
  }
  return text.replace(text.find('@'), 1, entry);
}

class EveryKey : public testing::TestWithParam<const KeyTable*> {};

TEST_P(EveryKey, IsSupportedOrRefused) {
  const KeyTable& table = *GetParam();
  const SchemaValidator schema(json_schema());
  ASSERT_TRUE(kFrames.contains(table.where)) << table.where;
  for (const auto& key : table.keys) {
    const auto& examples = kExamples.at(table.where);
    const auto example = examples.find(key.name);
    ASSERT_EQ(example != examples.end(), key.supported) << table.where << ": " << key.name;
    const auto text = file_with(table, key.name, key.supported ? example->second : "x");
    SCOPED_TRACE(text);
    const auto tree = read_yaml(text, "f.yaml");
    ASSERT_TRUE(tree) << tree.error().message;
    EXPECT_EQ(schema.accepts(*tree), key.supported);
    if (key.supported) {
      EXPECT_EQ(folder_with(text).error(), "no error");
    } else {
      EXPECT_FALSE(key.note.empty()) << "says what to do";
      EXPECT_THAT(folder_with(text).error(), HasSubstr(fmt::format("`{}` isn't supported: {}", key.name, key.note)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, EveryKey, testing::ValuesIn(all_key_tables().begin(), all_key_tables().end()));

TEST(Schema, AcceptsExtensionsAndRefusesWhatIsUnknown) {
  const SchemaValidator schema(json_schema());
  const auto accepts = [&](std::string_view text) { return schema.accepts(*read_yaml(text, "f.yaml")); };
  EXPECT_TRUE(accepts("{x-a: 1, services: {x-b: 2, web: {image: a, x-c: [3]}}}"));
  EXPECT_FALSE(accepts("{services: {web: {image: a, imgae: b}}}"));
  EXPECT_FALSE(accepts("{services: {web: {image: a, ports: 80}}}"));
  EXPECT_FALSE(accepts("{services: [web]}"));
}

constexpr std::string_view kBegin = "<!-- written by spec/support_test.cc: begin -->\n";
constexpr std::string_view kEnd = "<!-- written by spec/support_test.cc: end -->\n";

void check_or_write(const std::filesystem::path& file, const std::string& expected) {
  if (std::getenv("ORCHION_WRITE_DOCS") != nullptr) {
    ASSERT_TRUE(base::write_file(file, expected, 0644));
    return;
  }
  EXPECT_EQ(base::read_file(file).value_or(""), expected)
      << file << " is not what the tables say: run this test with ORCHION_WRITE_DOCS=1";
}

TEST(Reference, SaysWhatTheTablesSay) {
  const std::filesystem::path folder = ORCHION_REFERENCE;
  check_or_write(folder / "compose.schema.json", json_schema());
  auto text = base::read_file(folder / "compose.md").value_or("");
  const auto begin = text.find(kBegin), end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  text.replace(begin + kBegin.size(), end - begin - kBegin.size(), "\n" + support_tables());
  check_or_write(folder / "compose.md", text);
}

}  // namespace
}  // namespace orchion::spec
