#include "spec/loader.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "spec/keys.h"
#include "spec/render.h"
#include "spec/test_folder.h"

namespace orchion::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Compared as messages: the order of maps in JSON means nothing.
template <class Message>
void expect_message(const Message& message, const std::string& json) {
  Message expected;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &expected).ok()) << json;
  std::string difference;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differencer.Compare(expected, message)) << difference;
}

constexpr const char* kEverything = R"(
name: shop
version: "3.8"
x-note: {anything: "${GOES:?here}"}
services:
  web:
    image: web:1
    entrypoint: /bin/sh -c
    command: ["run", "it $$now"]
    environment:
      NUMBER: 1.10
      FLAG: true
      EMPTY:
      HOME:
    env_file: web.env
    ports:
      - "127.0.0.1:8080:80"
      - 9000-9001:9000-9001/udp
      - {target: 443, published: "8443", protocol: tcp, mode: host}
      - 53
    volumes:
      - data:/data
      - ./conf:/etc/conf:ro
      - {type: tmpfs, target: /tmp, tmpfs: {size: 64m}}
      - {type: bind, source: ~/x, target: /x, bind: {create_host_path: false}}
    networks:
      front: {aliases: [www, shop]}
      default:
    depends_on:
      db: {condition: service_started, required: true}
      migrate: {condition: service_completed_successfully}
    deploy:
      mode: replicated
      replicas: 3
      labels: [tier=web]
      resources:
        limits: {cpus: "0.5", memory: 512M, pids: 100}
        reservations: {cpus: 0.25, memory: 64m}
      restart_policy: {condition: any, max_attempts: 5}
      placement:
        constraints: ["node.hostname == nas", node.labels.gpu!=none]
        preferences: [{spread: node.labels.zone}]
        max_replicas_per_node: 2
    labels: {a: "1", b: }
    user: 1000:1000
    working_dir: /srv
    hostname: www
    stop_signal: SIGINT
    stop_grace_period: 1m30s
    tty: true
    stdin_open: yes
    read_only: true
    cap_add: [cap_net_admin]
    cap_drop: [ALL]
    x-ours: 1
  db:
    image: db
    restart: unless-stopped
    mem_limit: 1g
    cpus: 2
    pids_limit: -1
    scale: 2
  migrate:
    image: migrate
    restart: on-failure:3
networks:
  front:
    driver: bridge
    internal: true
    labels: {n: m}
    ipam: {config: [{subnet: 10.9.0.0/24}]}
volumes:
  data: {labels: [keep=yes]}
)";

TEST(Loader, TheWholeOfWhatIsSupported) {
  Folder folder(kEverything);
  folder.files.files["/srv/shop/web.env"] = "FROM_FILE=1\nFLAG=file\n";
  const auto stack = folder.load();
  ASSERT_TRUE(stack) << stack.error().message;
  EXPECT_EQ(stack->name, "shop");
  EXPECT_EQ(stack->project_folder, "/srv/shop");
  EXPECT_THAT(stack->files, ElementsAre("compose.yaml"));
  EXPECT_THAT(stack->warnings, ElementsAre(HasSubstr("compose.yaml:3:10: `version` means nothing")));
  ASSERT_EQ(stack->spec.services_size(), 3);
  expect_message(
      (stack->spec.services(0).spec()),
      R"({"container":{"image":"web:1","entrypoint":{"values":["/bin/sh","-c"]},"command":{"values":["run","it $now"]},)"
      R"("environment":[{"name":"FROM_FILE","value":"1"},{"name":"FLAG","value":"true"},{"name":"NUMBER","value":"1.10"},)"
      R"({"name":"HOME","value":"/home/me"}],"workingDir":"/srv","user":"1000:1000","hostname":"www",)"
      R"("labels":{"a":"1","b":""},"mounts":[{"type":"VOLUME","source":"data","target":"/data"},)"
      R"({"type":"BIND","source":"/srv/shop/conf","target":"/etc/conf","readOnly":true,"createHostPath":true},)"
      R"({"type":"TMPFS","target":"/tmp","tmpfsBytes":"67108864"},)"
      R"({"type":"BIND","source":"/home/me/x","target":"/x"}],)"
      R"("ports":[{"hostIp":"127.0.0.1","hostPort":8080,"containerPort":80,"protocol":"tcp"},)"
      R"({"hostPort":9000,"containerPort":9000,"protocol":"udp"},{"hostPort":9001,"containerPort":9001,"protocol":"udp"},)"
      R"({"hostPort":8443,"containerPort":443,"protocol":"tcp","hostOnly":true},{"containerPort":53,"protocol":"tcp"}],)"
      R"("networks":[{"network":"front","aliases":["www","shop"]},{"network":"default"}],)"
      R"("limits":{"nanoCpus":"500000000","memoryBytes":"536870912","pids":"100"},)"
      R"("reservations":{"nanoCpus":"250000000","memoryBytes":"67108864"},"stopSignal":"SIGINT","stopGracePeriod":"90s",)"
      R"("tty":true,"stdinOpen":true,"readOnlyRoot":true,"capAdd":["NET_ADMIN"],"capDrop":["ALL"]},"replicas":3,)"
      R"("restart":{"condition":"ALWAYS","maxAttempts":5},"dependsOn":[{"service":"db","condition":"STARTED"},)"
      R"({"service":"migrate","condition":"COMPLETED_SUCCESSFULLY"}],)"
      R"("constraints":["node.hostname==nas","node.labels.gpu!=none"],"labels":{"tier":"web"},)"
      R"("placement":{"spreadOver":["node.labels.zone"],"tasksPerNodeMax":2}})");
  expect_message(stack->spec.services(1).spec(),
                 R"({"container":{"image":"db","networks":[{"network":"default"}],)"
                 R"("limits":{"nanoCpus":"2000000000","memoryBytes":"1073741824"}},"replicas":2,)"
                 R"("restart":{"condition":"UNLESS_STOPPED"}})");
  expect_message(stack->spec.networks(0),
                 R"({"name":"front","spec":{"internal":true,"subnet":"10.9.0.0/24","labels":{"n":"m"}}})");
  EXPECT_EQ(stack->spec.networks(1).name(), "default");
  expect_message(stack->spec.volumes(0), R"({"name":"data","spec":{"labels":{"keep":"yes"}}})");
}

TEST(Loader, WhatIsRenderedLoadsAgainAsTheSame) {
  Folder folder(kEverything);
  folder.files.files["/srv/shop/web.env"] = "DOLLAR='$HOME'\nTEXT=\"two\\nlines: #\"\n";
  const auto stack = folder.load();
  ASSERT_TRUE(stack) << stack.error().message;
  const auto text = render(stack->name, stack->spec);
  const auto again = Folder(text).load();
  ASSERT_TRUE(again) << again.error().message << text;
  EXPECT_EQ(again->name, "shop");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(stack->spec, again->spec)) << text;
}

TEST(Loader, TheSmallestFile) {
  const auto spec = loaded("services: {web: {image: nginx}}");
  expect_message(
      (spec), R"({"services":[{"name":"web","spec":{"container":{"image":"nginx","networks":[{"network":"default"}]},)"
              R"("replicas":1}}],"networks":[{"name":"default","spec":{}}]})");
}

TEST(Loader, UnsupportedAndUnknownKeysAreAllNamedAtOnce) {
  EXPECT_EQ(
      error_of("services:\n"
               "  web:\n"
               "    image: nginx\n"
               "    credential_spec: {file: x}\n"
               "    storage_opt: {size: 1g}\n"
               "    enviroment: {A: 1}\n"
               "    frobnicate: 1\n"
               "    x-fine: 1\n"
               "    deploy: {update_config: {order: start-first}}\n"
               "networks: {front: {external: true}}\n"
               "secrets: {key: {external: true}}\n"),
      "compose.yaml:4:5: `credential_spec` isn't supported: it means something on Windows only: remove it\n"
      "compose.yaml:5:5: `storage_opt` isn't supported: remove it; a volume can hold what must not fill the disk\n"
      "compose.yaml:6:5: `enviroment` isn't a key of a service: did you mean `environment`?\n"
      "compose.yaml:7:5: `frobnicate` isn't a key of a service: remove it, or begin it with `x-`\n"
      "compose.yaml:9:14: `update_config` isn't supported: remove it; tasks are replaced one by one, each stopped "
      "first\n"
      "compose.yaml:10:30: `front` doesn't say whose network it is: write `name: STACK/NETWORK`, such as "
      "`other/front`; `orchion network ls` lists them\n"
      "compose.yaml:11:17: `external` isn't supported: name a `file` or an `environment` variable");
}

struct ErrorCase {
  std::string service;  // what follows the image, in flow style
  std::string expected;
};

class ServiceErrors : public testing::TestWithParam<ErrorCase> {};

TEST_P(ServiceErrors, AreSentencesWithAPlace) {
  const auto message = error_of("services: {web: {image: a, " + GetParam().service + "}, db: {image: b}}");
  EXPECT_THAT(message, testing::StartsWith("compose.yaml:1:"));
  EXPECT_THAT(message, HasSubstr(GetParam().expected));
  EXPECT_THAT(message, testing::Not(HasSubstr("\n")));
}

INSTANTIATE_TEST_SUITE_P(
    Table, ServiceErrors,
    testing::Values(
        ErrorCase{"tty: maybe", "`tty` must be true or false, not `maybe`"},
        ErrorCase{"deploy: {replicas: lots}", "`replicas` must be a whole number from 0 to 10000, not `lots`"},
        ErrorCase{"deploy: {replicas: 2}, scale: 3", "`scale` and `deploy.replicas` say different things"},
        ErrorCase{"deploy: {resources: {limits: {memory: 1g}}}, mem_limit: 2g",
                  "`mem_limit` and `deploy.resources` say"},
        ErrorCase{"deploy: {mode: global}", "the mode `global` isn't supported"},
        ErrorCase{"deploy: {endpoint_mode: lb}", "the endpoint mode `lb` isn't supported: use vip"},
        ErrorCase{"deploy: {restart_policy: {condition: maybe}}", "use none, on-failure or any"},
        ErrorCase{"deploy: {placement: {constraints: [nas]}}", "`nas` isn't a constraint"},
        ErrorCase{"deploy: []", "`deploy` must be a map, not a list"},
        ErrorCase{"depends_on: {db: {condition: ready}}", "`ready` isn't a condition"},
        ErrorCase{"depends_on: [cache]", "there is no service `cache` to depend on"},
        ErrorCase{"depends_on: [web]", "`web` waits for `web`, and through it for itself"},
        ErrorCase{"depends_on: {db: {restart: true}}", "`restart: true` isn't supported"},
        ErrorCase{"container_name: 'a b'", "`a b` can't be a name"},
        ErrorCase{"container_name: w, scale: 2", "`container_name` can't name 2 replicas"},
        ErrorCase{"healthcheck: {test: [curl, x]}", "`test` isn't a check"},
        ErrorCase{"healthcheck: {test: []}", "`test` isn't a check"},
        ErrorCase{"logging: {driver: syslog}", "the logging driver `syslog` isn't supported"},
        ErrorCase{"network_mode: 'service:cache'", "the stack has no service \"cache\""},
        ErrorCase{"network_mode: 'service:web'", "service web shares the network of web"},
        ErrorCase{"network_mode: 'service:'", "names no service: write one behind it"},
        ErrorCase{"network_mode: 'service:db', deploy: {replicas: 2}", "web has 2 replicas and db only 1"},
        ErrorCase{"network_mode: 'service:db', ports: ['80:80']",
                  "`ports` means nothing with `network_mode: service:db`"},
        ErrorCase{"network_mode: 'service:db', networks: [default]",
                  "`networks` and `network_mode` can't both be there"},
        ErrorCase{"network_mode: 'service:db', hostname: x",
                  "`hostname` means nothing with `network_mode: service:db`"},
        ErrorCase{"network_mode: 'service:db', dns: 1.1.1.1", "`dns` means nothing with `network_mode: service:db`"},
        ErrorCase{"network_mode: 'service:db', extra_hosts: ['a=1.1.1.1']", "`extra_hosts` means nothing with"},
        ErrorCase{"network_mode: 'service:db', expose: ['80']", "write it for `db`, whose network this is"},
        ErrorCase{"network_mode: 'container:db'", "containers come and go with their services: write `service:NAME`"},
        ErrorCase{"network_mode: mine", "`network_mode: mine` isn't supported: there are none, host, bridge and"},
        ErrorCase{"network_mode: host, ports: ['80:80']", "`ports` means nothing with `network_mode: host`"},
        ErrorCase{"network_mode: none, networks: [default]", "`networks` and `network_mode` can't both be there"},
        ErrorCase{"dns: nowhere", "`nowhere` isn't an IP address"},
        ErrorCase{"extra_hosts: [db]", "`db=` isn't a host"},
        ErrorCase{"expose: ['80:80']", "`80:80` isn't a container's port"},
        ErrorCase{"links: ['cache:c']", "there is no service `cache` to depend on"},
        ErrorCase{"devices: ['vendor.com/gpu']", "this isn't a device"},
        ErrorCase{"devices: [{source: vendor.com/gpu=all, target: /dev/x}]", "is where its vendor says"},
        ErrorCase{"device_cgroup_rules: ['c 1 rwm']", "`c 1 rwm` isn't a device rule"},
        ErrorCase{"ulimits: {files: 3}", "`files` isn't a limit"},
        ErrorCase{"ulimits: {nofile: {soft: 3, hard: 2}}", "the soft limit of `nofile` is above its hard one"},
        ErrorCase{"sysctls: {vm.swappiness: 1}", "`vm.swappiness` isn't a container's own"},
        ErrorCase{"sysctls: {net.x: 1}, network_mode: host", "`net.x` would change the node's network"},
        ErrorCase{"security_opt: ['apparmor:mine']", "the security option `apparmor:mine` isn't supported"},
        ErrorCase{"pid: 'service:db'", "`pid: service:db` isn't supported"},
        ErrorCase{"uts: host, hostname: x", "`uts: host` has the node's name"},
        ErrorCase{"userns_mode: keep-id", "`userns_mode: keep-id` isn't supported: use auto, for users of the"},
        ErrorCase{"platform: windows", "the platform `windows` isn't supported"},
        ErrorCase{"pull_policy: daily", "the pull policy `daily` isn't supported"},
        ErrorCase{"tmpfs: '/x:huge'", "the tmpfs option `huge` isn't supported"},
        ErrorCase{"memswap_limit: 1g", "set `mem_limit` too"},
        ErrorCase{"cpuset: all", "`all` isn't a set of processors"},
        ErrorCase{"secrets: [key]", "`key` isn't declared: add it under the top-level `secrets`"},
        ErrorCase{"models: [m]", "`m` isn't declared: add it under the top-level `models`"},
        ErrorCase{"restart: sometimes", "`sometimes` isn't a restart policy"},
        ErrorCase{"restart: \"always:3\"", "a count follows on-failure only"},
        ErrorCase{"ports: [http]", "`http` isn't a port"},
        ErrorCase{"ports: [[1]]", "a port must be text or a map, not a list"},
        ErrorCase{"ports: [{published: 80}]", "a port has no `target`"},
        ErrorCase{"ports: [{target: 80, mode: other}]", "`other` isn't a mode: use ingress or host"},
        ErrorCase{"volumes: [data:/data]", "`data` isn't declared: add it under the top-level `volumes`"},
        ErrorCase{"volumes: [{type: npipe, target: /x}]", "the volume type `npipe` isn't supported"},
        ErrorCase{"volumes: [{type: bind, source: ., target: /x, tmpfs: {size: 1}}]",
                  "`tmpfs` belongs to a volume of type tmpfs"},
        ErrorCase{"networks: [front]", "`front` isn't declared: add it under the top-level `networks`"},
        ErrorCase{"env_file: missing.env", "there is no env file missing.env: create it"},
        ErrorCase{"env_file: ../secret.env", "the env file ../secret.env is outside the project folder"},
        ErrorCase{"env_file: /etc/passwd", "outside the project folder"},
        ErrorCase{"command: 'echo \"open'", "`command`: a quote isn't closed"},
        ErrorCase{"working_dir: srv", "`working_dir` must be an absolute path"},
        ErrorCase{"stop_grace_period: 10", "`10` isn't a duration"}, ErrorCase{"mem_limit: big", "`big` isn't a size"},
        ErrorCase{"cpus: some", "`some` isn't a number of cores"},
        ErrorCase{"environment: [=1]", "a name in `environment` is empty"},
        ErrorCase{"environment: {A: [1]}", "`A` must be text, not a list"},
        ErrorCase{"labels: 3", "`labels` must be a map, not `3`"},
        ErrorCase{"hostname: \"${NAME:?is needed}\"", "the variable NAME is required, is needed"},
        ErrorCase{"hostname: \"${NAME\"", "isn't a whole variable"},
        ErrorCase{"hostname: !secret x", "the tag `!secret` isn't known"}));

TEST(Loader, FileErrors) {
  EXPECT_THAT(error_of("[]"), HasSubstr("compose.yaml:1:1: a Compose file is a map"));
  EXPECT_THAT(error_of("services: {}"), HasSubstr("the file has no `services`"));
  EXPECT_THAT(error_of("name: x"), HasSubstr("the file has no `services`"));
  EXPECT_THAT(error_of("services: {web: }"), HasSubstr("the service `web` must be a map"));
  EXPECT_THAT(error_of("services: {web: {}}"), HasSubstr("the service `web` has no `image`"));
  EXPECT_THAT(error_of("services: {web: {image: }}"), HasSubstr("the service `web` has no `image`"));
  EXPECT_THAT(error_of("services: {web: {image: \"$NONE\"}}"), HasSubstr("`image` of the service `web` is empty"));
  EXPECT_THAT(error_of("services: {'a b': {image: a}}"),
              HasSubstr("`a b` can't be a name here, only a-z, 0-9 and `-` can, as in host names: call it `a-b`"));
  EXPECT_THAT(error_of("services: {web: {image: a}}\nvolumes: {'Db Data': }"),
              HasSubstr("compose.yaml:2:11: `Db Data` can't be a name here"));
  EXPECT_THAT(error_of("services: {web: {image: a}}\nnetworks: {n: {driver: ipvlan}}"),
              HasSubstr("driver `ipvlan` isn't supported: remove it, bridge is meant without it"));
  EXPECT_THAT(error_of("name: Big Shop\nservices: {web: {image: a}}"),
              HasSubstr("compose.yaml:1:7: `Big Shop` can't be"));
  EXPECT_EQ(Folder().error(), "there is no compose.yaml in /srv/shop: go to its folder, or name it with -f");
  Folder named;
  named.options.files = {"other.yaml"};
  EXPECT_EQ(named.error(), "there is no file other.yaml: name an existing one with -f");
  EXPECT_EQ(named.load().error().code, base::Code::kNotFound);
}

TEST(Loader, SecretsAndConfigs) {
  EXPECT_THAT(error_of("services: {web: {image: a, configs: [{source: c, mode: 440}]}}\nconfigs: {c: {content: x}}"),
              HasSubstr("`440` isn't a file's mode: write it as 0440"));
  EXPECT_THAT(error_of("services: {web: {image: a, secrets: [s]}}\nsecrets: {s: {environment: NOT_SET}}"),
              HasSubstr("the variable NOT_SET isn't set"));
  EXPECT_THAT(error_of("services: {web: {image: a, secrets: [s]}}\nsecrets: {s: {file: ../key}}"),
              HasSubstr("the secret's file ../key is outside the project folder"));
  EXPECT_THAT(error_of("services: {web: {image: a, secrets: [s]}}\nsecrets: {s: {}}"),
              HasSubstr("the secret `s` must have one of `file` and `environment`"));
  Folder folder(
      "services: {web: {image: a, secrets: [s], configs: [{source: c, target: /etc/c, mode: 0400}]}}\n"
      "secrets: {s: {file: ./key}}\nconfigs: {c: {content: 'home=$HOME'}}");
  folder.add("key", "hunter2");
  const auto container = folder.service("web").container();
  EXPECT_EQ(container.files(0).target(), "/run/secrets/s");
  EXPECT_EQ(container.files(0).content(), "hunter2");
  EXPECT_TRUE(container.files(0).in_memory());
  EXPECT_EQ(container.files(1).content(), "home=/home/me");
  EXPECT_EQ(container.files(1).mode(), 0400u);
  EXPECT_THAT(render("shop", folder.load()->spec), testing::Not(HasSubstr("hunter2")));
  folder.add("key", std::string(300u << 10, 'x'));
  EXPECT_THAT(folder.error(), HasSubstr("larger than 256 KiB"));
}

TEST(Loader, NamesBecomeHostNames) {
  Folder folder(
      "services: {my_web: {image: a, volumes: ['Db_Data:/d', /cache], depends_on: [b.c]}, b.c: {image: b}}\n"
      "volumes: {Db_Data: }");
  const auto web = folder.service("my-web");
  EXPECT_EQ(web.container().mounts(0).source(), "db-data");
  EXPECT_EQ(web.container().mounts(1).source(), "my-web-anonymous-cache");
  EXPECT_EQ(web.depends_on(0).service(), "b-c");
  EXPECT_THAT(web.container().networks(0).aliases(), ElementsAre("my_web"));
  EXPECT_THAT(folder.load()->warnings, testing::SizeIs(3));
  EXPECT_THAT(error_of("services: {a_b: {image: a}, a-b: {image: b}}"),
              HasSubstr("`a-b` would be called `a-b` here, as another is: rename one"));
}

TEST(Loader, CirclesAreNamedWhereTheyAre) {
  EXPECT_THAT(error_of("services:\n"
                       "  a: {image: i, depends_on: [b]}\n"
                       "  b: {image: i, depends_on: [c]}\n"
                       "  c: {image: i, depends_on: [b]}\n"),
              HasSubstr("compose.yaml:3:30: `b` waits for `c`"));
}

TEST(Loader, NamesOfStacks) {
  const std::string services = "services: {web: {image: a}}\n";
  Folder folder(services);
  EXPECT_EQ(find_stack_name(folder.files, folder.options), "shop");
  folder.files.files["/srv/shop/.env"] = "COMPOSE_PROJECT_NAME=from-env\nSHOP=named\n";
  EXPECT_EQ(find_stack_name(folder.files, folder.options), "from-env");
  folder.files.files["/srv/shop/.env"] = "SHOP=named\n";
  folder.files.files["/srv/shop/compose.yaml"] = "name: ${SHOP}\n" + services;
  EXPECT_EQ(find_stack_name(folder.files, folder.options), "named");
  folder.options.stack_name = "given";
  EXPECT_EQ(find_stack_name(folder.files, folder.options), "given");
  EXPECT_EQ(normal_stack_name("_My_Shop.v2-"), "my-shopv2");
  EXPECT_EQ(normal_stack_name("!!"), "");
}

TEST(Loader, VariablesPrecedence) {
  Folder folder("services: {web: {image: \"$A $B $C $COMPOSE_PROJECT_NAME\"}}");
  folder.files.files["/srv/shop/.env"] = "A=dot\nB=dot\nC=dot\n";
  folder.files.files["/srv/shop/more.env"] = "A=more\nB=more\n";
  folder.options.environment["A"] = "shell";
  EXPECT_EQ(folder.load()->spec.services(0).spec().container().image(), "shell dot dot shop");
  // As with Compose, a named file stands in the place of .env.
  folder.options.env_files = {"more.env"};
  const auto stack = folder.load();
  EXPECT_EQ(stack->spec.services(0).spec().container().image(), "shell more  shop");
  EXPECT_THAT(stack->warnings,
              ElementsAre("compose.yaml:1:25: the variable C isn't set and stands for nothing: set it, or "
                          "write ${C:-default}"));
}

TEST(Loader, VariablesInKeysAndExtensionsStay) {
  const auto spec = loaded("x-a: ${UNSET:?no}\nservices: {web: {image: a, labels: {$KEY: v}}}");
  EXPECT_TRUE(spec.services(0).spec().container().labels().contains("$KEY"));
}

TEST(Loader, EnvFiles) {
  Folder folder(
      "services:\n  web:\n    image: a\n    env_file:\n      - a.env\n      - {path: none.env, required: false}\n"
      "      - {path: raw.env, format: raw}\n    environment: {OWN: 1, A: own}\n");
  folder.files.files["/srv/shop/a.env"] = "A=file\nB=${HOME}/b\nC=1\n";
  folder.files.files["/srv/shop/raw.env"] = "C='2'\n";
  const auto stack = folder.load();
  ASSERT_TRUE(stack) << stack.error().message;
  std::string all;
  for (const auto& v : stack->spec.services(0).spec().container().environment())
    all += v.name() + "=" + v.value() + " ";
  EXPECT_EQ(all, "A=own B=/home/me/b C='2' OWN=1 ");
}

TEST(Loader, EnvFilesMayLeadOutWhereAllowed) {
  Folder folder("services: {web: {image: a, env_file: ../common.env}}");
  folder.files.files["/srv/common.env"] = "A=1";
  EXPECT_FALSE(folder.load());
  folder.options.allow_outside_files = true;
  EXPECT_TRUE(folder.load());
}

TEST(Loader, Profiles) {
  Folder folder("services: {web: {image: a}, debug: {image: b, profiles: [dev]}}");
  EXPECT_EQ(folder.load()->spec.services_size(), 1);
  folder.options.profiles = {"dev"};
  EXPECT_EQ(folder.load()->spec.services_size(), 2);
  EXPECT_THAT(error_of("services: {web: {image: a, depends_on: [d]}, d: {image: b, profiles: [dev]}}"),
              HasSubstr("`d` belongs to a profile that isn't active"));
}

TEST(Loader, MergesFilesByTheSpecification) {
  Folder folder(R"(
services:
  web:
    image: web:1
    command: [a, b]
    environment: [A=1, B=1]
    ports: ["80:80", "81:81"]
    volumes: [data:/data, ./x:/x]
    networks: [front]
    depends_on: [db]
    labels: {l: 1}
    cap_add: [NET_ADMIN]
    deploy: {replicas: 2, resources: {limits: {cpus: 1}}}
  db: {image: db, command: x}
  old: {image: old}
networks: {front: }
volumes: {data: , more: }
)");
  folder.files.files["/srv/shop/prod.yaml"] = R"(
services:
  web:
    image: web:2
    command: c
    environment: {B: 2, C: 2}
    ports: !override ["8080:80"]
    volumes: [more:/data:ro]
    networks: {front: {aliases: [w]}, default: }
    depends_on: {db: {condition: service_completed_successfully}}
    labels: [m=2]
    cap_add: [NET_ADMIN, SYS_TIME]
    deploy: {resources: {limits: {memory: 1g}}}
  db: {command: !reset null}
  old: !reset null
  new: {image: new}
)";
  folder.options.files = {"compose.yaml", "prod.yaml"};
  const auto stack = folder.load();
  ASSERT_TRUE(stack) << stack.error().message;
  EXPECT_EQ(render("shop", stack->spec), R"(name: shop
services:
  web:
    image: "web:2"
    command:
      - c
    environment:
      A: "1"
      B: "2"
      C: "2"
    ports:
      - target: 80
        published: "8080"
        protocol: tcp
    volumes:
      - type: volume
        source: more
        target: /data
        read_only: true
      - type: bind
        source: /srv/shop/x
        target: /x
        bind:
          create_host_path: true
    networks:
      front:
        aliases:
          - w
      default: {}
    depends_on:
      db:
        condition: service_completed_successfully
    deploy:
      replicas: 2
      resources:
        limits:
          cpus: "1"
          memory: "1073741824"
    labels:
      l: "1"
      m: "2"
    cap_add:
      - NET_ADMIN
      - SYS_TIME
  db:
    image: db
    networks:
      default: {}
    deploy:
      replicas: 1
  new:
    image: new
    networks:
      default: {}
    deploy:
      replicas: 1
networks:
  front: {}
  default: {}
volumes:
  data: {}
  more: {}
)");
}

TEST(Loader, MergeRefusesWhatDoesNotFit) {
  Folder folder("services: {web: {image: a}}");
  folder.files.files["/srv/shop/b.yaml"] = "services: [web]";
  folder.options.files = {"compose.yaml", "b.yaml"};
  EXPECT_EQ(folder.error(),
            "b.yaml:1:11: a list can't be laid over a map at compose.yaml:1:11: write both the same way");
}

TEST(Loader, ProbesBesideTheHealthcheck) {
  const auto stack = loaded(
      "services: {web: {image: a, healthcheck: {test: ok}, x-orchion: {health: {"
      "readiness: {http: 'https://shop.example:8443/ready?deep=1', interval: 5s, retries: 2}, "
      "startup: {grpc: {port: 50051, service: shop.Cart}, start_period: 1m}}}}, "
      "db: {image: a, x-orchion: {health: {liveness: {tcp: 5432}, readiness: {command: [pg_isready, -q]}, "
      "startup: {command: 'test -e /x', timeout: 2s}}}}, "
      "api: {image: a, x-orchion: {health: {readiness: {http: {port: 80, headers: {X-Key: '1'}}}}}}, "
      "short: {image: a, x-orchion: {health: {readiness: {http: 'http://localhost'}}}}}");
  const auto find = [&](std::string_view name) -> const v1::ContainerSpec& {
    return std::ranges::find(stack.services(), name, &v1::NamedService::name)->spec().container();
  };
  EXPECT_EQ(loaded(render("shop", stack)).DebugString(), stack.DebugString()) << "written and read again";
  const auto& web = find("web");
  EXPECT_EQ(web.health_check().test().values(1), "ok");
  EXPECT_EQ(web.readiness().http().ShortDebugString(),
            "port: 8443 path: \"/ready?deep=1\" tls: true host: \"shop.example\"");
  EXPECT_EQ(web.readiness().interval().seconds(), 5);
  EXPECT_EQ(web.readiness().retries(), 2u);
  EXPECT_EQ(web.startup().grpc().ShortDebugString(), "port: 50051 service: \"shop.Cart\"");
  const auto& db = find("db");
  EXPECT_EQ(db.health_check().tcp().port(), 5432u);
  EXPECT_EQ(db.readiness().test().ShortDebugString(), "values: \"CMD\" values: \"pg_isready\" values: \"-q\"");
  EXPECT_EQ(db.startup().test().ShortDebugString(), "values: \"CMD-SHELL\" values: \"test -e /x\"");
  EXPECT_EQ(find("api").readiness().http().headers(0).name(), "X-Key");
  EXPECT_EQ(find("short").readiness().http().ShortDebugString(), "port: 80");
}

TEST(Loader, SaysWhatIsWrongWithAProbe) {
  const auto error = [](const std::string& health) {
    const auto text = error_of("services: {web: {image: a, x-orchion: {health: {" + health + "}}}}");
    return text.substr(text.find(' ') + 1);
  };
  EXPECT_EQ(error("readiness: {interval: 5s}"),
            "`readiness` doesn't say what to ask: give it one of http, tcp, grpc and command");
  EXPECT_EQ(error("startup: {tcp: 1, grpc: 2}"), "`startup` asks in 2 ways: keep one of them");
  EXPECT_THAT(error("readiness: {tcp: 0}"), HasSubstr("`tcp`"));
  EXPECT_THAT(error("readiness: {tcp: 65536}"), HasSubstr("`tcp`"));
  EXPECT_EQ(error("readiness: {http: {path: /}}"), "`http` has no `port`: name the container's port to ask");
  for (const char* address : {"shop", "http://:0/", "http://:99999", "ftp://:21/", "http://a:b/", "http://u@h:80/"})
    EXPECT_THAT(error(std::string("readiness: {http: '") + address + "'}"), HasSubstr("isn't an address to ask"));
  EXPECT_EQ(error("redyness: {tcp: 80}"), "`redyness` isn't a key of x-orchion.health: did you mean `readiness`?");
  EXPECT_THAT(error("readiness: {htpp: 80, tcp: 80}"), HasSubstr("did you mean `http`?"));
  EXPECT_THAT(error("readiness: {command: []}"), HasSubstr("`command` names no program"));
  EXPECT_THAT(
      error_of("services: {web: {image: a, healthcheck: {test: ok}, x-orchion: {health: {liveness: {tcp: 80}}}}}"),
      HasSubstr("`liveness` and the service's `healthcheck` are the same check: keep one of them"));
}

TEST(Loader, OrchionsOwnWordsAreCheckedLikeTheOthers) {
  EXPECT_EQ(error_of("services: {web: {image: nginx, x-orchion: {on_node_loss: burn, on_nodeloss: wait}}}"),
            "compose.yaml:1:58: `burn` says nothing about a node's loss: use replace, wait or fence\n"
            "compose.yaml:1:64: `on_nodeloss` isn't a key of x-orchion: did you mean `on_node_loss`?");
}

TEST(Loader, ReadsWhichTaintsAreTolerated) {
  const auto stack = loaded("services: {web: {image: a, x-orchion: {tolerations: [gpu, disk=slow, '*']}}}");
  const auto expected = R"({"tolerations":[{"key":"gpu"},{"key":"disk","value":"slow"},{}]})";
  expect_message(stack.services(0).spec().placement(), expected);
  expect_message(loaded(render("shop", stack)).services(0).spec().placement(), expected);
  EXPECT_EQ(
      error_of("services: {web: {image: a, x-orchion: {tolerations: [gpu:NoSchedule]}}}"),
      "compose.yaml:1:54: `gpu:NoSchedule` tolerates nothing: write the taint's key, as gpu or gpu=only; * is any");
}

TEST(Loader, ReadsWhichGpusAreAskedFor) {
  const auto gpus_of = [](const std::string& text) {
    const auto stack = loaded("services: {web: {image: a, " + text + "}}");
    EXPECT_EQ(loaded(render("shop", stack)).DebugString(), stack.DebugString()) << "written and read again: " << text;
    return stack.services(0).spec().container().gpus();
  };
  expect_message(gpus_of("gpus: all"), R"({"all":true})");
  expect_message(gpus_of("gpus: [{count: 2, driver: nvidia}]"), R"({"count":2,"vendor":"nvidia"})");
  expect_message(gpus_of("gpus: [{driver: amd}]"), R"({"all":true,"vendor":"amd"})");
  const auto reserved = [&](const std::string& text) {
    return gpus_of("deploy: {resources: {reservations: {devices: [" + text + "]}}}");
  };
  expect_message(reserved("{driver: nvidia, count: 1, capabilities: [gpu, utility]}"),
                 R"({"count":1,"vendor":"nvidia"})");
  expect_message(reserved("{count: all, capabilities: [gpu]}"), R"({"all":true})");
  expect_message(gpus_of("x-orchion: {gpus: {share: 0.25, memory: 8g}}"),
                 R"({"shareMilli":250,"memoryBytes":"8589934592"})");
  expect_message(gpus_of("x-orchion: {gpus: {models: [A, B], vendor: intel}}"),
                 R"({"count":1,"models":["A","B"],"vendor":"intel"})");
  const auto named = loaded(
      "services: {web: {image: a, deploy: {resources: {reservations: {devices: [{driver: cdi, device_ids: "
      "[example.com/gpu=0], capabilities: [gpu]}]}}}}}");
  EXPECT_EQ(named.services(0).spec().container().devices(0).source(), "example.com/gpu=0");
  EXPECT_FALSE(named.services(0).spec().container().has_gpus());
}

TEST(Loader, RefusesGpusThatNobodyCanGive) {
  const auto refused = [](const std::string& text) { return error_of("services: {web: {image: a, " + text + "}}"); };
  EXPECT_THAT(refused("gpus: some"), HasSubstr("`some` isn't a request for GPUs: write all, or a list"));
  EXPECT_THAT(refused("gpus: [{count: 0}]"), HasSubstr("count"));
  EXPECT_THAT(refused("gpus: [{device_ids: ['0']}]"), HasSubstr("write `count` instead"));
  EXPECT_THAT(refused("deploy: {resources: {reservations: {devices: [{count: 1}]}}}"),
              HasSubstr("say which devices are meant: `capabilities: [gpu]`"));
  EXPECT_THAT(refused("deploy: {resources: {reservations: {devices: [{capabilities: [tpu]}]}}}"),
              HasSubstr("no devices of the kind `tpu` are handed out"));
  EXPECT_THAT(refused("x-orchion: {gpus: {share: 1.5}}"), HasSubstr("`1.5` isn't a share of a GPU"));
  EXPECT_THAT(refused("x-orchion: {gpus: {share: 0.5, count: 1}}"), HasSubstr("a share is of one GPU"));
  EXPECT_THAT(refused("gpus: all, x-orchion: {gpus: {count: 1}}"), HasSubstr("GPUs are asked for twice"));
}

TEST(Loader, ReadsBesideWhomTasksAreWelcome) {
  const auto stack = loaded(R"(
services:
  db: {image: a}
  web:
    image: a
    deploy: {placement: {max_replicas_per_node: 2}}
    x-orchion:
      placement: bin-pack
      near: [db]
      away_from: [{service: web, over: node.labels.zone, preferred: true}]
      together: true
)");
  const auto* const expected = R"({"strategy":"BIN_PACK","affinities":[{"service":"db"},{"service":"web",)"
                               R"("domain":"node.labels.zone","away":true,"preferred":true}],)"
                               R"("together":true,"tasksPerNodeMax":2})";
  expect_message(stack.services(1).spec().placement(), expected);
  expect_message(loaded(render("shop", stack)).services(1).spec().placement(), expected);
  const auto error = [](const std::string& words) {
    return error_of("services: {web: {image: a, x-orchion: {" + words + "}}}");
  };
  EXPECT_THAT(error("placement: tight"), HasSubstr("`tight` is no placement of a service: use one of least-loaded"));
  EXPECT_THAT(error("near: [{over: node.labels.zone}]"), HasSubstr("`near` names no service"));
  EXPECT_THAT(error("near: [{service: web, over: zone}]"), HasSubstr("`zone` is no label of nodes"));
  EXPECT_THAT(error("away_from: [{service: web, ower: x}]"), HasSubstr("did you mean `over`?"));
}

TEST(Loader, ReadsWhatIsDoneForTasksThatFail) {
  const auto recovery_of = [](const std::string& text) {
    return loaded("services: {web: {image: a, healthcheck: {test: ok}, x-orchion: {recovery: " + text + "}}}")
        .services(0)
        .spec()
        .recovery();
  };
  EXPECT_EQ(recovery_of("restart").action(), v1::Recovery::RESTART);
  EXPECT_EQ(recovery_of("recreate").action(), v1::Recovery::RECREATE);
  EXPECT_EQ(recovery_of("move").action(), v1::Recovery::MOVE);
  EXPECT_EQ(recovery_of("nothing").action(), v1::Recovery::NOTHING);
  EXPECT_EQ(recovery_of("{command: [a, b]}").action(), v1::Recovery::RUN_COMMAND);
  EXPECT_THAT(recovery_of("{command: [a, b]}").command(), ElementsAre("a", "b"));
  EXPECT_THAT(recovery_of("{command: rm -f /tmp/lock}").command(), ElementsAre("/bin/sh", "-c", "rm -f /tmp/lock"));
}

TEST(Loader, RefusesRecoveryThatCannotBe) {
  EXPECT_EQ(
      error_of("services: {web: {image: a, x-orchion: {recovery: pray}}}"),
      "compose.yaml:1:50: `pray` recovers nothing: use restart, recreate, move, nothing, or a map with `command`");
  EXPECT_EQ(error_of("services: {web: {image: a, restart: 'no', x-orchion: {recovery: recreate}}}"),
            "compose.yaml:1:65: `restart: \"no\"` leaves nothing to recover: remove it, or `recovery`");
  EXPECT_EQ(error_of("services: {web: {image: a, deploy: {restart_policy: {condition: none}}, x-orchion: {recovery: "
                     "restart}}}"),
            "compose.yaml:1:95: `restart: \"no\"` leaves nothing to recover: remove it, or `recovery`");
  EXPECT_THAT(error_of("services: {web: {image: a, x-orchion: {recovery: {command: [mend]}}}}"),
              HasSubstr("no check of this file says when to run the command of `recovery`: give the service"));
  EXPECT_THAT(
      error_of("services: {web: {image: a, healthcheck: {disable: true}, x-orchion: {recovery: {command: b}}}}"),
      HasSubstr("no check of this file says when"));
  EXPECT_THAT(error_of("services: {web: {image: a, healthcheck: {test: ok}, x-orchion: {recovery: {command: []}}}}"),
              HasSubstr("`recovery` names no program"));
  EXPECT_THAT(error_of("services: {web: {image: a, healthcheck: {test: ok}, x-orchion: {recovery: {comand: [b]}}}}"),
              HasSubstr("`comand` isn't a key of x-orchion.recovery: did you mean `command`?"));
  EXPECT_EQ(loaded("services: {web: {image: a, restart: 'no', x-orchion: {recovery: nothing}}}")
                .services(0)
                .spec()
                .recovery()
                .action(),
            v1::Recovery::NOTHING);
}

TEST(Loader, AServiceMayShareTheNetworkOfAnother) {
  const auto stack = loaded("services: {Web_App: {image: a}, sidecar: {image: b, network_mode: 'service:Web_App'}}");
  const auto& sidecar = stack.services(1).spec();
  EXPECT_EQ(sidecar.container().network_mode(), v1::OF_SERVICE);
  EXPECT_EQ(sidecar.container().network_service(), "web-app") << "as the service is called here";
  EXPECT_EQ(sidecar.container().networks_size(), 0);
  ASSERT_EQ(sidecar.depends_on_size(), 1);
  EXPECT_EQ(sidecar.depends_on(0).service(), "web-app");
  EXPECT_EQ(error_of("services: {a: {image: b, depends_on: [c]}, c: {image: d, network_mode: 'service:a'}}"),
            "compose.yaml:1:39: `a` waits for `c`, and through it for itself: break the circle");
  EXPECT_THAT(error_of("services: {a: {image: b}, c: {image: d, network_mode: 'service:a'}, e: {image: f, links: "
                       "['c:x']}}"),
              HasSubstr("`c` can have no further name, since it shares the network of `a`: link to that"));
  EXPECT_THAT(error_of("services: {a: {image: b}}\nx-orchion: {jobs: {j: {image: c, network_mode: 'service:a'}}}"),
              HasSubstr("a job can't share a service's network"));
}

TEST(Loader, AServiceMayBeAProgramOfTheNode) {
  const auto stack = loaded("services: {sync: {command: [/usr/bin/rsync, --daemon], x-orchion: {executor: process}}}");
  const auto& container = stack.services(0).spec().container();
  EXPECT_EQ(container.executor(), "process");
  EXPECT_EQ(container.network_mode(), v1::HOST_NETWORK);
  EXPECT_EQ(stack.networks_size(), 0);
  EXPECT_EQ(error_of("services: {a: {image: b, ports: ['80'], x-orchion: {executor: process}}}"),
            "compose.yaml:1:23: `image` means nothing to a program of the node: remove it, or the executor\n"
            "compose.yaml:1:33: `ports` means nothing to a program of the node: remove it, or the executor\n"
            "compose.yaml:1:63: the service `a` has no `command`: name the program to run");
  EXPECT_EQ(error_of("services: {a: {image: b, x-orchion: {executor: rkt}}}"),
            "compose.yaml:1:48: `rkt` is no executor: use one of oci, docker, podman, containerd, process");
}

TEST(Loader, FindsFiles) {
  Folder folder;
  folder.files.files["/srv/shop/docker-compose.yml"] = "services: {web: {image: a}}";
  folder.files.files["/srv/shop/docker-compose.override.yaml"] = "services: {web: {image: b}}";
  EXPECT_EQ(folder.load()->spec.services(0).spec().container().image(), "b");
  folder.files.files["/srv/shop/compose.yaml"] = "services: {web: {image: c}}";
  EXPECT_EQ(folder.load()->spec.services(0).spec().container().image(), "c");
  folder.options.files = {"/srv/shop/docker-compose.yml"};
  EXPECT_EQ(folder.load()->spec.services(0).spec().container().image(), "a");
}

TEST(Loader, ProjectFolderIsTheFirstFiles) {
  Folder folder;
  folder.files.files["/srv/other/c.yaml"] = "services: {web: {image: $A, volumes: [./d:/d]}}";
  folder.files.files["/srv/other/.env"] = "A=dot";
  folder.options.files = {"../other/c.yaml"};
  const auto stack = folder.load();
  ASSERT_TRUE(stack) << stack.error().message;
  EXPECT_EQ(stack->name, "other");
  EXPECT_EQ(stack->spec.services(0).spec().container().mounts(0).source(), "/srv/other/d");
  folder.options.project_folder = "/srv/shop/";
  EXPECT_EQ(find_stack_name(folder.files, folder.options), "shop");
}

TEST(Loader, MegabytesOfVariablesAreRefused) {
  std::string labels;
  for (int i = 0; i < 20'000; ++i) labels += "      l" + std::to_string(i) + ": \"$BIG$BIG$BIG$BIG\"\n";
  Folder folder("services:\n  web:\n    image: a\n    labels:\n" + labels);
  folder.options.environment["BIG"] = std::string(1000, 'x');
  EXPECT_THAT(folder.error(), HasSubstr("too long"));
}

TEST(Loader, ManyServicesMerge) {
  std::string text = "services:\n";
  for (int i = 0; i < 10'000; ++i) text += "  s" + std::to_string(i) + ": {image: a}\n";
  Folder folder(text);
  folder.files.files["/srv/shop/b.yaml"] = text;
  folder.options.files = {"compose.yaml", "b.yaml"};
  EXPECT_EQ(folder.load()->spec.services_size(), 10'000);
}

TEST(Loader, TextThatIsNotUtf8IsRefused) {
  EXPECT_THAT(error_of("services: {web: {image: \"\xff\"}}"), HasSubstr("isn't text in UTF-8"));
  Folder folder("services: {web: {image: \"$BAD\", environment: [BAD]}}");
  folder.options.environment["BAD"] = "\xff";
  EXPECT_THAT(folder.error(), HasSubstr("compose.yaml:1:25: a variable's value isn't text in UTF-8"));
}

}  // namespace
}  // namespace orchion::spec
