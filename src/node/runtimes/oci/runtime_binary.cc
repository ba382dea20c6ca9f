#include "node/runtimes/oci/runtime_binary.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/process.h"

namespace orchion::node::runtimes::oci {

namespace {

constexpr std::array kNames = {"crun", "runc", "youki", "runsc"};

// Since Linux 6.3 a file in memory may be forbidden to run unless it says at once that it is a program.
base::UniqueFd make_program_file(const char* name) {
  constexpr unsigned kMayRun = 0x10;  // MFD_EXEC, which Debian 12's headers don't have
  base::UniqueFd file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | kMayRun));
  if (!file && errno == EINVAL) file.reset(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  return file;
}

base::Result<base::UniqueFd> seal_copy(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const auto program, base::read_file(path, std::size_t{256} << 20));
  auto copy = make_program_file(path.filename().c_str());
  if (!copy) return base::fail_errno(errno, "cannot make a file in memory");
  for (std::size_t done = 0; done < program.size();) {
    const auto written = ::write(copy.get(), program.data() + done, program.size() - done);
    if (written < 0 && errno != EINTR) return base::fail_errno(errno, "cannot copy " + path.string() + " to memory");
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  // These four are what crun and runc look for.
  if (::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return base::fail_errno(errno, "cannot seal a file in memory");
  return copy;
}

}  // namespace

base::Result<RuntimeBinary> find_oci_runtime(std::string_view name) {
  RuntimeBinary binary;
  binary.name = name;
  ASSIGN_OR_RETURN(binary.path, base::find_program(binary.name));
  ASSIGN_OR_RETURN(const auto text, base::run_checked({.arguments = {binary.path.string(), "--version"}}));
  // "crun version 1.8.1\n…", "runc version 1.1.5+ds1\n…"
  const auto line = text.substr(0, text.find('\n'));
  binary.version = line.substr(line.rfind(' ') + 1);
  // Without it a start takes a little longer, and that is all.
  if (auto image = seal_copy(binary.path)) {
    binary.image = std::make_shared<const base::UniqueFd>(*std::move(image));
  } else {
    base::log::warn("{} is started from its file: {}", binary.name, image.error().message);
  }
  return binary;
}

bool has_oci_runtime() {
  return std::ranges::any_of(kNames, [](const char* name) { return base::find_program(name).has_value(); });
}

base::Result<std::vector<RuntimeBinary>> find_oci_runtimes() {
  std::vector<RuntimeBinary> found;
  for (const auto* name : kNames) {
    if (auto binary = find_oci_runtime(name)) found.push_back(*std::move(binary));
  }
  if (!found.empty()) return found;
  return base::fail(base::Code::kNotFound,
                    "neither crun nor runc is installed: install one of them (apt install crun)");
}

}  // namespace orchion::node::runtimes::oci
