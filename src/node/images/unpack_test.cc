#include "node/images/unpack.h"

#include <clocale>
#include <cstring>

#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "node/images/digest.h"
#include "node/images/test_support.h"

namespace orchion::node::images {
namespace {

namespace fs = std::filesystem;

class UnpackTest : public testing::Test {
 protected:
  UnpackTest() { fs::create_directories(root()); }

  fs::path root() const { return folder_ / "layers" / "root"; }

  base::Result<UnpackedLayer> unpack(const std::string& archive, const ArchiveLimits& limits = {}) {
    EXPECT_TRUE(base::write_file(folder_ / "blob", archive).has_value());
    return unpack_layer(folder_ / "blob", root(), limits, usage_);
  }

  std::string read(const std::string& path) { return base::read_file(root() / path).value_or("(none)"); }

  std::string xattr(const std::string& path, const char* name) {
    char value[256];
    const auto n = ::lgetxattr((root() / path).c_str(), name, value, sizeof value);
    return n < 0 ? "(none)" : std::string(value, static_cast<std::size_t>(n));
  }

  TestFolder folder_;
  ArchiveUsage usage_;
};

TEST_F(UnpackTest, KeepsOwnersModesTimesAttributesLinksAndDevices) {
  std::string capability(20, '\0');
  capability[3] = 2;  // VFS_CAP_REVISION_2
  capability[4] = 1;
  TarMaker tar;
  tar.folder("./", {.mode = 0711, .uid = 3, .gid = 4, .mtime_s = 1000});
  tar.folder("./d", {.mode = 01777, .uid = 5, .gid = 6, .mtime_s = 2000, .mtime_ns = 5});
  tar.file("./d/f", "content",
           {.mode = 04755,
            .uid = 1000,
            .gid = 1001,
            .mtime_s = 3000,
            .mtime_ns = 7,
            .xattrs = {{"user.note", "hi"}, {"security.capability", capability}}});
  tar.hardlink("./d/g", "./d/f");
  tar.symlink("./s", "/d/f", {.uid = 9, .gid = 9, .mtime_s = 4000});
  tar.device("./null", AE_IFCHR, 1, 3);
  tar.device("./loop", AE_IFBLK, 7, 0);
  tar.device("./pipe", AE_IFIFO, 0, 0);
  const auto result = unpack(tar.finish());
  ASSERT_TRUE(result.has_value()) << result.error().message;

  const auto file = stat_of(root() / "d/f");
  EXPECT_EQ(read("d/f"), "content");
  EXPECT_EQ(file.st_mode, static_cast<mode_t>(S_IFREG | 04755));
  EXPECT_EQ(file.st_uid, 1000u);
  EXPECT_EQ(file.st_gid, 1001u);
  EXPECT_EQ(file.st_mtim.tv_sec, 3000);
  EXPECT_EQ(file.st_mtim.tv_nsec, 7);
  EXPECT_EQ(file.st_nlink, 2u);
  EXPECT_EQ(stat_of(root() / "d/g").st_ino, file.st_ino);
  EXPECT_EQ(xattr("d/f", "user.note"), "hi");
  EXPECT_EQ(xattr("d/f", "security.capability").size(), capability.size());

  const auto folder = stat_of(root() / "d");
  EXPECT_EQ(folder.st_mode, static_cast<mode_t>(S_IFDIR | 01777));
  EXPECT_EQ(folder.st_uid, 5u);
  EXPECT_EQ(folder.st_mtim.tv_sec, 2000);
  EXPECT_EQ(stat_of(root()).st_mode, static_cast<mode_t>(S_IFDIR | 0711));
  EXPECT_EQ(stat_of(root()).st_uid, 3u);
  EXPECT_EQ(stat_of(root()).st_mtim.tv_sec, 1000);

  EXPECT_EQ(fs::read_symlink(root() / "s"), "/d/f");
  EXPECT_EQ(stat_of(root() / "s").st_uid, 9u);
  EXPECT_EQ(stat_of(root() / "s").st_mtim.tv_sec, 4000);
  EXPECT_EQ(stat_of(root() / "null").st_rdev, ::makedev(1, 3));
  EXPECT_TRUE(S_ISBLK(stat_of(root() / "loop").st_mode));
  EXPECT_TRUE(S_ISFIFO(stat_of(root() / "pipe").st_mode));
}

TEST_F(UnpackTest, TurnsWhiteoutsIntoOverlayfsOnes) {
  TarMaker tar;
  tar.folder("a").file("a/.wh..wh..opq", "").file("a/new", "n");
  tar.file("b/.wh.gone", "");
  tar.file(".wh..wh.plnk", "").file(".wh..wh.aufs", "");
  tar.file(".wh.again", "").folder("again");  // hidden below, then made anew
  tar.folder("twice").file(".wh.twice", "");  // the other order
  tar.file("kept", "k").file(".wh.kept", "");
  ASSERT_TRUE(unpack(tar.finish()).has_value());
  EXPECT_EQ(xattr("a", "trusted.overlay.opaque"), "y");
  const auto gone = stat_of(root() / "b/gone");
  EXPECT_TRUE(S_ISCHR(gone.st_mode));
  EXPECT_EQ(gone.st_rdev, 0u);
  EXPECT_EQ(xattr("again", "trusted.overlay.opaque"), "y");
  EXPECT_EQ(xattr("twice", "trusted.overlay.opaque"), "y");
  EXPECT_EQ(read("kept"), "k");
  for (const auto& entry : fs::recursive_directory_iterator(root()))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".wh.")) << entry.path();
}

TEST_F(UnpackTest, LetsLaterEntriesReplaceEarlierOnes) {
  TarMaker tar;
  tar.file("x", "old").file("x", "new");
  tar.folder("d").file("d/inside", "1").file("d", "now a file");
  tar.symlink("l", "x").folder("l").file("l/y", "below the folder, not the link");
  tar.file("f", "a file").folder("f").file("f/z", "z");
  ASSERT_TRUE(unpack(tar.finish()).has_value());
  EXPECT_EQ(read("x"), "new");
  EXPECT_EQ(read("d"), "now a file");
  EXPECT_EQ(read("l/y"), "below the folder, not the link");
  EXPECT_FALSE(fs::is_symlink(root() / "l"));
  EXPECT_EQ(read("f/z"), "z");
}

TEST_F(UnpackTest, FollowsLinksOfTheLayerInsideIt) {
  TarMaker tar;
  tar.folder("usr").folder("usr/lib").symlink("lib", "/usr/lib").file("lib/a.so", "a");
  tar.symlink("usr/up", "../../../../usr/lib").file("usr/up/b.so", "b");
  ASSERT_TRUE(unpack(tar.finish()).has_value());
  EXPECT_EQ(read("usr/lib/a.so"), "a");
  EXPECT_EQ(read("usr/lib/b.so"), "b");
}

TEST_F(UnpackTest, DoesNotKeepAParentThatWasReplaced) {
  TarMaker tar;
  tar.folder("a").folder("a/b").file("a/b/1", "1").file("a/b", "file").folder("a/b").file("a/b/2", "2");
  ASSERT_TRUE(unpack(tar.finish()).has_value());
  EXPECT_FALSE(fs::exists(root() / "a/b/1"));
  EXPECT_EQ(read("a/b/2"), "2");
}

TEST_F(UnpackTest, ReadsEveryCompressionAndDigestsBoth) {
  const auto content = [](TarMaker& tar) { tar.file("f", std::string(100'000, 'x')); };
  TarMaker plain;
  content(plain);
  const auto plain_bytes = plain.finish();
  for (const auto compression : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    TarMaker tar(compression);
    content(tar);
    const auto bytes = tar.finish();
    fs::remove_all(root());
    fs::create_directories(root());
    const auto result = unpack(bytes);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->compression, compression);
    EXPECT_EQ(result->packed_digest, digest_of(bytes));
    EXPECT_EQ(result->diff_id, digest_of(plain_bytes));
    EXPECT_EQ(result->bytes, 100'000);
    EXPECT_EQ(result->entries, 1);
    EXPECT_TRUE(result->has_end_mark);
    EXPECT_EQ(read("f").size(), 100'000u);
  }
}

TEST_F(UnpackTest, KeepsHolesAsHoles) {
  TarMaker tar;
  tar.hole("big", 100 << 20);
  const auto result = unpack(tar.finish());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(stat_of(root() / "big").st_size, 100 << 20);
  EXPECT_LT(stat_of(root() / "big").st_blocks, 1000);
}

TEST_F(UnpackTest, KeepsNamesByteByByteWhateverTheLocale) {
  const std::string utf8 = "gr\xc3\xbc\xc3\x9f\x65-\xe6\x97\xa5";
  const std::string long_utf8 = utf8 + std::string(150, 'y');  // needs a pax header
  ASSERT_STREQ(std::setlocale(LC_ALL, "C.UTF-8"), "C.UTF-8");  // for the writer only
  TarMaker tar;
  tar.file(utf8, "1").file(long_utf8, "2").symlink("link-" + long_utf8, long_utf8).hardlink("hard-" + utf8, utf8);
  const auto bytes = tar.finish();
  for (const char* locale : {"C", "C.UTF-8"}) {
    ASSERT_STREQ(std::setlocale(LC_ALL, locale), locale);
    fs::remove_all(root());
    fs::create_directories(root());
    const auto result = unpack(bytes);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(read(utf8), "1") << locale;
    EXPECT_EQ(read(long_utf8), "2") << locale;
    EXPECT_EQ(fs::read_symlink(root() / ("link-" + long_utf8)), long_utf8) << locale;
    EXPECT_EQ(read("hard-" + utf8), "1") << locale;
  }
  std::setlocale(LC_ALL, "C");
}

TEST_F(UnpackTest, DropsMarksByWhichOverlayfsWouldBeLed) {
  TarMaker tar;
  tar.folder("d", {.mode = 0755, .xattrs = {{"trusted.overlay.redirect", "/etc"}, {"user.overlay.opaque", "y"}}});
  ASSERT_TRUE(unpack(tar.finish()).has_value());
  EXPECT_EQ(xattr("d", "trusted.overlay.redirect"), "(none)");
  EXPECT_EQ(xattr("d", "user.overlay.opaque"), "(none)");
}

// What an attacker would like to write to or read from. Each archive either is refused or stays inside.
struct Evil {
  const char* name;
  void (*make)(TarMaker&);
  bool refused;
};

const Evil kEvil[] = {
    {"climbing name", [](TarMaker& t) { t.file("../../outside/secret", "evil"); }, true},
    {"climbing in the middle", [](TarMaker& t) { t.file("a/../../../outside/secret", "evil"); }, true},
    {"climbing folder", [](TarMaker& t) { t.folder(".."); }, true},
    {"absolute name", [](TarMaker& t) { t.file("/outside/secret", "inside"); }, false},
    {"link to the parent, then through it",
     [](TarMaker& t) { t.symlink("l", "../../outside").file("l/secret", "evil"); }, true},
    {"absolute link, then through it",
     [](TarMaker& t) { t.symlink("l", "/").folder("outside").file("l/outside/secret", "inside"); }, false},
    {"chain of links", [](TarMaker& t) { t.symlink("a", "b").symlink("b", "../..").file("a/outside/secret", "evil"); },
     false},
    {"circle of links", [](TarMaker& t) { t.symlink("a", "b").symlink("b", "a").file("a/x", "evil"); }, true},
    {"link replaced under the open parent",
     [](TarMaker& t) { t.folder("d").file("d/a", "1").symlink("d", "../../outside").file("d/secret", "evil"); }, true},
    {"file through its own link", [](TarMaker& t) { t.symlink("f", "../../outside/secret").file("f", "evil"); }, false},
    {"folder over a link", [](TarMaker& t) { t.symlink("d", "../../outside").folder("d", {.mode = 0777}); }, false},
    {"hard link to the outside", [](TarMaker& t) { t.hardlink("h", "../../outside/secret").file("h", "evil"); }, true},
    {"hard link, absolute", [](TarMaker& t) { t.hardlink("h", "/outside/secret"); }, true},
    {"hard link through a link",
     [](TarMaker& t) { t.symlink("l", "../../outside").hardlink("h", "l/secret").file("h", "evil"); }, true},
    {"hard link to a link, then written",
     [](TarMaker& t) { t.symlink("l", "../../outside/secret").hardlink("h", "l").file("h", "evil"); }, false},
    {"hard link to a folder", [](TarMaker& t) { t.folder("d").hardlink("h", "d"); }, true},
    {"hard link to nothing", [](TarMaker& t) { t.hardlink("h", "nothing"); }, true},
    {"hard link to itself", [](TarMaker& t) { t.file("h", "1").hardlink("h", "h"); }, false},
    {"whiteout of the parent", [](TarMaker& t) { t.file("a/.wh...", ""); }, true},
    {"whiteout of itself", [](TarMaker& t) { t.file("a/.wh..", ""); }, true},
    {"whiteout of nothing", [](TarMaker& t) { t.file("a/.wh.", ""); }, true},
    {"whiteout through a link", [](TarMaker& t) { t.symlink("l", "../../outside").file("l/.wh.secret", ""); }, true},
    {"opaque through a link", [](TarMaker& t) { t.symlink("l", "../..").file("l/outside/.wh..wh..opq", ""); }, false},
    {"mode through a link", [](TarMaker& t) { t.symlink("l", "../../outside").file("l/", "", {.mode = 0777}); }, false},
    {"device over a link", [](TarMaker& t) { t.symlink("l", "../../outside/secret").device("l", AE_IFCHR, 1, 3); },
     false},
    {"link by way of /proc", [](TarMaker& t) { t.symlink("l", "/proc/self/root").file("l/outside/secret", "evil"); },
     true},
    {"root as a file", [](TarMaker& t) { t.file(".", "evil"); }, true},
    {"root as a link", [](TarMaker& t) { t.symlink("/", "/etc"); }, true},
    {"name too long", [](TarMaker& t) { t.file(std::string(300, 'n'), ""); }, true},
    {"nested too deeply",
     [](TarMaker& t) {
       std::string path = "d";
       for (int i = 0; i < 400; ++i) path += "/d";
       t.folder(path);
     },
     true},
    {"nested too deeply by way of links",
     [](TarMaker& t) {
       std::string deep = "d";
       for (int i = 0; i < 200; ++i) deep += "/d";
       t.folder(deep).symlink("l", deep);
       t.folder("l/" + deep).symlink("m", "l/" + deep).folder("m/" + deep);
     },
     true},
};

TEST_F(UnpackTest, CannotBeLedOutside) {
  for (const auto& evil : kEvil) {
    SCOPED_TRACE(evil.name);
    fs::remove_all(folder_ / "layers");
    fs::remove_all(folder_ / "outside");
    fs::create_directories(root());
    fs::create_directories(folder_ / "outside");
    ASSERT_TRUE(base::write_file(folder_ / "outside/secret", "secret", 0600).has_value());
    ASSERT_EQ(::chmod((folder_ / "outside").c_str(), 0700), 0);
    TarMaker tar;
    evil.make(tar);
    const auto result = unpack(tar.finish());
    EXPECT_EQ(result.has_value(), !evil.refused) << (result ? "accepted" : result.error().message);
    if (!result) {
      EXPECT_EQ(result.error().code, base::Code::kInvalidArgument) << result.error().message;
    }
    const auto secret = stat_of(folder_ / "outside/secret");
    EXPECT_EQ(base::read_file(folder_ / "outside/secret").value(), "secret");
    EXPECT_EQ(secret.st_nlink, 1u);
    EXPECT_EQ(secret.st_mode & 07777, 0600u);
    EXPECT_EQ(stat_of(folder_ / "outside").st_mode & 07777, 0700u);
    EXPECT_LT(::lgetxattr((folder_ / "outside").c_str(), "trusted.overlay.opaque", nullptr, 0), 0);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "outside"), fs::directory_iterator()), 1);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "layers"), fs::directory_iterator()), 1);
    EXPECT_TRUE(base::remove_tree(folder_ / "layers").has_value()) << "what was unpacked can be removed again";
  }
}

// By hand, since no writer would make them.
enum class Owner { kRoot, kImpossible };

std::string raw_header(const std::string& name, char type, std::size_t size, Owner owner = Owner::kRoot) {
  std::string block(512, '\0');
  std::memcpy(block.data(), name.data(), std::min<std::size_t>(name.size(), 100));
  std::snprintf(block.data() + 100, 8, "%07o", 0644);
  std::snprintf(block.data() + 108, 8, "%07o", 0);
  if (owner == Owner::kImpossible) std::memset(block.data() + 108, 0xff, 8);  // base 256: -1
  std::snprintf(block.data() + 116, 8, "%07o", 0);
  std::snprintf(block.data() + 124, 12, "%011zo", size);
  std::snprintf(block.data() + 136, 12, "%011o", 0);
  block[156] = type;
  std::memcpy(block.data() + 257, "ustar\00000", 8);
  std::memset(block.data() + 148, ' ', 8);
  unsigned sum = 0;
  for (const unsigned char c : block) sum += c;
  std::snprintf(block.data() + 148, 8, "%06o", sum);
  return block;
}

std::string padded(std::string data) {
  data.resize((data.size() + 511) / 512 * 512);
  return data;
}

TEST_F(UnpackTest, StaysInsideWithNulInNames) {
  using namespace std::string_literals;
  const auto record = "26 path=in\0/../../outside\n"s;
  const auto tar = raw_header("pax", 'x', record.size()) + padded(record) + raw_header("plain\0/../x"s, '0', 1) +
                   padded("1") + raw_header("y\0/../../outside/z"s, '0', 1) + padded("2") + std::string(1024, '\0');
  const auto result = unpack(tar);
  if (!result) {
    EXPECT_EQ(result.error().code, base::Code::kInvalidArgument);
  }
  EXPECT_FALSE(fs::exists(folder_ / "outside"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "layers"), fs::directory_iterator()), 1);
}

TEST_F(UnpackTest, RefusesNumbersThatCannotBe) {
  const std::string end(1024, '\0');
  const auto owner = unpack(raw_header("f", '0', 0, Owner::kImpossible) + end);
  ASSERT_FALSE(owner.has_value());
  EXPECT_EQ(owner.error().code, base::Code::kInvalidArgument);
  const auto size = unpack(raw_header("f", '0', std::size_t{6} << 30) + end, {.bytes_max = std::int64_t{4} << 30});
  ASSERT_FALSE(size.has_value());
  EXPECT_EQ(size.error().code, base::Code::kResourceExhausted);
}

TEST_F(UnpackTest, RefusesWhatIsCutOffOrNoTar) {
  for (const auto compression : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    TarMaker tar(compression);
    std::string noise(100'000, '\0');
    base::Random random(1);
    for (auto& c : noise) c = static_cast<char>(random.next());
    tar.file("a", noise.substr(0, 50'000)).file("b", noise.substr(50'000));
    const auto whole = tar.finish();
    for (const auto keep : {whole.size() / 3, whole.size() * 2 / 3, whole.size() - 60'000}) {
      fs::remove_all(root());
      fs::create_directories(root());
      const auto result = unpack(whole.substr(0, keep));
      ASSERT_FALSE(result.has_value()) << keep;
      EXPECT_EQ(result.error().code, base::Code::kInvalidArgument) << result.error().message;
    }
  }
  for (const std::string& rubbish : {std::string("hello"), std::string(5000, 'x'), std::string("\x1f\x8b\x08rubbish"),
                                     std::string("\x28\xb5\x2f\xfdrubbish")})
    EXPECT_FALSE(unpack(rubbish).has_value());
}

TEST_F(UnpackTest, SeesThatTheEndIsMissingAtTheBorderOfAnEntry) {
  const auto tar = raw_header("a", '0', 0);
  const auto result = unpack(tar);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_FALSE(result->has_end_mark);
}

TEST_F(UnpackTest, KeepsToItsLimits) {
  const auto expect_exhausted = [&](TarMaker& tar, const ArchiveLimits& limits) {
    fs::remove_all(root());
    fs::create_directories(root());
    usage_ = {};
    const auto result = unpack(tar.finish(), limits);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, base::Code::kResourceExhausted) << result.error().message;
  };
  TarMaker bomb(Compression::kZstd);
  bomb.file("zeros", std::string(8 << 20, '\0'));
  expect_exhausted(bomb, {.ratio_free_bytes = 1 << 20});
  TarMaker many;
  for (int i = 0; i < 20; ++i) many.file(std::to_string(i), "");
  expect_exhausted(many, {.entries_max = 10});
  TarMaker large;
  large.file("a", std::string(600, 'x')).file("b", std::string(600, 'x'));
  expect_exhausted(large, {.bytes_max = 1000});
  TarMaker names;
  for (int i = 0; i < 20; ++i) names.file(std::string(100, 'n') + std::to_string(i), "");
  expect_exhausted(names, {.name_bytes_max = 1000});
}

}  // namespace
}  // namespace orchion::node::images
