#include "node/images/image_store.h"

#include <csignal>
#include <cstdlib>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/detached.hpp>

#include "base/process.h"
#include "node/images/content_store.h"
#include "node/images/digest.h"
#include "node/images/documents.h"
#include "node/images/fake_images.h"
#include "node/images/test_support.h"

extern char** environ;

namespace orchion::node::images {
namespace {

namespace fs = std::filesystem;

std::string busybox_root() {
  TarMaker tar;
  tar.folder("./").folder("./bin").folder("./etc").folder("./tmp", {.mode = 01777});
  tar.file("./bin/busybox", base::read_file("/bin/busybox").value(), {.mode = 0755});
  tar.symlink("./bin/sh", "busybox").file("./etc/passwd", "root:x:0:0::/:/bin/sh\n");
  return tar.finish();
}

std::string small_root(const std::string& content, Compression compression = Compression::kNone) {
  TarMaker tar(compression);
  tar.folder("etc").file("etc/content", content);
  return tar.finish();
}

std::string add_blob(TarMaker& tar, const std::string& content) {
  const auto digest = digest_of(content);
  tar.file("blobs/sha256/" + digest_hex(digest), content);
  return digest;
}

// One image's blobs; returns its manifest's descriptor as JSON without the closing brace.
std::string add_image(TarMaker& tar, const std::string& architecture, const std::string& layer) {
  const auto layer_digest = add_blob(tar, layer);
  const auto config = make_config(architecture, {layer_digest});
  const auto config_digest = add_blob(tar, config);
  const auto manifest =
      make_manifest(config_descriptor(config_digest, static_cast<std::int64_t>(config.size())),
                    {layer_descriptor(layer_digest, static_cast<std::int64_t>(layer.size()), Compression::kNone)});
  return R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" + add_blob(tar, manifest) +
         R"(","size":)" + std::to_string(manifest.size());
}

void add_layout(TarMaker& tar, const std::string& index) {
  tar.file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})").file("index.json", index);
}

class ImageStoreTest : public testing::Test {
 protected:
  ImageStoreTest() { reopen(); }

  void reopen() {
    images_.reset();
    auto opened = ImageStore::open(io_.get_executor(), *workers_, {.folder = store(), .architecture = "amd64"});
    if (!opened) throw std::runtime_error(opened.error().message);
    images_ = *std::move(opened);
  }

  fs::path store() const { return folder_ / "store"; }

  base::Result<ImageRecord> import(const std::string& name, const std::string& archive) {
    return run(io_, images_->import(name, std::make_shared<StringSource>(archive)));
  }

  static std::size_t count(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }

  // Nothing but the folders themselves.
  void expect_empty() {
    for (const char* name : {"blobs/sha256", "layers", "references", "temp"})
      EXPECT_EQ(count(store() / name), 0u) << name;
  }

  // `skopeo` runs one of its transports over another.
  static void skopeo(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"skopeo", "copy", "--quiet"});
    const auto done = base::run_checked({.arguments = std::move(arguments)});
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }

  TestFolder folder_;
  boost::asio::io_context io_;
  std::unique_ptr<base::WorkerPool> workers_ = std::make_unique<base::WorkerPool>(2);
  std::unique_ptr<ImageStore> images_;
};

TEST_F(ImageStoreTest, ImportsARootFileSystemThatLasts) {
  const auto archive = busybox_root();
  const auto image = import("hello-web:latest", archive);
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_EQ(image->reference, "docker.io/library/hello-web:latest");
  EXPECT_EQ(image->architecture, "amd64");
  EXPECT_TRUE(is_digest(image->digest));
  ASSERT_EQ(image->layers.size(), 1u);
  EXPECT_EQ(fs::read_symlink(image->layers[0] / "bin/sh"), "busybox");
  EXPECT_GT(image->size_bytes, 1'000'000);
  const auto ran = base::run_process({.arguments = {(image->layers[0] / "bin/busybox").string(), "echo", "it runs"}});
  EXPECT_EQ(ran.value().standard_output, "it runs\n");

  reopen();
  for (const char* name : {"hello-web", "docker.io/library/hello-web:latest"}) {
    const auto found = run(io_, images_->ensure(name));
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(found->digest, image->digest);
    EXPECT_EQ(found->layers, image->layers);
    EXPECT_EQ(found->size_bytes, image->size_bytes);
    EXPECT_EQ(found->created_at, image->created_at);
  }
  EXPECT_EQ(count(store() / "temp"), 0u);
  const auto by_digest = run(io_, images_->ensure("hello-web@" + image->digest));
  EXPECT_EQ(by_digest.value().reference, image->reference);
}

TEST_F(ImageStoreTest, GivesTheSameContentTheSameDigestAndSharesIt) {
  const auto first = import("a", small_root("x")).value();
  const auto second = import("b", small_root("x")).value();
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(first.layers, second.layers);
  EXPECT_EQ(count(store() / "layers"), 1u);
  const auto packed = import("c", small_root("x", Compression::kGzip)).value();
  EXPECT_NE(packed.digest, first.digest);
  EXPECT_EQ(packed.layers, first.layers) << "unpacked they are one";
  ASSERT_TRUE(run(io_, images_->remove("a")).has_value());
  EXPECT_TRUE(fs::exists(second.layers[0] / "etc/content"));
  ASSERT_TRUE(run(io_, images_->remove("b")).has_value());
  ASSERT_TRUE(run(io_, images_->remove("c")).has_value());
  expect_empty();
}

TEST_F(ImageStoreTest, ImportsEveryCompression) {
  for (const auto compression : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    const auto image = import("a", small_root("same", compression));
    ASSERT_TRUE(image.has_value()) << image.error().message;
    EXPECT_EQ(base::read_file(image->layers[0] / "etc/content").value(), "same");
  }
}

TEST_F(ImageStoreTest, ImportsADockerArchiveAndAnOciArchiveMadeBySkopeo) {
  const auto original = import("localhost/box:1", busybox_root()).value();
  // Out of the store by way of skopeo's directory layout, as a push does it.
  const auto out = folder_ / "out";
  fs::create_directories(out);
  for (const auto& blob : fs::directory_iterator(store() / "blobs/sha256"))
    fs::copy(blob.path(), out / blob.path().filename());
  fs::copy(out / digest_hex(original.digest), out / "manifest.json");
  ASSERT_TRUE(base::write_file(out / "version", "Directory Transport Version: 1.1\n").has_value());
  skopeo({"dir:" + out.string(), "docker-archive:" + (folder_ / "docker.tar").string() + ":example.com/box:2"});
  skopeo({"dir:" + out.string(), "oci-archive:" + (folder_ / "oci.tar").string() + ":example.com/box:3"});

  const auto docker = import("", base::read_file(folder_ / "docker.tar").value());
  ASSERT_TRUE(docker.has_value()) << docker.error().message;
  EXPECT_EQ(docker->reference, "example.com/box:2");
  EXPECT_EQ(docker->layers, original.layers);
  const auto oci = import("", base::read_file(folder_ / "oci.tar").value());
  ASSERT_TRUE(oci.has_value()) << oci.error().message;
  EXPECT_EQ(oci->reference, "example.com/box:3");
  EXPECT_EQ(oci->layers, original.layers);
  EXPECT_EQ(count(store() / "layers"), 1u);
}

TEST_F(ImageStoreTest, TakesItsPlatformFromAnIndex) {
  TarMaker tar;
  const auto arm = add_image(tar, "arm64", small_root("arm"));
  const auto amd = add_image(tar, "amd64", small_root("amd"));
  const auto index = R"({"schemaVersion":2,"manifests":[)" + arm +
                     R"(,"platform":{"architecture":"arm64","os":"linux"}},)" + amd +
                     R"(,"platform":{"architecture":"amd64","os":"linux"}}]})";
  const auto digest = add_blob(tar, index);
  add_layout(tar,
             R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":")" +
                 digest + R"(","size":1,"annotations":{"org.opencontainers.image.ref.name":"example.com/m:1"}}]})");
  const auto image = import("", tar.finish());
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_EQ(image->reference, "example.com/m:1");
  EXPECT_EQ(base::read_file(image->layers[0] / "etc/content").value(), "amd");
}

TEST_F(ImageStoreTest, AsksForANameWhereThereIsNoneOrSeveral) {
  EXPECT_NE(import("", small_root("x")).error().message.find("give the image a name"), std::string::npos);
  TarMaker tar;
  const auto one = add_image(tar, "amd64", small_root("1"));
  const auto two = add_image(tar, "amd64", small_root("2"));
  add_layout(tar, R"({"manifests":[)" + one + R"(,"annotations":{"org.opencontainers.image.ref.name":"a.io/x:1"}},)" +
                      two + R"(,"annotations":{"org.opencontainers.image.ref.name":"a.io/x:2"}}]})");
  const auto archive = tar.finish();
  EXPECT_NE(import("", archive).error().message.find("several images (a.io/x:1, a.io/x:2)"), std::string::npos);
  expect_empty();
  const auto chosen = import("a.io/x:2", archive);
  ASSERT_TRUE(chosen.has_value()) << chosen.error().message;
  EXPECT_EQ(base::read_file(chosen->layers[0] / "etc/content").value(), "2");
}

TEST_F(ImageStoreTest, LeavesNothingOfWhatItRefuses) {
  const auto whole = busybox_root();
  TarMaker wrong_layer;
  wrong_layer.file("blobs/sha256/" + std::string(64, 'a'), "not what the name says");
  add_layout(wrong_layer, R"({"manifests":[{"digest":"sha256:)" + std::string(64, 'a') + R"(","size":1}]})");
  TarMaker evil_digest;
  add_layout(evil_digest, R"({"manifests":[{"digest":"sha256:../../../../etc/passwd","size":1}]})");
  TarMaker docker_missing;
  docker_missing.file("manifest.json",
                      R"([{"Config":"../../etc/passwd","RepoTags":["a:1"],"Layers":["/etc/passwd"]}])");
  TarMaker wrong_diff;
  const auto layer = small_root("layer");
  const auto config = make_config("amd64", {"sha256:" + std::string(64, 'd')});
  wrong_diff.file("config.json", config).file("layer.tar", layer);
  wrong_diff.file("manifest.json", R"([{"Config":"config.json","RepoTags":null,"Layers":["layer.tar"]}])");
  TarMaker climbing;
  climbing.file("etc/ok", "").file("../../../escape", "");

  const std::pair<std::string, base::Code> cases[] = {
      {whole.substr(0, whole.size() / 2), base::Code::kInvalidArgument},
      {whole.substr(0, whole.size() - 1024), base::Code::kInvalidArgument},
      {"", base::Code::kInvalidArgument},
      {"hello", base::Code::kInvalidArgument},
      {std::string(10240, '\0'), base::Code::kInvalidArgument},
      {wrong_layer.finish(), base::Code::kDataLoss},
      {evil_digest.finish(), base::Code::kInvalidArgument},
      {docker_missing.finish(), base::Code::kInvalidArgument},
      {wrong_diff.finish(), base::Code::kDataLoss},
      {climbing.finish(), base::Code::kInvalidArgument},
  };
  for (const auto& [archive, code] : cases) {
    const auto result = import("a", archive);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, code) << result.error().message;
    expect_empty();
  }
  const auto broken = run(io_, images_->import("a", std::make_shared<StringSource>(whole, 1000, 3)));
  EXPECT_EQ(broken.error().code, base::Code::kUnavailable);
  expect_empty();
}

TEST_F(ImageStoreTest, RemovesOnlyWhatNobodyUses) {
  const auto kept = import("kept", small_root("1")).value();
  ASSERT_TRUE(import("by-digest", small_root("2")).has_value());
  ASSERT_TRUE(import("unused", small_root("3")).has_value());
  images_->set_used({"kept", run(io_, images_->find("by-digest")).value()->digest});
  EXPECT_EQ(run(io_, images_->remove("kept")).error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(run(io_, images_->remove("by-digest")).error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(run(io_, images_->remove("nothing")).error().code, base::Code::kNotFound);
  const auto pruned = run(io_, images_->prune()).value();
  EXPECT_EQ(pruned.references, (std::vector<std::string>{"docker.io/library/unused:latest"}));
  EXPECT_GT(pruned.freed_bytes, 512);
  EXPECT_EQ(run(io_, images_->list()).value().size(), 2u);
  EXPECT_EQ(count(store() / "layers"), 2u);
  EXPECT_EQ(count(store() / "temp"), 0u);
  EXPECT_TRUE(fs::exists(kept.layers[0]));
  images_->set_used({});
  EXPECT_EQ(run(io_, images_->prune()).value().references.size(), 2u);
  expect_empty();
}

TEST_F(ImageStoreTest, KeepsTheOldImageWhenItsNameGoesToANewOne) {
  const auto old = import("app", small_root("1")).value();
  const auto newer = import("app", small_root("2")).value();
  EXPECT_NE(old.digest, newer.digest);
  EXPECT_TRUE(fs::exists(old.layers[0] / "etc/content")) << "a container may run from it";
  EXPECT_EQ(run(io_, images_->ensure("app")).value().digest, newer.digest);
  EXPECT_EQ(run(io_, images_->ensure("app@" + old.digest)).value().digest, old.digest);
  reopen();
  images_->set_used({"app"});
  EXPECT_EQ(run(io_, images_->prune()).value().references,
            (std::vector<std::string>{"docker.io/library/app@" + old.digest}));
  EXPECT_FALSE(fs::exists(old.layers[0]));
  EXPECT_TRUE(fs::exists(newer.layers[0]));
}

TEST_F(ImageStoreTest, SweepsWhatACrashLeftAndDropsWhatIsDamaged) {
  const auto good = import("good", small_root("1")).value();
  const auto bad = import("bad", small_root("2")).value();
  images_.reset();
  fs::create_directories(store() / "temp/half/layer/etc");
  fs::create_directories(store() / "layers" / std::string(64, 'e') / "etc");
  ASSERT_TRUE(base::write_file(store() / "blobs/sha256" / std::string(64, 'e'), "orphan").has_value());
  ASSERT_TRUE(base::write_file(store() / "references/half.json.abc", "{").has_value());
  fs::remove_all(bad.layers[0]);
  reopen();
  EXPECT_EQ(count(store() / "temp"), 0u);
  EXPECT_EQ(count(store() / "layers"), 1u);
  EXPECT_EQ(count(store() / "blobs/sha256"), 3u);
  EXPECT_EQ(count(store() / "references"), 1u);
  EXPECT_TRUE(run(io_, images_->find("good")).value().has_value());
  EXPECT_FALSE(run(io_, images_->find("bad")).value().has_value());
}

TEST_F(ImageStoreTest, FreesTheSpaceAgainWhenTheDiskIsFull) {
  // A file system of its own, seen by this thread and the workers it starts only.
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  images_.reset();
  workers_ = std::make_unique<base::WorkerPool>(1);
  ASSERT_EQ(::mount("tmpfs", store().c_str(), "tmpfs", 0, "size=3m"), 0);
  reopen();
  // The archive fits, the archive and its content don't.
  const auto result = import("a", small_root(std::string(2 << 20, 'x')));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, base::Code::kResourceExhausted);
  EXPECT_NE(result.error().message.find("orchion image prune"), std::string::npos);
  expect_empty();
  EXPECT_FALSE(import("a", small_root(std::string(8 << 20, 'x'))).has_value());
  expect_empty();
  EXPECT_TRUE(import("a", small_root("small")).has_value());
  images_.reset();
  ASSERT_EQ(::umount2(store().c_str(), MNT_DETACH), 0);
}

TEST_F(ImageStoreTest, SaysWhatToInstallWithoutSkopeo) {
  const auto program = base::find_program("skopeo").value();
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  workers_ = std::make_unique<base::WorkerPool>(1);
  reopen();
  ASSERT_EQ(::mount("/dev/null", program.c_str(), nullptr, MS_BIND, nullptr), 0);
  const auto result = run(io_, images_->pull("localhost:1/a"));
  ASSERT_EQ(::umount2(program.c_str(), MNT_DETACH), 0);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, base::Code::kFailedPrecondition);
  EXPECT_NE(result.error().message.find("apt-get install skopeo"), std::string::npos);
}

// Debian's registry on a loopback port of its own, ended by its pid.
class Registry {
 public:
  enum class Access { kOpen, kPassword };

  explicit Registry(Access access) : port_(free_port()) {
    std::string config =
        "version: 0.1\nlog: {level: error}\nstorage: {filesystem: "
        "{rootdirectory: " +
        (folder_ / "data").string() + "}}\nhttp: {addr: \"127.0.0.1:" + std::to_string(port_) + "\"}\n";
    if (access == Access::kPassword) {
      // alice:wonder, bcrypt
      put("users", "alice:$2b$04$Z.wthmDfj2CuVUuG/YdvOul0A.2IBBWVp1Rn2nYxdr6u4/majXVy2\n");
      config += "auth: {htpasswd: {realm: test, path: " + (folder_ / "users").string() + "}}\n";
    }
    put("config.yml", config);
    std::string program = base::find_program("docker-registry").value();
    std::string verb = "serve";
    std::string file = (folder_ / "config.yml").string();
    char* arguments[] = {program.data(), verb.data(), file.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const auto log = (folder_ / "log").string();
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    const int spawned = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (spawned != 0) throw std::runtime_error("cannot start docker-registry");
    wait_until_it_answers();
  }
  ~Registry() { stop(); }

  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  // Requests for an image's manifest answered so far.
  int manifest_requests() const {
    const auto log = base::read_file(folder_ / "log").value();
    int count = 0;
    for (auto at = log.find("\"GET /v2/"); at != std::string::npos; at = log.find("\"GET /v2/", at + 1))
      count += log.substr(at, log.find('\n', at) - at).find("/manifests/") != std::string::npos ? 1 : 0;
    return count;
  }

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  static int free_port() {
    const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = loopback(0);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd.get(), generic, length) != 0 || ::getsockname(fd.get(), generic, &length) != 0)
      throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
  }

  void wait_until_it_answers() const {
    auto address = loopback(port_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return;
      ::usleep(5000);
    }
    throw std::runtime_error("docker-registry does not answer: " + base::read_file(folder_ / "log").value_or(""));
  }

  void put(const std::string& name, const std::string& content) const {
    if (!base::write_file(folder_ / name, content)) throw std::runtime_error(name);
  }

  TestFolder folder_;
  int port_;
  pid_t pid_ = -1;
};

TEST_F(ImageStoreTest, PushesToARegistryAndPullsTheSameBack) {
  Registry registry(Registry::Access::kOpen);
  const auto name = registry.host() + "/team/box:1";
  const auto pushed = import("box", busybox_root()).value();
  const auto done = run(io_, images_->push("box", name, true));
  ASSERT_TRUE(done.has_value()) << done.error().message;
  ASSERT_TRUE(run(io_, images_->remove("box")).has_value());
  expect_empty();

  const auto pulled = run(io_, images_->ensure(name));
  ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
  EXPECT_EQ(pulled->digest, pushed.digest);
  EXPECT_EQ(pulled->layers, pushed.layers);
  EXPECT_TRUE(fs::exists(pulled->layers[0] / "bin/busybox"));
  EXPECT_EQ(count(store() / "temp"), 0u);

  const auto by_digest = run(io_, images_->pull(registry.host() + "/team/box@" + pushed.digest));
  ASSERT_TRUE(by_digest.has_value()) << by_digest.error().message;
  EXPECT_EQ(by_digest->digest, pushed.digest);
  EXPECT_EQ(by_digest->layers, pushed.layers);

  const auto missing = run(io_, images_->ensure(registry.host() + "/team/none"));
  EXPECT_EQ(missing.error().code, base::Code::kNotFound);
  EXPECT_EQ(missing.error().message, "no registry has " + registry.host() +
                                         "/team/none:latest: check the name, or import "
                                         "it with `orchion image import FILE " +
                                         registry.host() + "/team/none:latest`");
  EXPECT_EQ(run(io_, images_->pull(registry.host() + "/team/box:2")).error().code, base::Code::kNotFound);
  EXPECT_EQ(run(io_, images_->push("nothing", name, true)).error().code, base::Code::kNotFound);

  registry.stop();
  const auto down = run(io_, images_->pull(name));
  EXPECT_EQ(down.error().code, base::Code::kUnavailable) << down.error().message;
  EXPECT_TRUE(run(io_, images_->ensure(name)).has_value()) << "what is here needs no registry";
  EXPECT_EQ(run(io_, images_->push(name, name, true)).error().code, base::Code::kUnavailable);
}

base::Co<> pull_into(Images& images, std::string name, std::vector<base::Result<ImageRecord>>& results) {
  results.push_back(co_await images.pull(std::move(name)));
  co_return base::Result<>{};
}

TEST_F(ImageStoreTest, ConcurrentPullsOfOneImageShareIt) {
  Registry registry(Registry::Access::kOpen);
  const auto name = registry.host() + "/box:1";
  ASSERT_TRUE(import("box", small_root("x")).has_value());
  ASSERT_TRUE(run(io_, images_->push("box", name, true)).has_value());
  ASSERT_TRUE(run(io_, images_->pull(name)).has_value());
  const int requests = registry.manifest_requests();
  EXPECT_GE(requests, 1);
  ASSERT_TRUE(run(io_, images_->remove(name)).has_value());
  std::vector<base::Result<ImageRecord>> results;
  for (int i = 0; i < 5; ++i) boost::asio::co_spawn(io_, pull_into(*images_, name, results), boost::asio::detached);
  io_.restart();
  const auto guard = boost::asio::make_work_guard(io_);
  while (results.size() < 5) io_.run_one();
  for (const auto& result : results) {
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->digest, results[0]->digest);
  }
  EXPECT_EQ(registry.manifest_requests(), 2 * requests) << "one download for all five";
}

TEST_F(ImageStoreTest, FindsCredentialsWhereSkopeoKeepsThem) {
  Registry registry(Registry::Access::kPassword);
  const auto name = registry.host() + "/secret:1";
  ASSERT_TRUE(import("box", small_root("x")).has_value());
  const auto auth_file = folder_ / "auth.json";
  ASSERT_TRUE(base::write_file(auth_file, "{}").has_value());
  ASSERT_EQ(::setenv("REGISTRY_AUTH_FILE", auth_file.c_str(), 1), 0);
  const auto refused_push = run(io_, images_->push("box", name, true));
  EXPECT_EQ(refused_push.error().code, base::Code::kPermissionDenied) << refused_push.error().message;
  const auto refused_pull = run(io_, images_->pull(name));
  EXPECT_EQ(refused_pull.error().code, base::Code::kPermissionDenied) << refused_pull.error().message;
  EXPECT_NE(refused_pull.error().message.find("skopeo login"), std::string::npos);

  ASSERT_TRUE(base::write_file(auth_file, R"({"auths":{")" + registry.host() + R"(":{"auth":"YWxpY2U6d29uZGVy"}}})")
                  .has_value());
  const auto pushed = run(io_, images_->push("box", name, true));
  EXPECT_TRUE(pushed.has_value()) << pushed.error().message;
  const auto pulled = run(io_, images_->pull(name));
  EXPECT_TRUE(pulled.has_value()) << pulled.error().message;
  ASSERT_EQ(::unsetenv("REGISTRY_AUTH_FILE"), 0);
}

TEST(FakeImages, BehavesLikeTheRealOneWithoutDiskOrNetwork) {
  boost::asio::io_context io;
  FakeImages images;
  const auto nginx = images.add_to_registry("nginx", {.entrypoint = {"/nginx"}});
  EXPECT_FALSE(run(io, images.find("nginx")).value().has_value());
  EXPECT_EQ(run(io, images.ensure("nginx:latest")).value().digest, nginx.digest);
  EXPECT_EQ(run(io, images.ensure("nginx")).value().config.entrypoint, (std::vector<std::string>{"/nginx"}));
  EXPECT_EQ(images.pulls(), 1);
  EXPECT_EQ(run(io, images.ensure("other")).error().code, base::Code::kNotFound);
  images.fail_pulls(base::Error{base::Code::kUnavailable, "down", {}});
  EXPECT_EQ(run(io, images.ensure("other")).error().code, base::Code::kUnavailable);
  EXPECT_TRUE(run(io, images.import("mine", std::make_shared<StringSource>("bytes"))).has_value());
  EXPECT_TRUE(run(io, images.push("mine", "example.com/mine", false)).has_value());
  images.set_used({"nginx"});
  EXPECT_EQ(run(io, images.remove("nginx")).error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(run(io, images.prune()).value().references, (std::vector<std::string>{"docker.io/library/mine:latest"}));
  EXPECT_EQ(run(io, images.list()).value().size(), 1u);
}

}  // namespace
}  // namespace orchion::node::images
