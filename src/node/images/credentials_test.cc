#include "node/images/credentials.h"

#include <cstdlib>

#include <sys/stat.h>
#include <boost/json.hpp>

#include "node/images/registry_image.h"
#include "node/images/registry_lab.h"

namespace orchion::node::images {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

// "YWxpY2U6d29uZGVy" is alice:wonder, what the test registries want.
constexpr std::string_view kAlice = "YWxpY2U6d29uZGVy";

// A variable of the environment for a while; empty: without.
class Environment {
 public:
  Environment(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* old = std::getenv(name_.c_str())) old_ = old;
    set(value.empty() ? std::nullopt : std::optional(value));
  }
  ~Environment() { set(old_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void set(const std::optional<std::string>& value) const {
    if (value) {
      ::setenv(name_.c_str(), value->c_str(), 1);
    } else {
      ::unsetenv(name_.c_str());
    }
  }

  std::string name_;
  std::optional<std::string> old_;
};

// No credentials but those of the test: skopeo's and Docker's places are empty folders, helpers come from `bin`.
class CredentialsTest : public ImageStoreTest {
 protected:
  CredentialsTest() {
    options_.registry.files.credentials = own_;
    fs::create_directories(folder_ / "bin");
    reopen();
  }

  // docker-credential-NAME: knows one server, fails for "https://broken".
  void add_helper(const std::string& name, const std::string& server, const std::string& user,
                  const std::string& secret) {
    const auto path = folder_ / "bin" / ("docker-credential-" + name);
    put_file(path,
             fmt::format("#!/bin/sh\nread -r server\n[ \"$1\" = get ] || exit 2\n"
                         "[ \"$server\" = broken ] && {{ echo 'secret wonder'; exit 1; }}\n"
                         "[ \"$server\" = {} ] || {{ echo 'credentials not found in native keychain'; exit 1; }}\n"
                         "echo '{{\"ServerURL\":\"x\",\"Username\":\"{}\",\"Secret\":\"{}\"}}'\n",
                         server, user, secret));
    ::chmod(path.c_str(), 0700);
  }

  base::Result<Credentials> find(const std::string& registry) const {
    return find_credentials(credential_paths(own_), registry);
  }

  static std::string auth_of(const Credentials& credentials, std::string_view registry) {
    const auto document = json::parse(credentials.document);
    const auto* entry = document.at("auths").as_object().if_contains(registry);
    return entry ? json::value_to<std::string>(entry->at("auth")) : "";
  }

  const fs::path own_ = folder_ / "registry-auth.json";
  const fs::path docker_ = folder_ / "docker/config.json";
  Environment docker_config_{"DOCKER_CONFIG", (folder_ / "docker").string()};
  const fs::path skopeo_ = folder_ / "run/containers/auth.json";
  // Not $REGISTRY_AUTH_FILE: docker-registry takes that for its own configuration.
  Environment skopeo_file_{"REGISTRY_AUTH_FILE", ""};
  Environment run_folder_{"XDG_RUNTIME_DIR", (folder_ / "run").string()};
  Environment home_{"HOME", folder_.path().string()};
  Environment path_{"PATH", (folder_ / "bin").string() + ":" + std::getenv("PATH")};
};

TEST_F(CredentialsTest, DockersNamesOfRegistriesBecomeOurs) {
  const auto file = parse_credentials("f", R"({"auths":{
      "https://index.docker.io/v1/":{"auth":"a"}, "https://ghcr.io":{"auth":"b"}, "quay.io/team":{"auth":"c"},
      "plain.example:5000":{"username":"alice","password":"wonder"}, "empty.example":{}},
      "credHelpers":{"https://index.docker.io/v1/":"hub"},"credsStore":"keep"})");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  std::map<std::string, std::string> found;
  for (const auto& entry : file->entries) found[entry.registry] = entry.auth;
  EXPECT_EQ(found, (std::map<std::string, std::string>{{"docker.io", "a"},
                                                       {"ghcr.io", "b"},
                                                       {"quay.io/team", "c"},
                                                       {"plain.example:5000", std::string(kAlice)},
                                                       {"empty.example", ""}}));
  ASSERT_EQ(file->helpers.size(), 1u);
  EXPECT_EQ(file->helpers[0].registry, "docker.io");
  EXPECT_EQ(file->store, "keep");
  EXPECT_TRUE(parse_credentials("f", "\n").has_value());
}

TEST_F(CredentialsTest, ADamagedFileIsNamedAndNotQuoted) {
  for (const std::string text : {R"({"auths":{"r":{"auth":"c2VjcmV0")", R"(["c2VjcmV0"])",
                                 R"({"credHelpers":{"r":"../c2VjcmV0"}})", R"({"credsStore":"/bin/c2VjcmV0"})"}) {
    put_file(docker_, text);
    const auto found = find("r");
    ASSERT_FALSE(found.has_value()) << text;
    EXPECT_EQ(found.error().code, base::Code::kFailedPrecondition);
    EXPECT_NE(found.error().message.find(docker_.string()), std::string::npos) << found.error().message;
    EXPECT_EQ(found.error().message.find("c2VjcmV0"), std::string::npos) << found.error().message;
  }
}

TEST_F(CredentialsTest, TheOwnFileGoesBeforeSkopeosAndThatBeforeDockers) {
  const auto file = [](std::string_view auth) { return fmt::format(R"({{"auths":{{"r":{{"auth":"{}"}}}}}})", auth); };
  EXPECT_EQ(find("r").value().source, "");
  put_file(docker_, R"({"auths":{"r":{"auth":"docker"},"s":{"auth":"other"}}})");
  EXPECT_EQ(auth_of(find("r").value(), "r"), "docker");
  EXPECT_EQ(find("r").value().source, docker_);
  put_file(skopeo_, file("skopeo"));
  EXPECT_EQ(auth_of(find("r").value(), "r"), "skopeo");
  put_file(own_, file("own"));
  EXPECT_EQ(auth_of(find("r").value(), "r"), "own");
  EXPECT_EQ(auth_of(find("r").value(), "s"), "other") << "a mirror may need it";
}

TEST_F(CredentialsTest, HelpersAreAsked) {
  add_helper("one", "r.example", "alice", "wonder");
  add_helper("hub", "https://index.docker.io/v1/", "<token>", "t0ken");
  put_file(docker_, R"({"auths":{"r.example":{"auth":"old"},"kept.example":{}},
                        "credHelpers":{"r.example":"one","broken":"one","none.example":"one"},"credsStore":"hub"})");
  EXPECT_EQ(auth_of(find("r.example").value(), "r.example"), kAlice);
  EXPECT_EQ(find("none.example").value().source, "");

  const auto hub = find("docker.io").value();
  const auto document = json::parse(hub.document);
  EXPECT_EQ(document.at("auths").at("docker.io").at("identitytoken"), "t0ken");
  EXPECT_EQ(document.at("credHelpers").at("kept.example"), "hub") << "skopeo asks the store for others";

  const auto broken = find("broken");
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().message,
            "\"docker-credential-one\", which " + docker_.string() +
                " names for broken, gives no credentials: log in again where it keeps them, or with `orchion image "
                "login broken`");
  put_file(docker_, R"({"credsStore":"missing"})");
  EXPECT_NE(find("r").error().message.find("not installed"), std::string::npos) << find("r").error().message;
}

class PrivateRegistryTest : public CredentialsTest {
 protected:
  base::Result<> push() { return run(io_, images_->push("box", name_, true)); }

  void SetUp() override { ASSERT_TRUE(import("box", small_root("x")).has_value()); }

  Registry server_{Registry::Access::kPassword};
  const std::string name_ = server_.host() + "/secret:1";
};

TEST_F(PrivateRegistryTest, IsEnteredWithDockersFile) {
  const auto refused = push();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, server_.host() + " does not let you push " + name_ +
                                         ": check the name, or log in with `orchion image login " + server_.host() +
                                         "` on the node");
  put_file(docker_, fmt::format(R"({{"auths":{{"{}":{{"auth":"{}"}}}}}})", server_.host(), kAlice));
  const auto pushed = push();
  EXPECT_TRUE(pushed.has_value()) << pushed.error().message;
  const auto pulled = run(io_, images_->pull(name_));
  EXPECT_TRUE(pulled.has_value()) << pulled.error().message;
  EXPECT_EQ(count(store() / "temp"), 0u) << "what skopeo was given is gone";
}

TEST_F(PrivateRegistryTest, IsEnteredWithACredentialHelper) {
  add_helper("keep", server_.host(), "alice", "wonder");
  put_file(docker_, R"({"credsStore":"keep"})");
  const auto pushed = push();
  EXPECT_TRUE(pushed.has_value()) << pushed.error().message;
}

TEST_F(PrivateRegistryTest, WrongCredentialsAreOneClearSentence) {
  put_file(own_,
           fmt::format(R"({{"auths":{{"{}":{{"username":"alice","password":"looking-glass"}}}}}})", server_.host()));
  const auto refused = push();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::Code::kPermissionDenied);
  EXPECT_EQ(refused.error().message,
            server_.host() + " does not let you push " + name_ + " with the credentials in " + own_.string() +
                ": check the name, or log in again with `orchion image login " + server_.host() + "` on the node");
  const auto pulled = run(io_, images_->pull(name_));
  ASSERT_FALSE(pulled.has_value());
  EXPECT_EQ(pulled.error().code, base::Code::kPermissionDenied);
}

}  // namespace
}  // namespace orchion::node::images
