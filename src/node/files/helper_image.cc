#include "node/files/helper_image.h"

#include <cerrno>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

asm(".section .rodata\n"
    ".balign 16\n"
    "orchion_files_image_begin:\n"
    ".incbin \"" ORCHION_FILES_PATH
    "\"\n"
    "orchion_files_image_end:\n"
    ".byte 0\n"
    ".previous\n");

extern const char orchion_files_image_begin[];
extern const char orchion_files_image_end[];

namespace orchion::node::files {

namespace {

// Kernels from 6.3 on want to be told; those before know no such flag.
constexpr unsigned kExecutable = 0x10;  // MFD_EXEC

}  // namespace

base::Result<base::UniqueFd> open_helper_image() {
  std::string_view image(orchion_files_image_begin,
                         static_cast<std::size_t>(orchion_files_image_end - orchion_files_image_begin));
  base::UniqueFd fd(::memfd_create("orchion-files", MFD_CLOEXEC | kExecutable));
  if (!fd && errno == EINVAL) fd.reset(::memfd_create("orchion-files", MFD_CLOEXEC));
  if (!fd) return base::fail_errno(errno, "cannot make a file in memory");
  while (!image.empty()) {
    const auto n = ::write(fd.get(), image.data(), image.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno(errno, "cannot write a file in memory");
    image.remove_prefix(static_cast<std::size_t>(n));
  }
  return fd;
}

}  // namespace orchion::node::files
