#include "node/runtimes/engine/gate_image.h"

#include <string_view>

#include "base/file.h"

asm(".section .rodata\n"
    ".balign 16\n"
    "orchion_gate_image_begin:\n"
    ".incbin \"" ORCHION_GATE_PATH
    "\"\n"
    "orchion_gate_image_end:\n"
    ".byte 0\n"
    ".previous\n");

extern const char orchion_gate_image_begin[];
extern const char orchion_gate_image_end[];

namespace orchion::node::runtimes::engine {

base::Result<> install_gate(const std::filesystem::path& path) {
  const std::string_view image(orchion_gate_image_begin,
                               static_cast<std::size_t>(orchion_gate_image_end - orchion_gate_image_begin));
  if (const auto present = base::read_file(path); present && *present == image) return {};
  RETURN_IF_ERROR(base::make_folders(path.parent_path()));
  // Renamed into place: containers made before keep the gate they have.
  return base::write_file_durably(path, image, 0755);
}

}  // namespace orchion::node::runtimes::engine
