// Every key of the specification with an example: what is supported loads and fits the schema, what isn't is refused by
// both. The reference in docs/ is written from the same tables: ORCHION_WRITE_DOCS=1 writes it, otherwise it is
// checked.

#include "spec/support.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "spec/keys.h"
#include "spec/meanings.h"
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
    {"a route",
     "{services: {web: {image: a, x-orchion: {routes: [{host: a.test, path: /x, port: 80, tls: internal, @}]}}}}"},
    {"tls of a route",
     "{services: {web: {image: a, x-orchion: {routes: [{port: 80, tls: {certificate: ./key, @}}]}}}}"},
    {"x-orchion.recovery", "{services: {web: {image: a, healthcheck: {test: ok}, x-orchion: {recovery: {@}}}}}"},
    {"x-orchion.health", "{services: {web: {image: a, x-orchion: {health: {@}}}}}"},
    {"a check of x-orchion.health", "{services: {web: {image: a, x-orchion: {health: {readiness: {tcp: 80, @}}}}}}"},
    {"http of a check", "{services: {web: {image: a, x-orchion: {health: {readiness: {http: {port: 80, @}}}}}}}"},
    {"grpc of a check", "{services: {web: {image: a, x-orchion: {health: {readiness: {grpc: {port: 80, @}}}}}}}"},
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
    {"build", "{services: {web: {build: {context: ., @}}}, secrets: {s: {file: ./key}}}"},
    {"a secret of a build",
     "{services: {web: {build: {context: ., secrets: [{source: s, @}]}}}, secrets: {s: {file: ./key}}}"},
    {"logging", "{services: {web: {image: a, logging: {@}}}}"},
    {"logging.options", "{services: {web: {image: a, logging: {options: {@}}}}}"},
    {"a ulimit", "{services: {web: {image: a, ulimits: {nofile: {@}}}}}"},
    {"a device", "{services: {web: {image: a, devices: [{source: /dev/null, @}]}}}"},
    {"a request for devices",
     "{services: {web: {image: a, deploy: {resources: {reservations: {devices: [{capabilities: [gpu], @}]}}}}}}"},
    {"gpus of x-orchion", "{services: {web: {image: a, x-orchion: {gpus: {@}}}}}"},
    {"near and away_from", "{services: {web: {image: a, x-orchion: {near: [{service: web, @}]}}}}"},
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
    {"driver_opts of a network", "{services: {web: {image: a, networks: [n]}}, networks: {n: {driver_opts: {@}}}}"},
    {"a volume", "{services: {web: {image: a, volumes: ['v:/v']}}, volumes: {v: {@}}}"},
    {"driver_opts of a volume",
     "{services: {web: {image: a, volumes: ['v:/v']}}, volumes: {v: {driver_opts: {type: none, o: bind, device: /d, "
     "@}}}}"},
    {"a secret", "{services: {web: {image: a, secrets: [s]}}, secrets: {s: {file: ./key, @}}}"},
    {"a config", "{services: {web: {image: a, configs: [c]}}, configs: {c: {file: ./key, @}}}"},
    {"x-orchion of the file", "{services: {web: {image: a}}, x-orchion: {@}}"},
    {"a queue", "{x-orchion: {jobs: {j: {image: a, queue: gpu}}, queues: {gpu: {@}}}}"},
    {"a network policy", "{services: {web: {image: a}}, x-orchion: {network_policies: {p: {ingress: [], @}}}}"},
    {"a rule of ingress", "{services: {web: {image: a}}, x-orchion: {network_policies: {p: {ingress: [{@}]}}}}"},
    {"a rule of egress", "{services: {web: {image: a}}, x-orchion: {network_policies: {p: {egress: [{@}]}}}}"},
    {"a peer of a network policy",
     "{services: {web: {image: a}}, x-orchion: {network_policies: {p: {egress: [{to: [{@}]}]}}}}"},
    {"a job", "{x-orchion: {jobs: {j: {image: a, @}}}}"},
    {"schedule", "{x-orchion: {jobs: {j: {image: a, schedule: {cron: '0 3 * * *', @}}}}}"},
    {"a parameter of a job", "{x-orchion: {jobs: {j: {image: a, parameters: {P: {@}}}}}}"},
    {"an input of a job", "{x-orchion: {jobs: {j: {image: a, inputs: {i: {path: /i, @}}}}}}"},
    {"an output of a job", "{x-orchion: {jobs: {j: {image: a, outputs: {o: {path: /o, @}}}}}}"},
    {"a model", "{services: {web: {image: a}}, models: {m: {model: x, @}}}"},
};

// Files for the keys whose examples don't go with the rest of their frame.
const std::map<std::pair<std::string_view, std::string_view>, std::string_view> kWholeFiles = {
    {{"a check of x-orchion.health", "http"},
     "{services: {web: {image: a, x-orchion: {health: {readiness: {http: {port: 8080, path: /healthz}}}}}}}"},
    {{"a check of x-orchion.health", "grpc"},
     "{services: {web: {image: a, x-orchion: {health: {readiness: {grpc: 50051}}}}}}"},
    {{"a check of x-orchion.health", "command"},
     "{services: {web: {image: a, x-orchion: {health: {readiness: {command: [pg_isready, -q]}}}}}}"},
    {{"a route", "hosts"},
     "{services: {web: {image: a, x-orchion: {routes: [{port: 80, hosts: [shop.example.com, "
     "'*.shop.example.com']}]}}}}"},
    {{"the file", "services"}, "{services: {web: {image: b}}}"},
    {{"a peer of a network policy", "except"},
     "{services: {web: {image: a}}, x-orchion: {network_policies: {p: {egress: [{to: [{range: 10.0.0.0/8, except: "
     "[10.9.0.0/16]}]}]}}}}"},
    {{"a request for devices", "device_ids"},
     "{services: {web: {image: a, gpus: [{driver: cdi, device_ids: [example.com/gpu=0]}]}}}"},
    {{"a network", "external"},
     "{services: {web: {image: a, networks: [n]}}, networks: {n: {external: true, name: other/front}}}"},
    {{"ipam.config", "gateway"},
     "{services: {web: {image: a, networks: [n]}}, networks: {n: {ipam: {config: [{subnet: 10.5.0.0/24, gateway: "
     "10.5.0.1}]}}}}"},
    {{"ipam.config", "ip_range"},
     "{services: {web: {image: a, networks: [n]}}, networks: {n: {ipam: {config: [{subnet: 10.5.0.0/24, ip_range: "
     "10.5.0.128/25}]}}}}"},
    {{"driver_opts of a network", "parent"},
     "{services: {web: {image: a, networks: [n]}}, networks: {n: {driver: macvlan, driver_opts: {parent: eth0}, ipam: "
     "{config: [{subnet: 10.5.0.0/24}]}}}}"},
    {{"a job", "queue"}, "{x-orchion: {jobs: {j: {image: a, queue: gpu}}, queues: {gpu: {slots: 2}}}}"},
    {{"a volume of a service", "volume"},
     "{services: {web: {image: a, volumes: [{type: volume, source: v, target: /t, volume: {nocopy: true}}]}}, volumes: "
     "{v: }}"},
    {{"a volume of a service", "tmpfs"},
     "{services: {web: {image: a, volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m}}]}}}"},
    {{"a secret", "environment"}, "{services: {web: {image: a, secrets: [s]}}, secrets: {s: {environment: HOME}}}"},
    {{"a config", "environment"}, "{services: {web: {image: a, configs: [c]}}, configs: {c: {environment: HOME}}}"},
    {{"a config", "content"}, "{services: {web: {image: a, configs: [c]}}, configs: {c: {content: text}}}"},
};

Folder folder_with(const std::string& text) {
  Folder folder(text);
  folder.add("inc.yaml", "services: {inc: {image: i}}").add("ext.yaml", "services: {base: {image: i}}");
  folder.add("web.env", "A=1").add("key", "secret");
  return folder;
}

// The frame with the key in it, in its place where the frame has the key itself; or the key's whole file.
std::string file_with(const KeyTable& table, std::string_view key, std::string_view value) {
  if (const auto whole = kWholeFiles.find({table.where, key}); whole != kWholeFiles.end())
    return std::string(whole->second);
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
    const auto* meaning = meaning_of(table, key.name);
    ASSERT_NE(meaning, nullptr) << table.where << ": " << key.name << " lacks its meaning in meanings.cc";
    EXPECT_FALSE(meaning->sentence.empty() || meaning->sentence.ends_with('.'));
    ASSERT_EQ(!meaning->example.empty(), key.supported) << table.where << ": " << key.name;
    const auto text = file_with(table, key.name, key.supported ? meaning->example : "x");
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

TEST(Meanings, StandForKeysThatThereAre) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const auto& meaning : all_meanings()) {
    EXPECT_TRUE(seen.insert({meaning.table, meaning.key}).second) << meaning.table << ": " << meaning.key << " twice";
    EXPECT_TRUE(std::ranges::any_of(all_key_tables(),
                                    [&](const KeyTable* table) {
                                      return table->where == meaning.table &&
                                             std::ranges::find(table->keys, meaning.key, &Key::name) !=
                                                 table->keys.end();
                                    }))
        << meaning.table << ": " << meaning.key;
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
