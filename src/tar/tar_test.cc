#include <array>
#include <fstream>
#include <thread>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/random.h"
#include "tar/pack.h"
#include "tar/unpack.h"

namespace orchion::tar {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

struct ArchiveItem {
  std::string path;
  mode_t type = AE_IFREG;
  std::string text = {};
  std::string link = {};
  std::string hardlink = {};
  mode_t mode = 0644;
};

class TarTest : public testing::Test {
 protected:
  TarTest() : folder(fs::temp_directory_path() / ("orchion-tar-" + base::Random::from_system().text(8))) {
    fs::create_directories(from());
    fs::create_directories(to());
  }
  ~TarTest() override { fs::remove_all(folder); }

  fs::path from() const { return folder / "from"; }
  fs::path to() const { return folder / "to"; }

  static void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  static base::UniqueFd open_node(const fs::path& path) {
    return base::UniqueFd(::open(path.c_str(), O_PATH | O_NOFOLLOW));
  }

  fs::path archive_file() const { return folder / "archive.tar"; }

  base::Result<Packed> pack_file(const fs::path& path, const std::string& top, PackOptions options = {}) {
    const base::UniqueFd out(::open(archive_file().c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
    return pack(open_node(path), top, options, out.get());
  }

  static base::Result<Place> as_named(const std::string&, bool) { return Place{}; }

  base::Result<Unpacked> unpack_file(TreeRoot::Links links = TreeRoot::Links::kRefused, UnpackOptions options = {},
                                     const ChoosePlace& choose = as_named) {
    const base::UniqueFd in(::open(archive_file().c_str(), O_RDONLY));
    const TreeRoot root(base::UniqueFd(::open(to().c_str(), O_PATH | O_DIRECTORY)), links);
    return unpack(in.get(), root, choose, options);
  }

  // An archive that no honest tool would make.
  void make_archive(const std::vector<ArchiveItem>& items) {
    archive* writer = archive_write_new();
    archive_write_set_format_pax(writer);
    ASSERT_EQ(archive_write_open_filename(writer, archive_file().c_str()), ARCHIVE_OK);
    for (const auto& item : items) {
      archive_entry* entry = archive_entry_new();
      archive_entry_set_pathname(entry, item.path.c_str());
      archive_entry_set_filetype(entry, item.type);
      archive_entry_set_perm(entry, item.mode);
      archive_entry_set_size(entry, std::ssize(item.text));
      if (!item.link.empty()) archive_entry_set_symlink(entry, item.link.c_str());
      if (!item.hardlink.empty()) archive_entry_set_hardlink(entry, item.hardlink.c_str());
      ASSERT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
      archive_write_data(writer, item.text.data(), item.text.size());
      archive_entry_free(entry);
    }
    archive_write_free(writer);
  }

  const fs::path folder;
};

struct stat info_of(const fs::path& path) {
  struct stat info{};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

TEST_F(TarTest, ATreeComesBackAsItWas) {
  write(from() / "a" / "file", "hello");
  write(from() / "a" / "deep" / std::string(200, 'n') / "naïve \xff name", "odd");
  fs::create_symlink("../elsewhere", from() / "a" / "link");
  fs::create_hard_link(from() / "a" / "file", from() / "a" / "twin");
  ASSERT_EQ(::mkfifo((from() / "a" / "fifo").c_str(), 0600), 0);
  ASSERT_EQ(::chmod((from() / "a" / "file").c_str(), 04751), 0);
  ASSERT_EQ(::lchown((from() / "a" / "link").c_str(), 77, 88), 0);
  ASSERT_EQ(::chown((from() / "a" / "file").c_str(), 3'000'000'000u, 1234), 0);
  ASSERT_EQ(::chmod((from() / "a" / "file").c_str(), 04751), 0);
  ASSERT_EQ(::setxattr((from() / "a" / "file").c_str(), "user.colour", "blue", 4, 0), 0);
  const timespec times[2] = {{1'000'000, 0}, {1'234'567, 890}};
  for (const char* name : {"a/file", "a/deep", "a"})
    ASSERT_EQ(::utimensat(AT_FDCWD, (from() / name).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);

  const auto packed = pack_file(from() / "a", "b");
  ASSERT_TRUE(packed.has_value()) << packed.error().message;
  EXPECT_EQ(packed->files, 5);
  EXPECT_EQ(packed->bytes, 8);
  const auto unpacked = unpack_file();
  ASSERT_TRUE(unpacked.has_value()) << unpacked.error().message;
  EXPECT_EQ(unpacked->files, 5);

  const auto file = info_of(to() / "b/file");
  EXPECT_EQ(read(to() / "b/file"), "hello");
  EXPECT_EQ(file.st_mode & 07777, 04751u);
  EXPECT_EQ(file.st_uid, 3'000'000'000u);
  EXPECT_EQ(file.st_gid, 1234u);
  EXPECT_EQ(file.st_mtim.tv_sec, 1'234'567);
  EXPECT_EQ(file.st_mtim.tv_nsec, 890);
  EXPECT_EQ(info_of(to() / "b/twin").st_ino, file.st_ino);
  EXPECT_EQ(info_of(to() / "b").st_mtim.tv_sec, 1'234'567);
  EXPECT_EQ(info_of(to() / "b/link").st_uid, 77u);
  EXPECT_EQ(fs::read_symlink(to() / "b/link"), "../elsewhere");
  EXPECT_TRUE(S_ISFIFO(info_of(to() / "b/fifo").st_mode));
  EXPECT_EQ(read(to() / "b/deep" / std::string(200, 'n') / "naïve \xff name"), "odd");
  std::array<char, 8> colour{};
  EXPECT_EQ(::getxattr((to() / "b/file").c_str(), "user.colour", colour.data(), colour.size()), 4);
}

TEST_F(TarTest, HolesStayHolesAndSizesHaveNoLimit) {
  constexpr off_t kSize = 9ll << 30;  // beyond what a plain tar's header can say
  for (const auto* name : {"some", "none", "end"}) {
    const base::UniqueFd fd(::open((from() / name).c_str(), O_RDWR | O_CREAT, 0600));
    ASSERT_EQ(::ftruncate(fd.get(), kSize), 0);
    if (name == std::string("some")) {
      ASSERT_EQ(::pwrite(fd.get(), "middle", 6, 5ll << 30), 6);
    }
    if (name == std::string("end")) {
      ASSERT_EQ(::pwrite(fd.get(), "last", 4, kSize - 4), 4);
    }
  }
  ASSERT_TRUE(pack_file(from(), "x").has_value());
  EXPECT_LT(fs::file_size(archive_file()), 100u << 10);
  const auto unpacked = unpack_file();
  ASSERT_TRUE(unpacked.has_value()) << unpacked.error().message;
  for (const auto* name : {"some", "none", "end"}) {
    const auto info = info_of(to() / "x" / name);
    EXPECT_EQ(info.st_size, kSize) << name;
    EXPECT_LT(info.st_blocks, 100) << name;
  }
  const base::UniqueFd fd(::open((to() / "x/some").c_str(), O_RDONLY));
  std::array<char, 7> text{};
  EXPECT_EQ(::pread(fd.get(), text.data(), 6, 5ll << 30), 6);
  EXPECT_STREQ(text.data(), "middle");
}

TEST_F(TarTest, WhatKernelFileSystemsHoldIsLeftOut) {
  fs::create_directories(from() / "proc");
  write(from() / "file", "x");
  ASSERT_EQ(::mount("proc", (from() / "proc").c_str(), "proc", 0, nullptr), 0);
  const auto packed = pack_file(from(), "x");
  ASSERT_EQ(::umount2((from() / "proc").c_str(), MNT_DETACH), 0);
  ASSERT_TRUE(packed.has_value()) << packed.error().message;
  EXPECT_EQ(packed->files, 1);
  ASSERT_TRUE(unpack_file().has_value());
  EXPECT_TRUE(fs::is_empty(to() / "x/proc"));
}

TEST_F(TarTest, OwnersMayBeRoot) {
  write(from() / "file", "x");
  ASSERT_EQ(::chown((from() / "file").c_str(), 5, 6), 0);
  ASSERT_TRUE(pack_file(from() / "file", "f", {.owned_by_root = true}).has_value());
  ASSERT_TRUE(unpack_file().has_value());
  EXPECT_EQ(info_of(to() / "f").st_uid, 0u);
  EXPECT_EQ(info_of(to() / "f").st_gid, 0u);
}

TEST_F(TarTest, ASocketAloneIsRefused) {
  ASSERT_EQ(::mknod((from() / "socket").c_str(), S_IFSOCK | 0600, 0), 0);
  write(from() / "file", "x");
  EXPECT_THAT(pack_file(from() / "socket", "s").error().message, HasSubstr("is a socket"));
  EXPECT_EQ(pack_file(from(), "s")->files, 1);
}

TEST_F(TarTest, TheFirstEntryMayGetAnotherName) {
  write(from() / "a/file", "x");
  ASSERT_TRUE(pack_file(from() / "a", "a").has_value());
  std::string top;
  const auto rename = [&top](const std::string& first, bool is_folder) -> base::Result<Place> {
    top = first + (is_folder ? "/" : "");
    return Place{"", "other"};
  };
  ASSERT_TRUE(unpack_file(TreeRoot::Links::kRefused, {}, rename).has_value());
  EXPECT_EQ(top, "a/");
  EXPECT_EQ(read(to() / "other/file"), "x");
  const auto into = [](const std::string&, bool) -> base::Result<Place> { return Place{"other", ""}; };
  write(from() / "a/second", "y");
  ASSERT_TRUE(pack_file(from() / "a", ".").has_value());
  ASSERT_TRUE(unpack_file(TreeRoot::Links::kRefused, {}, into).has_value());
  EXPECT_EQ(read(to() / "other/second"), "y");
}

TEST_F(TarTest, FilesAreReplacedAndFoldersJoined) {
  write(to() / "d/file", "old");
  write(to() / "d/kept", "kept");
  fs::create_hard_link(to() / "d/file", folder / "outside");
  make_archive({{"d", AE_IFDIR, {}, {}, {}, 0755}, {"d/file", AE_IFREG, "new"}, {"d/more/file", AE_IFREG, "more"}});
  const auto unpacked = unpack_file();
  ASSERT_TRUE(unpacked.has_value()) << unpacked.error().message;
  EXPECT_EQ(read(to() / "d/file"), "new");
  EXPECT_EQ(read(folder / "outside"), "old");
  EXPECT_EQ(read(to() / "d/kept"), "kept");
  EXPECT_EQ(read(to() / "d/more/file"), "more");
  make_archive({{"d", AE_IFREG, "x"}});
  EXPECT_THAT(unpack_file().error().message, HasSubstr("\"d\" is a folder there, and none in the archive"));
  make_archive({{"d/file", AE_IFDIR, {}, {}, {}, 0755}});
  EXPECT_THAT(unpack_file().error().message, HasSubstr("is no folder there, but one in the archive"));
}

TEST_F(TarTest, NothingLeavesTheFolder) {
  write(folder / "victim", "safe");
  const std::string victim = (folder / "victim").string();
  const std::vector<std::vector<ArchiveItem>> attacks = {
      {{"../victim", AE_IFREG, "evil"}},
      {{"a/../../victim", AE_IFREG, "evil"}},
      {{victim, AE_IFREG, "evil"}},
      {{"link", AE_IFLNK, {}, ".."}, {"link/victim", AE_IFREG, "evil"}},
      {{"link", AE_IFLNK, {}, folder.string()}, {"link/victim", AE_IFREG, "evil"}},
      {{"link", AE_IFLNK, {}, folder.string()}, {"link", AE_IFDIR, {}, {}, {}, 0700}},
      {{"twin", AE_IFREG, {}, {}, "../victim"}},
      {{"twin", AE_IFREG, {}, {}, victim}},
      {{"link", AE_IFLNK, {}, ".."}, {"twin", AE_IFREG, {}, {}, "link/victim"}},
      {{"proc", AE_IFLNK, {}, "/proc/self/root"}, {"proc" + victim, AE_IFREG, "evil"}},
  };
  for (const auto& attack : attacks) {
    make_archive(attack);
    const auto unpacked = unpack_file();
    EXPECT_FALSE(unpacked.has_value()) << attack.back().path;
    if (!unpacked) {
      EXPECT_EQ(unpacked.error().code, base::Code::kInvalidArgument) << unpacked.error().message;
    }
    EXPECT_EQ(read(folder / "victim"), "safe") << attack.back().path;
    EXPECT_EQ(info_of(folder / "victim").st_nlink, 1u);
    fs::remove_all(to());
    fs::create_directories(to());
  }
}

TEST_F(TarTest, AFileTakesALinksPlaceInsteadOfFollowingIt) {
  write(folder / "victim", "safe");
  make_archive({{"link", AE_IFLNK, {}, "../victim"}, {"link", AE_IFREG, "mine"}});
  ASSERT_TRUE(unpack_file().has_value());
  EXPECT_EQ(read(folder / "victim"), "safe");
  EXPECT_EQ(read(to() / "link"), "mine");
}

TEST_F(TarTest, InAContainerLinksLeadToPlacesInIt) {
  fs::create_directories(to() / "usr/lib");
  fs::create_symlink("/usr/lib", to() / "lib");
  fs::create_symlink("../../../../usr", to() / "up");
  make_archive({{"lib/file", AE_IFREG, "x"}, {"up/other", AE_IFREG, "y"}, {"lib", AE_IFDIR, {}, {}, {}, 0755}});
  const auto unpacked = unpack_file(TreeRoot::Links::kInside);
  ASSERT_TRUE(unpacked.has_value()) << unpacked.error().message;
  EXPECT_EQ(read(to() / "usr/lib/file"), "x");
  EXPECT_EQ(read(to() / "usr/other"), "y");
  EXPECT_TRUE(fs::is_symlink(to() / "lib"));
}

TEST_F(TarTest, WhatAnArchiveClaimsAboutOwnersCanBeIgnored) {
  make_archive({{"file", AE_IFREG, "x", {}, {}, 06755}, {"null", AE_IFCHR, {}, {}, {}, 0666}});
  const auto unpacked = unpack_file(TreeRoot::Links::kRefused, {.as_archived = false});
  ASSERT_TRUE(unpacked.has_value()) << unpacked.error().message;
  EXPECT_EQ(info_of(to() / "file").st_mode & 07777, 0755u);
  EXPECT_EQ(unpacked->devices_left_out, 1);
  EXPECT_FALSE(fs::exists(to() / "null"));
}

TEST_F(TarTest, AFileThatIsMountedOnIsWrittenAnew) {
  write(folder / "mounted", "a long old text");
  write(to() / "hosts", "");
  ASSERT_EQ(::mount((folder / "mounted").c_str(), (to() / "hosts").c_str(), nullptr, MS_BIND, nullptr), 0);
  make_archive({{"hosts", AE_IFREG, "new"}});
  const auto unpacked = unpack_file();
  ASSERT_EQ(::umount2((to() / "hosts").c_str(), MNT_DETACH), 0);
  ASSERT_TRUE(unpacked.has_value()) << unpacked.error().message;
  EXPECT_EQ(read(folder / "mounted"), "new");
}

TEST_F(TarTest, AFullOrReadOnlyPlaceSaysSoInASentence) {
  ASSERT_EQ(::mount("tmpfs", to().c_str(), "tmpfs", 0, "size=64k"), 0);
  make_archive({{"big", AE_IFREG, std::string(1 << 20, 'x')}});
  const auto full = unpack_file();
  ASSERT_EQ(::mount(nullptr, to().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const auto read_only = unpack_file();
  ASSERT_EQ(::umount2(to().c_str(), MNT_DETACH), 0);
  EXPECT_EQ(full.error().code, base::Code::kResourceExhausted);
  EXPECT_EQ(full.error().message, "cannot write \"big\": no space is left there, free some first");
  EXPECT_EQ(read_only.error().code, base::Code::kFailedPrecondition);
  EXPECT_THAT(read_only.error().message, HasSubstr("\"big\": it is read-only there"));
}

TEST_F(TarTest, WhatIsNoArchiveIsRefused) {
  std::ofstream(archive_file()) << std::string(5000, 'x');
  EXPECT_EQ(unpack_file().error().code, base::Code::kInvalidArgument);
  write(from() / "file", std::string(100'000, 'x'));
  ASSERT_TRUE(pack_file(from() / "file", "file").has_value());
  fs::resize_file(archive_file(), 50'000);
  EXPECT_EQ(unpack_file().error().code, base::Code::kInvalidArgument);
}

TEST(CleanTest, PathsAreMadePlain) {
  EXPECT_EQ(clean("/a//b/./c/"), "a/b/c");
  EXPECT_EQ(clean("/../a/../../b"), "b");
  EXPECT_EQ(clean("/"), "");
  EXPECT_EQ(clean("."), "");
}

}  // namespace
}  // namespace orchion::tar
