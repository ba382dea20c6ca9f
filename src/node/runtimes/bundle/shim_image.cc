#include "node/runtimes/bundle/shim_image.h"

#include <unistd.h>

#include "base/file.h"
#include "node/runtimes/bundle/digest.h"

asm(".section .rodata\n"
    ".balign 16\n"
    "orchion_shim_image_begin:\n"
    ".incbin \"" ORCHION_SHIM_PATH
    "\"\n"
    "orchion_shim_image_end:\n"
    ".byte 0\n"
    ".previous\n");

extern const char orchion_shim_image_begin[];
extern const char orchion_shim_image_end[];

namespace orchion::node::runtimes::bundle {

std::string_view shim_image() {
  return {orchion_shim_image_begin, static_cast<std::size_t>(orchion_shim_image_end - orchion_shim_image_begin)};
}

std::string shim_file_name() {
  return "orchion-shim-" + short_digest(shim_image());
}

base::Result<std::filesystem::path> install_shim(const std::filesystem::path& folder) {
  const auto path = folder / shim_file_name();
  if (::access(path.c_str(), X_OK) == 0) return path;
  RETURN_IF_ERROR(base::make_folders(folder));
  RETURN_IF_ERROR(base::write_file_durably(path, shim_image(), 0755));
  return path;
}

}  // namespace orchion::node::runtimes::bundle
