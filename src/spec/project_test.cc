// `include`, `extends`, profiles, several files: how many files become one stack.

#include <ctime>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "spec/test_folder.h"

namespace orchion::spec {
namespace {

// Sanitizers and unoptimised code take their time and their memory.
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr bool kSlowBuild = false;
#else
constexpr bool kSlowBuild = true;
#endif

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

std::string image(const v1::ServiceSpec& service) {
  return service.container().image();
}

std::vector<std::string> service_names(const v1::StackSpec& spec) {
  std::vector<std::string> names;
  for (const auto& service : spec.services()) names.push_back(service.name());
  return names;
}

std::map<std::string, std::string> environment(const v1::ServiceSpec& service) {
  std::map<std::string, std::string> variables;
  for (const auto& variable : service.container().environment()) variables[variable.name()] = variable.value();
  return variables;
}

TEST(Include, ShortFormHasItsOwnFolderAndVariables) {
  Folder folder("include: [db/compose.yaml]\nservices: {web: {image: web, depends_on: [db]}}");
  folder.add(
      "db/compose.yaml",
      "name: other\nservices: {db: {image: \"db:${TAG}-${HERE:-none}\", volumes: [./data:/data], env_file: db.env,"
      " environment: [TAG]}}\nvolumes: {cache: }");
  folder.add("db/.env", "TAG=from-include\nHERE=included\n").add("db/db.env", "A=${HERE}\n");
  folder.add(".env", "HERE=outer\n");
  const auto db = folder.service("db");
  EXPECT_EQ(image(db), "db:from-include-outer");
  EXPECT_EQ(db.container().mounts(0).source(), "/srv/shop/db/data");
  EXPECT_THAT(environment(db), UnorderedElementsAre(testing::Pair("A", "outer"), testing::Pair("TAG", "from-include")));
  const auto stack = folder.load();
  EXPECT_EQ(stack->name, "shop");
  EXPECT_EQ(stack->spec.volumes(0).name(), "cache");
}

TEST(Include, LongFormMergesFilesAndNamesItsFolderAndEnvFiles) {
  Folder folder(
      "include:\n"
      "  - path: [parts/a.yaml, parts/b.yaml]\n"
      "    project_directory: base\n"
      "    env_file: [one.env, two.env]\n"
      "services: {web: {image: web}}\n");
  folder.add("parts/a.yaml", "services: {db: {image: \"a:$TAG\", volumes: [./x:/x]}}");
  folder.add("parts/b.yaml", "services: {db: {environment: {TAG: }}}");
  folder.add("one.env", "TAG=1").add("two.env", "TAG=2");
  const auto db = folder.service("db");
  EXPECT_EQ(image(db), "a:2");
  EXPECT_EQ(db.container().mounts(0).source(), "/srv/shop/base/x");
  EXPECT_EQ(environment(db).at("TAG"), "2");
}

TEST(Include, OfIncludesAndWithVariablesInThePath) {
  Folder folder("include: ['${WHERE:-a}/compose.yaml']");
  folder.add("a/compose.yaml", "include: [b/compose.yaml]\nservices: {one: {image: one}}");
  folder.add("a/b/compose.yaml", "services: {two: {image: two}}");
  EXPECT_THAT(service_names(folder.load()->spec), UnorderedElementsAre("one", "two"));
}

TEST(Include, WhatBothSayTheSameIsNoClash) {
  Folder folder("include: [a.yaml, b.yaml]\nservices: {web: {image: web}}\nnetworks: {back: {internal: true}}");
  folder.add("a.yaml", "services: {a: {image: a, networks: [back]}}\nnetworks: {back: {internal: true}}");
  folder.add("b.yaml", "services: {b: {image: b, networks: [back]}}\nnetworks: {back: {internal: true}}");
  EXPECT_EQ(folder.load()->spec.services_size(), 3);
}

TEST(Include, AClashIsRefusedButAFurtherFileMayChangeWhatWasIncluded) {
  Folder folder("include: [a.yaml]\nservices: {web: {image: web}}");
  folder.add("a.yaml", "services: {web: {image: other}}");
  EXPECT_EQ(folder.error(),
            "a.yaml:1:12: `web` stands at compose.yaml:2:17 too, and says something else: rename one, or change it in "
            "a file of its own, named with a further -f");
  folder.add("compose.yaml", "include: [a.yaml]");
  folder.add("compose.override.yaml", "services: {web: {command: run}}");
  const auto web = folder.service("web");
  EXPECT_EQ(image(web), "other");
  EXPECT_EQ(web.container().command().values(0), "run");
}

TEST(Include, MistakesAreAllTold) {
  Folder folder(
      "include:\n"
      "  - missing.yaml\n"
      "  - ../outside.yaml\n"
      "  - {project_directory: x}\n"
      "  - {path: a.yaml, env_file: none.env, folder: y}\n"
      "  - [a]\n"
      "services: {web: {image: web, tty: maybe}}\n");
  folder.add("a.yaml", "services: {a: {image: a}}");
  EXPECT_EQ(folder.error(),
            "compose.yaml:2:5: there is no file missing.yaml to include: create it, or remove this\n"
            "compose.yaml:3:5: the included file ../outside.yaml is outside the project folder: move it inside, or "
            "allow it with --allow-outside-files\n"
            "compose.yaml:4:5: an entry of `include` has no `path`: name the file\n"
            "compose.yaml:5:5: there is no env file none.env: create it, or name another\n"
            "compose.yaml:5:40: `folder` isn't a key of include: remove it, or begin it with `x-`\n"
            "compose.yaml:6:5: an entry of `include` must be text or a map, not a list\n"
            "compose.yaml:7:35: `tty` must be true or false, not `maybe`");
}

TEST(Include, CirclesAreRefused) {
  Folder self("include: [compose.yaml]");
  EXPECT_THAT(self.error(), HasSubstr("compose.yaml is included from itself"));
  Folder two("include: [a.yaml]");
  two.add("a.yaml", "include: [b.yaml]").add("b.yaml", "include: [./a.yaml]");
  EXPECT_THAT(two.error(), HasSubstr("b.yaml:1:11: ./a.yaml is included from itself"));
}

TEST(Extends, SameFileChainsAndForms) {
  Folder folder(R"(
services:
  web: {extends: {service: common}, environment: {PORT: 8080}, command: own, profiles: []}
  common: {extends: base, environment: [TZ=utc, PORT=80], ports: ["80:80"], depends_on: [db]}
  base: {image: busybox, user: root, command: [a, b], labels: {a: 1}, volumes: [data:/data]}
  db: {image: db}
volumes: {data: }
)");
  const auto web = folder.service("web");
  EXPECT_EQ(image(web), "busybox");
  EXPECT_EQ(web.container().user(), "root");
  EXPECT_THAT(environment(web), UnorderedElementsAre(testing::Pair("TZ", "utc"), testing::Pair("PORT", "8080")));
  EXPECT_THAT(web.container().command().values(), ElementsAre("own"));
  EXPECT_EQ(web.container().ports_size(), 1);
  EXPECT_EQ(web.depends_on(0).service(), "db");
  EXPECT_EQ(web.container().mounts(0).source(), "data");
}

TEST(Extends, AnotherFileBringsItsFolderButNoNeighbours) {
  Folder folder(
      "services:\n  web: {extends: {file: base/common.yaml, service: app}, ports: !reset [], volumes: [./own:/own]}\n");
  folder.add("base/common.yaml",
             "services:\n  app: {extends: root, volumes: [./data:/data], ports: ['80'], env_file: app.env}\n"
             "  root: {image: \"app:${TAG:-1}\"}\n  broken: {image: \"${NOT_SET:?here}\"}\nvolumes: {v: }\n");
  folder.add("base/app.env", "A=1");
  const auto web = folder.service("web");
  EXPECT_EQ(image(web), "app:1");
  EXPECT_EQ(web.container().mounts(0).source(), "/srv/shop/base/data");
  EXPECT_EQ(web.container().mounts(1).source(), "/srv/shop/own");
  EXPECT_EQ(web.container().ports_size(), 0);
  EXPECT_EQ(environment(web).at("A"), "1");
  EXPECT_EQ(folder.load()->spec.volumes_size(), 0);
  EXPECT_EQ(folder.load()->spec.services_size(), 1);
}

TEST(Extends, OverrideFilesMayExtendWhatTheyLieUpon) {
  Folder folder("services: {web: {image: web, user: me}}");
  folder.add("more.yaml", "services: {worker: {extends: web, command: work}}");
  folder.options.files = {"compose.yaml", "more.yaml"};
  EXPECT_EQ(folder.service("worker").container().user(), "me");
}

TEST(Extends, MistakesAreAllTold) {
  Folder folder(
      "services:\n"
      "  a: {image: i, extends: b}\n"
      "  b: {image: i, extends: {service: a}}\n"
      "  c: {image: i, extends: nobody}\n"
      "  d: {image: i, extends: {file: none.yaml, service: x}}\n"
      "  e: {image: i, extends: {file: /etc/passwd, service: x}}\n"
      "  f: {image: i, extends: {from: x}}\n"
      "  g: {image: i, extends: [x]}\n"
      "  h: {image: i, extends: {file: loop.yaml, service: x}}\n");
  folder.add("loop.yaml", "services: {x: {extends: {file: loop.yaml, service: x}}}");
  EXPECT_EQ(folder.error(),
            "compose.yaml:3:26: `b` extends `a`, and through it itself: break the circle\n"
            "compose.yaml:4:26: there is no service `nobody` in compose.yaml to extend: add it, or remove this\n"
            "compose.yaml:5:26: there is no file none.yaml to extend from: create it, or name another\n"
            "compose.yaml:6:26: the file /etc/passwd is outside the project folder: move it inside, or allow it with "
            "--allow-outside-files\n"
            "compose.yaml:7:26: `extends` names no `service`: name the one to build upon\n"
            "compose.yaml:7:27: `from` isn't a key of extends: remove it, or begin it with `x-`\n"
            "compose.yaml:8:26: `extends` must be a map, not a list\n"
            "loop.yaml:1:25: `x` extends `x`, and through it itself: break the circle");
}

TEST(Merge, WhatTheSpecificationTreatsSpecially) {
  Folder folder(R"(
services:
  web:
    image: a
    extra_hosts: {db: 10.0.0.1}
    tmpfs: /tmp
    ulimits: {nofile: 1, nproc: {soft: 1, hard: 2}}
    secrets: [{source: key, target: /run/secrets/key, mode: 0400}]
    logging: {driver: local, options: {max-size: 1m}}
    dns: 1.1.1.1
    ports: ["80:80"]
  gone: {image: a, ports: !reset ["1:1"]}
secrets: {key: {environment: HOME}}
)");
  folder.add("b.yaml", R"(
services:
  web:
    extra_hosts: ["db:10.0.0.1", "cache=10.0.0.2"]
    tmpfs: ["/tmp:size=1m", /run]
    ulimits: {nofile: {soft: 5, hard: 6}, nproc: {hard: 3}}
    secrets: [key]
    logging: {driver: json-file}
    dns: [8.8.8.8, 1.1.1.1]
    ports: ["80:80/tcp"]
  gone: {ports: ["2:2"]}
)");
  folder.options.files = {"compose.yaml", "b.yaml"};
  const auto web = folder.service("web").container();
  EXPECT_EQ(web.extra_hosts_size(), 2);
  EXPECT_EQ(web.mounts_size(), 2);
  EXPECT_EQ(web.mounts(0).tmpfs_bytes(), 1 << 20);
  EXPECT_EQ(web.ulimits_size(), 2);
  EXPECT_EQ(web.files_size(), 1);
  EXPECT_EQ(web.log_bytes_max(), 0);
  EXPECT_THAT(web.dns().values(), ElementsAre("1.1.1.1", "8.8.8.8"));
  EXPECT_EQ(web.ports_size(), 1);
  EXPECT_EQ(folder.service("gone").container().ports(0).container_port(), 2u);
}

TEST(Profiles, FromOptionsAndVariables) {
  Folder folder("services: {web: {image: a}, one: {image: b, profiles: [x]}, two: {image: c, profiles: [y, z]}}");
  EXPECT_THAT(service_names(folder.load()->spec), ElementsAre("web"));
  folder.options.environment["COMPOSE_PROFILES"] = "x,none";
  folder.options.profiles = {"z"};
  const auto stack = folder.load();
  EXPECT_THAT(service_names(stack->spec), ElementsAre("web", "one", "two"));
  EXPECT_THAT(stack->warnings, ElementsAre("no service belongs to the profile `none`: check its name"));
  folder.options.environment["COMPOSE_PROFILES"] = "*";
  EXPECT_EQ(folder.load()->spec.services_size(), 3);
  EXPECT_THAT(error_of("services: {web: {image: a, profiles: ['a b']}}"), HasSubstr("`a b` isn't a profile"));
}

TEST(Variables, NameTheFiles) {
  Folder folder;
  folder.add("a.yaml", "services: {web: {image: \"$TAG\"}}").add("b.yaml", "services: {web: {user: me}}");
  folder.add(".env", "COMPOSE_FILE=a.yaml:b.yaml\nTAG=dot\n");
  EXPECT_EQ(folder.service("web").container().user(), "me");
  folder.add("own.env", "TAG=own");
  folder.options.environment["COMPOSE_ENV_FILES"] = "own.env";
  folder.options.environment["COMPOSE_FILE"] = "a.yaml";
  EXPECT_EQ(image(folder.service("web")), "own");
  folder.options.environment["COMPOSE_PATH_SEPARATOR"] = ",";
  folder.options.environment["COMPOSE_FILE"] = "a.yaml,b.yaml";
  EXPECT_EQ(folder.service("web").container().user(), "me");
}

TEST(Loader, ProblemsOfEveryKindAndFileAreToldAtOnce) {
  Folder folder(
      "services: {web: {image: a, tty: x, hostname: \"${H:?needed}\", ports: [\"${P:?too}:80\"]}}\nname: shop");
  folder.add("b.yaml", "services: {web: {labels: !what {}, networks: nope, ports: [http]}}");
  folder.options.files = {"compose.yaml", "b.yaml"};
  EXPECT_EQ(folder.error(),
            "compose.yaml:1:33: `tty` must be true or false, not `x`\n"
            "compose.yaml:1:46: the variable H is required, needed: set it in the environment or in .env\n"
            "compose.yaml:1:70: the variable P is required, too: set it in the environment or in .env\n"
            "b.yaml:1:26: the tag `!what` isn't known here: remove it (there are !reset and !override)\n"
            "b.yaml:1:46: `networks` must be a map, not `nope`\n"
            "b.yaml:1:60: `http` isn't a port: write a number from 1 to 65535, or FIRST-LAST");
  folder.add("compose.yaml", "a: 1\na: 2\nb: {c: 1, c: 2}\n").add("b.yaml", "x: [\n");
  EXPECT_THAT(folder.error(), testing::StartsWith("compose.yaml:2:1: the key `a` stands here twice: remove one\n"
                                                  "compose.yaml:3:11: the key `c` stands here twice: remove one\n"
                                                  "b.yaml:"));
}

std::string many(int count, const std::string& line) {
  std::string text;
  for (int i = 0; i < count; ++i) text += fmt::format(fmt::runtime(line), i, i + 1);
  return text;
}

class HostileProject : public testing::TestWithParam<int> {
 protected:
  static Folder make(int which) {
    Folder folder;
    switch (which) {
      case 0:  // each file includes the next one twice
        for (int i = 0; i < 15; ++i)
          folder.add(fmt::format("{}.yaml", i), fmt::format("include: [{0}.yaml, {0}.yaml]\n", i + 1));
        folder.add("15.yaml", "services: {a: {image: a}}").add("compose.yaml", "include: [0.yaml]");
        break;
      case 1: return Folder("services:\n" + many(20'000, "  s{}: {{extends: s{}}}\n") + "  s20000: {image: a}\n");
      case 2: {
        auto text = "services:\n  big: {image: a, labels: [" + many(20'000, "l{},") + "]}\n";
        return Folder(text + many(1'000, "  s{}: {{extends: big}}\n"));
      }
      case 3: {
        Folder bomb("services: {web: {image: a, labels: {a: '" + many(10'000, "${{A}}") + "'}}}");
        bomb.options.environment["A"] = std::string(4'000, 'x');
        return bomb;
      }
      case 4: {
        std::string nested = "x";
        for (int i = 0; i < 5'000; ++i) nested = "${A:-" + nested + "}";
        return Folder("services: {web: {image: '" + nested + "'}}");
      }
      case 5:
        for (int i = 0; i < 90; ++i) folder.add(fmt::format("{}.yaml", i), "x: [" + many(60'000, "a,") + "]");
        folder.add("compose.yaml", "include: [" + many(90, "{}.yaml,") + "]");
        break;
      default:
        for (int i = 0; i < 30; ++i) folder.add(fmt::format("{}.yaml", i), fmt::format("include: [{}.yaml]", i + 1));
        folder.add("compose.yaml", "include: [0.yaml]");
    }
    return folder;
  }
};

// VmHWM of this process, in KiB.
long peak_memory_kib() {
  const auto status = base::read_file("/proc/self/status", 1u << 16);
  const auto at = status ? status->find("VmHWM:") : std::string::npos;
  return at == std::string::npos ? 0 : std::atol(status->c_str() + at + 6);
}

TEST_P(HostileProject, IsRefusedQuicklyAndInLittleMemory) {
  const Folder folder = make(GetParam());
  // Of the processor's time: what else the machine does is not the loader's.
  const auto begin = std::clock();
  const auto error = folder.error();
  const auto seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  EXPECT_NE(error, "no error");
  EXPECT_LT(seconds, kSlowBuild ? 20 : 1);
  EXPECT_LT(peak_memory_kib(), kSlowBuild ? 2'000'000 : 256 * 1024);
}

INSTANTIATE_TEST_SUITE_P(Corpus, HostileProject, testing::Range(0, 7));

}  // namespace
}  // namespace orchion::spec
